"""Task ``imageClassification``: train the child as an image classifier."""

import json
from pathlib import Path

import torch

from archsearch.api.task import ImageClassification
from archsearch.report import Report, TrialInput
from archsearch.trial import startup
from archsearch.trial.data.prepared import prepare
from archsearch.trial.errors import SearchError, TrialError
from archsearch.trial.networks.convolutional import ConvolutionalNetwork, parameters
from archsearch.trial.networks.counts import multiply_adds
from archsearch.trial.tasks.training import DevicePart, Epoch, Measured, Normaliser, Trainer


def prefetch(task: ImageClassification, base: Path) -> None:
    """Read and split the data set in this process, so that children forked from it need not. NumPy only, no tensor."""
    prepare(task, base)


def run(trial: TrialInput, task: ImageClassification, base: Path) -> Report:
    """Train the child and report accuracy, loss, testAccuracy (fractions, nats) and what it cost.

    Raises:
        TrialError: LossNotFinite, ArchitectureInvalid, BatchTooSmall, OutOfMemory; of scope Search: bad data.
    """
    if trial.architecture.get("kind") != "convolutional":
        raise SearchError(
            "ArchitectureUnsupported",
            f"architecture.kind is {trial.architecture.get('kind')!r}; imageClassification builds: 'convolutional'",
        )
    try:
        return _run(trial, task, base)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory(error) from error
    except RuntimeError as error:
        # PyTorch has no type of its own for a CPU that is out of memory.
        if "allocate memory" in str(error):
            raise _out_of_memory(error) from error
        raise


def _run(trial: TrialInput, task: ImageClassification, base: Path) -> Report:
    device = _prepare(trial)
    data = prepare(task, base)
    network = ConvolutionalNetwork(trial.architecture, data.shape, data.classes)
    _check_batches(network, task, len(data.train))
    network = network.to(device).to(memory_format=torch.channels_last)
    train, validation, test = (DevicePart.of(part, device) for part in (data.train, data.validation, data.test))
    trainer = Trainer(network, task, train, Normaliser(data, device), trial.seed)
    clock = startup.Clock()
    curve: list[Epoch] = []
    for epoch in trainer.epochs(validation, clock.training_starts):
        curve.append(epoch)
        _show(epoch)
    seconds = clock.since_training()
    measured = trainer.measure(test)
    # Held from the start of the process on: others cannot use what it has reserved.
    held = {"gpuSeconds": clock.startup + clock.since_training()} if device.type == "cuda" else {}
    return Report(
        metrics={
            **_rewarded(curve, task.best_of_last),
            "testAccuracy": measured.accuracy,
            "testLoss": measured.loss,
            "parameters": parameters(network),
            "multiplyAdds": multiply_adds(trial.architecture, data.shape, data.classes),
            "epochs": len(curve),
            "startupSeconds": clock.startup,
            "trainingSeconds": seconds,
            "examplesPerSecond": len(curve) * len(data.train) / seconds,
            **held,
        }
    )


def _prepare(trial: TrialInput) -> torch.device:
    """Threads, seeds and the device that is there."""
    torch.set_num_threads(trial.threads)
    torch.manual_seed(trial.seed)
    # Denormals, which dying weights decay into, are computed many times slower on CPUs.
    torch.set_flush_denormal(True)
    if torch.cuda.is_available():
        torch.backends.cudnn.benchmark = True
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    # torch.use_deterministic_algorithms would import torch._inductor, seconds in each child, and change nothing: on a
    # CPU every operation used here is deterministic for a given number of threads (tests hold it to that).
    return torch.device("cpu")


def _check_batches(network: ConvolutionalNetwork, task: ImageClassification, images: int) -> None:
    steps = -(-images // task.batch_size)
    if images // steps * network.smallest_map < 2:
        raise TrialError(
            "BatchTooSmall",
            f"batchSize {task.batch_size} makes batches of a single image, and the child shrinks it to one pixel: "
            "batch normalisation needs two values at least; use a batchSize of 4 or more",
        )


def _rewarded(curve: list[Epoch], best_of_last: int) -> dict[str, float]:
    """accuracy: the best of the last epochs; loss: of the very last."""
    last: Measured = curve[-1].validation
    return {"accuracy": max(epoch.validation.accuracy for epoch in curve[-best_of_last:]), "loss": last.loss}


def _show(epoch: Epoch) -> None:
    """One JSON line of the learning curve in the log."""
    line = {
        "epoch": epoch.epoch,
        "trainLoss": epoch.train_loss,
        "accuracy": epoch.validation.accuracy,
        "loss": epoch.validation.loss,
    }
    print(json.dumps({name: round(value, 6) for name, value in line.items()}), flush=True)


def _out_of_memory(error: BaseException) -> TrialError:
    return TrialError("OutOfMemory", f"the child does not fit into memory; a smaller batchSize may help: {error}")

"""Training: the recipe's parts against plain references, and what a whole training promises."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.sgd import sgd

from archsearch.api.task import Augmentation, DigitsData, ImageClassification, ImageData
from archsearch.report import Report, TrialInput
from archsearch.trial import program
from archsearch.trial.data.prepared import Prepared, PreparedPart, statistics
from archsearch.trial.tasks.augmentation import Picker, reflect
from archsearch.trial.tasks.optimiser import Nesterov, rate_at
from archsearch.trial.tasks.training import DevicePart, Normaliser, Trainer

ARCHITECTURE = {
    "kind": "convolutional",
    "layers": [
        {"filterHeight": 3, "filterWidth": 3, "strideHeight": 1, "strideWidth": 1, "filters": 8, "inputs": [0]},
        {"filterHeight": 3, "filterWidth": 2, "strideHeight": 2, "strideWidth": 2, "filters": 12, "inputs": [1]},
    ],
    "outputs": [2],
}


def trial(seed: int = 0, threads: int = 1, architecture: object = ARCHITECTURE, **settings: object) -> TrialInput:
    recipe = {"dataset": {"digits": {}}, "epochs": 2, **settings}
    return TrialInput.model_validate(
        {
            "search": "s",
            "trial": "s-000000",
            "index": 0,
            "architecture": architecture,
            "task": {"imageClassification": recipe},
            "seed": seed,
            "attempt": 1,
            "threads": threads,
        }
    )


def learned(report: Report) -> dict[str, float]:
    """The metrics that a seed decides: all but times."""
    return {name: value for name, value in report.metrics.items() if "Second" not in name}


@pytest.fixture(autouse=True)
def _threads_as_before() -> object:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@torch.no_grad()
def _torch_step(
    parameters: list[nn.Parameter], buffers: dict[nn.Parameter, torch.Tensor], rate: float, penalty: float
) -> None:
    """A step of torch's own SGD, by its function: its class imports torch._dynamo, which takes seconds."""
    known = [buffers.get(parameter) for parameter in parameters]
    gradients = [parameter.grad for parameter in parameters]
    options = {"momentum": 0.9, "dampening": 0.0, "nesterov": True, "maximize": False, "foreach": False}
    sgd(parameters, gradients, known, lr=rate, weight_decay=penalty, **options)
    buffers.update(zip(parameters, known, strict=True))


def test_the_optimiser_does_what_torch_does() -> None:
    torch.manual_seed(0)
    ours, theirs = (nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 3)).double() for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    decayed = [parameter for parameter in theirs.parameters() if parameter.dim() > 1]
    plain = [parameter for parameter in theirs.parameters() if parameter.dim() == 1]
    groups = [(decayed, 0.1), (plain, 0.0)]
    buffers: dict[nn.Parameter, torch.Tensor] = {}
    optimiser = Nesterov(ours, momentum=0.9, weight_decay=0.1)
    for step in range(5):
        images = torch.randn(7, 5, dtype=torch.float64)
        for network in (ours, theirs):
            network.zero_grad()
            network(images).square().sum().backward()
        rate = 0.001 * (step + 1)
        for parameters, penalty in groups:
            _torch_step(parameters, buffers, rate, penalty)
        optimiser.step(rate)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(mine, other, rtol=1e-12)
        assert mine.grad is None


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 100])
def test_the_rate_rises_to_its_peak_and_falls_towards_zero(steps: int) -> None:
    rates = [rate_at(step, steps, 0.4) for step in range(steps)]
    top = rates.index(max(rates))
    assert max(rates) == pytest.approx(0.4)
    assert min(rates) > 0
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert top <= max(1, steps / 3)


@pytest.mark.parametrize(("pixels", "pad"), [(5, 4), (2, 1), (8, 3)])
def test_reflection_agrees_with_numpy(pixels: int, pad: int) -> None:
    places = torch.arange(-pad, pixels + pad)
    assert reflect(places, pixels).tolist() == np.pad(np.arange(pixels), pad, mode="reflect").tolist()
    assert reflect(torch.tensor([-9, 0, 9]), 1).tolist() == [0, 0, 0]


def test_without_augmentation_a_batch_is_the_images_themselves() -> None:
    images = torch.randint(0, 256, (9, 4, 5, 3), dtype=torch.uint8)
    picker = Picker(images, Augmentation(), torch.Generator())
    indices = torch.tensor([8, 0, 3])
    assert torch.equal(picker.pick(indices), images[indices])


def test_every_augmented_image_is_a_shifted_and_perhaps_mirrored_original() -> None:
    images = torch.randint(0, 256, (300, 6, 5, 3), dtype=torch.uint8)
    picker = Picker(images, Augmentation(flip=True, crop=2), torch.Generator().manual_seed(0))
    seen = set()
    for image, made in zip(images, picker.pick(torch.arange(300)), strict=True):
        padded = np.pad(image.numpy(), ((2, 2), (2, 2), (0, 0)), mode="reflect")
        crops = {
            (row, column, flip): padded[row : row + 6, column : column + 5][:, :: -1 if flip else 1]
            for row in range(5)
            for column in range(5)
            for flip in (False, True)
        }
        matches = [key for key, crop in crops.items() if np.array_equal(crop, made.numpy())]
        assert matches
        seen.update(matches)
    assert len(seen) == 50


def prepared(pixels: np.ndarray) -> Prepared:
    """A data set of which every part is ``pixels`` (N, height, width, channels), all of class 0."""
    part = PreparedPart(pixels, np.zeros(len(pixels), dtype=np.int64))
    return Prepared(part, part, part, (pixels.shape[3], *pixels.shape[1:3]), 2, *statistics(pixels))


def test_training_images_have_mean_zero_and_variance_one_in_each_channel() -> None:
    images = np.random.default_rng(0).integers(0, 256, (1500, 6, 7, 3), dtype=np.uint8)
    images[..., 1] //= 4
    made = Normaliser(prepared(images), torch.device("cpu"))(torch.from_numpy(images))
    assert tuple(made.shape) == (1500, 3, 6, 7)
    assert torch.allclose(made.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(made.std(dim=(0, 2, 3), correction=0), torch.ones(3), atol=1e-5)


def test_a_blank_channel_stays_finite() -> None:
    images = np.full((5, 2, 2, 1), 7, dtype=np.uint8)
    made = Normaliser(prepared(images), torch.device("cpu"))(torch.from_numpy(images))
    assert torch.equal(made, torch.zeros(5, 1, 2, 2))


def test_every_image_is_taught_in_every_epoch_in_nearly_equal_batches() -> None:
    data = prepared(np.arange(103, dtype=np.uint8).reshape(-1, 1, 1, 1))
    train, normalise = DevicePart.of(data.train, torch.device("cpu")), Normaliser(data, torch.device("cpu"))
    task = ImageClassification(dataset=ImageData(digits=DigitsData()), epochs=2, batch_size=20)
    trainer = Trainer(nn.Sequential(nn.Flatten(), nn.Linear(1, 2)), task, train, normalise, seed=0)
    picked: list[list[int]] = []
    pick = trainer.picker.pick

    def watched(indices: torch.Tensor) -> torch.Tensor:
        picked.append(indices.tolist())
        return pick(indices)

    trainer.picker.pick = watched  # type: ignore[method-assign]
    assert len(list(trainer.epochs(train, lambda: None))) == 2
    first, second = picked[:6], picked[6:]
    assert {len(batch) for batch in picked} == {17, 18}
    for epoch in (first, second):
        assert sorted(number for batch in epoch for number in batch) == list(range(103))
    assert first != second


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_seed_gives_the_same_metrics_bit_for_bit(threads: int) -> None:
    augmented = {"augmentation": {"flip": True, "crop": 1}, "labelSmoothing": 0.1, "limit": 200}
    first, again = (program.run(trial(3, threads, **augmented)) for _ in range(2))
    other = program.run(trial(4, threads, **augmented))
    assert first.error is None
    assert learned(first) == learned(again)
    assert learned(first) != learned(other)


def test_a_training_learns_and_says_what_it_cost(capsys: pytest.CaptureFixture[str]) -> None:
    report = program.run(trial(epochs=4, bestOfLast=3, learningRate=0.2))
    curve = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert report.error is None
    assert [point["epoch"] for point in curve] == [1, 2, 3, 4]
    assert report.metrics["accuracy"] == pytest.approx(max(point["accuracy"] for point in curve[1:]), abs=1e-6)
    assert report.metrics["loss"] == pytest.approx(curve[-1]["loss"], abs=1e-6)
    assert report.metrics["accuracy"] > 0.6
    assert report.metrics["testAccuracy"] > 0.6
    assert report.metrics["parameters"] == 9 * 8 + 16 + 6 * 8 * 12 + 24 + 12 * 10 + 10
    assert report.metrics["multiplyAdds"] == 64 * 72 + 16 * 576 + 120
    assert report.metrics["epochs"] == 4
    assert all(report.metrics[name] > 0 for name in ("trainingSeconds", "startupSeconds", "examplesPerSecond"))
    assert all(math.isfinite(value) for value in report.metrics.values())


def test_real_pictures_in_colour_train(shared_data: Path) -> None:
    cifar = {"dataset": {"cifar10": {"folder": "cifar-10-batches-bin"}}, "epochs": 1, "limit": 300}
    report = program.run(trial(**cifar, augmentation={"flip": True, "crop": 4}), shared_data)
    assert report.error is None
    assert 0 < report.metrics["accuracy"] < 1


def _tiny(filters: int = 1, stride: int = 8) -> dict[str, object]:
    layer = {"filterHeight": 1, "filterWidth": 1, "strideHeight": stride, "strideWidth": stride}
    return {"kind": "convolutional", "layers": [{**layer, "filters": filters, "inputs": [0]}], "outputs": [1]}


@pytest.mark.parametrize(
    ("change", "reason", "scope", "message"),
    [
        ({"learningRate": 100.0, "momentum": 0.99, "weightDecay": 10.0}, "LossNotFinite", "Child", "learningRate"),
        ({"batchSize": 1, "architecture": _tiny()}, "BatchTooSmall", "Child", "batchSize 1"),
        ({"architecture": _tiny(filters=10**13)}, "OutOfMemory", "Child", "memory"),
        ({"architecture": {"kind": "convolutional"}}, "ArchitectureInvalid", "Child", "layers"),
        ({"architecture": {"kind": "choices"}}, "ArchitectureUnsupported", "Search", "'choices'"),
        ({"dataset": {"cifar10": {"folder": "nowhere"}}}, "DataMissing", "Search", "nowhere"),
        ({"dataset": {"digits": {}, "cifar10": {}}}, "TaskInvalid", "Search", "digits and cifar10"),
        ({"epochs": 0}, "TaskInvalid", "Search", "task.imageClassification.epochs"),
        ({"epoch": 5}, "TaskInvalid", "Search", "task.imageClassification.epoch"),
    ],
)
def test_what_cannot_be_trained_is_the_reports_error(
    change: dict[str, object], reason: str, scope: str, message: str
) -> None:
    error = program.run(trial(**change)).error  # type: ignore[arg-type]
    assert error is not None
    assert (error.reason, error.scope) == (reason, scope)
    assert message in error.message


@pytest.mark.parametrize(("task", "reason"), [({"custom": {"anything": 1}}, "TaskUnsupported"), ({}, "TaskInvalid")])
def test_a_task_for_another_program_is_refused(task: dict[str, object], reason: str) -> None:
    error = program.run(trial().model_copy(update={"task": task})).error
    assert error is not None
    assert (error.reason, error.scope) == (reason, "Search")

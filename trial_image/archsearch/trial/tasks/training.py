"""Training one classifier with all its data on the device."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from archsearch.api.task import ImageClassification
from archsearch.trial.data.prepared import Prepared, PreparedPart
from archsearch.trial.errors import TrialError
from archsearch.trial.tasks.augmentation import Picker
from archsearch.trial.tasks.optimiser import Nesterov, rate_at

_EVALUATION_BATCH = {"cpu": 256, "cuda": 4096, "mps": 1024}
"""Images at once: large enough to keep the device busy, small enough that a CPU's caches still help."""


@dataclass(frozen=True)
class Measured:
    """How well a network does on one part."""

    accuracy: float
    """Share of images classified correctly, 0 to 1."""
    loss: float
    """Mean cross-entropy, in nats."""


@dataclass(frozen=True)
class Epoch:
    """One point of the learning curve."""

    epoch: int
    train_loss: float
    validation: Measured


@dataclass(frozen=True)
class DevicePart:
    """A part on the device: images (N, height, width, channels) as bytes, labels (N,)."""

    images: Tensor
    labels: Tensor

    @classmethod
    def of(cls, part: PreparedPart, device: torch.device) -> "DevicePart":
        """Put ``part`` on ``device``; on a CPU nothing is copied, so forked children share one data set.

        Bytes, normalised batch by batch: a quarter of the memory of floats.
        """
        return cls(torch.from_numpy(part.pixels).to(device), torch.from_numpy(part.labels).to(device))


class Normaliser:
    """Bytes to floats with mean 0 and variance 1 in each channel of the training part."""

    def __init__(self, data: Prepared, device: torch.device) -> None:
        """Use the statistics of ``data`` on ``device``."""
        self.mean = torch.from_numpy(data.mean).to(device)
        self.scale = torch.from_numpy(1 / data.deviation).to(device)

    def __call__(self, images: Tensor) -> Tensor:
        """(batch, height, width, channels) bytes to (batch, channels, height, width) floats, channels last."""
        return images.float().sub_(self.mean).mul_(self.scale).permute(0, 3, 1, 2)


class Trainer:
    """Trains a network by the task's recipe and measures it."""

    def __init__(
        self, network: nn.Module, task: ImageClassification, train: DevicePart, normalise: Normaliser, seed: int
    ) -> None:
        """Prepare; all of them are on the same device. All randomness comes from ``seed``."""
        self.network = network
        self.task = task
        self.train = train
        self.device = train.images.device
        self.generator = torch.Generator(device=self.device).manual_seed(seed)
        self.picker = Picker(train.images, task.augmentation, self.generator)
        self.normalise = normalise
        self.optimiser = Nesterov(network, task.momentum, task.weight_decay)
        self.steps_per_epoch = -(-len(train.labels) // task.batch_size)

    def epochs(self, validation: DevicePart, started: Callable[[], None]) -> Iterator[Epoch]:
        """Train, one epoch at a time; ``started`` is called when the first batch is about to be trained.

        Raises:
            TrialError: LossNotFinite, as soon as an epoch ends with a loss that is not finite.
        """
        for epoch in range(self.task.epochs):
            loss = self._epoch(epoch, started)
            # The one synchronisation of an epoch: losses are summed on the device until here.
            if not math.isfinite(loss):
                raise _not_finite(epoch, "training", loss)
            measured = self.measure(validation)
            if not math.isfinite(measured.loss):
                raise _not_finite(epoch, "validation", measured.loss)
            yield Epoch(epoch + 1, loss, measured)

    def _epoch(self, epoch: int, started: Callable[[], None]) -> float:
        self.network.train()
        count = len(self.train.labels)
        order = torch.randperm(count, generator=self.generator, device=self.device)
        total = torch.zeros((), device=self.device)
        # Nearly equal batches: every image counts in every epoch, and no step rests on a handful of images.
        for number, indices in enumerate(order.tensor_split(self.steps_per_epoch)):
            if epoch == 0 and number == 0:
                started()
            total += self._step(indices, epoch * self.steps_per_epoch + number)
        return float(total) / count

    def _step(self, indices: Tensor, step: int) -> Tensor:
        images = self.normalise(self.picker.pick(indices))
        with self._precision():
            logits = self.network(images)
        loss = functional.cross_entropy(
            logits.float(), self.train.labels[indices], label_smoothing=self.task.label_smoothing
        )
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step(rate_at(step, self.steps_per_epoch * self.task.epochs, self.task.learning_rate))
        return loss.detach() * len(indices)

    @torch.inference_mode()
    def measure(self, part: DevicePart) -> Measured:
        """Accuracy and loss on ``part``, of unchanged images, without label smoothing."""
        self.network.eval()
        correct = torch.zeros((), dtype=torch.int64, device=self.device)
        loss = torch.zeros((), dtype=torch.float64 if self.device.type != "mps" else torch.float32, device=self.device)
        size = _EVALUATION_BATCH[self.device.type]
        for images, labels in zip(torch.split(part.images, size), torch.split(part.labels, size), strict=True):
            with self._precision():
                logits = self.network(self.normalise(images)).float()
            loss += functional.cross_entropy(logits, labels, reduction="sum")
            correct += (logits.argmax(dim=1) == labels).sum()
        return Measured(float(correct) / len(part.labels), float(loss) / len(part.labels))

    def _precision(self) -> torch.autocast:
        """bfloat16 where the hardware multiplies it faster: on CUDA."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.device.type == "cuda")


def _not_finite(epoch: int, part: str, loss: float) -> TrialError:
    return TrialError(
        "LossNotFinite",
        f"the {part} loss is {loss} after epoch {epoch + 1}: training diverged; a lower learningRate may help",
    )

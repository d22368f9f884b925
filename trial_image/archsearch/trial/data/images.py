"""Images as every data set gives them, before they reach a device."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""(N, channels, height, width), 0 to 255."""
Labels = NDArray[np.int64]
"""(N,), the index of each image's class."""


@dataclass(frozen=True)
class Part:
    """Images with their labels."""

    pixels: Pixels
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.int64]) -> "Part":
        """Some of the images, in the order of ``indices``."""
        return Part(self.pixels[indices], self.labels[indices])


@dataclass(frozen=True)
class Images:
    """A data set: its training images, and the validation and test parts that it has of its own, if any."""

    name: str
    """Data set and where it was read, for messages."""
    classes: tuple[str, ...]
    training: Part
    validation: Part | None = None
    test: Part | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        _, channels, height, width = self.training.pixels.shape
        return channels, height, width

"""A data set as training wants it: split, laid out for the device, with the statistics that normalise it.

NumPy only, and kept in memory: a warm process prepares it once, and children forked from it share its pages.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from archsearch.api.task import ImageClassification
from archsearch.trial import data
from archsearch.trial.data.images import Labels, Part, Pixels
from archsearch.trial.data.split import split

_STEP = 1024
"""Images counted at once: bincount wants 8 bytes for each."""


@dataclass(frozen=True)
class PreparedPart:
    """Images (N, height, width, channels) as bytes, labels (N,)."""

    pixels: Pixels
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Prepared:
    """The three parts of a data set."""

    train: PreparedPart
    validation: PreparedPart
    test: PreparedPart
    shape: tuple[int, int, int]
    """Channels, height and width of an image."""
    classes: int
    mean: NDArray[np.float32]
    """(channels,), of the training part, 0 to 255."""
    deviation: NDArray[np.float32]
    """(channels,), of the training part; at least 1, so that a blank channel stays finite."""


_SPLITTING = ("dataset", "validation_fraction", "test_fraction", "split_seed", "limit")
_cache: dict[tuple[str, str], Prepared] = {}


def prepare(task: ImageClassification, base: Path) -> Prepared:
    """The data of ``task``, prepared once a process; ``base`` is where relative folders start.

    Raises:
        TrialError: what :func:`archsearch.trial.data.load` and :func:`archsearch.trial.data.split.split` raise.
    """
    settings = json.dumps(task.model_dump(mode="json", include=set(_SPLITTING)), sort_keys=True)
    key = (settings, str(base.resolve()))
    if key not in _cache:
        prepared = _prepare(task, base)
        # One at a time: a search has one data set, and a big one must not stay beside the next.
        _cache.clear()
        _cache[key] = prepared
    return _cache[key]


def _prepare(task: ImageClassification, base: Path) -> Prepared:
    images = data.load(task.dataset, base)
    parts = split(images, task)
    train, validation, test = (_channels_last(part) for part in (parts.train, parts.validation, parts.test))
    return Prepared(train, validation, test, images.shape, len(images.classes), *statistics(train.pixels))


def _channels_last(part: Part) -> PreparedPart:
    return PreparedPart(np.ascontiguousarray(part.pixels.transpose(0, 2, 3, 1)), part.labels)


def statistics(pixels: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation (channels,) of ``pixels`` (N, height, width, channels), from exact counts."""
    channels = pixels.shape[-1]
    counts = np.zeros((channels, 256), dtype=np.int64)
    for start in range(0, len(pixels), _STEP):
        for channel in range(channels):
            counts[channel] += np.bincount(pixels[start : start + _STEP, ..., channel].ravel(), minlength=256)
    values = np.arange(256.0)
    shares = counts / counts.sum(axis=1, keepdims=True)
    mean = (shares * values).sum(axis=1)
    variance = (shares * (values - mean[:, None]) ** 2).sum(axis=1)
    return mean.astype(np.float32), np.maximum(np.sqrt(variance), 1.0).astype(np.float32)

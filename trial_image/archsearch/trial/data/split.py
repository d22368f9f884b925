"""Train, validation and test: the same for every child of a search."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsearch.api.task import ImageClassification
from archsearch.trial.data.images import Images, Part
from archsearch.trial.errors import SearchError


@dataclass(frozen=True)
class Split:
    """The three parts: taught, rewarded, and measured only."""

    train: Part
    validation: Part
    test: Part


def split(images: Images, task: ImageClassification) -> Split:
    """Split ``images`` class by class, drawn by ``splitSeed`` alone.

    A validation or test part that the data set has of its own is used as it is; otherwise ``testFraction`` of all
    images, then ``validationFraction`` of the rest, are held out. ``limit`` then thins the training part only.

    Raises:
        TrialError: DataOneClass, DataClassEmpty or DataTooSmall, of scope Search.
    """
    check(images, 1 + (images.validation is None) + (images.test is None))
    # RandomState's streams are frozen by NumPy's compatibility policy: rewards stay comparable across its releases.
    random = np.random.RandomState(task.split_seed)
    rest = images.training
    test, validation = images.test, images.validation
    if test is None:
        rest, test = _hold_out(rest, round(len(rest) * task.test_fraction), random, 2 if validation is None else 1)
    if validation is None:
        rest, validation = _hold_out(rest, round(len(rest) * task.validation_fraction), random, 1)
    if task.limit is not None and task.limit < len(rest):
        if task.limit < len(images.classes):
            raise SearchError(
                "DataTooSmall",
                f"limit is {task.limit}, and {images.name} has {len(images.classes)} classes: "
                "a training part needs an image of each",
            )
        _, rest = _hold_out(rest, task.limit, random, 0)
    return Split(rest, validation, test)


def check(images: Images, parts: int) -> None:
    """Whether there are enough images of enough classes for ``parts`` parts. Raises TrialError."""
    counts = np.bincount(images.training.labels, minlength=len(images.classes))
    present = int(np.count_nonzero(counts))
    if len(images.classes) < 2 or present < 2:
        only = ", ".join(name for name, count in zip(images.classes, counts, strict=True) if count) or "none"
        raise SearchError(
            "DataOneClass", f"{images.name} has images of one class only ({only}); a classifier needs two at least"
        )
    for name, count in zip(images.classes, counts, strict=True):
        if count == 0:
            raise SearchError("DataClassEmpty", f"class {name!r} of {images.name} has no training images; add some")
        if count < parts:
            raise SearchError(
                "DataTooSmall",
                f"class {name!r} of {images.name} has {count} images; each of the {parts} parts to be made of them "
                "needs one at least: add images",
            )


def _hold_out(part: Part, number: int, random: np.random.RandomState, spare: int) -> tuple[Part, Part]:
    """(kept, held out): ``number`` images are held out, at least one of each class; ``spare`` of each are kept."""
    labels, counts = np.unique(part.labels, return_counts=True)
    chosen = np.zeros(len(part), dtype=bool)
    for label, share in zip(labels, _shares(counts - spare, number), strict=True):
        chosen[random.permutation(np.flatnonzero(part.labels == label))[:share]] = True
    return part.take(np.flatnonzero(~chosen)), part.take(np.flatnonzero(chosen))


def _shares(capacities: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    """``number`` shared out in proportion to ``capacities``, at least 1 to each, never more than a capacity."""
    room = capacities - 1
    rest = min(max(number - len(room), 0), int(room.sum()))
    # Rounding the running total instead of each share keeps the sum exact.
    running = np.floor(np.cumsum(room) * (rest / max(int(room.sum()), 1)) + 0.5).astype(np.int64)
    shares: NDArray[np.int64] = 1 + np.diff(running, prepend=0)
    return shares

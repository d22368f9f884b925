"""Data sets: read from where they lie, checked, and given as arrays of bytes."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from archsearch.api.task import ImageData
from archsearch.trial.data.images import Images

_LOADERS = {
    "digits": "archsearch.trial.data.digits",
    "cifar10": "archsearch.trial.data.cifar10",
    "fashionMnist": "archsearch.trial.data.fashion_mnist",
    "imageFolder": "archsearch.trial.data.image_folder",
}


def load(dataset: ImageData, base: Path) -> Images:
    """The data set, read from where it lies; ``base`` is where its relative folders start.

    Raises:
        TrialError: of scope Search, naming the file and what to do: DataMissing, DataCorrupt, DataUnreadable,
            DataOneClass, DataClassEmpty, DataClassUnknown, DataDownloadFailed.
    """
    loader: Callable[[Any, Path], Images] = importlib.import_module(_LOADERS[dataset.kind]).load
    return loader(dataset.chosen, base)

"""Data sets: read once from where they lie, checked, and given as arrays of bytes."""

import importlib
import json
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

_cache: dict[tuple[str, str], Images] = {}


def load(dataset: ImageData, base: Path) -> Images:
    """The data set; ``base`` is where its relative folders start. Read once a process, and by forked children never.

    Raises:
        TrialError: of scope Search, naming the file and what to do: DataMissing, DataCorrupt, DataUnreadable,
            DataClassEmpty, DataClassUnknown, DataDownloadFailed.
    """
    key = (json.dumps(dataset.model_dump(mode="json"), sort_keys=True), str(base.resolve()))
    if key not in _cache:
        loader: Callable[[Any, Path], Images] = importlib.import_module(_LOADERS[dataset.kind]).load
        images = loader(dataset.chosen, base)
        # One data set at a time: a search has one, and a big one must not stay beside the next.
        _cache.clear()
        _cache[key] = images
    return _cache[key]

"""Fashion-MNIST (1708.07747) and its likes in idx files, plain or gzipped."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from archsearch.api.task import FashionMnistData
from archsearch.trial.data import files
from archsearch.trial.data.images import Images, Part

CLASSES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_SUBFOLDERS = ("", "FashionMNIST/raw")
_MAGIC = {3: 0x00000803, 1: 0x00000801}
"""The first four bytes: unsigned bytes (08) in so many dimensions."""


def load(dataset: FashionMnistData, base: Path) -> Images:
    """The official training and test parts.

    Raises:
        TrialError: DataMissing, DataCorrupt, DataUnreadable or DataDownloadFailed, of scope Search.
    """
    root = files.root(dataset.folder, base)
    if _find(root) is None and dataset.download:
        files.download("Fashion-MNIST", root, _fetch, "FashionMNIST")
    found = _find(root)
    if found is None:
        files.listing(root, "Fashion-MNIST")
        absent = [name for name in _NAMES if not any(_either(root / place, name) for place in _SUBFOLDERS)]
        folders = [root / place for place in _SUBFOLDERS]
        remedy = "copy them there (.gz or not), correct dataset.folder, or set download: true"
        raise files.missing("Fashion-MNIST", absent or _NAMES, folders, remedy)
    training, test = _part(found[0], found[1]), _part(found[2], found[3])
    if training.pixels.shape[1:] != test.pixels.shape[1:]:
        raise files.corrupt(
            found[2], f"images of {test.pixels.shape[2:]} pixels, but {training.pixels.shape[2:]} train"
        )
    return Images(f"Fashion-MNIST in {found[0].parent}", CLASSES, training, test=test)


def _find(root: Path) -> list[Path] | None:
    for place in _SUBFOLDERS:
        found = [_either(root / place, name) for name in _NAMES]
        if all(found):
            return [file for file in found if file is not None]
    return None


def _either(folder: Path, name: str) -> Path | None:
    return next((file for file in (folder / name, folder / f"{name}.gz") if file.exists()), None)


def _part(images: Path, labels: Path) -> Part:
    pixels, classes = _idx(images, 3), _idx(labels, 1)
    if len(pixels) != len(classes):
        raise files.corrupt(labels, f"{len(classes)} labels for {len(pixels)} images of {images.name}")
    if classes.max() >= len(CLASSES):
        at = int(np.flatnonzero(classes >= len(CLASSES))[0])
        raise files.corrupt(labels, f"image {at} has label {classes[at]}; allowed: 0 to {len(CLASSES) - 1}")
    return Part(pixels[:, None], classes.astype(np.int64))


def _idx(file: Path, dimensions: int) -> NDArray[np.uint8]:
    """An idx file: magic, one size per dimension (4 bytes, big-endian), then the values."""
    data = files.read(file)
    header = 4 * (1 + dimensions)
    if len(data) < header:
        raise files.corrupt(file, f"its {len(data)} bytes are less than an idx header of {header}")
    magic, *sizes = (int(number) for number in np.frombuffer(data[:header], dtype=">u4"))
    if magic != _MAGIC[dimensions]:
        raise files.corrupt(file, f"it begins with 0x{magic:08x}; an idx file of bytes with 0x{_MAGIC[dimensions]:08x}")
    expected = int(np.prod(sizes, dtype=object))
    if len(data) - header != expected or expected == 0:
        raise files.corrupt(file, f"{len(data) - header} bytes follow the header, which announces {expected}")
    return np.frombuffer(data, dtype=np.uint8, offset=header).reshape(sizes).copy()


def _fetch(folder: Path) -> None:
    from torchvision.datasets import FashionMNIST

    FashionMNIST(folder, download=True)

"""CIFAR-10 in its official binary and python layouts (Krizhevsky, 2009)."""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from archsearch.api.task import Cifar10Data
from archsearch.trial.data import files
from archsearch.trial.data.images import Images, Part
from archsearch.trial.errors import SearchError

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32
_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
_TEST = "test_batch"
_SUBFOLDERS = ("", "cifar-10-batches-bin", "cifar-10-batches-py")


def load(dataset: Cifar10Data, base: Path) -> Images:
    """The official training and test parts; the binary layout where both are there.

    Raises:
        TrialError: DataMissing, DataCorrupt, DataUnreadable or DataDownloadFailed, of scope Search.
    """
    root = files.root(dataset.folder, base)
    found = _find(root)
    if found is None and dataset.download:
        files.download("CIFAR-10", root, _fetch, "cifar-10-batches-py")
        found = _find(root)
    if found is None:
        raise _missing(root)
    folder, suffix = found
    parts = [_read(folder / f"{name}{suffix}") for name in (*_BATCHES, _TEST)]
    return Images(f"CIFAR-10 in {folder}", CLASSES, _together(parts[:-1]), test=parts[-1])


def _find(root: Path) -> tuple[Path, str] | None:
    """Folder and suffix of the layout that is whole."""
    for suffix in (".bin", ""):
        for folder in _folders(root):
            if all((folder / f"{name}{suffix}").exists() for name in (*_BATCHES, _TEST)):
                return folder, suffix
    return None


def _folders(root: Path) -> list[Path]:
    return [root / name for name in _SUBFOLDERS]


def _missing(root: Path) -> Exception:
    files.listing(root, "CIFAR-10")
    # Where one layout is there in part, its missing files are what a person wants to know.
    for folder in _folders(root):
        for suffix in (".bin", ""):
            absent = [f"{name}{suffix}" for name in (*_BATCHES, _TEST) if not (folder / f"{name}{suffix}").exists()]
            if len(absent) <= len(_BATCHES):
                return files.missing("CIFAR-10", absent, [folder], "copy them there")
    wanted = [f"{_BATCHES[0]}.bin to {_BATCHES[-1]}.bin and {_TEST}.bin (or the same without .bin)"]
    return files.missing("CIFAR-10", wanted, _folders(root), "correct dataset.folder, or set download: true")


def _read(file: Path) -> Part:
    part = _binary(file) if file.suffix == ".bin" else _pickled(file)
    if part.labels.min() < 0 or part.labels.max() >= len(CLASSES):
        at = int(np.flatnonzero((part.labels < 0) | (part.labels >= len(CLASSES)))[0])
        raise files.corrupt(file, f"image {at} has label {part.labels[at]}; allowed: 0 to {len(CLASSES) - 1}")
    return part


def _binary(file: Path) -> Part:
    """Records of one label byte and the red, green and blue planes."""
    data = np.frombuffer(files.read(file), dtype=np.uint8)
    if len(data) == 0 or len(data) % (1 + _PIXELS):
        raise files.corrupt(file, f"its {len(data)} bytes are not whole records of {1 + _PIXELS}: it is cut short")
    records = data.reshape(-1, 1 + _PIXELS)
    return Part(np.ascontiguousarray(records[:, 1:]).reshape(-1, *_SHAPE), records[:, 0].astype(np.int64))


def _pickled(file: Path) -> Part:
    """A pickled dictionary of ``data`` (N, 3072) and ``labels``."""
    try:
        batch = _Arrays(io.BytesIO(files.read(file)), encoding="bytes").load()
        pixels = np.asarray(batch[b"data"])
        labels = np.asarray(batch[b"labels"])
    except SearchError:
        raise
    except Exception as error:
        # A pickle that is cut short or altered can raise anything; all of it means the same here.
        raise files.corrupt(file, f"it is no CIFAR-10 batch ({type(error).__name__}: {error})") from error
    if pixels.dtype != np.uint8 or pixels.shape != (len(labels), _PIXELS) or labels.ndim != 1 or not len(labels):
        raise files.corrupt(
            file, f"data is {pixels.dtype}{pixels.shape} for {labels.shape} labels; expected uint8(N, {_PIXELS})"
        )
    if labels.dtype.kind not in "iu":
        raise files.corrupt(file, f"labels are {labels.dtype}; expected whole numbers")
    return Part(pixels.reshape(-1, *_SHAPE), labels.astype(np.int64))


class _Arrays(pickle.Unpickler):
    """Reads arrays and plain values only: a pickle from elsewhere must not be able to run a program."""

    _ALLOWED = frozenset(
        (module, name)
        for package in ("numpy.core", "numpy._core")
        for module, name in (
            ("numpy", "dtype"),
            ("numpy", "ndarray"),
            (f"{package}.multiarray", "_reconstruct"),
            ("_codecs", "encode"),
        )
    )

    def find_class(self, module: str, name: str) -> Any:
        """The few names that arrays are made of; anything else is refused."""
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no batch needs")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _together(parts: list[Part]) -> Part:
    return Part(np.concatenate([part.pixels for part in parts]), np.concatenate([part.labels for part in parts]))


def _fetch(folder: Path) -> None:
    from torchvision.datasets import CIFAR10

    CIFAR10(folder, download=True)

"""A person's own pictures: a folder per class, or train/, validation/ and test/ of that form."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from archsearch.api.task import ImageFolderData
from archsearch.trial.data import files
from archsearch.trial.data.images import Images, Part, Pixels
from archsearch.trial.errors import SearchError

_PICTURES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"))
_PARTS = ("validation", "test")


def load(dataset: ImageFolderData, base: Path) -> Images:
    """The pictures, each scaled to a square of ``size`` pixels, RGB or grey; classes in the order of their names.

    Raises:
        TrialError: DataMissing, DataCorrupt, DataUnreadable, DataOneClass, DataClassEmpty or DataClassUnknown, of scope
            Search.
    """
    root = files.root(dataset.folder, base)
    listed = files.listing(root, "imageFolder")
    split = any(entry.name == "train" and entry.is_dir() for entry in listed)
    training = root / "train" if split else root
    classes = _classes(training)
    parts = {name: root / name for name in _PARTS if split and (root / name).is_dir()}
    read = {name: _part(folder, classes, dataset) for name, folder in parts.items()}
    return Images(
        f"the pictures in {root}",
        classes,
        _part(training, classes, dataset),
        validation=read.get("validation"),
        test=read.get("test"),
    )


def _classes(folder: Path) -> tuple[str, ...]:
    classes = tuple(entry.name for entry in files.listing(folder, "imageFolder") if entry.is_dir())
    if not classes:
        raise SearchError("DataMissing", f"{folder} holds no folders; put the pictures into one folder per class")
    if len(classes) == 1:
        raise SearchError("DataOneClass", f"{folder} holds one class only ({classes[0]}); a classifier needs two")
    return classes


def _part(folder: Path, classes: tuple[str, ...], dataset: ImageFolderData) -> Part:
    """The pictures of every class below ``folder``; a held-out part may lack a class, training may not."""
    present = _classes(folder)
    unknown = [name for name in present if name not in classes]
    if unknown:
        raise SearchError(
            "DataClassUnknown", f"{folder} has the class {unknown[0]!r}, which train/ lacks; add it there"
        )
    pixels: list[Pixels] = []
    labels: list[int] = []
    for name in present:
        pictures = _pictures(folder / name)
        if not pictures:
            raise SearchError(
                "DataClassEmpty", f"{folder / name} holds no pictures ({', '.join(sorted(_PICTURES))}); add some"
            )
        pixels.extend(_read(picture, dataset.size, dataset.grey) for picture in pictures)
        labels.extend([classes.index(name)] * len(pictures))
    return Part(np.stack(pixels), np.array(labels, dtype=np.int64))


def _pictures(folder: Path) -> Sequence[Path]:
    """Pictures at any depth below ``folder``, sorted; other files are left alone."""
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in _PICTURES and file.is_file())


def _read(file: Path, size: int, grey: bool) -> Pixels:
    """(channels, size, size)."""
    try:
        with Image.open(file) as picture:
            upright = ImageOps.exif_transpose(picture)
            upright = _eight_bits(file, upright, picture.format).convert("L" if grey else "RGB")
            scaled = upright.resize((size, size), Image.Resampling.BICUBIC)
    except UnidentifiedImageError as error:
        raise files.corrupt(file, "it is no picture that Pillow knows") from error
    except PermissionError as error:
        raise files.unreadable(file, error) from error
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        # Pillow reports a broken file by any of these, according to its format.
        raise files.corrupt(file, f"it is a broken picture ({error})") from error
    pixels = np.asarray(scaled, dtype=np.uint8)
    return pixels[None] if grey else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _eight_bits(file: Path, picture: Image.Image, form: str | None) -> Image.Image:
    """``picture`` with values of 0 to 255: Pillow's own conversion cuts deeper ones off, so that all would be white."""
    if picture.mode.startswith("I;16") or (picture.mode == "I" and form == "PPM"):  # PGM of 16 bits: 0 to 65535
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.mode in ("I", "F"):
        numbers = "whole numbers" if picture.mode == "I" else "floats"
        problem = f"its pixels are {numbers} of 32 bits, of which none is known to be white"
        raise SearchError("DataUnreadable", f"{file}: {problem}; save it with 8 or 16 bits")
    return picture

"""Data sets: what is good is read exactly, what is bad is told by file and remedy."""

import gzip
import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archsearch.api.task import ImageClassification, ImageData
from archsearch.trial import data
from archsearch.trial.data.images import Images
from archsearch.trial.data.split import split
from archsearch.trial.errors import TrialError

RECORD = 3073
BATCHES = [f"data_batch_{number}" for number in range(1, 6)]


def dataset(kind: str, **settings: object) -> ImageData:
    return ImageData.model_validate({kind: settings})


def read(kind: str, folder: Path, **settings: object) -> Images:
    return data.load(dataset(kind, folder=str(folder), **settings), folder)


def records(labels: list[int], seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (len(labels), RECORD), dtype=np.uint8)
    pixels[:, 0] = labels
    return pixels.tobytes()


def cifar_binary(folder: Path) -> None:
    for seed, name in enumerate([*BATCHES, "test_batch"]):
        (folder / f"{name}.bin").write_bytes(records(list(range(10)), seed))


def cifar_python(folder: Path) -> None:
    for seed, name in enumerate([*BATCHES, "test_batch"]):
        pixels = np.frombuffer(records(list(range(10)), seed), dtype=np.uint8).reshape(-1, RECORD)
        batch = {b"data": np.ascontiguousarray(pixels[:, 1:]), b"labels": list(range(10))}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))


def idx(values: np.ndarray) -> bytes:
    header = np.array([0x0800 + values.ndim, *values.shape], dtype=">u4")
    return header.tobytes() + values.astype(np.uint8).tobytes()


def fashion(folder: Path, images: int = 20) -> None:
    for part in ("train", "t10k"):
        pixels = np.random.default_rng(1).integers(0, 256, (images, 28, 28), dtype=np.uint8)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(pixels))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(images) % 10))


def pictures(folder: Path, classes: tuple[str, ...] = ("cat", "dog"), count: int = 4) -> None:
    for shade, name in enumerate(classes):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            Image.new("RGB", (9, 7), (40 * shade, 10 * number, 0)).save(folder / name / f"{number}.png")


def test_digits_need_no_download() -> None:
    digits = data.load(dataset("digits"), Path())
    assert digits.training.pixels.shape == (1797, 1, 8, 8)
    assert (int(digits.training.pixels.min()), int(digits.training.pixels.max())) == (0, 255)
    assert digits.classes == tuple("0123456789")


def test_both_layouts_of_cifar10_hold_the_same(tmp_path: Path) -> None:
    for name, write in (("binary", cifar_binary), ("python", cifar_python)):
        (tmp_path / name).mkdir()
        write(tmp_path / name)
    binary, python = read("cifar10", tmp_path / "binary"), read("cifar10", tmp_path / "python")
    assert binary.training.pixels.shape == (50, 3, 32, 32)
    assert np.array_equal(binary.training.pixels, python.training.pixels)
    assert np.array_equal(binary.training.labels, python.training.labels)
    assert binary.test is not None
    assert python.test is not None
    assert np.array_equal(binary.test.pixels, python.test.pixels)


def test_the_real_excerpt_of_cifar10(shared_data: Path) -> None:
    images = data.load(dataset("cifar10", folder="data/cifar-10-batches-bin"), shared_data.parent)
    assert images.training.pixels.shape == (5085, 3, 32, 32)
    assert images.test is not None
    assert len(images.test) == 1017
    assert images.classes[int(images.training.labels[0])] == "frog"  # the first image of the first official batch


@pytest.mark.parametrize("packed", [False, True])
def test_fashion_mnist_plain_or_gzipped(tmp_path: Path, packed: bool) -> None:
    fashion(tmp_path)
    plain = read("fashionMnist", tmp_path).training.pixels
    if packed:
        for file in list(tmp_path.iterdir()):
            file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
            file.unlink()
    again = data.load(dataset("fashionMnist", folder="."), tmp_path)
    assert again.training.pixels.shape == (20, 1, 28, 28)
    assert np.array_equal(again.training.pixels, plain)


def test_pictures_are_scaled_and_classes_sorted(tmp_path: Path) -> None:
    pictures(tmp_path, ("dog", "cat"))
    (tmp_path / "cat" / "notes.txt").write_text("not a picture")
    images = read("imageFolder", tmp_path, size=8)
    assert images.classes == ("cat", "dog")
    assert images.training.pixels.shape == (8, 3, 8, 8)
    assert images.training.labels.tolist() == [0] * 4 + [1] * 4
    assert images.test is None
    assert read("imageFolder", tmp_path, size=5, grey=True).shape == (1, 5, 5)


@pytest.mark.parametrize("name", ["deep.png", "deep.tif", "deep.pgm"])
def test_pictures_of_16_bits_keep_their_shades(tmp_path: Path, name: str) -> None:
    pictures(tmp_path, ("cat", "dog"), count=1)
    ramp = np.repeat(np.arange(8, dtype=np.uint16)[None] * 9362, 8, axis=0)  # 0 to 65,534 from left to right
    Image.fromarray(ramp).save(tmp_path / "cat" / name)
    deep = read("imageFolder", tmp_path, size=8, grey=True).training.pixels[1, 0]
    assert deep[0].tolist() == [shade * 9362 >> 8 for shade in range(8)]


def test_pictures_with_parts_of_their_own(tmp_path: Path) -> None:
    for part, count in (("train", 5), ("validation", 2), ("test", 3)):
        pictures(tmp_path / part, count=count)
    images = read("imageFolder", tmp_path, size=8)
    parts = split(images, ImageClassification(dataset=dataset("digits")))
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [10, 4, 6]


def test_relative_folders_start_at_the_base_and_the_default_is_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here" / "cifar-10-batches-bin").mkdir(parents=True)
    cifar_binary(tmp_path / "here" / "cifar-10-batches-bin")
    assert len(data.load(dataset("cifar10", folder="here"), tmp_path).training) == 50
    monkeypatch.setenv("ARCHSEARCH_DATA", "here")
    assert len(data.load(dataset("cifar10"), tmp_path).training) == 50


def _spoil(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        file = folder / name
        file.write_bytes(change(file.read_bytes()))

    return spoil


def _replace_by_folder(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return spoil


def _gzip_cut_short(folder: Path) -> None:
    file = folder / "train-images-idx3-ubyte"
    file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes())[:-20])
    file.unlink()


class Harmful:
    """A pickle that would run a program when read."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, ("touch harmed",)


def _batch(**changes: object) -> bytes:
    batch: dict[bytes, object] = {b"data": np.zeros((10, 3072), np.uint8), b"labels": list(range(10))}
    return pickle.dumps(batch | {name.encode(): value for name, value in changes.items()}, protocol=2)


def _broken_png() -> bytes:
    file = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(file, "PNG")
    return file.getvalue()[:-500]


def _floats(file: Path) -> None:
    Image.fromarray(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)).save(file)


def _nothing(folder: Path) -> None:
    del folder


BAD = [
    ("cifar10", None, _nothing, "DataMissing", "data_batch_1.bin to data_batch_5.bin"),
    ("cifar10", cifar_binary, lambda f: (f / "data_batch_3.bin").unlink(), "DataMissing", "data_batch_3.bin"),
    ("cifar10", cifar_binary, _spoil("data_batch_2.bin", lambda b: b[:-1]), "DataCorrupt", "data_batch_2.bin"),
    ("cifar10", cifar_binary, _spoil("test_batch.bin", lambda b: b""), "DataCorrupt", "test_batch.bin"),
    ("cifar10", cifar_binary, _spoil("data_batch_1.bin", lambda b: b"\x0a" + b[1:]), "DataCorrupt", "label 10"),
    ("cifar10", cifar_binary, _replace_by_folder("data_batch_5.bin"), "DataUnreadable", "data_batch_5.bin"),
    ("cifar10", cifar_python, _spoil("data_batch_1", lambda b: b[:100]), "DataCorrupt", "data_batch_1"),
    ("cifar10", cifar_python, _spoil("data_batch_1", lambda b: b"no pickle"), "DataCorrupt", "data_batch_1"),
    ("cifar10", cifar_python, _spoil("data_batch_4", lambda b: pickle.dumps(Harmful())), "DataCorrupt", "system"),
    ("cifar10", cifar_python, _spoil("test_batch", lambda b: pickle.dumps([1])), "DataCorrupt", "test_batch"),
    ("cifar10", cifar_python, _spoil("test_batch", lambda b: _batch(labels=[1, 2])), "DataCorrupt", "2,"),
    ("cifar10", cifar_python, _spoil("test_batch", lambda b: _batch(labels=[-1] * 10)), "DataCorrupt", "label -1"),
    ("cifar10", cifar_python, _spoil("test_batch", lambda b: _batch(labels=[0.5] * 10)), "DataCorrupt", "float64"),
    ("cifar10", cifar_python, _spoil("test_batch", lambda b: _batch(data=np.zeros((10, 5)))), "DataCorrupt", "float64"),
    ("fashionMnist", None, _nothing, "DataMissing", "train-images-idx3-ubyte"),
    ("fashionMnist", fashion, lambda f: (f / "t10k-labels-idx1-ubyte").unlink(), "DataMissing", "t10k-labels"),
    ("fashionMnist", fashion, _spoil("train-images-idx3-ubyte", lambda b: b[:-1]), "DataCorrupt", "15679 bytes"),
    ("fashionMnist", fashion, _spoil("train-images-idx3-ubyte", lambda b: b[:9]), "DataCorrupt", "9 bytes"),
    ("fashionMnist", fashion, _spoil("train-labels-idx1-ubyte", lambda b: b"\1" + b[1:]), "DataCorrupt", "0x01000801"),
    (
        "fashionMnist",
        fashion,
        _spoil("train-labels-idx1-ubyte", lambda b: idx(np.arange(3))),
        "DataCorrupt",
        "3 labels",
    ),
    (
        "fashionMnist",
        fashion,
        _spoil("t10k-labels-idx1-ubyte", lambda b: idx(np.full(20, 10))),
        "DataCorrupt",
        "label 10",
    ),
    ("fashionMnist", fashion, _spoil("t10k-images-idx3-ubyte", lambda b: idx(np.ones((20, 9, 9)))), "DataCorrupt", "9"),
    ("fashionMnist", fashion, _gzip_cut_short, "DataCorrupt", "gzip"),
    ("fashionMnist", fashion, _replace_by_folder("t10k-images-idx3-ubyte"), "DataUnreadable", "t10k-images"),
    ("imageFolder", None, _nothing, "DataMissing", "one folder per class"),
    ("imageFolder", lambda f: pictures(f, ("cat",)), _nothing, "DataOneClass", "cat"),
    ("imageFolder", pictures, lambda f: (f / "emu").mkdir(), "DataClassEmpty", "emu"),
    ("imageFolder", pictures, _spoil("cat/1.png", lambda b: _broken_png()), "DataCorrupt", "1.png"),
    ("imageFolder", pictures, _spoil("cat/1.png", lambda b: b"no picture"), "DataCorrupt", "1.png"),
    ("imageFolder", pictures, _spoil("dog/2.png", lambda b: b""), "DataCorrupt", "2.png"),
    ("imageFolder", pictures, lambda f: _floats(f / "cat" / "9.tif"), "DataUnreadable", "9.tif"),
    (
        "imageFolder",
        lambda f: pictures(f / "train"),
        lambda f: pictures(f / "test", ("cat", "emu")),
        "DataClassUnknown",
        "emu",
    ),
]


@pytest.mark.parametrize(
    ("kind", "write", "spoil", "reason", "message"), BAD, ids=[f"{row[0]}-{row[3]}-{i}" for i, row in enumerate(BAD)]
)
def test_bad_data_are_told_by_file_and_reason(
    tmp_path: Path,
    kind: str,
    write: Callable[[Path], None] | None,
    spoil: Callable[[Path], None],
    reason: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data"
    folder.mkdir()
    if write is not None:
        write(folder)
    spoil(folder)
    with pytest.raises(TrialError) as refused:
        read(kind, folder)
    assert (refused.value.reason, refused.value.scope) == (reason, "Search")
    assert message in refused.value.message
    assert str(folder) in refused.value.message
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("kind", ["cifar10", "fashionMnist", "imageFolder"])
def test_a_missing_folder_is_named(tmp_path: Path, kind: str) -> None:
    with pytest.raises(TrialError, match="nowhere") as refused:
        read(kind, tmp_path / "nowhere")
    assert (refused.value.reason, refused.value.scope) == ("DataMissing", "Search")


@pytest.mark.parametrize("kind", ["cifar10", "fashionMnist"])
def test_a_download_that_fails_is_a_reason_of_its_own(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torchvision.datasets

    nobody = "http://127.0.0.1:1/"
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", nobody)
    monkeypatch.setattr(torchvision.datasets.FashionMNIST, "mirrors", [nobody])
    with pytest.raises(TrialError) as refused:
        read(kind, tmp_path / "new", download=True)
    assert (refused.value.reason, refused.value.scope) == ("DataDownloadFailed", "Search")
    assert not [entry for entry in (tmp_path / "new").iterdir() if entry.is_dir()]

"""``spec.trial.task``: what a child is trained on."""

from typing import Annotated

from pydantic import Field, JsonValue

from archsearch.api.base import Model, unit
from archsearch.api.oneof import OneOf

Folder = Annotated[str, Field(min_length=1, max_length=4096)]


class DigitsData(Model):
    """scikit-learn's 1,797 real 8x8 grey images of digits; no download."""


class Cifar10Data(Model):
    """CIFAR-10 in its official binary or python layout."""

    folder: Folder | None = None
    """Folder with data_batch_*.bin or data_batch_*; left out: $ARCHSEARCH_DATA or ~/.cache/archsearch."""
    download: bool = False
    """Download by torchvision if the folder lacks the data."""


class FashionMnistData(Model):
    """Fashion-MNIST in its idx files, plain or gzipped."""

    folder: Folder | None = None
    """Folder with train-images-idx3-ubyte[.gz] and so on; left out: as for cifar10."""
    download: bool = False
    """Download by torchvision if the folder lacks the data."""


class ImageFolderData(Model):
    """A person's own pictures: a folder per class."""

    folder: Folder
    """Folder with one folder of pictures per class; or with train/, validation/ and test/, each of that form."""
    size: int = Field(default=32, ge=4, le=512, json_schema_extra=unit("pixels"))
    """Height and width, in pixels, to which each picture is scaled."""
    grey: bool = False
    """Read pictures as grey instead of RGB."""


class ImageData(OneOf):
    """The data set: exactly one."""

    digits: DigitsData | None = None
    """scikit-learn's digits."""
    cifar10: Cifar10Data | None = None
    """CIFAR-10."""
    fashion_mnist: FashionMnistData | None = None
    """Fashion-MNIST."""
    image_folder: ImageFolderData | None = None
    """Your own pictures."""


class Augmentation(Model):
    """Random changes of training images, batched on the device; evaluation images are never changed."""

    flip: bool = False
    """Mirror left to right, each image with probability one half."""
    crop: int = Field(default=0, ge=0, le=64, json_schema_extra=unit("pixels"))
    """Shift by up to this many pixels in each direction (reflect-pad, then crop)."""


class ImageClassification(Model):
    """Train the child as an image classifier.

    Metrics that may be sought: accuracy (fraction of 1) and loss (nats) on the validation part, parameters,
    multiplyAdds (of one image), trainingSeconds, examplesPerSecond. testAccuracy and testLoss are measured too, and
    never a reward.
    """

    dataset: ImageData
    """Images and labels."""
    epochs: int = Field(default=10, ge=1, le=10_000, json_schema_extra=unit("epochs"))
    """Passes over the training part."""
    batch_size: int = Field(default=128, ge=1, le=65_536, json_schema_extra=unit("images"))
    """Images per step."""
    learning_rate: float = Field(default=0.05, gt=0, le=100, json_schema_extra=unit("1"))
    """Peak of the one-cycle schedule, for SGD with Nesterov momentum."""
    momentum: float = Field(default=0.9, ge=0, lt=1, json_schema_extra=unit("1"))
    """Nesterov momentum."""
    weight_decay: float = Field(default=5e-4, ge=0, le=10, json_schema_extra=unit("1"))
    """L2 penalty on weights."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, json_schema_extra=unit("fraction of 1"))
    """Share of the label's probability that is spread over all classes."""
    best_of_last: int = Field(default=1, ge=1, le=10_000, json_schema_extra=unit("epochs"))
    """accuracy is the largest validation accuracy of this many last epochs (5 in 1611.01578)."""
    validation_fraction: float = Field(default=0.15, gt=0, lt=1, json_schema_extra=unit("fraction of 1"))
    """Share of the training images held out for the reward, where the data set has no validation part."""
    test_fraction: float = Field(default=0.15, gt=0, lt=1, json_schema_extra=unit("fraction of 1"))
    """Share of all images held out as test part, where the data set has none of its own."""
    split_seed: int = Field(default=0, ge=0, le=2**31 - 1, json_schema_extra=unit("1"))
    """Seed of the split: the same for every child of a search."""
    limit: int | None = Field(default=None, ge=10, le=100_000_000, json_schema_extra=unit("images"))
    """Use only this many training images (drawn by splitSeed)."""
    augmentation: Augmentation = Augmentation()
    """Random changes of training images."""


class Tabular(Model):
    """Look the child's metrics up in a CSV of measured networks: for benchmarks of search methods.

    The first column spells the decisions of a ``choices`` space, one character each; every other column is a metric.
    """

    table: Folder
    """Path of the CSV."""


class Task(OneOf):
    """What a child is trained on: exactly one task."""

    image_classification: ImageClassification | None = None
    """Classify images."""
    tabular: Tabular | None = None
    """Look measured results up in a table."""
    custom: dict[str, JsonValue] | None = Field(default=None, max_length=256)
    """Anything, handed as it is to your own trial image or command."""

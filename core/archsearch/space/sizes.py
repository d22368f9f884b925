"""Sizes of the feature maps of a convolutional architecture: for the trial that builds it and the picture of it."""

from collections.abc import Iterable
from typing import NamedTuple

from archsearch.space.base import Architecture
from archsearch.space.network import read_network
from archsearch.space.reading import is_integer, shown


class FeatureSize(NamedTuple):
    """What a layer makes of its inputs; height and width, in pixels, are those of its output."""

    height: int
    width: int
    channels_in: int
    channels_out: int


def feature_sizes(
    architecture: Architecture, image_height: int, image_width: int, image_channels: int = 3
) -> list[FeatureSize]:
    """The size of every layer's output, in order of layers, for images of the given size in pixels.

    Inputs of one layer are zero-padded to the largest height and the largest width among them and concatenated in
    depth (1611.01578, section 3.3). Convolutions pad as SAME: n becomes ceil(n / stride), never less than 1.

    Raises:
        GenotypeError: ``architecture`` is not a convolutional architecture.
        ValueError: a size of the image is not a whole number from 1.
    """
    network = read_network(architecture)
    for name, value in (("height", image_height), ("width", image_width), ("channels", image_channels)):
        if not is_integer(value) or value < 1:
            raise ValueError(f"image {name} is {shown(value)}; allowed: a whole number from 1")
    sizes = [FeatureSize(image_height, image_width, image_channels, image_channels)]
    for layer in network.layers:
        height, width, channels = concatenated(sizes[source] for source in layer.inputs)
        rows, columns = -(-height // layer.stride_height), -(-width // layer.stride_width)
        sizes.append(FeatureSize(rows, columns, channels, layer.filters))
    return sizes[1:]


def concatenated(sizes: Iterable[FeatureSize]) -> tuple[int, int, int]:
    """Height, width and channels of feature maps that are zero-padded to the largest and concatenated in depth.

    Of the sizes of an architecture's outputs: what its classifier reads. ``sizes`` must not be empty.
    """
    heights, widths, _, channels = zip(*sizes, strict=True)
    return max(heights), max(widths), sum(channels)

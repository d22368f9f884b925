"""Networks of the convolutional space (1611.01578, section 3.3 and appendix A)."""

from typing import NamedTuple

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from archsearch.space import Architecture, GenotypeError, feature_sizes
from archsearch.space.network import Layer, read_network
from archsearch.trial.errors import TrialError
from archsearch.trial.networks.counts import classifier_inputs

_MOMENTUM = 0.3
"""Of the running statistics of batch normalisation. PyTorch's 0.1 lags behind a training of a few dozen steps: on
digits it costs 0.21 of test accuracy after 1 epoch, 0.13 after 2, and nothing is gained after 8 (4 seeds each)."""


class Padding(NamedTuple):
    """Zeros on each side of a feature map, in pixels."""

    left: int
    right: int
    top: int
    bottom: int


class Convolution(nn.Module):
    """Convolution without bias, batch normalisation, ReLU; padded as SAME: n pixels become ceil(n / stride).

    PyTorch's own ``padding="same"`` knows no strides, and a convolution's padding is the same on both sides; an even
    filter or a stride needs one zero more at the bottom or the right, which is then put there beforehand.
    """

    def __init__(self, layer: Layer, channels: int, height: int, width: int) -> None:
        super().__init__()
        top, bottom = _same(height, layer.filter_height, layer.stride_height)
        left, right = _same(width, layer.filter_width, layer.stride_width)
        symmetric = top == bottom and left == right
        self.padding = None if symmetric else Padding(left, right, top, bottom)
        self.convolution = nn.Conv2d(
            channels,
            layer.filters,
            (layer.filter_height, layer.filter_width),
            stride=(layer.stride_height, layer.stride_width),
            padding=(top, left) if symmetric else 0,
            bias=False,
        )
        self.normalisation = nn.BatchNorm2d(layer.filters, momentum=_MOMENTUM)

    def forward(self, images: Tensor) -> Tensor:
        """(N, channels, height, width) to (N, filters, ceil(height / stride), ceil(width / stride))."""
        if self.padding is not None:
            images = functional.pad(images, self.padding)
        return functional.relu_(self.normalisation(self.convolution(images)))


class ConvolutionalNetwork(nn.Module):
    """The network of a convolutional architecture, for images of one fixed size.

    Several inputs of a layer are concatenated in depth, zero-padded around to the largest height and width among them.
    Layers that no layer reads are joined likewise, averaged over all pixels and classified by one linear layer.
    """

    def __init__(self, architecture: Architecture, image: tuple[int, int, int], classes: int) -> None:
        """Build it with PyTorch's default initial weights.

        Args:
            architecture: JSON of kind ``convolutional``.
            image: channels, height and width of the images, in pixels.
            classes: number of classes.

        Raises:
            TrialError: ArchitectureInvalid, with the field, its value and what is allowed.
        """
        super().__init__()
        channels, height, width = image
        try:
            network = read_network(architecture)
            sizes = feature_sizes(architecture, height, width, channels)
        except GenotypeError as error:
            raise TrialError("ArchitectureInvalid", str(error)) from error
        shapes = [(height, width), *((size.height, size.width) for size in sizes)]
        self.sources = [layer.inputs for layer in network.layers]
        self.outputs = network.outputs
        self.paddings = [_joint_padding([shapes[source] for source in layer.inputs]) for layer in network.layers]
        self.output_paddings = _joint_padding([shapes[number] for number in self.outputs])
        self.layers = nn.ModuleList(
            Convolution(layer, size.channels_in, *_largest([shapes[source] for source in layer.inputs]))
            for layer, size in zip(network.layers, sizes, strict=True)
        )
        self.smallest_map = min(size.height * size.width for size in sizes)
        """Pixels of the smallest feature map: batch normalisation cannot train on a single value."""
        self.classifier = nn.Linear(classifier_inputs(architecture, sizes), classes)

    def forward(self, images: Tensor) -> Tensor:
        """(N, channels, height, width) to logits (N, classes)."""
        maps = [images]
        for layer, sources, paddings in zip(self.layers, self.sources, self.paddings, strict=True):
            maps.append(layer(_join([maps[source] for source in sources], paddings)))
        joined = _join([maps[number] for number in self.outputs], self.output_paddings)
        return self.classifier(joined.mean(dim=(2, 3)))  # type: ignore[no-any-return]


def parameters(network: nn.Module) -> int:
    """Number of trained parameters: convolution weights, batch normalisation's scale and shift, the classifier."""
    return sum(parameter.numel() for parameter in network.parameters())


def _same(pixels: int, size: int, stride: int) -> tuple[int, int]:
    """Zeros before and after, so that a filter of ``size`` gives ceil(pixels / stride) outputs."""
    zeros = max((-(-pixels // stride) - 1) * stride + size - pixels, 0)
    return zeros // 2, zeros - zeros // 2


def _largest(shapes: list[tuple[int, int]]) -> tuple[int, int]:
    return max(height for height, _ in shapes), max(width for _, width in shapes)


def _joint_padding(shapes: list[tuple[int, int]]) -> list[Padding | None]:
    """What each feature map needs to reach the largest height and width among them: centred, odd zero last."""
    height, width = _largest(shapes)
    return [_centred(height - rows, width - columns) for rows, columns in shapes]


def _centred(rows: int, columns: int) -> Padding | None:
    if rows == 0 and columns == 0:
        return None
    return Padding(columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)


def _join(maps: list[Tensor], paddings: list[Padding | None]) -> Tensor:
    padded = [
        feature if padding is None else functional.pad(feature, padding)
        for feature, padding in zip(maps, paddings, strict=True)
    ]
    return padded[0] if len(padded) == 1 else torch.cat(padded, dim=1)

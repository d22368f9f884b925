"""The architecture JSON of convolutional networks: read strictly, with the sizes of its feature maps and its picture.

``{"kind": "convolutional", "layers": [LAYER, ...], "outputs": [...]}``, where LAYER is ``{"filterHeight",
"filterWidth", "strideHeight", "strideWidth", "filters", "inputs": [...]}``. Inputs are numbers: 0 is the image, 1 to N
are the layers in order; they ascend. Outputs are the layers that no layer reads: they go to the classifier.
Nothing here asks which options a search space offers, so a network drawn by a person is read by the same rules.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from archsearch.space.base import Architecture, Edge, GenotypeError, Graph, Node

KIND = "convolutional"
LAYER_NUMBERS = ("filterHeight", "filterWidth", "strideHeight", "strideWidth", "filters")
"""The numbers that describe a layer, in the order in which they are decided."""
IMAGE = 0
"""The input number of the image."""


class FeatureSize(NamedTuple):
    """What a layer makes of its inputs; height and width, in pixels, are those of its output."""

    height: int
    width: int
    channels_in: int
    channels_out: int


@dataclass(frozen=True)
class Layer:
    """A convolutional layer; sizes and strides in pixels."""

    filter_height: int
    filter_width: int
    stride_height: int
    stride_width: int
    filters: int
    inputs: tuple[int, ...]
    """0: the image; k: layer k; ascending. Several are concatenated in depth, zero-padded to the largest size."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """Its numbers in the order of LAYER_NUMBERS."""
        return (self.filter_height, self.filter_width, self.stride_height, self.stride_width, self.filters)

    def to_json(self) -> dict[str, Any]:
        """The layer as it stands in the architecture JSON."""
        return {**dict(zip(LAYER_NUMBERS, self.numbers, strict=True)), "inputs": list(self.inputs)}


@dataclass(frozen=True)
class Network:
    """A convolutional network."""

    layers: tuple[Layer, ...]

    @property
    def outputs(self) -> tuple[int, ...]:
        """The layers (from 1) that no layer reads: concatenated for the classifier (1611.01578, section 3.3)."""
        read = {source for layer in self.layers for source in layer.inputs}
        return tuple(number for number in range(1, len(self.layers) + 1) if number not in read)

    def to_json(self) -> Architecture:
        """The architecture JSON, the exact inverse of :func:`read_network`."""
        return {"kind": KIND, "layers": [layer.to_json() for layer in self.layers], "outputs": list(self.outputs)}


def read_network(architecture: Architecture) -> Network:
    """The network that ``architecture`` describes.

    Raises:
        GenotypeError: it is not a convolutional architecture; the message gives the path, the value, what is allowed.
    """
    _object(architecture, ("kind", "layers", "outputs"), "architecture")
    if architecture["kind"] != KIND:
        raise GenotypeError(f"kind is {architecture['kind']!r}; allowed: {KIND!r}")
    layers = _list(architecture["layers"], "layers")
    if not layers:
        raise GenotypeError("layers is []; allowed: at least one layer")
    network = Network(tuple(_layer(layer, number) for number, layer in enumerate(layers, start=1)))
    outputs = _list(architecture["outputs"], "outputs")
    # Compared item by item, with types: 15.0 and True are not layer numbers.
    if [(type(item), item) for item in outputs] != [(int, number) for number in network.outputs]:
        raise GenotypeError(
            f"outputs is {outputs!r}; allowed: {list(network.outputs)!r}, the layers that no layer reads"
        )
    return network


def _layer(layer: Any, number: int) -> Layer:
    path = f"layers[{number - 1}]"
    _object(layer, (*LAYER_NUMBERS, "inputs"), path)
    height, width, stride_height, stride_width, filters = (
        _positive(layer[name], f"{path}.{name}") for name in LAYER_NUMBERS
    )
    return Layer(height, width, stride_height, stride_width, filters, _inputs(layer["inputs"], number, path))


def _inputs(inputs: Any, number: int, path: str) -> tuple[int, ...]:
    earlier = "0 (the image)" if number == 1 else f"0 (the image) to {number - 1}, the layers before layer {number}"
    if not _list(inputs, f"{path}.inputs"):
        raise GenotypeError(f"{path}.inputs is []; allowed: at least one number; a layer without input reads [0]")
    for place, source in enumerate(inputs):
        where = f"{path}.inputs[{place}]"
        if not _is_integer(source) or not 0 <= source < number:
            raise GenotypeError(f"{where} is {source!r}; allowed: {earlier}")
        if place and source <= inputs[place - 1]:
            raise GenotypeError(f"{where} is {source!r} after {inputs[place - 1]!r}; allowed: ascending numbers")
    return tuple(inputs)


def _object(value: Any, keys: tuple[str, ...], path: str) -> None:
    allowed = ", ".join(keys)
    if not isinstance(value, dict):
        raise GenotypeError(f"{path} is {value!r}; allowed: an object with {allowed}")
    for key in value:
        if key not in keys:
            raise GenotypeError(f"{path} has the unknown field {key!r} ({value[key]!r}); allowed: {allowed}")
    for key in keys:
        if key not in value:
            raise GenotypeError(f"{path} lacks {key}; needed: {allowed}")


def _list(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise GenotypeError(f"{path} is {value!r}; allowed: a list")
    return value


def _positive(value: Any, path: str) -> int:
    if not _is_integer(value) or value < 1:
        raise GenotypeError(f"{path} is {value!r}; allowed: a whole number from 1")
    return int(value)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def feature_sizes(
    architecture: Architecture, image_height: int, image_width: int, image_channels: int = 3
) -> list[FeatureSize]:
    """The size of every layer's output, in order of layers, for images of the given size in pixels.

    Inputs of one layer are zero-padded to the largest height and the largest width among them and concatenated in
    depth (1611.01578, section 3.3). Convolutions pad as SAME: n becomes ceil(n / stride), never less than 1.

    Raises:
        GenotypeError: ``architecture`` is not a convolutional architecture.
        ValueError: a size of the image is below 1.
    """
    network = read_network(architecture)
    for name, value in (("height", image_height), ("width", image_width), ("channels", image_channels)):
        if value < 1:
            raise ValueError(f"image {name} is {value}; allowed: a whole number from 1")
    sizes = [FeatureSize(image_height, image_width, image_channels, image_channels)]
    for layer in network.layers:
        height, width, channels = concatenated(sizes[source] for source in layer.inputs)
        rows, columns = -(-height // layer.stride_height), -(-width // layer.stride_width)
        sizes.append(FeatureSize(rows, columns, channels, layer.filters))
    return sizes[1:]


def concatenated(sizes: Iterable[FeatureSize]) -> tuple[int, int, int]:
    """Height, width and channels of feature maps zero-padded to the largest and concatenated in depth.

    Also for the classifier, of the sizes of the architecture's outputs.
    """
    heights, widths, _, channels = zip(*sizes, strict=True)
    return max(heights), max(widths), sum(channels)


def network_graph(architecture: Architecture) -> Graph:
    """The graph of a convolutional architecture: ids ``image``, ``layer1`` ... ``layerN``, ``output``.

    Raises:
        GenotypeError: ``architecture`` is not a convolutional architecture.
    """
    network = read_network(architecture)
    nodes = [Node("image", "image", "image")]
    edges: list[Edge] = []
    for number, layer in enumerate(network.layers, start=1):
        nodes.append(_node(number, layer))
        edges.extend(Edge(_id(source), _id(number), skip=number - source > 1) for source in layer.inputs)
    nodes.append(Node("output", "output", "classifier", {"inputs": list(network.outputs)}))
    last = len(network.layers)
    edges.extend(Edge(_id(number), "output", skip=number < last) for number in network.outputs)
    return Graph(tuple(nodes), tuple(edges))


def _id(number: int) -> str:
    return "image" if number == IMAGE else f"layer{number}"


def _node(number: int, layer: Layer) -> Node:
    label = f"{layer.filter_height}x{layer.filter_width}, {layer.filters} filters"
    if (layer.stride_height, layer.stride_width) != (1, 1):
        label += f", stride {layer.stride_height}x{layer.stride_width}"
    detail = dict(zip(LAYER_NUMBERS, layer.numbers, strict=True))
    return Node(_id(number), "layer", label, detail)

"""The architecture JSON of convolutional networks, read strictly.

``{"kind": "convolutional", "layers": [LAYER, ...], "outputs": [...]}``, where LAYER is ``{"filterHeight",
"filterWidth", "strideHeight", "strideWidth", "filters", "inputs": [...]}``. Inputs are numbers: 0 is the image, 1 to N
are the layers in order; they ascend. Outputs are the layers that no layer reads: they go to the classifier.
Nothing here asks which options a search space offers, so a network drawn by a person is read by the same rules.
"""

from dataclasses import dataclass
from typing import Any

from archsearch.space.base import Architecture, GenotypeError
from archsearch.space.reading import is_integer, read_kind, read_list, read_object, shown

KIND = "convolutional"
LAYER_NUMBERS = ("filterHeight", "filterWidth", "strideHeight", "strideWidth", "filters")
"""The numbers that describe a layer, in the order in which they are decided."""
IMAGE = 0
"""The input number of the image."""


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
    def numbers(self) -> dict[str, int]:
        """Its numbers by the names of LAYER_NUMBERS, in that order."""
        values = (self.filter_height, self.filter_width, self.stride_height, self.stride_width, self.filters)
        return dict(zip(LAYER_NUMBERS, values, strict=True))

    def to_json(self) -> dict[str, Any]:
        """The layer as it stands in the architecture JSON."""
        return {**self.numbers, "inputs": list(self.inputs)}


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
    fields = read_object(architecture, ("kind", "layers", "outputs"), "architecture")
    read_kind(fields["kind"], KIND)
    layers = read_list(fields["layers"], "layers")
    if not layers:
        raise GenotypeError("layers is []; allowed: at least one layer")
    network = Network(tuple(_layer(layer, number) for number, layer in enumerate(layers, start=1)))
    outputs, unread = read_list(fields["outputs"], "outputs"), list(network.outputs)
    # 15.0 and True equal layer numbers and are none.
    if outputs != unread or not all(map(is_integer, outputs)):
        raise GenotypeError(f"outputs is {shown(outputs)}; allowed: {unread!r}, the layers that no layer reads")
    return network


def _layer(value: Any, number: int) -> Layer:
    path = f"layers[{number - 1}]"
    fields = read_object(value, (*LAYER_NUMBERS, "inputs"), path)
    height, width, rows, columns, filters = (_positive(fields[name], f"{path}.{name}") for name in LAYER_NUMBERS)
    return Layer(height, width, rows, columns, filters, _inputs(fields["inputs"], number, f"{path}.inputs"))


def _positive(value: Any, path: str) -> int:
    if not is_integer(value) or value < 1:
        raise GenotypeError(f"{path} is {shown(value)}; allowed: a whole number from 1")
    return int(value)


def _inputs(value: Any, number: int, path: str) -> tuple[int, ...]:
    inputs = read_list(value, path)
    if not inputs:
        raise GenotypeError(f"{path} is []; allowed: at least one number; a layer that reads no layer reads [0]")
    earlier = "0 (the image)" if number == 1 else f"0 (the image) to {number - 1}, the layers before layer {number}"
    for place, source in enumerate(inputs):
        if not is_integer(source) or not 0 <= source < number:
            raise GenotypeError(f"{path}[{place}] is {shown(source)}; allowed: {earlier}")
        if place and source <= inputs[place - 1]:
            raise GenotypeError(f"{path}[{place}] is {source} after {inputs[place - 1]}; allowed: ascending numbers")
    return tuple(inputs)

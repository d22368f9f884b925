"""``searchSpace.convolutional``: networks of convolutions with skip connections (1611.01578, sections 3.1 to 3.3)."""

from collections.abc import Iterator, Sequence

from archsearch.api.space import ConvolutionalSpace
from archsearch.space.base import Anchor, Architecture, Decision, Genotype, GenotypeError, Graph
from archsearch.space.canonical import Part, canonical
from archsearch.space.network import IMAGE, KIND, LAYER_NUMBERS, Layer, Network, read_network
from archsearch.space.picture import network_graph
from archsearch.space.product import ProductSpace
from archsearch.space.reading import shown
from archsearch.space.sizes import FeatureSize, concatenated, feature_sizes

__all__ = ["Convolutional", "FeatureSize", "concatenated", "feature_sizes", "network_graph", "read_network"]

_MUTATIONS = {
    "filterHeight": "filterSize",
    "filterWidth": "filterSize",
    "strideHeight": "alterStride",
    "strideWidth": "alterStride",
    "filters": "alterNumberOfChannels",
}


class Convolutional(ProductSpace):
    """The convolutional search space.

    Layers are numbered from 1, for 0 is the image. Layer k asks for ``layerK.filterHeight``, ``filterWidth``,
    ``strideHeight``, ``strideWidth`` and ``filters`` and, with skip connections, for ``layerK.skipJ``, J = 1 .. k-1:
    does it read layer J (anchor points, section 3.3)? :class:`~archsearch.space.base.Anchor` counts the same layers
    from 0. The stage is the depth.

    The paper's rules against "compilation failures" (section 3.3): a layer that reads no other layer reads the image;
    layers that nobody reads are concatenated for the classifier; several inputs are concatenated in depth, the
    smaller ones zero-padded to the largest. Without skip connections layer k reads layer k-1.

    Every genotype can be built. Convolutions pad as SAME (n becomes ceil(n / stride)), so that a map of 1x1 stays 1x1
    under any filter and stride and an image never shrinks to nothing: no genotype needs to be refused or repaired,
    every option is legal at every decision, and a policy is never taught by a child that it did not ask for.
    """

    kind = KIND

    def __init__(self, settings: ConvolutionalSpace) -> None:
        """The space that a manifest describes."""
        self._settings = settings
        self._options: dict[str, tuple[int, ...]] = {
            "filterHeight": settings.filter_heights,
            "filterWidth": settings.filter_widths,
            "strideHeight": settings.strides,
            "strideWidth": settings.strides,
            "filters": settings.filters,
        }
        depth = settings.depth
        depths = sorted({*range(depth.initial, depth.deepest, depth.step), depth.deepest})
        decisions = [decision for number in range(1, depth.deepest + 1) for decision in self._layer_decisions(number)]
        super().__init__(decisions, {layers: self._count(layers) for layers in depths})

    def stage(self, index: int) -> int:
        """Number of layers of child ``index``. Raises ValueError: ``index`` is negative."""
        if index < 0:
            raise ValueError(f"child index is {index}; allowed: from 0")
        return self._settings.depth.at(index)

    def decode(self, genotype: Sequence[int]) -> Architecture:
        """The architecture of ``genotype``, of any stage. Raises GenotypeError."""
        self.check(genotype)
        tokens = iter(genotype)
        layers: list[Layer] = []
        for number in range(1, self._depth(len(genotype)) + 1):
            height, width, rows, columns, filters = (options[next(tokens)] for options in self._options.values())
            inputs = self._read_inputs(number, tokens)
            layers.append(Layer(height, width, rows, columns, filters, inputs))
        return Network(tuple(layers)).to_json()

    def encode(self, architecture: Architecture) -> Genotype:
        """The genotype of ``architecture``: the exact inverse of :meth:`decode`.

        Raises:
            GenotypeError: it is no convolutional architecture, or not one of this space; the message gives the path,
                the value and what is allowed.
        """
        network = read_network(architecture)
        if len(network.layers) not in self._lengths:
            depths = ", ".join(map(str, self.stages))
            raise GenotypeError(f"layers has {len(network.layers)} entries; allowed: {depths}")
        tokens: list[int] = []
        for number, layer in enumerate(network.layers, start=1):
            tokens.extend(self._number_tokens(number, layer))
            tokens.extend(self._skip_tokens(number, layer.inputs))
        return tuple(tokens)

    def graph(self, architecture: Architecture) -> Graph:
        """The graph that its picture is drawn from; also of networks outside this space, such as the human baseline.

        Raises:
            GenotypeError: ``architecture`` is not a convolutional architecture.
        """
        return network_graph(architecture)

    def canonical(self, genotype: Sequence[int]) -> Genotype:
        """The one genotype of all whose layers differ only in their order.

        Layers that do not feed one another may stand in any order, and inputs are concatenated: another order of theirs
        is another order of the weights that read them. Without skip connections all orders differ.
        Raises GenotypeError.
        """
        self.check(genotype)
        if not self._settings.skip_connections:
            return tuple(genotype)
        tokens: list[int] = []
        parts = canonical(list(self._parts(genotype)), outside=1)
        for number, part in enumerate(parts, start=1):
            read = {source for source, _ in part.inputs}
            tokens += [*part.label, *(int(source in read) for source in range(1, number))]
        return tuple(tokens)

    def mutation(self, decision: Decision, token: int) -> str:
        """Those of 1703.01041, section 3.2, that leave the depth as it is: it follows the schedule here.

        ``filterSize``, ``alterStride``, ``alterNumberOfChannels``; ``addSkip`` or ``removeSkip`` as the skip is now.
        """
        if decision.anchor is not None:
            return "removeSkip" if token else "addSkip"
        return _MUTATIONS[decision.kind]

    def _parts(self, genotype: Sequence[int]) -> Iterator[Part]:
        """The layers of ``genotype``; source 0 is the image."""
        tokens = iter(genotype)
        for number in range(1, self._depth(len(genotype)) + 1):
            label = tuple(next(tokens) for _ in LAYER_NUMBERS)
            yield Part(label, tuple((source, 0) for source in self._read_inputs(number, tokens)))

    def _layer_decisions(self, number: int) -> Iterator[Decision]:
        for name, options in self._options.items():
            yield Decision(f"layer{number}.{name}", name, options, tuple(range(len(options))))
        if self._settings.skip_connections:
            for source in range(1, number):
                anchor = Anchor(target=number - 1, source=source - 1)
                yield Decision(f"layer{number}.skip{source}", "skip", (False, True), (0, 1), anchor)

    def _count(self, layers: int) -> int:
        skips = layers * (layers - 1) // 2 if self._settings.skip_connections else 0
        return layers * len(LAYER_NUMBERS) + skips

    def _depth(self, tokens: int) -> int:
        return next(layers for layers, length in self._lengths.items() if length == tokens)

    def _read_inputs(self, number: int, tokens: Iterator[int]) -> tuple[int, ...]:
        if not self._settings.skip_connections:
            return (number - 1,)
        sources = tuple(source for source in range(1, number) if next(tokens))
        return sources or (IMAGE,)

    def _number_tokens(self, number: int, layer: Layer) -> Iterator[int]:
        for name, value in layer.numbers.items():
            options = self._options[name]
            if value not in options:
                allowed = ", ".join(map(str, options))
                raise GenotypeError(f"layers[{number - 1}].{name} is {shown(value)}; allowed: {allowed}")
            yield options.index(value)

    def _skip_tokens(self, number: int, inputs: tuple[int, ...]) -> list[int]:
        path = f"layers[{number - 1}].inputs is {list(inputs)!r}"
        if not self._settings.skip_connections:
            if inputs != (number - 1,):
                raise GenotypeError(f"{path}; allowed without skipConnections: {[number - 1]!r}")
            return []
        if IMAGE in inputs and len(inputs) > 1:
            raise GenotypeError(f"{path}; allowed: earlier layers, or the image (0) alone")
        return [int(source in inputs) for source in range(1, number)]

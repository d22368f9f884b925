"""The graph that the picture of a convolutional architecture is drawn from."""

from archsearch.space.base import Architecture, Edge, Graph, Node
from archsearch.space.network import IMAGE, Layer, Network, read_network


def network_graph(architecture: Architecture) -> Graph:
    """The graph of a convolutional architecture: nodes ``image``, ``layer1`` to ``layerN``, ``output``.

    Raises:
        GenotypeError: ``architecture`` is not a convolutional architecture.
    """
    network = read_network(architecture)
    layers = tuple(_node(number, layer) for number, layer in enumerate(network.layers, start=1))
    output = Node("output", "output", "classifier", {"inputs": list(network.outputs)})
    return Graph((Node("image", "image", "image"), *layers, output), _edges(network))


def _edges(network: Network) -> tuple[Edge, ...]:
    edges = [
        Edge(_id(source), _id(number), skip=number - source > 1)
        for number, layer in enumerate(network.layers, start=1)
        for source in layer.inputs
    ]
    edges.extend(Edge(_id(number), "output", skip=number < len(network.layers)) for number in network.outputs)
    return tuple(edges)


def _node(number: int, layer: Layer) -> Node:
    label = f"{layer.filter_height}x{layer.filter_width}, {layer.filters} filters"
    if (layer.stride_height, layer.stride_width) != (1, 1):
        label += f", stride {layer.stride_height}x{layer.stride_width}"
    return Node(_id(number), "layer", label, dict(layer.numbers))


def _id(number: int) -> str:
    return "image" if number == IMAGE else f"layer{number}"

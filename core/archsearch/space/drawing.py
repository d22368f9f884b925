"""What the graphs of all spaces share."""

from collections.abc import Sequence

from archsearch.space.base import Edge, Graph, Node


def joined(nodes: Sequence[Node], edges: Sequence[tuple[str, str]]) -> Graph:
    """The graph of ``nodes``, in topological order, and ``edges`` (source and target by id).

    An edge is a skip where it passes over at least one node.
    """
    place = {node.id: number for number, node in enumerate(nodes)}
    made = (Edge(source, target, skip=place[target] - place[source] > 1) for source, target in edges)
    return Graph(tuple(nodes), tuple(made))

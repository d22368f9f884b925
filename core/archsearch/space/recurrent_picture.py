"""The graph that the picture of a recurrent cell is drawn from."""

from collections.abc import Iterator

from archsearch.space.base import Architecture, Graph, Node
from archsearch.space.drawing import joined
from archsearch.space.recurrent_tree import RecurrentTree, TreeNode, children, level, node_count, read_tree


def tree_graph(architecture: Architecture) -> Graph:
    """The graph of a recurrent cell.

    Nodes: ``input`` (``x``, ``h``, ``c``: x[t], h[t-1], c[t-1]); for each node of the tree a ``combination`` and an
    ``activation`` (``node3.combination``; detail: node, level with 0 for leaves, and combine or activation); the same
    two for the injection (``inject.combination``; detail: inject, and the node after which it stands); ``output``
    (``nextC`` and ``nextH``: c[t] and h[t]).

    Raises:
        GenotypeError: ``architecture`` is no recurrent cell.
    """
    tree = read_tree(architecture)
    root = node_count(tree.base) - 1
    nodes = [Node("x", "input", "x[t]"), Node("h", "input", "h[t-1]"), Node("c", "input", "c[t-1]")]
    edges: list[tuple[str, str]] = []
    for number, node in enumerate(tree.nodes):
        nodes += _pair(f"node{number}", node, {"node": number, "level": level(tree.base, number)})
        edges += [(source, f"node{number}.combination") for source in _sources(tree, number)]
        edges.append((f"node{number}.combination", f"node{number}.activation"))
        if number == tree.inject_node:
            nodes += _pair("inject", tree.inject, {"inject": True, "node": number})
            edges += [(f"node{number}.activation", "inject.combination"), ("c", "inject.combination")]
            edges.append(("inject.combination", "inject.activation"))
    nodes += [Node("nextC", "output", "c[t]"), Node("nextH", "output", "h[t]")]
    edges += [(f"node{tree.output}.combination", "nextC"), (_result(tree, root), "nextH")]
    return joined(nodes, edges)


def _pair(name: str, node: TreeNode, detail: dict[str, int | bool]) -> Iterator[Node]:
    yield Node(f"{name}.combination", "combination", node.combine, {**detail, "combine": node.combine})
    yield Node(f"{name}.activation", "activation", node.activation, {**detail, "activation": node.activation})


def _sources(tree: RecurrentTree, number: int) -> tuple[str, ...]:
    if number < tree.base:
        return "x", "h"
    return tuple(_result(tree, child) for child in children(tree.base, number))


def _result(tree: RecurrentTree, number: int) -> str:
    return "inject.activation" if number == tree.inject_node else f"node{number}.activation"

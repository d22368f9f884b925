"""The architecture JSON of recurrent cells, read strictly (1611.01578, section 3.4).

``{"kind": "recurrentCell", "base": 8, "nodes": [NODE, ...], "inject": {**NODE, "node": i}, "output": j}`` where NODE is
``{"combine": "add", "activation": "tanh"}``. A full binary tree over ``base`` leaves has 2 x base - 1 nodes: 0 to
base - 1 are the leaves, then come the levels above, each from left to right, the root last. So node n above
the leaves joins nodes 2 (n - base) and 2 (n - base) + 1.

Leaf k is ``activation(combine(W_k x_t, U_k h_{t-1}))`` with weights of its own; a node above is
``activation(combine(left, right))`` and has none; the root is h_t. ``inject``: the result a of node i becomes
``activation(combine(a, c_{t-1}))``. ``output``: c_t is what node j combines, before its activation.
"""

from dataclasses import dataclass
from typing import Any

from archsearch.api.cells import Activation, RecurrentCombination
from archsearch.space.base import Architecture, GenotypeError
from archsearch.space.reading import is_integer, read_kind, read_list, read_object, read_option, shown

KIND = "recurrentCell"

_COMBINATIONS = tuple(combination.value for combination in RecurrentCombination)
_ACTIVATIONS = tuple(activation.value for activation in Activation)
_NODE = ("combine", "activation")


@dataclass(frozen=True)
class TreeNode:
    """How two values become one."""

    combine: str
    activation: str

    def to_json(self) -> dict[str, Any]:
        """The node as it stands in the architecture JSON."""
        return {"combine": self.combine, "activation": self.activation}


@dataclass(frozen=True)
class RecurrentTree:
    """A recurrent cell."""

    base: int
    """Leaves, a power of two from 2."""
    nodes: tuple[TreeNode, ...]
    """2 x base - 1 nodes: leaves first, level by level, the root last."""
    inject: TreeNode
    """How the last cell state joins the result of node ``inject_node``."""
    inject_node: int
    output: int
    """The node whose combined value, before its activation, is the next cell state."""

    def to_json(self) -> Architecture:
        """The architecture JSON, the exact inverse of :func:`read_tree`."""
        return {
            "kind": KIND,
            "base": self.base,
            "nodes": [node.to_json() for node in self.nodes],
            "inject": {**self.inject.to_json(), "node": self.inject_node},
            "output": self.output,
        }


def node_count(base: int) -> int:
    """Nodes of a tree over ``base`` leaves, the leaves among them."""
    return 2 * base - 1


def children(base: int, node: int) -> tuple[int, int]:
    """The nodes that ``node``, which must not be a leaf, joins."""
    left = 2 * (node - base)
    return left, left + 1


def level(base: int, node: int) -> int:
    """Level of ``node``: 0 for leaves, then 1 and on."""
    # The root, node 2 x base - 2, is 1 in the numbering of heaps; there a level is a power of two.
    return base.bit_length() - (node_count(base) - node).bit_length()


def read_tree(architecture: Architecture) -> RecurrentTree:
    """The recurrent cell that ``architecture`` describes.

    Raises:
        GenotypeError: it is no recurrent cell; the message gives the path, the value and what is allowed.
    """
    fields = read_object(architecture, ("kind", "base", "nodes", "inject", "output"), "architecture")
    read_kind(fields["kind"], KIND)
    base, nodes = fields["base"], read_list(fields["nodes"], "nodes")
    if not is_integer(base) or base < 2 or base & (base - 1):
        raise GenotypeError(f"base is {shown(base)}; allowed: a power of two from 2")
    if len(nodes) != node_count(base):
        raise GenotypeError(f"nodes has {len(nodes)} entries; allowed: {node_count(base)}, for base is {base}")
    read = tuple(_node(read_object(node, _NODE, f"nodes[{i}]"), f"nodes[{i}]") for i, node in enumerate(nodes))
    inject = read_object(fields["inject"], (*_NODE, "node"), "inject")
    at, output = _index(inject["node"], base, "inject.node"), _index(fields["output"], base, "output")
    return RecurrentTree(base, read, _node(inject, "inject"), at, output)


def _node(fields: dict[str, Any], path: str) -> TreeNode:
    combine = read_option(fields["combine"], _COMBINATIONS, f"{path}.combine")
    return TreeNode(combine, read_option(fields["activation"], _ACTIVATIONS, f"{path}.activation"))


def _index(value: Any, base: int, path: str) -> int:
    if not is_integer(value) or not 0 <= value < node_count(base):
        raise GenotypeError(f"{path} is {shown(value)}; allowed: nodes, 0 to {node_count(base) - 1}")
    return int(value)

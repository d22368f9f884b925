"""Published cells, as architecture JSON: to draw beside found ones and to compare with.

Facts from the papers and from the code that their authors released; a space need not be able to sample them.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from archsearch.space.base import Architecture
from archsearch.space.cell_network import KIND as CELL
from archsearch.space.cell_network import Block, Cell, CellNetwork
from archsearch.space.recurrent_tree import KIND as RECURRENT_CELL
from archsearch.space.recurrent_tree import RecurrentTree, TreeNode

_SEPARABLE_3, _SEPARABLE_5, _SEPARABLE_7 = "separable_3x3", "separable_5x5", "separable_7x7"
_AVERAGE, _MAX, _IDENTITY = "avg_pool_3x3", "max_pool_3x3", "identity"


def nasnet_a() -> Architecture:
    """NASNet-A (1707.07012, figure 4) as the authors released it (tensorflow/models, research/slim/nets/nasnet).

    The release concatenates by a fixed mask: state 1 too in the normal cell, and in the reduction cell state 3, which
    a block reads as well. Separable convolutions are applied twice, there as in every network of cells.
    """
    normal = Cell(
        (
            _sum(0, _SEPARABLE_5, 1, _SEPARABLE_3),
            _sum(1, _SEPARABLE_5, 1, _SEPARABLE_3),
            _sum(0, _AVERAGE, 1, _IDENTITY),
            _sum(1, _AVERAGE, 1, _AVERAGE),
            _sum(0, _SEPARABLE_3, 0, _IDENTITY),
        ),
        (1, 2, 3, 4, 5, 6),
    )
    reduction = Cell(
        (
            _sum(0, _SEPARABLE_5, 1, _SEPARABLE_7),
            _sum(0, _MAX, 1, _SEPARABLE_7),
            _sum(0, _AVERAGE, 1, _SEPARABLE_5),
            _sum(3, _IDENTITY, 2, _AVERAGE),
            _sum(2, _SEPARABLE_3, 0, _MAX),
        ),
        (3, 4, 5, 6),
    )
    return CellNetwork(normal, reduction).to_json()


def pnasnet_5() -> Architecture:
    """PNASNet-5 (1712.00559, figure 1) as the authors released it (research/slim/nets/nasnet/pnasnet.py).

    It has no reduction cell of its own: the same cell, with strides, takes that place. All blocks are concatenated.
    """
    cell = Cell(
        (
            _sum(1, _SEPARABLE_5, 1, _MAX),
            _sum(0, _SEPARABLE_7, 0, _MAX),
            _sum(0, _SEPARABLE_5, 0, _SEPARABLE_3),
            _sum(4, _SEPARABLE_3, 0, _MAX),
            _sum(1, _SEPARABLE_3, 0, _IDENTITY),
        ),
        (2, 3, 4, 5, 6),
    )
    return CellNetwork(cell, cell).to_json()


def nas_cell() -> Architecture:
    """The recurrent cell that was found for the Penn Treebank (1611.01578, figure 8, base 8).

    As TensorFlow has it (``NASCell``): the last cell state enters after the first node above the leaves, and the next
    one is the product of the first two nodes of that level.
    """
    leaves = ("sigmoid", "relu", "sigmoid", "relu", "tanh", "sigmoid", "tanh", "sigmoid")
    return RecurrentTree(
        base=8,
        nodes=(
            *(TreeNode("elem_mult" if leaf == 3 else "add", activation) for leaf, activation in enumerate(leaves)),
            TreeNode("elem_mult", "tanh"),
            TreeNode("add", "tanh"),
            TreeNode("elem_mult", "tanh"),
            TreeNode("add", "sigmoid"),
            TreeNode("elem_mult", "identity"),
            TreeNode("add", "tanh"),
            TreeNode("elem_mult", "tanh"),
        ),
        inject=TreeNode("add", "tanh"),
        inject_node=8,
        output=12,
    ).to_json()


def lstm() -> Architecture:
    """The LSTM as a tree of base 8, without biases: c_t = f c_{t-1} + i g and h_t = o tanh(c_t).

    Node 8 is the forget gate, by which the last cell state is multiplied, 9 is i g, 12 adds both and its activation
    gives tanh(c_t), 13 is the output gate. A gate above the leaves adds linear leaves before its sigmoid: more weights
    than an LSTM needs (8 pairs of matrices, not 4), the same functions.
    """
    linear = TreeNode("add", "identity")
    return RecurrentTree(
        base=8,
        nodes=(
            linear,
            linear,
            TreeNode("add", "sigmoid"),
            TreeNode("add", "tanh"),
            *(linear,) * 4,
            TreeNode("add", "sigmoid"),
            TreeNode("elem_mult", "identity"),
            linear,
            linear,
            TreeNode("add", "tanh"),
            TreeNode("add", "sigmoid"),
            TreeNode("elem_mult", "identity"),
        ),
        inject=TreeNode("elem_mult", "identity"),
        inject_node=8,
        output=12,
    ).to_json()


PUBLISHED: Mapping[str, Mapping[str, Callable[[], Architecture]]] = MappingProxyType(
    {
        CELL: MappingProxyType({"NASNet-A": nasnet_a, "PNASNet-5": pnasnet_5}),
        RECURRENT_CELL: MappingProxyType({"NAS cell": nas_cell, "LSTM": lstm}),
    }
)
"""What can be compared with, by the kind of the space and then by name; a call gives a copy of one's own."""


def _sum(one: int, first: str, other: int, second: str) -> Block:
    return Block((one, other), (first, second), "add")

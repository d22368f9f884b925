"""``searchSpace.recurrentCell``: a recurrent cell as a tree (1611.01578, section 3.4)."""

from collections.abc import Iterator, Sequence

from archsearch.api.cells import RecurrentCellSpace
from archsearch.space.base import Architecture, Decision, Genotype, GenotypeError, Graph
from archsearch.space.product import ProductSpace
from archsearch.space.reading import read_option
from archsearch.space.recurrent_picture import tree_graph
from archsearch.space.recurrent_tree import KIND, RecurrentTree, TreeNode, children, node_count, read_tree

_AFTER_NODES = 4
_MUTATIONS = {
    "combination": "combination",
    "activation": "activation",
    "inject.combination": "injection",
    "inject.activation": "injection",
    "inject.node": "injection",
    "output.node": "output",
}


class RecurrentCells(ProductSpace):
    """The space of recurrent cells.

    Nodes are numbered from 0: leaves, then level by level, the root last. Node k asks for ``nodeK.combination`` and
    ``nodeK.activation``; then come ``inject.combination`` and ``inject.activation`` and the two cell indices,
    ``inject.node`` (after which node does c_{t-1} enter?) and ``output.node`` (which node's value before its activation
    is c_t?), each over all nodes: with base 8 and the paper's options 8^15 x 8 x 15^2 = 6.3e16 genotypes, its 6e16.

    Every node feeds the root, which is h_t: no genotype has a dead node.
    """

    kind = KIND

    def __init__(self, settings: RecurrentCellSpace) -> None:
        """The space that a manifest describes."""
        self._base = settings.base
        self._combinations = tuple(combination.value for combination in settings.combinations)
        self._activations = tuple(activation.value for activation in settings.activations)
        indices = tuple(range(node_count(self._base)))
        decisions = [
            *(decision for node in indices for decision in self._node_decisions(f"node{node}", "")),
            *self._node_decisions("inject", "inject."),
            *(Decision(name, name, indices, indices) for name in ("inject.node", "output.node")),
        ]
        super().__init__(decisions, {0: len(decisions)})

    def stage(self, index: int) -> int:
        """0: this space does not grow. Raises ValueError: ``index`` is negative."""
        if index < 0:
            raise ValueError(f"child index is {index}; allowed: from 0")
        return 0

    def decode(self, genotype: Sequence[int]) -> Architecture:
        """The architecture of ``genotype``. Raises GenotypeError."""
        self.check(genotype)
        *nodes, inject = (
            TreeNode(self._combinations[combination], self._activations[activation])
            for combination, activation in _pairs(genotype[:-2])
        )
        return RecurrentTree(self._base, tuple(nodes), inject, genotype[-2], genotype[-1]).to_json()

    def encode(self, architecture: Architecture) -> Genotype:
        """The genotype of ``architecture``: the exact inverse of :meth:`decode`.

        Raises:
            GenotypeError: it is no recurrent cell, or not one of this space; the message gives the path, the value and
                what is allowed.
        """
        tree = read_tree(architecture)
        if tree.base != self._base:
            raise GenotypeError(f"base is {tree.base}; allowed: {self._base}")
        tokens: list[int] = []
        for number, node in enumerate((*tree.nodes, tree.inject)):
            path = "inject" if number == len(tree.nodes) else f"nodes[{number}]"
            combine = read_option(node.combine, self._combinations, f"{path}.combine")
            activation = read_option(node.activation, self._activations, f"{path}.activation")
            tokens += [self._combinations.index(combine), self._activations.index(activation)]
        return (*tokens, tree.inject_node, tree.output)

    def graph(self, architecture: Architecture) -> Graph:
        """The graph of the tree; also of trees outside this space. Raises GenotypeError."""
        return tree_graph(architecture)

    def canonical(self, genotype: Sequence[int]) -> Genotype:
        """The one genotype of all whose trees are mirror images, at any node.

        Combinations are commutative, and leaves have weights of their own, so that subtrees may change places with
        their weights and with the cell indices that point into them. Raises GenotypeError.
        """
        self.check(genotype)
        nodes = list(_pairs(genotype[:-_AFTER_NODES]))
        inject, output = genotype[-2], genotype[-1]
        marked = [(*node, int(number == inject), int(number == output)) for number, node in enumerate(nodes)]
        order = _smallest(marked, self._base)
        tokens = [token for node in order for token in nodes[node]]
        return (*tokens, *genotype[-_AFTER_NODES:-2], order.index(inject), order.index(output))

    def mutation(self, decision: Decision, token: int) -> str:
        """``combination`` and ``activation`` (of a node), ``injection`` (how and where) or ``output``."""
        return _MUTATIONS[decision.kind]

    def _node_decisions(self, name: str, kind: str) -> tuple[Decision, Decision]:
        combinations, activations = self._combinations, self._activations
        return (
            Decision(f"{name}.combination", f"{kind}combination", combinations, tuple(range(len(combinations)))),
            Decision(f"{name}.activation", f"{kind}activation", activations, tuple(range(len(activations)))),
        )


def _pairs(tokens: Sequence[int]) -> Iterator[tuple[int, int]]:
    return zip(tokens[::2], tokens[1::2], strict=True)


def _smallest(labels: Sequence[tuple[int, ...]], base: int) -> list[int]:
    """Which node of the tree stands at each place when of any two children the smaller subtree is put to the left.

    A subtree is told by its labels: its root's, then those of the smaller child, then those of the other.
    """
    subtrees = list(labels)
    for node in range(base, len(labels)):
        left, right = sorted(subtrees[child] for child in children(base, node))
        subtrees[node] = (*labels[node], *left, *right)
    order = list(range(len(labels)))
    for place in reversed(range(base, len(labels))):
        left_place, right_place = children(base, place)
        order[left_place], order[right_place] = sorted(children(base, order[place]), key=subtrees.__getitem__)
    return order

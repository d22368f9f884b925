"""``searchSpace.cell``: a normal and a reduction cell of blocks (1707.07012, section 3)."""

from collections.abc import Iterator, Sequence

from archsearch.api.cells import CellSpace
from archsearch.space.base import Architecture, Decision, Genotype, GenotypeError, Graph
from archsearch.space.canonical import Part, canonical
from archsearch.space.cell_network import CELLS, KIND, OUTSIDE, Block, Cell, CellNetwork, read_cells, unread
from archsearch.space.cell_picture import network_graph
from archsearch.space.product import ProductSpace
from archsearch.space.reading import read_option

_PER_BLOCK = 5
_MUTATIONS = {"input": "hiddenState", "operation": "operation", "combination": "combination"}


class Cells(ProductSpace):
    """The space of cells.

    Block k (from 1) of the normal and then of the reduction cell asks for ``normal.blockK.input1``, ``input2``,
    ``operation1``, ``operation2`` and ``combination``: 2 x 5B decisions. Inputs are states: 0 is the output of the
    previous cell, 1 of the one before, 2 and on are the blocks before. The kinds are ``normal.input``,
    ``normal.operation``, ``normal.combination`` and the same of ``reduction``: the options of an input are the states
    of the whole cell, of which ``legal`` leaves those that exist.

    The output of a cell is the concatenation of the blocks that no block reads: "all of the unused hidden states
    generated in the convolutional cell". A state that the cell was given is not generated in it and so is not
    concatenated, read or not. Every block is read or concatenated: no genotype has a dead block.
    """

    kind = KIND

    def __init__(self, settings: CellSpace) -> None:
        """The space that a manifest describes."""
        self._blocks = settings.blocks
        self._operations = tuple(operation.value for operation in settings.operations)
        self._combinations = tuple(combination.value for combination in settings.combinations)
        decisions = [decision for cell in CELLS for decision in self._cell_decisions(cell)]
        super().__init__(decisions, {0: len(decisions)})

    def stage(self, index: int) -> int:
        """0: this space does not grow. Raises ValueError: ``index`` is negative."""
        if index < 0:
            raise ValueError(f"child index is {index}; allowed: from 0")
        return 0

    def decode(self, genotype: Sequence[int]) -> Architecture:
        """The architecture of ``genotype``. Raises GenotypeError."""
        self.check(genotype)
        normal, reduction = (self._cell(tokens) for tokens in self._halves(genotype))
        return CellNetwork(normal, reduction).to_json()

    def encode(self, architecture: Architecture) -> Genotype:
        """The genotype of ``architecture``: the exact inverse of :meth:`decode`.

        Raises:
            GenotypeError: it is no architecture of cells, or not one of this space; the message gives the path, the
                value and what is allowed.
        """
        network = read_cells(architecture)
        return (*self._cell_tokens(network.normal, CELLS[0]), *self._cell_tokens(network.reduction, CELLS[1]))

    def graph(self, architecture: Architecture) -> Graph:
        """The graph of both cells; also of cells outside this space, such as NASNet-A. Raises GenotypeError."""
        return network_graph(architecture)

    def canonical(self, genotype: Sequence[int]) -> Genotype:
        """The one genotype of all whose cells differ only in the order of blocks and of the inputs of a block.

        Its blocks are numbered by :mod:`~archsearch.space.canonical`, each with its inputs ascending, then its
        operations. Raises GenotypeError.
        """
        self.check(genotype)
        return tuple(token for half in self._halves(genotype) for token in _canonical_cell(half))

    def mutation(self, decision: Decision, token: int) -> str:
        """``hiddenState``, ``operation`` (1802.01548, section 3.2) or ``combination``."""
        return _MUTATIONS[decision.kind.partition(".")[2]]

    def _cell_decisions(self, cell: str) -> Iterator[Decision]:
        states = tuple(range(OUTSIDE + self._blocks - 1))
        for number in range(1, self._blocks + 1):
            for kind, options, legal in (
                ("input", states, number + 1),
                ("operation", self._operations, len(self._operations)),
            ):
                for place in (1, 2):
                    name = f"{cell}.block{number}.{kind}{place}"
                    yield Decision(name, f"{cell}.{kind}", options, tuple(range(legal)))
            every = tuple(range(len(self._combinations)))
            yield Decision(f"{cell}.block{number}.combination", f"{cell}.combination", self._combinations, every)

    def _halves(self, genotype: Sequence[int]) -> tuple[Genotype, Genotype]:
        middle = _PER_BLOCK * self._blocks
        return tuple(genotype[:middle]), tuple(genotype[middle:])

    def _cell(self, tokens: Genotype) -> Cell:
        blocks = tuple(
            Block(
                (one, other),
                (self._operations[first], self._operations[second]),
                self._combinations[combination],
            )
            for one, other, first, second, combination in _blocks(tokens)
        )
        return Cell(blocks, unread(blocks))

    def _cell_tokens(self, cell: Cell, path: str) -> Iterator[int]:
        if len(cell.blocks) != self._blocks:
            raise GenotypeError(f"{path}.blocks has {len(cell.blocks)} entries; allowed: {self._blocks}")
        allowed = unread(cell.blocks)
        if cell.concat != allowed:
            told = f"{list(allowed)}, the blocks that no block reads"
            raise GenotypeError(f"{path}.concat is {list(cell.concat)}; allowed: {told}")
        for number, block in enumerate(cell.blocks):
            where = f"{path}.blocks[{number}]"
            yield from block.inputs
            for place, operation in enumerate(block.operations):
                read_option(operation, self._operations, f"{where}.operations[{place}]")
                yield self._operations.index(operation)
            yield self._combinations.index(read_option(block.combine, self._combinations, f"{where}.combine"))


def _blocks(tokens: Genotype) -> Iterator[Genotype]:
    for start in range(0, len(tokens), _PER_BLOCK):
        yield tokens[start : start + _PER_BLOCK]


def _canonical_cell(tokens: Genotype) -> Iterator[int]:
    parts = [
        Part((combination,), ((one, first), (other, second)))
        for one, other, first, second, combination in _blocks(tokens)
    ]
    for part in canonical(parts, OUTSIDE):
        (one, first), (other, second) = part.inputs
        yield from (one, other, first, second, *part.label)

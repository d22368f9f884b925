"""The architecture JSON of networks of cells, read strictly.

``{"kind": "cell", "normal": CELL, "reduction": CELL}``, where CELL is ``{"blocks": [BLOCK, ...], "concat": [...]}`` and
BLOCK is ``{"inputs": [i, j], "operations": [..., ...], "combine": "add"}``. States of a cell are numbered: 0 is the
output of the previous cell, 1 of the cell before that, 2 and on are the blocks in order. ``concat``: the states that
are concatenated to the output of the cell, ascending.
Nothing here asks which options a search space offers, so a published cell is read by the same rules.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archsearch.api.cells import CellCombination, CellOperation
from archsearch.space.base import Architecture, GenotypeError
from archsearch.space.reading import is_integer, read_kind, read_list, read_object, read_option, shown

KIND = "cell"
CELLS = ("normal", "reduction")
"""The cells of a network, in the order in which they are decided."""
OUTSIDE = 2
"""States that a cell is given: the outputs of the previous cell and of the one before it."""

_OPERATIONS = tuple(operation.value for operation in CellOperation)
_COMBINATIONS = tuple(combination.value for combination in CellCombination)


@dataclass(frozen=True)
class Block:
    """Two states, an operation applied to each, and how the results become one state (1707.07012, section 3)."""

    inputs: tuple[int, int]
    operations: tuple[str, str]
    combine: str

    def to_json(self) -> dict[str, Any]:
        """The block as it stands in the architecture JSON."""
        return {"inputs": list(self.inputs), "operations": list(self.operations), "combine": self.combine}


@dataclass(frozen=True)
class Cell:
    """A cell; block k (from 0) makes state k + 2."""

    blocks: tuple[Block, ...]
    concat: tuple[int, ...]
    """States that are concatenated to the output, ascending."""

    def to_json(self) -> dict[str, Any]:
        """The cell as it stands in the architecture JSON."""
        return {"blocks": [block.to_json() for block in self.blocks], "concat": list(self.concat)}


@dataclass(frozen=True)
class CellNetwork:
    """The two cells of which a network is stacked."""

    normal: Cell
    """Keeps height and width."""
    reduction: Cell
    """Halves height and width: its operations on states 0 and 1 have stride 2."""

    def to_json(self) -> Architecture:
        """The architecture JSON, the exact inverse of :func:`read_cells`."""
        return {"kind": KIND, "normal": self.normal.to_json(), "reduction": self.reduction.to_json()}


def unread(blocks: Sequence[Block]) -> tuple[int, ...]:
    """The states made by ``blocks`` that none of them reads, ascending; the last block is always among them."""
    read = {state for block in blocks for state in block.inputs}
    return tuple(state for state in range(OUTSIDE, OUTSIDE + len(blocks)) if state not in read)


def read_cells(architecture: Architecture) -> CellNetwork:
    """The cells that ``architecture`` describes.

    Raises:
        GenotypeError: it is no architecture of cells; the message gives the path, the value and what is allowed.
    """
    fields = read_object(architecture, ("kind", *CELLS), "architecture")
    read_kind(fields["kind"], KIND)
    normal, reduction = (_cell(fields[name], name) for name in CELLS)
    return CellNetwork(normal, reduction)


def _cell(value: Any, path: str) -> Cell:
    fields = read_object(value, ("blocks", "concat"), path)
    blocks = read_list(fields["blocks"], f"{path}.blocks")
    if not blocks:
        raise GenotypeError(f"{path}.blocks is []; allowed: at least one block")
    read = tuple(_block(block, number, f"{path}.blocks[{number}]") for number, block in enumerate(blocks))
    return Cell(read, _concat(fields["concat"], read, f"{path}.concat"))


def _block(value: Any, number: int, path: str) -> Block:
    fields = read_object(value, ("inputs", "operations", "combine"), path)
    inputs = _pair(fields["inputs"], f"{path}.inputs")
    for place, state in enumerate(inputs):
        if not is_integer(state) or not 0 <= state < number + OUTSIDE:
            allowed = f"0 to {number + 1}, the states before block {number}"
            raise GenotypeError(f"{path}.inputs[{place}] is {shown(state)}; allowed: {allowed}")
    operations = _pair(fields["operations"], f"{path}.operations")
    first, second = (
        read_option(operation, _OPERATIONS, f"{path}.operations[{place}]") for place, operation in enumerate(operations)
    )
    combine = read_option(fields["combine"], _COMBINATIONS, f"{path}.combine")
    return Block((inputs[0], inputs[1]), (first, second), combine)


def _pair(value: Any, path: str) -> list[Any]:
    pair = read_list(value, path)
    if len(pair) != OUTSIDE:
        raise GenotypeError(f"{path} has {len(pair)} entries; allowed: 2")
    return pair


def _concat(value: Any, blocks: Sequence[Block], path: str) -> tuple[int, ...]:
    """Published cells concatenate states that are read as well, yet none leaves a block without any reader."""
    states, last = read_list(value, path), len(blocks) + 1
    for place, state in enumerate(states):
        if not is_integer(state) or not 0 <= state <= last:
            raise GenotypeError(f"{path}[{place}] is {shown(state)}; allowed: states, 0 to {last}")
        if place and state <= states[place - 1]:
            raise GenotypeError(f"{path}[{place}] is {state} after {states[place - 1]}; allowed: ascending numbers")
    needed = unread(blocks)
    if not set(needed) <= set(states):
        raise GenotypeError(f"{path} is {shown(states)}; needed: {list(needed)}, the blocks that no block reads")
    return tuple(states)

"""Which cells are the same network: counted by trying every order, and by building small cells and comparing results.

A toy cell is built in which each operation (each edge) owns a weight. Whether two cells are the same network is then
asked of their results alone: over all ways of giving the same set of weights to the edges, do both make the same set
of results? A cell whose blocks are numbered otherwise does; a cell that computes something else does not.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from archsearch.api import SearchSpace
from archsearch.space import Architecture, Cells, Genotype, build

Values = NDArray[np.float64]
Cell = dict[str, Any]

# Each as different as can be, none with a symmetry of its own. All have a weight, identity too: where widths or
# sizes differ it is a convolution.
OPERATIONS: dict[str, Callable[[Values], Values]] = {
    "identity": lambda x: x + 0.31 * np.cos(2.3 * x),
    "conv_3x3": lambda x: np.tanh(x + 0.7),
    "max_pool_3x3": lambda x: np.cos(1.3 * x) + 0.2 * x,
}
COMBINATIONS: dict[str, Callable[[Values, Values], Values]] = {
    "add": lambda a, b: a + b,
    # The order of channels is made up for by the weights that read them: a symmetric function stands for it.
    "concat": lambda a, b: np.sin(2.1 * a) * np.sin(2.1 * b) + 0.4 * (np.cos(1.9 * a) + np.cos(1.9 * b)),
}


def _space(blocks: int, operations: Sequence[str], combinations: Sequence[str] = ("add", "concat")) -> Cells:
    settings = {"blocks": blocks, "operations": list(operations), "combinations": list(combinations)}
    space = build(SearchSpace.model_validate_json(json.dumps({"cell": settings})))
    assert isinstance(space, Cells)
    return space


def _halves(space: Cells) -> Iterator[Genotype]:
    """Every normal cell, as tokens."""
    decisions = space.decisions(0)
    yield from product(*(decision.legal for decision in decisions[: len(decisions) // 2]))


def _normal(space: Cells, half: Genotype) -> Cell:
    cell: Cell = space.decode((*half, *(0,) * len(half)))["normal"]
    return cell


def _form(space: Cells, half: Genotype) -> Genotype:
    return space.canonical((*half, *(0,) * len(half)))[: len(half)]


def _results(cell: Cell) -> tuple[float, ...]:
    """The results of ``cell`` for every way of giving weights to its edges, in ascending order."""
    edges = 2 * len(cell["blocks"])
    weights = np.array(list(permutations(np.linspace(0.35, 1.45, edges) ** 1.5)))
    states = [np.full(len(weights), 0.83), np.full(len(weights), -0.47)]
    for number, block in enumerate(cell["blocks"]):
        first, second = (
            OPERATIONS[operation](weights[:, 2 * number + place] * states[state])
            for place, (state, operation) in enumerate(zip(block["inputs"], block["operations"], strict=True))
        )
        states.append(COMBINATIONS[block["combine"]](first, second))
    output = sum(np.sin(1.1 * states[state]) + 0.3 * np.cos(2.7 * states[state]) for state in cell["concat"])
    return tuple(np.round(np.sort(np.asarray(output)), 9))


def _tried(cell: Cell) -> tuple[Any, ...]:
    """The smallest description of ``cell`` over all orders of its blocks, whether they are topological or not."""
    found = []
    for order in permutations(range(2, 2 + len(cell["blocks"]))):
        number = (0, 1, *order)
        blocks = [
            (
                number[2 + place],
                block["combine"],
                sorted(
                    (number[state], operation)
                    for state, operation in zip(block["inputs"], block["operations"], strict=True)
                ),
            )
            for place, block in enumerate(cell["blocks"])
        ]
        found.append(tuple((place, combine, tuple(inputs)) for place, combine, inputs in sorted(blocks)))
    return min(found)


CLASSES: list[tuple[int, list[str], list[str]]] = [
    (1, ["identity", "conv_3x3", "max_pool_3x3"], ["add", "concat"]),
    (2, ["conv_3x3"], ["add", "concat"]),
    (2, ["identity", "conv_3x3"], ["add", "concat"]),
    (2, ["identity", "conv_3x3", "max_pool_3x3"], ["add"]),
]


@pytest.mark.parametrize(("blocks", "operations", "combinations"), CLASSES)
def test_forms_are_as_many_as_there_are_cells_when_every_order_is_tried_and_as_there_are_functions(
    blocks: int, operations: list[str], combinations: list[str]
) -> None:
    space = _space(blocks, operations, combinations)
    found = {
        (_form(space, half), _tried(cell), _results(cell)) for half in _halves(space) for cell in [_normal(space, half)]
    }
    forms, tried, functions = (len(set(column)) for column in zip(*found, strict=True))
    assert forms == tried == functions == len(found)
    assert forms < sum(1 for _ in _halves(space))


def test_the_forms_of_one_block_can_be_counted_by_hand() -> None:
    # An unordered pair, with repetition, of 2 states x 3 operations: 6 x 7 / 2; then 2 combinations.
    space = _space(1, list(OPERATIONS))
    assert len({_form(space, half) for half in _halves(space)}) == 21 * 2


def test_both_cells_of_a_network_are_put_in_order_each_for_itself() -> None:
    space = _space(1, ["identity", "conv_3x3"], ["add"])
    halves = list(_halves(space))
    for normal, reduction in product(halves, halves):
        assert space.canonical((*normal, *reduction)) == (*_form(space, normal), *_form(space, reduction))
    assert len({space.canonical((*a, *b)) for a in halves for b in halves}) == 10**2


def test_forms_are_as_many_as_functions_for_three_blocks_of_one_operation() -> None:
    space = _space(3, ["conv_3x3"], ["add"])
    found = {
        (_form(space, half), _tried(cell), _results(cell)) for half in _halves(space) for cell in [_normal(space, half)]
    }
    assert len({form for form, *_ in found}) == len({results for *_, results in found}) == len(found)


THREE = _space(3, list(OPERATIONS))


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.integers(0, 2**32), st.integers(0, 4))
def test_cells_of_three_blocks_have_one_form_exactly_if_they_make_the_same_results(seed: int, edits: int) -> None:
    draw = random.Random(seed)
    one = THREE.sample(draw.randrange, 0)
    other = THREE.encode(scrambled(THREE.decode(one), draw))
    for _ in range(edits):
        # An edit and, often, its way back: near misses, not cells that have nothing in common.
        mutation = THREE.mutate(other, 0, draw.randrange)
        assert mutation is not None
        other = mutation.genotype
    for half in (slice(0, 15), slice(15, 30)):
        cells = _normal(THREE, one[half]), _normal(THREE, other[half])
        same = _results(cells[0]) == _results(cells[1])
        assert (_form(THREE, one[half]) == _form(THREE, other[half])) == same
        assert same == (_tried(cells[0]) == _tried(cells[1]))


def scrambled(architecture: Architecture, draw: random.Random) -> Architecture:
    """The same network with the blocks of its cells in another order and their inputs swapped at random."""
    return {"kind": "cell", **{name: _scrambled_cell(architecture[name], draw) for name in ("normal", "reduction")}}


def _scrambled_cell(cell: Cell, draw: random.Random) -> Cell:
    number, blocks = {0: 0, 1: 1}, []
    while len(blocks) < len(cell["blocks"]):
        ready = [
            (state, block)
            for state, block in enumerate(cell["blocks"], start=2)
            if state not in number and all(source in number for source in block["inputs"])
        ]
        state, block = draw.choice(ready)
        number[state] = 2 + len(blocks)
        pairs = [(number[source], made) for source, made in zip(block["inputs"], block["operations"], strict=True)]
        draw.shuffle(pairs)
        inputs, operations = zip(*pairs, strict=True)
        blocks.append({"inputs": list(inputs), "operations": list(operations), "combine": block["combine"]})
    return {"blocks": blocks, "concat": sorted(number[state] for state in cell["concat"])}


@pytest.mark.parametrize("blocks", [1, 2, 5, 10])
def test_every_way_of_writing_a_cell_down_has_one_form(blocks: int) -> None:
    # Few options: many blocks are alike.
    space, draw = _space(blocks, ["identity", "conv_3x3"], ["add"]), random.Random(3)
    for _ in range(15):
        genotype = space.sample(draw.randrange, 0)
        written = {space.encode(scrambled(space.decode(genotype), draw)) for _ in range(6)}
        assert {space.canonical(way) for way in written} == {space.canonical(genotype)}

"""The canonical numbering of graphs, against trying every order of the parts."""

import random
from collections import Counter
from collections.abc import Sequence
from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsearch.space.canonical import Part, canonical

Renumbered = tuple[tuple[int, tuple[int, ...], tuple[tuple[int, int], ...]], ...]


def _renumbered(parts: Sequence[Part], outside: int, places: Sequence[int]) -> list[Part]:
    """The same graph with part i at ``places[i]``; its order need not be topological."""
    number = [*range(outside), *(outside + place for place in places)]
    moved: dict[int, Part] = {}
    for part, place in zip(parts, places, strict=True):
        moved[place] = Part(part.label, tuple(sorted((number[source], edge) for source, edge in part.inputs)))
    return [moved[place] for place in range(len(parts))]


def _tried(parts: Sequence[Part], outside: int) -> list[tuple[tuple[int, ...], tuple[tuple[int, int], ...]]]:
    """The smallest of all numberings, topological or not: equal for two graphs exactly if they are isomorphic."""
    orders = permutations(range(len(parts)))
    return min([(part.label, part.inputs) for part in _renumbered(parts, outside, order)] for order in orders)


def _scrambled(parts: Sequence[Part], outside: int, draw: random.Random) -> list[Part]:
    """The same graph in a random topological order, inputs in a random order."""
    order: list[int] = []
    while len(order) < len(parts):
        ready = [
            place
            for place, part in enumerate(parts)
            if place not in order and all(source < outside or source - outside in order for source, _ in part.inputs)
        ]
        order.append(draw.choice(ready))
    moved = _renumbered(parts, outside, [order.index(place) for place in range(len(parts))])
    return [Part(part.label, tuple(draw.sample(part.inputs, len(part.inputs)))) for part in moved]


@st.composite
def _graphs(draw: st.DrawFn, most: int, outside: int = 2) -> list[Part]:
    # Few labels and few sources: symmetries are what is to be tested.
    parts = []
    for place in range(draw(st.integers(1, most))):
        sources = st.integers(0, outside + place - 1)
        inputs = draw(st.lists(st.tuples(sources, st.integers(0, 1)), min_size=1, max_size=2))
        parts.append(Part((draw(st.integers(0, 1)),), tuple(inputs)))
    return parts


@settings(deadline=None, max_examples=150, derandomize=True)
@given(_graphs(5), _graphs(5))
def test_two_graphs_have_one_form_exactly_if_some_order_makes_them_equal(one: list[Part], other: list[Part]) -> None:
    same = len(one) == len(other) and _tried(one, 2) == _tried(other, 2)
    assert (canonical(one, 2) == canonical(other, 2)) == same


@pytest.mark.parametrize("count", [2, 3])
def test_all_graphs_of_a_few_parts_fall_into_the_classes_that_trying_every_order_gives(count: int) -> None:
    sources = [[(first, second) for first in range(1 + place) for second in range(1 + place)] for place in range(count)]
    graphs = [
        [Part((label,), ((first, 0), (second, 0))) for label, (first, second) in zip(labels, chosen, strict=True)]
        for labels in product(range(2), repeat=count)
        for chosen in product(*sources)
    ]
    pairs = {(canonical(graph, 1), tuple(_tried(graph, 1))) for graph in graphs}
    forms, tried = (Counter(half) for half in zip(*pairs, strict=True))
    assert set(forms.values()) == set(tried.values()) == {1}
    assert len(graphs) > len(pairs) > 4


@settings(deadline=None, max_examples=150, derandomize=True)
@given(_graphs(10), st.integers(0, 2**32))
def test_the_form_does_not_depend_on_the_order_and_is_its_own_form(parts: list[Part], seed: int) -> None:
    form = canonical(parts, 2)
    assert canonical(_scrambled(parts, 2, random.Random(seed)), 2) == form
    assert canonical(form, 2) == form
    for place, part in enumerate(form):
        assert all(source < 2 + place for source, _ in part.inputs)
        assert list(part.inputs) == sorted(part.inputs)


def _twins(count: int, readers: Sequence[tuple[int, ...]]) -> list[Part]:
    """``count`` parts that look the same, and readers of theirs."""
    same = [Part((0,), ((0, 0), (1, 0)))] * count
    return same + [Part((0,), tuple((2 + twin, 0) for twin in read)) for read in readers]


HARD: dict[str, list[Part]] = {
    "ten that nobody reads": _twins(10, []),
    "five pairs": _twins(5, [(twin, twin) for twin in range(5)]),
    "a ring of five": _twins(5, [(twin, (twin + 1) % 5) for twin in range(5)]),
    "rings of three and two": _twins(5, [(0, 1), (1, 2), (2, 0), (3, 4), (4, 3)]),
    "rings of two, two and one": _twins(5, [(0, 1), (1, 0), (2, 3), (3, 2), (4, 4)]),
    "two forks": _twins(6, [(0, 1), (1, 2), (3, 4), (4, 5)]),
    "a ring of twelve": _twins(12, [(twin, (twin + 1) % 12) for twin in range(12)]),
    "sixty-four that nobody reads": _twins(64, []),
}


@pytest.mark.parametrize("name", HARD)
def test_symmetric_graphs_are_numbered_alike_from_every_order(name: str) -> None:
    draw = random.Random(11)
    forms = {canonical(_scrambled(HARD[name], 2, draw), 2) for _ in range(4)}
    assert len(forms) == 1


def test_symmetric_graphs_that_colours_cannot_tell_apart_are_told_apart() -> None:
    # All five are regular: refinement alone gives every part of one kind the same colour in each of them.
    rings = [parts for name, parts in HARD.items() if name.startswith(("a ring of five", "rings", "five"))]
    assert len({canonical(parts, 2) for parts in rings}) == len(rings) == 4

"""The space of recurrent cells: layout, architecture JSON and its mistakes, mirror images, pictures."""

import copy
import json
import random
from collections.abc import Callable, Sequence
from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from archsearch.api import SearchSpace
from archsearch.space import PUBLISHED, Architecture, Edge, Genotype, GenotypeError, RecurrentCells, build, walk

Values = NDArray[np.float64]


def _space(**settings: Any) -> RecurrentCells:
    space = build(SearchSpace.model_validate_json(json.dumps({"recurrentCell": settings})))
    assert isinstance(space, RecurrentCells)
    return space


# The example of section 3.4 (figure 5).
PAPER: Architecture = {
    "kind": "recurrentCell",
    "base": 2,
    "nodes": [
        {"combine": "add", "activation": "tanh"},
        {"combine": "elem_mult", "activation": "relu"},
        {"combine": "elem_mult", "activation": "sigmoid"},
    ],
    "inject": {"combine": "add", "activation": "relu", "node": 0},
    "output": 1,
}
TWO = _space(base=2)


def test_a_genotype_lists_the_nodes_then_how_and_where_the_state_enters_and_where_it_leaves() -> None:
    genotype = TWO.encode(PAPER)
    assert genotype == (0, 1, 1, 3, 1, 2, 0, 3, 0, 1)
    assert TWO.decode(genotype) == PAPER
    decisions = walk(TWO, genotype, 0)
    assert [decision.name for decision in decisions] == [
        *(f"node{node}.{what}" for node in range(3) for what in ("combination", "activation")),
        "inject.combination",
        "inject.activation",
        "inject.node",
        "output.node",
    ]
    assert [decision.kind for decision in decisions[4:]] == [
        "combination",
        "activation",
        *(decision.name for decision in decisions[6:]),
    ]
    assert list(decisions[0].options) == ["add", "elem_mult"]
    assert list(decisions[1].options) == ["identity", "tanh", "sigmoid", "relu"]
    assert decisions[8].options == decisions[8].legal == (0, 1, 2)


SIZES: list[tuple[dict[str, Any], int]] = [
    ({}, 8**15 * 8 * 15 * 15),
    ({"base": 2, "combinations": ["add"], "activations": ["tanh"]}, 9),
    ({"base": 4, "combinations": ["add", "elem_mult", "max"], "activations": ["tanh", "sin"]}, 6**8 * 49),
    ({"base": 16}, 8**32 * 31**2),
]


@pytest.mark.parametrize(("settings", "size"), SIZES)
def test_the_size_counts_nodes_injection_and_both_cell_indices(settings: dict[str, Any], size: int) -> None:
    assert _space(**settings).size() == size


def test_the_paper_s_space_has_its_6e16_cells() -> None:
    assert f"{_space().size():.0e}" == "6e+16"


MUTATIONS: list[tuple[int, int, str]] = [
    # place, token, name
    (0, 1, "combination"),
    (5, 0, "activation"),
    (6, 1, "injection"),
    (7, 1, "injection"),
    (8, 2, "injection"),
    (9, 0, "output"),
]


@pytest.mark.parametrize(("place", "token", "name"), MUTATIONS)
def test_a_mutation_is_named_by_what_it_changes(place: int, token: int, name: str) -> None:
    genotype = TWO.encode(PAPER)
    changed = (*genotype[:place], token, *genotype[place + 1 :])
    assert changed in {mutation.genotype for mutation in TWO.neighbours(genotype, 0, name)}
    assert TWO.mutations(0) == ("combination", "activation", "injection", "output")


Edit = Callable[[dict[str, Any]], object]
BROKEN: list[tuple[Edit, str]] = [
    (lambda a: a.pop("output"), "architecture lacks output; needed: kind, base, nodes, inject, output"),
    (lambda a: a.update(kind="cell"), "kind is 'cell'; allowed: 'recurrentCell'"),
    (lambda a: a.update(base=3), "base is 3; allowed: a power of two from 2"),
    (lambda a: a.update(base=1), "base is 1; allowed: a power of two from 2"),
    (lambda a: a.update(base=True), "base is True; allowed: a power of two from 2"),
    (lambda a: a.update(base=4), "nodes has 3 entries; allowed: 7, for base is 4"),
    (lambda a: a.update(nodes={}), "nodes is {}; allowed: a list"),
    (lambda a: a["nodes"].pop(), "nodes has 2 entries; allowed: 3, for base is 2"),
    (lambda a: a["nodes"].__setitem__(1, "add"), "nodes[1] is 'add'; allowed: an object with combine, activation"),
    (lambda a: a["nodes"][2].update(combine="sub"), "nodes[2].combine is 'sub'; allowed: add, elem_mult, max"),
    (lambda a: a["nodes"][2].update(combine="max"), "nodes[2].combine is 'max'; allowed: add, elem_mult"),
    (
        lambda a: a["nodes"][0].update(activation="gelu"),
        "nodes[0].activation is 'gelu'; allowed: identity, tanh, sigmoid, relu, sin",
    ),
    (
        lambda a: a["nodes"][0].update(activation="sin"),
        "nodes[0].activation is 'sin'; allowed: identity, tanh, sigmoid, relu",
    ),
    (lambda a: a["inject"].pop("node"), "inject lacks node; needed: combine, activation, node"),
    (lambda a: a["inject"].update(node=3), "inject.node is 3; allowed: nodes, 0 to 2"),
    (lambda a: a["inject"].update(node=-1), "inject.node is -1; allowed: nodes, 0 to 2"),
    (lambda a: a["inject"].update(combine="max"), "inject.combine is 'max'; allowed: add, elem_mult"),
    (lambda a: a.update(output=1.0), "output is 1.0; allowed: nodes, 0 to 2"),
    (lambda a: a.update(output=None), "output is None; allowed: nodes, 0 to 2"),
]


@pytest.mark.parametrize(("edit", "told"), BROKEN, ids=[told for _, told in BROKEN])
def test_a_mistake_is_told(edit: Edit, told: str) -> None:
    broken = copy.deepcopy(PAPER)
    edit(broken)
    with pytest.raises(GenotypeError) as refused:
        TWO.encode(broken)
    assert str(refused.value) == told


def test_a_tree_of_another_base_is_refused() -> None:
    with pytest.raises(GenotypeError, match=r"^base is 2; allowed: 8$"):
        _space().encode(PAPER)


def test_the_graph_is_the_tree_from_input_and_states_to_state_and_result() -> None:
    graph = TWO.graph(PAPER)
    assert [(node.id, node.kind, node.label) for node in graph.nodes] == [
        ("x", "input", "x[t]"),
        ("h", "input", "h[t-1]"),
        ("c", "input", "c[t-1]"),
        ("node0.combination", "combination", "add"),
        ("node0.activation", "activation", "tanh"),
        ("inject.combination", "combination", "add"),
        ("inject.activation", "activation", "relu"),
        ("node1.combination", "combination", "elem_mult"),
        ("node1.activation", "activation", "relu"),
        ("node2.combination", "combination", "elem_mult"),
        ("node2.activation", "activation", "sigmoid"),
        ("nextC", "output", "c[t]"),
        ("nextH", "output", "h[t]"),
    ]
    pairs = {(edge.source, edge.target) for edge in graph.edges}
    # c[t] leaves before the activation; node 2 reads what was injected.
    assert {("node1.combination", "nextC"), ("inject.activation", "node2.combination")} <= pairs
    assert ("node0.activation", "node2.combination") not in pairs
    assert Edge("x", "node0.combination", skip=True) in graph.edges
    assert graph.nodes[9].detail == {"node": 2, "level": 1, "combine": "elem_mult"}
    assert graph.nodes[6].detail == {"inject": True, "node": 0, "activation": "relu"}


# Evaluated: two cells are compared by what they compute.
COMBINATIONS: dict[str, Callable[[Values, Values], Values]] = {
    "add": np.add,
    "elem_mult": np.multiply,
    "max": np.maximum,
}
ACTIVATIONS: dict[str, Callable[[Values], Values]] = {
    "identity": lambda x: x,
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "relu": lambda x: np.maximum(x, 0),
    "sin": np.sin,
}


def _step(architecture: Architecture, x: Sequence[Values], h: Sequence[Values], c: Values) -> tuple[Values, Values]:
    """h_t and c_t, given the projections of input and state for each leaf."""
    base, inject = architecture["base"], architecture["inject"]
    before: list[Values] = []
    after: list[Values] = []
    for number, node in enumerate(architecture["nodes"]):
        left = 2 * (number - base)
        pair = (x[number], h[number]) if number < base else (after[left], after[left + 1])
        before.append(COMBINATIONS[node["combine"]](*pair))
        after.append(ACTIVATIONS[node["activation"]](before[-1]))
        if number == inject["node"]:
            joined = COMBINATIONS[inject["combine"]](after[-1], c)
            after[-1] = ACTIVATIONS[inject["activation"]](joined)
    return after[-1], before[architecture["output"]]


def _results(architecture: Architecture) -> tuple[tuple[float, float], ...]:
    """(h_t, c_t) for every way of giving the same pairs of weights to the leaves, in ascending order."""
    base = architecture["base"]
    given = np.array(list(permutations(range(base)))).T
    x, h = np.linspace(-0.9, 1.37, base)[given], np.linspace(0.41, -1.13, base)[given] ** 3 + 0.11
    results = np.broadcast_arrays(*_step(architecture, list(x), list(h), np.float64(0.59) + 0 * x[0]))
    return tuple(sorted(zip(*(np.round(values, 9).tolist() for values in results), strict=True)))


CLASSES: list[dict[str, Any]] = [
    {"base": 2, "combinations": ["add", "elem_mult"], "activations": ["tanh", "sigmoid"]},
    {"base": 2, "combinations": ["elem_mult"], "activations": ["tanh", "sigmoid", "sin"]},
    {"base": 4, "combinations": ["add"], "activations": ["tanh"]},
    {"base": 4, "combinations": ["elem_mult"], "activations": ["sigmoid"]},
]


@pytest.mark.parametrize("settings", CLASSES, ids=str)
def test_forms_are_the_orbits_of_mirroring_and_as_many_as_there_are_functions(settings: dict[str, Any]) -> None:
    """With activations that are not linear; where they are, other cells than mirror images may agree."""
    space = _space(**settings)
    children = list(product(*(decision.legal for decision in space.decisions(0))))
    form = {child: space.canonical(child) for child in children}
    for child in children:
        for node in range(space_base(space), 2 * space_base(space) - 1):
            assert form[_mirrored(child, space_base(space), node)] == form[child]
    found = {(form[child], _results(space.decode(child))) for child in children}
    assert len(found) == len({forms for forms, _ in found}) == len({results for _, results in found})
    assert len(found) == _orbits(children, space_base(space)) < len(children)


def space_base(space: RecurrentCells) -> int:
    return (len(space.decisions(0)) - 4 + 2) // 4


def _mirrored(genotype: Genotype, base: int, node: int) -> Genotype:
    """The genotype with the two subtrees under ``node`` exchanged."""
    count = 2 * base - 1
    place = list(range(count))
    ways = [(2 * (node - base), 2 * (node - base) + 1)]
    while ways:
        left, right = ways.pop()
        place[left], place[right] = right, left
        if left >= base:
            ways += [(2 * (left - base) + side, 2 * (right - base) + side) for side in (0, 1)]
    pairs = [genotype[2 * i : 2 * i + 2] for i in range(count)]
    tokens = [token for i in range(count) for token in pairs[place[i]]]
    return (*tokens, *genotype[2 * count : 2 * count + 2], place[genotype[-2]], place[genotype[-1]])


def _orbits(children: Sequence[Genotype], base: int) -> int:
    """Classes of genotypes that mirroring, at whichever nodes, carries into one another."""
    left, orbits = set(children), 0
    while left:
        orbits, waiting = orbits + 1, [left.pop()]
        while waiting:
            child = waiting.pop()
            for node in range(base, 2 * base - 1):
                other = _mirrored(child, base, node)
                if other in left:
                    left.remove(other)
                    waiting.append(other)
    return orbits


FOUR = _space(base=4, combinations=["add", "elem_mult", "max"], activations=list(ACTIVATIONS))


@settings(deadline=None, max_examples=80, derandomize=True)
@given(st.integers(0, 2**32), st.integers(0, 2))
def test_cells_of_one_form_compute_the_same_whatever_their_options(seed: int, edits: int) -> None:
    draw = random.Random(seed)
    one = FOUR.sample(draw.randrange, 0)
    other = one
    for node in draw.choices(range(4, 7), k=3):
        other = _mirrored(other, 4, node)
    assert FOUR.canonical(other) == FOUR.canonical(one)
    for _ in range(edits):
        mutation = FOUR.mutate(other, 0, draw.randrange)
        assert mutation is not None
        other = mutation.genotype
    if FOUR.canonical(other) == FOUR.canonical(one):
        assert _results(FOUR.decode(other)) == _results(FOUR.decode(one))


def test_every_way_of_writing_a_large_tree_down_has_one_form() -> None:
    space, draw = _space(base=16, combinations=["add"], activations=["tanh", "relu"]), random.Random(5)
    for _ in range(10):
        genotype = other = space.sample(draw.randrange, 0)
        for node in draw.choices(range(16, 31), k=20):
            other = _mirrored(other, 16, node)
        assert space.canonical(other) == space.canonical(genotype)


def test_the_lstm_of_the_published_cells_computes_an_lstm() -> None:
    draw = np.random.default_rng(17)
    x, h = draw.normal(size=(2, 8, 5))
    c = draw.normal(size=5)
    found, state = _step(PUBLISHED["recurrentCell"]["LSTM"](), list(x), list(h), c)
    sigmoid = ACTIVATIONS["sigmoid"]
    forget, entered = sigmoid(x[0] + h[0] + x[1] + h[1]), sigmoid(x[2] + h[2])
    expected = forget * c + entered * np.tanh(x[3] + h[3])
    np.testing.assert_allclose(state, expected, rtol=1e-12)
    gate = sigmoid((x + h)[4:].sum(axis=0))
    np.testing.assert_allclose(found, gate * np.tanh(expected), rtol=1e-12)


def test_the_published_cell_computes_what_its_authors_released() -> None:
    """TensorFlow's NASCell, written out: eight projections, three levels."""
    draw = np.random.default_rng(18)
    x, h = draw.normal(size=(2, 8, 5))
    c = draw.normal(size=5)
    sigmoid, tanh, relu = (ACTIVATIONS[name] for name in ("sigmoid", "tanh", "relu"))
    leaves = [
        sigmoid(x[0] + h[0]),
        relu(x[1] + h[1]),
        sigmoid(x[2] + h[2]),
        relu(x[3] * h[3]),
        tanh(x[4] + h[4]),
        sigmoid(x[5] + h[5]),
        tanh(x[6] + h[6]),
        sigmoid(x[7] + h[7]),
    ]
    entered = tanh(tanh(leaves[0] * leaves[1]) + c)
    second, third = tanh(leaves[2] + leaves[3]), tanh(leaves[4] * leaves[5])
    fourth = sigmoid(leaves[6] + leaves[7])
    found, state = _step(PUBLISHED["recurrentCell"]["NAS cell"](), list(x), list(h), c)
    np.testing.assert_allclose(state, entered * second, rtol=1e-12)
    np.testing.assert_allclose(found, tanh(entered * second * tanh(third + fourth)), rtol=1e-12)

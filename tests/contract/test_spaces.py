"""One suite that every search space passes: what the engine, the controller and the pictures rely on."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import product
from math import prod, sqrt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsearch.api import SearchSpace
from archsearch.space import Decision, Genotype, GenotypeError, Space, build, walk
from archsearch.space.base import Mutation

# Small enough to list every child of every stage.
ENUMERABLE: dict[str, dict[str, Any]] = {
    "one choice of one option": {"choices": [{"name": "only", "values": [7]}]},
    "choices of mixed types": {
        "choices": [
            {"name": "width", "values": [32, 64, 128]},
            {"name": "rate", "values": [0.1, 1.0, 1, True, "1"]},
            {"name": "use-bias", "values": [False, True]},
        ]
    },
    "single layer": {
        "convolutional": {"depth": {"initial": 1}, "filterHeights": [1, 3], "filterWidths": [3], "filters": [4, 8, 2]}
    },
    "growing with skips": {
        "convolutional": {
            "depth": {"initial": 1, "final": 4, "every": 10, "step": 2},
            "filterHeights": [3],
            "filterWidths": [3],
            "filters": [8, 4],
        }
    },
    "strided chain": {
        "convolutional": {
            "depth": {"initial": 1, "final": 2, "every": 3, "step": 5},
            "filterHeights": [3],
            "filterWidths": [5, 1],
            "strides": [2, 1],
            "filters": [4],
            "skipConnections": False,
        }
    },
    "cells of one block": {"cell": {"blocks": 1, "operations": ["identity", "separable_3x3"], "combinations": ["add"]}},
    "cells of one operation": {"cell": {"blocks": 1, "operations": ["max_pool_3x3"]}},
    "smallest tree": {"recurrentCell": {"base": 2, "combinations": ["add"], "activations": ["relu", "tanh"]}},
}
LARGE: dict[str, dict[str, Any]] = {
    "six decisions of five": {"choices": [{"name": f"edge{i}", "values": list("abcde")} for i in range(6)]},
    "paper": {"convolutional": {"depth": {"initial": 6, "final": 15, "every": 1600, "step": 2}}},
    "paper with strides": {"convolutional": {"depth": {"initial": 20}, "strides": [1, 2, 3]}},
    "deep chain": {"convolutional": {"depth": {"initial": 64}, "skipConnections": False}},
    "cells of the paper": {"cell": {}},
    "largest cells": {"cell": {"blocks": 10}},
    "cells of three blocks, few options": {
        "cell": {"blocks": 3, "operations": ["conv_3x3", "identity"], "combinations": ["concat"]}
    },
    "tree of the paper": {"recurrentCell": {}},
    "largest tree, all options": {
        "recurrentCell": {
            "base": 16,
            "combinations": ["add", "elem_mult", "max"],
            "activations": ["identity", "tanh", "sigmoid", "relu", "sin"],
        }
    },
}


def _build(manifest: dict[str, Any]) -> Space:
    return build(SearchSpace.model_validate_json(json.dumps(manifest)))


SPACES = {name: _build(manifest) for name, manifest in (ENUMERABLE | LARGE).items()}
every_space = pytest.mark.parametrize("space", SPACES.values(), ids=SPACES.keys())
every_enumerable = pytest.mark.parametrize("space", [SPACES[name] for name in ENUMERABLE], ids=ENUMERABLE.keys())


def _stages(space: Space) -> list[int]:
    return sorted({space.stage(index) for index in range(20_000)})


def _children(space: Space, stage: int, prefix: Genotype = ()) -> Iterator[Genotype]:
    decision = space.next(prefix, stage)
    if decision is None:
        yield prefix
        return
    for token in decision.legal:
        yield from _children(space, stage, (*prefix, token))


def _sample(space: Space, stage: int, seed: int = 0) -> Genotype:
    return space.sample(random.Random(seed).randrange, stage)


def _decisions(space: Space, stage: int) -> list[Decision]:
    return walk(space, _sample(space, stage), stage)


@st.composite
def _genotypes(draw: st.DrawFn) -> tuple[Space, int, Genotype]:
    space = draw(st.sampled_from(list(SPACES.values())))
    stage = draw(st.sampled_from(_stages(space)))
    tokens: list[int] = []
    while (decision := space.next(tokens, stage)) is not None:
        tokens.append(draw(st.sampled_from(decision.legal)))
    return space, stage, tuple(tokens)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(_genotypes())
def test_a_genotype_survives_decoding_json_and_encoding(child: tuple[Space, int, Genotype]) -> None:
    space, _, genotype = child
    architecture = space.decode(genotype)
    assert architecture["kind"] == space.kind
    sent = json.loads(json.dumps(architecture, allow_nan=False))
    assert sent == architecture
    assert space.encode(sent) == genotype
    assert space.decode(space.encode(sent)) == architecture


@settings(deadline=None, max_examples=60, derandomize=True)
@given(_genotypes())
def test_a_genotype_of_a_stage_is_valid_there_and_in_no_shorter_stage(child: tuple[Space, int, Genotype]) -> None:
    space, stage, genotype = child
    assert space.problem(genotype) is None
    for other in _stages(space):
        assert (space.problem(genotype, other) is None) == (other == stage)
    assert len(walk(space, genotype, stage)) == len(genotype)


@every_enumerable
def test_different_children_have_different_architectures(space: Space) -> None:
    children = [child for stage in _stages(space) for child in _children(space, stage)]
    texts = {json.dumps(space.decode(child), sort_keys=True) for child in children}
    assert len(texts) == len(children)


@every_enumerable
def test_size_is_the_number_of_children(space: Space) -> None:
    for stage in _stages(space):
        assert space.size(stage) == sum(1 for _ in _children(space, stage))
    assert space.size() == space.size(_stages(space)[-1])


@every_space
def test_size_is_an_exact_whole_number(space: Space) -> None:
    for stage in _stages(space):
        size = space.size(stage)
        assert type(size) is int
        assert size == prod(len(decision.legal) for decision in _decisions(space, stage))


@every_enumerable
def test_every_sequence_of_draws_gives_another_child_so_uniform_draws_give_uniform_children(space: Space) -> None:
    for stage in _stages(space):
        ranges: list[int] = []

        def note(options: int, ranges: list[int] = ranges) -> int:
            ranges.append(options)
            return 0

        space.sample(note, stage)
        sampled = []
        for draws in product(*map(range, ranges)):
            source = iter(draws)
            sampled.append(space.sample(lambda _, source=source: next(source), stage))
        assert sorted(sampled) == sorted(_children(space, stage))


@every_enumerable
def test_samples_pass_a_chi_square_test_of_uniformity(space: Space) -> None:
    stage = _stages(space)[0]
    children = list(_children(space, stage))
    draw, expected = random.Random(20260301).randrange, 400
    counts = Counter(space.sample(draw, stage) for _ in range(expected * len(children)))
    assert set(counts) == set(children)
    statistic = sum((counts[child] - expected) ** 2 / expected for child in children)
    assert statistic <= _chi_square_999(len(children) - 1)


def _chi_square_999(freedom: int) -> float:
    """The 99.9 % quantile by Wilson and Hilferty's approximation; 0 where nothing can vary."""
    if freedom == 0:
        return 0.0
    spread = 2 / (9 * freedom)
    return float(freedom * (1 - spread + 3.0902 * sqrt(spread)) ** 3)


@every_space
def test_a_sample_is_decided_by_its_draws_alone(space: Space) -> None:
    stage = _stages(space)[-1]
    assert _sample(space, stage, seed=5) == _sample(space, stage, seed=5)
    assert space.problem(_sample(space, stage, seed=5), stage) is None


@every_enumerable
def test_short_token_sequences_are_valid_exactly_if_they_are_children(space: Space) -> None:
    children = {child for stage in _stages(space) for child in _children(space, stage)}
    longest = min(6, max(map(len, children)) + 1)
    for length in range(longest + 1):
        for tokens in product(range(-1, 4), repeat=length):
            assert (space.problem(tokens) is None) == (tokens in children), tokens


@settings(deadline=None, max_examples=200, derandomize=True)
@given(name=st.sampled_from(list(ENUMERABLE)), tokens=st.lists(st.integers(-1, 3), max_size=30).map(tuple))
def test_any_token_sequence_is_valid_exactly_if_it_is_a_child(name: str, tokens: Genotype) -> None:
    space = SPACES[name]
    children = {child for stage in _stages(space) for child in _children(space, stage)}
    assert (space.problem(tokens) is None) == (tokens in children)


BAD_TOKENS: list[Any] = [-1, 10**6, 10**5000, True, False, 0.0, 1.5, "0", None, [0]]


@every_space
@pytest.mark.parametrize("bad", BAD_TOKENS, ids=lambda bad: repr(bad) if bad != 10**5000 else "10**5000")
def test_a_bad_token_is_told_with_its_position_its_decision_and_what_is_allowed(space: Space, bad: Any) -> None:
    stage = _stages(space)[0]
    genotype, decisions = _sample(space, stage), _decisions(space, stage)
    for position in sorted({0, len(genotype) // 2, len(genotype) - 1}):
        broken = (*genotype[:position], bad, *genotype[position + 1 :])
        for problem in (space.problem(broken), space.problem(broken, stage)):
            assert problem is not None
            assert problem.startswith(f"token {position} ({decisions[position].name}) is ")
            assert f"0 ({decisions[position].options[0]!r})" in problem
        with pytest.raises(GenotypeError, match=f"^token {position} "):
            space.decode(broken)


@every_space
def test_the_first_token_above_the_options_is_refused_at_every_position(space: Space) -> None:
    stage = _stages(space)[-1]
    genotype = _sample(space, stage)
    for position, decision in enumerate(_decisions(space, stage)):
        broken = (*genotype[:position], len(decision.options), *genotype[position + 1 :])
        assert (space.problem(broken, stage) or "").startswith(f"token {position} ")
        with pytest.raises(GenotypeError, match=f"token {position} "):
            walk(space, broken, stage)


@every_space
def test_a_genotype_that_is_too_short_is_told_its_next_decision(space: Space) -> None:
    stage = _stages(space)[0]
    genotype, decisions = _sample(space, stage), _decisions(space, stage)
    for length in sorted({0, 1, len(genotype) - 1} - {len(genotype)}):
        told = f"genotype ends after {length} tokens; the next decision is {decisions[length].name}"
        assert space.problem(genotype[:length], stage) == told
        assert (space.problem(genotype[:length]) or "").startswith(told)
        with pytest.raises(GenotypeError, match=told):
            space.decode(genotype[:length])
        with pytest.raises(GenotypeError, match=told):
            walk(space, genotype[:length], stage)


@every_space
def test_a_genotype_that_is_too_long_is_told_where_the_child_is_complete(space: Space) -> None:
    stage = _stages(space)[-1]
    genotype = _sample(space, stage)
    told = f"genotype has {len(genotype) + 1} tokens"
    assert space.problem((*genotype, 0), stage) == f"{told}; the child is complete after {len(genotype)}"
    assert (space.problem((*genotype, 0)) or "").startswith(told)
    for refuse in (space.decode, lambda longer: walk(space, longer, stage)):
        with pytest.raises(GenotypeError, match=told):
            refuse((*genotype, 0))
    assert space.next(genotype, stage) is None
    assert space.next((*genotype, 0), stage) is None


@every_space
def test_decisions_have_unique_names_distinct_options_and_kinds_that_mean_one_thing(space: Space) -> None:
    decisions = _decisions(space, _stages(space)[-1])
    assert len({decision.name for decision in decisions}) == len(decisions)
    options_of_kind: dict[str, Any] = {}
    for decision in decisions:
        typed = [(type(option), option) for option in decision.options]
        assert len(set(typed)) == len(typed)
        assert decision.legal
        assert set(decision.legal) <= set(range(len(decision.options)))
        assert list(decision.legal) == sorted(set(decision.legal))
        assert options_of_kind.setdefault(decision.kind, typed) == typed


@every_space
def test_skip_decisions_of_a_layer_stand_together_with_sources_in_order(space: Space) -> None:
    by_target: dict[int, list[tuple[int, int]]] = {}
    for place, decision in enumerate(_decisions(space, _stages(space)[-1])):
        if decision.anchor is not None:
            assert decision.options == (False, True)
            by_target.setdefault(decision.anchor.target, []).append((place, decision.anchor.source))
    for target, found in by_target.items():
        first = found[0][0]
        assert found == [(first + source, source) for source in range(target)]


@every_space
def test_the_same_decision_is_the_same_object_so_that_next_costs_a_look_up(space: Space) -> None:
    stage = _stages(space)[-1]
    one, other = _decisions(space, stage), _decisions(space, stage)
    assert all(a is b for a, b in zip(one, other, strict=True))


@every_space
def test_children_never_shrink_as_the_search_goes_on(space: Space) -> None:
    lengths = [len(_sample(space, space.stage(index))) for index in (0, 1, 9, 10, 1599, 1600, 5000, 10**9)]
    assert lengths == sorted(lengths)
    sizes = [space.size(stage) for stage in _stages(space)]
    assert sizes == sorted(set(sizes))


@every_space
@pytest.mark.parametrize("stage", [-1, 999, "0", None])
def test_an_unknown_stage_is_refused_with_those_that_exist(space: Space, stage: Any) -> None:
    told = rf"stage {stage!r} is not of this space; its stages: {', '.join(map(str, _stages(space)))}$"
    refusals: list[Callable[[], object]] = [
        lambda: space.next((), stage),
        lambda: space.sample(random.Random(0).randrange, stage),
    ]
    if stage is not None:
        refusals += [lambda: space.size(stage), lambda: space.problem((), stage)]
    for refuse in refusals:
        with pytest.raises(ValueError, match=told):
            refuse()


@every_space
def test_a_negative_child_index_is_refused(space: Space) -> None:
    with pytest.raises(ValueError, match="child index is -1; allowed: from 0"):
        space.stage(-1)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(_genotypes())
def test_the_graph_runs_in_topological_order_and_connects_every_node(child: tuple[Space, int, Genotype]) -> None:
    space, _, genotype = child
    graph = space.graph(space.decode(genotype))
    place = {node.id: number for number, node in enumerate(graph.nodes)}
    assert len(place) == len(graph.nodes)
    assert len({(edge.source, edge.target) for edge in graph.edges}) == len(graph.edges)
    # Every edge leads to a later node: that is the topological order, and rules cycles out.
    for edge in graph.edges:
        assert place[edge.source] < place[edge.target]
        assert edge.skip == (place[edge.target] - place[edge.source] > 1)
    # Only what is given has nothing before it, and only what is the result has nothing after it.
    starts = [node for node in graph.nodes if node.id not in {edge.target for edge in graph.edges}]
    ends = [node for node in graph.nodes if node.id not in {edge.source for edge in graph.edges}]
    if space.kind == "choices":
        assert [starts, ends] == [[graph.nodes[0]], [graph.nodes[-1]]]
    else:
        assert {node.kind for node in starts} <= {"image", "input"}
        assert {node.kind for node in ends} == {"output"}
    assert all(node.label and json.dumps(node.detail) for node in graph.nodes)


OTHER_ARCHITECTURES: list[Any] = [
    None,
    [],
    "cell",
    {},
    {"kind": "cell"},
    {"kind": "cell", "values": {}},
    {"kind": "cell", "layers": [], "outputs": []},
    {"kind": "recurrentCell"},
]


@every_space
@pytest.mark.parametrize("architecture", OTHER_ARCHITECTURES, ids=repr)
def test_what_is_no_architecture_of_the_space_is_refused_with_what_is_allowed(space: Space, architecture: Any) -> None:
    for read in (space.encode, space.graph):
        with pytest.raises(GenotypeError, match=r"^(architecture|kind) .*(allowed|needed): "):
            read(architecture)


def _uniform(source: Callable[[Callable[[int], int]], Any]) -> dict[Any, Fraction]:
    """What ``source``, given a draw, returns, each with its exact probability: every sequence of draws is tried."""
    found: dict[Any, Fraction] = {}
    waiting: list[tuple[int, ...]] = [()]
    while waiting:
        drawn, taken, probability = waiting.pop(), 0, Fraction(1)

        def draw(options: int, drawn: tuple[int, ...] = drawn) -> int:
            nonlocal taken, probability
            token = drawn[taken] if taken < len(drawn) else 0
            if taken >= len(drawn):
                before = (*drawn, *(0,) * (taken - len(drawn)))
                waiting.extend((*before, other) for other in range(1, options))
            taken, probability = taken + 1, probability / options
            return token

        result = source(draw)
        found[result] = found.get(result, Fraction(0)) + probability
    assert sum(found.values()) == 1
    return found


@settings(deadline=None, max_examples=60, derandomize=True)
@given(_genotypes())
def test_a_canonical_form_is_a_genotype_of_the_same_stage_that_stands_for_itself(
    child: tuple[Space, int, Genotype],
) -> None:
    space, stage, genotype = child
    canonical = space.canonical(genotype)
    assert space.problem(canonical, stage) is None
    assert space.canonical(canonical) == canonical
    assert space.distance(genotype, canonical) == 0


@settings(deadline=None, max_examples=60, derandomize=True)
@given(_genotypes(), st.data())
def test_distance_is_a_metric_of_networks(child: tuple[Space, int, Genotype], data: st.DataObject) -> None:
    space, stage, one = child
    stages = st.sampled_from(_stages(space))
    seeds = st.integers(0, 2**32)
    other = _sample(space, data.draw(stages), data.draw(seeds))
    # Near ones too: random pairs of a large space differ almost everywhere.
    steps, draw = data.draw(st.integers(0, 3)), random.Random(data.draw(seeds)).randrange
    third = one
    for _ in range(steps):
        mutation = space.mutate(third, stage, draw)
        third = third if mutation is None else mutation.genotype
    for a, b, c in ((one, other, third), (one, third, other), (other, one, third)):
        assert space.distance(a, b) == space.distance(b, a) <= space.distance(a, c) + space.distance(c, b)
        assert (space.distance(a, b) == 0) == (space.canonical(a) == space.canonical(b))
    assert 0 <= space.distance(one, other) <= max(len(one), len(other))
    if len(one) != len(other):
        assert space.distance(one, other) >= abs(len(one) - len(other))


@every_enumerable
def test_the_canonical_form_alone_stands_for_its_class(space: Space) -> None:
    for stage in _stages(space):
        children = list(_children(space, stage))
        forms = {space.canonical(child) for child in children}
        assert forms <= set(children)
        assert {child for child in children if space.canonical(child) == child} == forms


@every_space
def test_neighbours_are_all_genotypes_of_one_other_answer_each_once_in_a_fixed_order(space: Space) -> None:
    for stage in (_stages(space)[0], _stages(space)[-1]):
        genotype, decisions = _sample(space, stage, seed=3), _decisions(space, stage)
        neighbours = [mutation.genotype for mutation in space.neighbours(genotype, stage)]
        expected = [
            (*genotype[:place], token, *genotype[place + 1 :])
            for place, decision in enumerate(decisions)
            for token in decision.legal
            if token != genotype[place]
        ]
        assert neighbours == expected
        assert len(set(neighbours)) == len(neighbours)
        assert all(space.problem(neighbour, stage) is None for neighbour in neighbours[:200])


@every_space
def test_the_named_mutations_share_the_neighbours_out(space: Space) -> None:
    stage = _stages(space)[-1]
    names = space.mutations(stage)
    assert len(set(names)) == len(names)
    genotype = _sample(space, stage, seed=4)
    every = list(space.neighbours(genotype, stage))
    assert {mutation.name for mutation in every} <= set(names)
    for name in names:
        assert list(space.neighbours(genotype, stage, name)) == [found for found in every if found.name == name]


@every_enumerable
def test_every_named_mutation_changes_some_child_and_neighbourhood_is_mutual(space: Space) -> None:
    for stage in _stages(space):
        around = {child: list(space.neighbours(child, stage)) for child in _children(space, stage)}
        names = {mutation.name for found in around.values() for mutation in found}
        assert names == set(space.mutations(stage))
        sets = {child: {mutation.genotype for mutation in found} for child, found in around.items()}
        assert all(child in sets[neighbour] for child, found in sets.items() for neighbour in found)


@every_enumerable
def test_a_mutation_is_drawn_uniformly_by_name_then_by_place_then_by_option(space: Space) -> None:
    for stage in _stages(space):
        genotype = _sample(space, stage, seed=6)
        drawn = _uniform(lambda draw, stage=stage, genotype=genotype: space.mutate(genotype, stage, draw))
        assert drawn == (_expected(space, genotype, stage) or {None: 1})
        for name in space.mutations(stage):
            only = _uniform(
                lambda draw, stage=stage, genotype=genotype, name=name: space.mutate(genotype, stage, draw, name)
            )
            assert only == (_expected(space, genotype, stage, name) or {None: 1})


def _expected(space: Space, genotype: Genotype, stage: int, name: str | None = None) -> dict[Mutation, Fraction]:
    places: dict[str, dict[int, list[Mutation]]] = {}
    for mutation in space.neighbours(genotype, stage, name):
        place = next(at for at, (a, b) in enumerate(zip(genotype, mutation.genotype, strict=True)) if a != b)
        places.setdefault(mutation.name, {}).setdefault(place, []).append(mutation)
    return {
        mutation: Fraction(1, len(places) * len(by_place) * len(options))
        for by_place in places.values()
        for options in by_place.values()
        for mutation in options
    }


@every_space
def test_a_mutation_that_the_space_does_not_have_is_refused_with_those_that_it_has(space: Space) -> None:
    stage = _stages(space)[-1]
    genotype = _sample(space, stage)
    told = f"mutation is 'insertConvolution'; allowed: {', '.join(space.mutations(stage)) or 'none'}$"
    with pytest.raises(ValueError, match=told):
        list(space.neighbours(genotype, stage, "insertConvolution"))
    with pytest.raises(ValueError, match=told):
        space.mutate(genotype, stage, random.Random(0).randrange, "insertConvolution")


@every_enumerable
def test_a_child_is_extended_uniformly_to_a_later_stage(space: Space) -> None:
    stages = _stages(space)
    for early, late in [(a, b) for a in stages for b in stages if a <= b and space.size(b) < 20_000]:
        genotype = _sample(space, early, seed=7)
        grown = _uniform(lambda draw, genotype=genotype, late=late: space.extend(genotype, late, draw))
        completions = {child for child in _children(space, late) if child[: len(genotype)] == genotype}
        assert grown == dict.fromkeys(completions, Fraction(1, len(completions)))
        if early == late:
            assert grown == {genotype: 1}


@every_space
def test_what_is_no_child_is_neither_compared_nor_changed(space: Space) -> None:
    stage, draw = _stages(space)[-1], random.Random(0).randrange
    genotype = _sample(space, stage)
    for broken in ((), (-1, *genotype[1:]), (*genotype, 0)):
        refusals: list[Callable[[], object]] = [
            lambda broken=broken: space.canonical(broken),
            lambda broken=broken: space.distance(broken, genotype),
            lambda broken=broken: space.distance(genotype, broken),
            lambda broken=broken: list(space.neighbours(broken, stage)),
            lambda broken=broken: space.mutate(broken, stage, draw),
            lambda broken=broken: space.extend(broken, stage, draw),
        ]
        for refuse in refusals:
            with pytest.raises(GenotypeError, match=r"token|genotype"):
                refuse()


@every_space
def test_a_child_is_not_extended_to_an_earlier_stage(space: Space) -> None:
    first, *later = _stages(space)
    for stage in later:
        longer = _sample(space, stage)
        told = f"genotype has {len(longer)} tokens; the child is complete after {len(_sample(space, first))}$"
        with pytest.raises(GenotypeError, match=told):
            space.extend(longer, first, random.Random(0).randrange)

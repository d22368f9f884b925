"""Convolutional networks: which are the same but for the order of their layers, and what may be changed in them.

Counted by trying every order, and by building small networks and comparing results: each layer owns a weight, and
two networks are the same if, over all ways of giving the same weights to the layers, both make the same results.
Several inputs are added after a function of each: weights for each channel make up for the order of concatenation.
"""

import json
from itertools import permutations, product
from typing import Any

import numpy as np
import pytest

from archsearch.api import SearchSpace
from archsearch.space import Architecture, Convolutional, Genotype, build


def _space(depth: int, **settings: Any) -> Convolutional:
    few = {"filterHeights": [3], "filterWidths": [3], "filters": [8, 16]}
    manifest = {"convolutional": {"depth": {"initial": depth}, **few, **settings}}
    space = build(SearchSpace.model_validate_json(json.dumps(manifest)))
    assert isinstance(space, Convolutional)
    return space


def _children(space: Convolutional, depth: int) -> list[Genotype]:
    return list(product(*(decision.legal for decision in space.decisions(depth))))


def _results(architecture: Architecture) -> tuple[float, ...]:
    layers = architecture["layers"]
    weights = np.array(list(permutations(np.linspace(0.5, 1.7, len(layers)))))
    made = [np.full(len(weights), 0.61)]
    for number, layer in enumerate(layers):
        read = sum(np.sin(1.9 * made[source]) + 0.3 * made[source] for source in layer["inputs"])
        made.append(np.tanh(weights[:, number] * read + (0.2 if layer["filters"] == 8 else -0.5)))
    output = sum(np.cos(2.3 * made[number]) + made[number] for number in architecture["outputs"])
    return tuple(np.round(np.sort(np.asarray(output)), 9))


def _tried(architecture: Architecture) -> tuple[Any, ...]:
    layers, found = architecture["layers"], []
    for order in permutations(range(1, 1 + len(layers))):
        number = (0, *order)
        found.append(
            tuple(
                sorted(
                    (number[place], layer["filters"], tuple(sorted(number[source] for source in layer["inputs"])))
                    for place, layer in enumerate(layers, start=1)
                )
            )
        )
    return min(found)


@pytest.mark.parametrize(("depth", "settings"), [(2, {}), (3, {}), (4, {"filters": [8]}), (4, {})])
def test_forms_are_as_many_as_there_are_networks_when_every_order_is_tried_and_as_there_are_functions(
    depth: int, settings: dict[str, Any]
) -> None:
    space = _space(depth, **settings)
    children = _children(space, depth)
    found = {
        (space.canonical(child), _tried(architecture), _results(architecture))
        for child in children
        for architecture in [space.decode(child)]
    }
    forms, tried, functions = (len(set(column)) for column in zip(*found, strict=True))
    assert forms == tried == functions == len(found) < len(children)


def test_two_layers_that_both_read_the_image_are_the_same_in_either_order() -> None:
    space = _space(2)
    # layer 1: 8 filters, layer 2: 16 filters that does not read layer 1; and the reverse.
    one, other = (0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0), (0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0)
    assert space.distance(one, other) == 0
    assert space.distance((*one[:-1], 1), (*other[:-1], 1)) > 0


def test_in_a_chain_every_order_is_another_network() -> None:
    space = _space(4, skipConnections=False)
    children = _children(space, 4)
    assert all(space.canonical(child) == child for child in children)
    assert len({_results(space.decode(child)) for child in children}) == len(children)


MUTATIONS: list[tuple[str, int, int, int, str]] = [
    # decision, token before, token after, its place, name
    ("layer1.filterHeight", 0, 1, 0, "filterSize"),
    ("layer1.filterWidth", 1, 0, 1, "filterSize"),
    ("layer1.strideHeight", 0, 1, 2, "alterStride"),
    ("layer1.strideWidth", 1, 0, 3, "alterStride"),
    ("layer2.filters", 0, 1, 9, "alterNumberOfChannels"),
    ("layer2.skip1", 0, 1, 10, "addSkip"),
    ("layer2.skip1", 1, 0, 10, "removeSkip"),
]


@pytest.mark.parametrize(("decision", "before", "after", "place", "name"), MUTATIONS)
def test_a_mutation_has_its_published_name(decision: str, before: int, after: int, place: int, name: str) -> None:
    space = _space(2, filterHeights=[1, 3], filterWidths=[1, 3], strides=[1, 2])
    assert space.decisions(2)[place].name == decision
    genotype, changed = [0] * 11, [0] * 11
    genotype[place], changed[place] = before, after
    found = {mutation.genotype: mutation.name for mutation in space.neighbours(genotype, 2)}
    assert found[tuple(changed)] == name
    assert space.mutations(2) == ("filterSize", "alterStride", "alterNumberOfChannels", "addSkip", "removeSkip")


def test_a_network_without_skips_has_none_to_remove() -> None:
    space = _space(2)
    genotype = (0,) * 11
    assert space.mutate(genotype, 2, lambda _: 0, "removeSkip") is None
    added = space.mutate(genotype, 2, lambda _: 0, "addSkip")
    assert added is not None
    assert space.decode(added.genotype)["layers"][1]["inputs"] == [1]

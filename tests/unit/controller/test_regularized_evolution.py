"""Aging evolution: who is in the population, who dies, who is the parent, and what a child is."""

import math
from collections import Counter
from itertools import product
from typing import Any

import pytest
from folding import add, choices, growing, run, tell

from archsearch.api.strategies.evolution import RegularizedEvolutionStrategy
from archsearch.controller.strategies.population import NEVER, Layout
from archsearch.controller.strategies.regularized_evolution import RegularizedEvolution
from archsearch.space import Genotype, Space


def strategy(space: Space, seed: int = 1, **settings: Any) -> RegularizedEvolution:
    return RegularizedEvolution(RegularizedEvolutionStrategy(**settings), space, seed)


def numbers(found: RegularizedEvolution) -> list[int]:
    return [individual.number for individual in found.population]


def test_the_first_children_of_a_population_are_uniform_whatever_was_told() -> None:
    evolution = strategy(choices(3, 3, 3), population=10)
    for index in range(10):
        assert evolution.propose(index).log_probability == pytest.approx(-math.log(27))
        add(evolution, index, (0, 0, 0), 1.0)
    assert evolution.log_probability(10, (2, 2, 2)) == NEVER


def test_the_oldest_dies_also_if_it_is_the_best() -> None:
    evolution = strategy(choices(3, 3), population=2, sample=2)
    for index, reward in enumerate([9.0, 1.0, 2.0]):
        add(evolution, index, (index, 0), reward)
    assert numbers(evolution) == [1, 2]
    assert {evolution.parent(index).number for index in range(3, 200)} == {1, 2}


def test_age_counts_from_the_tell_and_not_from_the_ask() -> None:
    evolution = strategy(choices(3, 3), population=2, sample=2)
    for index in range(3):
        evolution.adopt(index, (index, 0))
    for number, index in enumerate([2, 0, 1]):
        tell(evolution, index, (index, 0), 1.0, number)
    assert [individual.genotype for individual in evolution.population] == [(0, 0), (1, 0)]


def test_a_failed_child_is_nobodys_parent_and_nobody_dies_for_it() -> None:
    evolution = strategy(choices(3, 3), population=2, sample=2)
    for index, reward in enumerate([1.0, None, 2.0, None, None]):
        add(evolution, index, (index % 3, 0), reward)
    assert numbers(evolution) == [0, 2]


def test_as_long_as_all_fail_children_stay_uniform_and_one_success_is_enough_to_go_on_from() -> None:
    evolution = strategy(choices(3, 3), population=4)
    for index in range(10):
        add(evolution, index, (0, 0), None)
    assert evolution.propose(10).log_probability == pytest.approx(-math.log(9))
    add(evolution, 10, (1, 1), 0.5)
    for index in range(11, 40):
        assert Layout(choices(3, 3), 0).log_mutant((1, 1), evolution.propose(index).genotype) > NEVER


def test_the_parent_is_the_best_of_a_sample_with_replacement() -> None:
    evolution = strategy(choices(4, 3), population=3, sample=2)
    for index, reward in enumerate([5.0, 7.0, 6.0]):
        add(evolution, index, (index, 0), reward)
    draws = 1800
    seen = Counter(evolution.parent(index).number for index in range(3, 3 + draws))
    for number, probability in {0: 1 / 9, 2: 3 / 9, 1: 5 / 9}.items():
        assert abs(seen[number] - draws * probability) < 4 * math.sqrt(draws * probability * (1 - probability))


def test_of_equal_rewards_the_younger_is_the_better() -> None:
    evolution = strategy(choices(4, 3), population=100, sample=100)
    for index in range(3):
        add(evolution, index, (index, 0), 1.0)
    assert {evolution.parent(index).number for index in range(100, 150)} == {2}


def test_a_child_is_one_mutation_away_and_its_parent_again_as_often_as_the_settings_say() -> None:
    space = choices(3, 3, 3)
    always, sometimes = (
        strategy(space, population=1, sample=1),
        strategy(space, population=1, sample=1, identityProbability=0.4),
    )
    add(always, 0, (1, 1, 1), 1.0)
    add(sometimes, 0, (1, 1, 1), 1.0)
    draws = 600
    assert {space.distance(always.propose(index).genotype, (1, 1, 1)) for index in range(1, draws)} == {1}
    same = sum(sometimes.propose(index).genotype == (1, 1, 1) for index in range(1, 1 + draws))
    assert abs(same - 0.4 * draws) < 4 * math.sqrt(draws * 0.4 * 0.6)
    assert sometimes.log_probability(1, (1, 1, 1)) == pytest.approx(math.log(0.4))
    assert sometimes.log_probability(1, (1, 1, 2)) == pytest.approx(math.log(0.6 / 6))


def test_children_in_flight_change_nothing() -> None:
    evolution = strategy(choices(3, 3), population=2, sample=2)
    add(evolution, 0, (0, 0), 1.0)
    before = evolution.hash()
    for index in range(1, 800):
        evolution.adopt(index, (1, 1))
    assert evolution.hash() == before
    assert numbers(evolution) == [0]


def test_a_parent_of_an_earlier_stage_is_extended_and_then_mutated() -> None:
    space = growing(4)
    evolution = strategy(space, population=3, sample=3)
    parents: list[Genotype] = []
    for index in range(4):
        genotype = evolution.propose(index).genotype
        parents.append(genotype)
        add(evolution, index, genotype, float(index))
    for index in range(4, 8):
        child = evolution.propose(index).genotype
        assert space.problem(child, space.stage(index)) is None
        parent = evolution.parent(index).genotype
        assert sum(a != b for a, b in zip(parent, child, strict=False)) <= 1


@pytest.mark.parametrize("identity", [0, 0.3])
def test_probabilities_add_up_to_one_with_parents_of_several_stages(identity: float) -> None:
    space = growing(2)
    evolution = strategy(space, population=4, sample=2, identityProbability=identity)
    for index in range(6):
        add(evolution, index, evolution.propose(index).genotype, float(index % 3))
    assert {len(individual.genotype) for individual in evolution.population} == {11, 18}
    children = product(*(decision.legal for decision in Layout(space, 3).decisions))
    total = math.fsum(math.exp(evolution.log_probability(6, child)) for child in children)
    assert total == pytest.approx(1)


def test_where_nothing_can_be_changed_the_child_is_its_parent() -> None:
    evolution = strategy(choices(1), population=1, sample=1)
    add(evolution, 0, (0,), 1.0)
    child = evolution.propose(1)
    assert (child.genotype, child.log_probability) == ((0,), 0)


def test_the_population_never_passes_its_size_with_many_in_flight() -> None:
    space = choices(3, 3, 3)
    rewards = {child: float(sum(child)) for child in product(range(3), repeat=3)}
    evolution = strategy(space, population=5)
    run(evolution, rewards, 100, flying=30)
    assert numbers(evolution) == [65, 66, 67, 68, 69]


def test_rewards_rise() -> None:
    space = choices(*[4] * 8)
    evolution = strategy(space)
    found: list[Genotype] = []
    for index in range(150):
        found.append(evolution.propose(index).genotype)
        add(evolution, index, found[-1], float(sum(found[-1])))
    first, last = (sum(map(sum, part)) / 10 for part in (found[:10], found[-10:]))
    assert last > first + 5

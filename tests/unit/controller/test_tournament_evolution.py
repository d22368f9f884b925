"""Evolution by tournaments: who is parent, who dies, and that it goes on with many in flight and with failures."""

import math
from collections import Counter
from itertools import product

import pytest
from folding import add, choices, growing, run, tell
from hypothesis import given, settings
from hypothesis import strategies as st

from archsearch.api.strategies.evolution import EvolutionStrategy
from archsearch.controller.strategies.evolution import Evolution
from archsearch.controller.strategies.population import Layout
from archsearch.space import Genotype, Space


def strategy(space: Space, population: int, seed: int = 1) -> Evolution:
    return Evolution(EvolutionStrategy(population=population), space, seed)


def founded(population: int, rewards: list[float]) -> Evolution:
    """Children (0, 0), (1, 0), ... with these rewards, told in order."""
    evolution = strategy(choices(8, 3), population)
    for index, reward in enumerate(rewards):
        add(evolution, index, (index, 0), reward)
    return evolution


def alive(evolution: Evolution) -> list[int]:
    return sorted(individual.number for individual in evolution.population)


def test_the_first_children_of_a_population_are_uniform_and_further_ones_while_none_has_a_reward() -> None:
    evolution = strategy(choices(3, 3), 4)
    for index in range(4):
        assert evolution.propose(index).log_probability == pytest.approx(-math.log(9))
        add(evolution, index, (0, 0), None)
    assert evolution.propose(4).log_probability == pytest.approx(-math.log(9))
    add(evolution, 4, (1, 1), 1.0)
    assert {choices(3, 3).distance(evolution.propose(index).genotype, (1, 1)) for index in range(5, 40)} == {1}


def test_the_better_of_two_random_individuals_is_the_parent() -> None:
    evolution = founded(4, [5.0, 8.0, 6.0, 7.0])
    draws = 1800
    seen: Counter[int] = Counter()
    for index in range(4, 4 + draws):
        loser, winner = evolution.tournament(index)
        seen[winner] += 1
        assert loser < winner
    # Ranks from the worst, number 0: of six pairs the worst is the better in none.
    assert seen[0] == 0
    for rank in (1, 2, 3):
        probability = rank / 6
        assert abs(seen[rank] - draws * probability) < 4 * math.sqrt(draws * probability * (1 - probability))


def test_of_equal_rewards_the_older_dies_and_the_younger_is_the_parent() -> None:
    evolution = founded(2, [1.0, 1.0])
    child = evolution.propose(2).genotype
    assert choices(8, 3).distance(child, (1, 0)) == 1
    evolution.adopt(2, child)
    assert alive(evolution) == [1]


def test_the_worse_dies_as_the_child_is_asked_for_and_the_child_takes_its_place_when_told() -> None:
    evolution = founded(3, [5.0, 8.0, 6.0])
    loser = evolution.population[evolution.tournament(3)[0]]
    child = evolution.propose(3).genotype
    evolution.adopt(3, child)
    assert loser not in evolution.population
    assert len(evolution.population) == 2
    tell(evolution, 3, child, 7.0)
    assert len(evolution.population) == 3


def test_whatever_child_the_ledger_holds_the_loser_of_its_tournament_dies() -> None:
    one, other = founded(3, [5.0, 8.0, 6.0]), founded(3, [5.0, 8.0, 6.0])
    one.adopt(3, one.propose(3).genotype)
    other.adopt(3, (7, 2))
    assert one.population == other.population


def test_a_failed_child_leaves_its_place_to_the_next_that_succeeds() -> None:
    evolution = founded(3, [5.0, 8.0, 6.0])
    add(evolution, 3, (3, 0), None)
    assert len(evolution.population) == 2
    evolution.adopt(4, (4, 0))
    assert len(evolution.population) == 2
    tell(evolution, 4, (4, 0), 1.0)
    assert len(evolution.population) == 3


def test_rewards_that_come_in_together_do_not_make_the_population_larger() -> None:
    evolution = strategy(choices(8, 3), 3)
    for index in range(50):
        evolution.adopt(index, (index % 8, 0))
    for index in range(50):
        tell(evolution, index, (index % 8, 0), float(index % 8))
        assert len(evolution.population) == min(3, index + 1)


def test_a_single_survivor_is_the_parent_and_does_not_die() -> None:
    evolution = founded(2, [5.0, 8.0])
    for index in range(2, 60):
        child = evolution.propose(index).genotype
        assert choices(8, 3).distance(child, (1, 0)) == 1
        evolution.adopt(index, child)
        assert alive(evolution) == [1]


@settings(max_examples=25)
@given(st.lists(st.sampled_from(["ask", "tell", "fail"]), max_size=60), st.integers(2, 5))
def test_once_somebody_is_alive_somebody_stays_alive(events: list[str], population: int) -> None:
    evolution = strategy(choices(3, 3), population)
    flying: list[tuple[int, Genotype]] = []
    index = number = 0
    for event in events:
        before = len(evolution.population)
        if event == "ask":
            child = evolution.propose(index).genotype
            evolution.adopt(index, child)
            flying.append((index, child))
            index += 1
        elif flying:
            told, child = flying.pop(0)
            tell(evolution, told, child, None if event == "fail" else float(sum(child)), number)
            number += 1
        assert len(evolution.population) >= min(before, 1)
        assert len(evolution.population) <= population


def test_probabilities_add_up_to_one_with_parents_of_several_stages() -> None:
    space = growing(2)
    evolution = strategy(space, 6)
    for index in range(6):
        add(evolution, index, evolution.propose(index).genotype, float(index % 3))
    assert {len(individual.genotype) for individual in evolution.population} == {5, 11, 18}
    children = product(*(decision.legal for decision in Layout(space, 3).decisions))
    total = math.fsum(math.exp(evolution.log_probability(6, child)) for child in children)
    assert total == pytest.approx(1)


def test_a_parent_of_an_earlier_stage_is_extended_and_then_mutated() -> None:
    space = growing(4)
    evolution = strategy(space, 3)
    for index in range(4):
        add(evolution, index, evolution.propose(index).genotype, float(index))
    for index in range(4, 8):
        child = evolution.propose(index).genotype
        assert space.problem(child, space.stage(index)) is None
        parent = evolution.population[evolution.tournament(index)[1]].genotype
        assert sum(a != b for a, b in zip(parent, child, strict=False)) <= 1


@pytest.mark.parametrize("flying", [1, 8])
def test_rewards_rise(flying: int) -> None:
    space = choices(*[3] * 6)
    rewards = {child: float(sum(child)) for child in product(range(3), repeat=6)}
    found = run(strategy(space, 10), rewards, 150, flying)
    first, last = (sum(map(sum, part)) / 10 for part in (found[:10], found[-10:]))
    assert last > first + 2

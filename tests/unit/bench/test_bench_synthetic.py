"""Synthetic problems: the optimum that is told is the optimum, and every problem is the same each time."""

from collections.abc import Iterator
from functools import cache
from itertools import combinations_with_replacement, product

import numpy as np
import pytest
from cell_families import CellReward
from factors import Factor, highest, value
from making import Problem
from ranking import scale_of
from synthetic import FAMILIES, problem_of

from archsearch.api import SearchSpace
from archsearch.api.cells import CellOperation
from archsearch.controller.strategy import generator
from archsearch.space import build
from archsearch.space.base import Genotype

SMALL = [
    *("additive-0", "pairwise-0", "deceptive-0", "deceptive-1", "plateau-0", "noisy-0", "failing-0", "mixed-0"),
    *("rugged-0", "paths-0", "paths-2"),
]
"""Problems of some ten thousand networks."""


known = cache(problem_of)


def legal(problem: Problem) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = []
    while (decision := problem.space.next((0,) * len(found), 0)) is not None:
        found.append(decision.legal)
    return found


def uniform(problem: Problem, count: int, purpose: str = "draws") -> Iterator[Genotype]:
    draws = generator(77, purpose)
    for _ in range(count):
        yield problem.space.sample(lambda options: int(draws.integers(options)), 0)


def every_name(instances: int = 4) -> list[str]:
    return [f"{family}-{number}" for family in FAMILIES for number in range(instances)]


@pytest.mark.parametrize("name", SMALL)
def test_no_network_of_a_small_problem_is_better_than_the_best_and_one_is_as_good(name: str) -> None:
    problem = known(name)
    options = legal(problem)
    assert np.prod([len(tokens) for tokens in options]) < 70_000
    rewards = [reward for genotype in product(*options) if (reward := problem.reward(genotype)) is not None]
    assert max(rewards) == problem.best


@pytest.mark.parametrize("number", range(3))
def test_only_counts_matter_in_a_bag_and_no_counts_are_better(number: int) -> None:
    problem = known(f"bag-{number}")
    options = legal(problem)
    assert len(set(options)) == 1
    rewards = [problem.reward(genotype) for genotype in combinations_with_replacement(options[0], len(options))]
    assert max(reward for reward in rewards if reward is not None) == problem.best
    for genotype in uniform(problem, 20):
        assert problem.reward(tuple(sorted(genotype))) == problem.reward(genotype)


@pytest.mark.parametrize("name", every_name())
def test_no_climb_from_random_networks_ends_above_the_best(name: str) -> None:
    problem = known(name)
    draws = generator(5, name)
    for start in uniform(problem, 3):
        held, reward = start, problem.reward(start)
        for _ in range(300):
            step = problem.space.mutate(held, 0, lambda options: int(draws.integers(options)))
            assert step is not None
            after = problem.reward(step.genotype)
            if after is not None and (reward is None or after >= reward):
                held, reward = step.genotype, after
        assert reward is None or reward <= problem.best + 1e-9 * abs(problem.best)


@pytest.mark.parametrize("name", every_name())
def test_a_problem_is_the_same_each_time_and_another_for_each_number(name: str) -> None:
    one, other = known(name), problem_of(name)
    sample = list(uniform(one, 50))
    assert [one.reward(genotype) for genotype in sample] == [other.reward(genotype) for genotype in sample]
    assert (one.name, one.best, one.noise) == (name, other.best, other.noise)
    family, _, number = name.partition("-")
    another = known(f"{family}-{int(number) + 4}")
    assert [another.reward(genotype) for genotype in uniform(another, 50)] != [one.reward(given) for given in sample]


@pytest.mark.parametrize("name", every_name())
def test_random_draws_leave_room_above_them(name: str) -> None:
    problem = known(name)
    rewards = [problem.reward(genotype) for genotype in uniform(problem, 400)]
    unit, worst = scale_of(problem.best, rewards)
    assert 0 < unit < worst
    measured = [reward for reward in rewards if reward is not None]
    assert len(set(measured)) > 5


@pytest.mark.parametrize(("number", "share"), [(0, 0.7), (1, 0.8), (2, 0.9), (3, 0.85)])
def test_most_networks_fail_where_that_is_the_family(number: int, share: float) -> None:
    problem = known(f"failing-{number}")
    failed = [problem.reward(genotype) is None for genotype in uniform(problem, 3000)]
    assert share - 0.05 < np.mean(failed) < 0.93


@pytest.mark.parametrize("number", range(4))
def test_half_and_more_collapse_on_a_plateau(number: int) -> None:
    problem = known(f"plateau-{number}")
    rewards = [problem.reward(genotype) or 0.0 for genotype in uniform(problem, 2000)]
    assert 0.45 < np.mean(np.array(rewards) < 10.3) < 0.9
    assert min(rewards) >= 10


def test_large_problems_have_30_and_60_decisions_of_3_to_9_options() -> None:
    sizes = [legal(known(f"large-{number}")) for number in range(4)]
    assert [len(options) for options in sizes] == [30, 60, 30, 60]
    assert {len(tokens) for options in sizes for tokens in options} >= {3, 9}
    assert all(3 <= len(tokens) <= 9 for options in sizes for tokens in options)


def test_unknown_problems_are_refused_with_what_there_is() -> None:
    for name in ("nowhere-1", "additive", "additive-x"):
        with pytest.raises(SystemExit, match="additive, pairwise"):
            problem_of(name)


# --- exact maxima -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(25))
def test_elimination_finds_what_counting_all_finds(seed: int) -> None:
    draws = generator(seed, "factors")
    options = tuple(int(count) for count in draws.integers(1, 5, int(draws.integers(1, 7))))
    factors = []
    for _ in range(int(draws.integers(0, 9))):
        places = draws.choice(len(options), min(len(options), int(draws.integers(1, 4))), replace=False)
        scope = tuple(int(place) for place in places)  # in any order
        factors.append(Factor(scope, draws.normal(size=tuple(options[place] for place in scope))))
    best = max(value(factors, genotype) for genotype in product(*map(range, options)))
    assert value(factors, highest(factors, options)) == pytest.approx(best, abs=1e-12)


def test_what_hangs_together_too_much_is_refused() -> None:
    places = range(24)
    factors = [Factor((a, b), np.zeros((5, 5))) for a in places for b in places if a < b]
    with pytest.raises(ValueError, match=r"a table over places .* would have"):
        highest(factors, (5,) * 24)


# --- cells ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_the_best_of_cells_is_what_counting_all_of_each_cell_finds(seed: int) -> None:
    operations = [operation.value for operation in CellOperation][:2]
    space = build(SearchSpace.model_validate({"cell": {"blocks": 2, "operations": operations}}, strict=False))
    reward = CellReward(space, operations, 2, generator(seed, "cells"))
    tokens = [decision.legal for decision in space.decisions(0)]  # type: ignore[attr-defined]
    fixed = tuple(legal[0] for legal in tokens)
    half = len(tokens) // 2
    # The sum is of one part for each cell, so each is counted while the other stays.
    normal = max(reward((*genotype, *fixed[half:])) for genotype in product(*tokens[:half]))
    reduction = max(reward((*fixed[:half], *genotype)) for genotype in product(*tokens[half:]))
    assert normal + reduction - reward(fixed) == pytest.approx(reward.best(), abs=1e-12)


@pytest.mark.parametrize("number", range(4))
def test_genotypes_of_one_network_have_one_reward(number: int) -> None:
    problem = known(f"cell-{number}")
    renumbered = 0
    for genotype in uniform(problem, 100):
        twin = problem.space.canonical(genotype)
        renumbered += twin != genotype
        assert problem.reward(twin) == pytest.approx(problem.reward(genotype), abs=1e-9)
    assert renumbered > 50

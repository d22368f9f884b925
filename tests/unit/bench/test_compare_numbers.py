"""The figures of a comparison against numbers worked out by hand."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from archsearch.api import Objective
from archsearch.bench.compare.bootstrap import bands, difference, interval, least_p
from archsearch.bench.compare.course import means_of_the_best
from archsearch.engine.model import Phase, Trial

NOW = datetime(2026, 3, 2, tzinfo=UTC)
PLAIN = Objective()
LIMITED = Objective.model_validate({"also": [{"metric": "size", "target": 1.0, "limit": 10.0}]}, strict=False)


def trials(rewards: Sequence[float | None], *, same: dict[int, int] | None = None, size: float = 1.0) -> list[Trial]:
    """Children in order; None: it failed. ``same``: child -> the earlier child of the same network."""
    return [
        Trial(
            index, (index,), {}, 0, 0.0, NOW, duplicate_of=(same or {}).get(index), reward=reward, observation=index,
            phase=Phase.FAILED if reward is None else Phase.SUCCEEDED, metrics={"size": size},
        )
        for index, reward in enumerate(rewards)
    ]  # fmt: skip


MEANS = [
    ("the best so far never falls", [3.0, 1.0, 5.0, 4.0], {}, 1, (3.0, 3.0, 5.0, 5.0)),
    ("a mean of two waits for two children", [3.0, 1.0, 5.0, 4.0], {}, 2, (None, 2.0, 4.0, 4.5)),
    ("a failed child is asked for and counts for nothing", [None, 2.0, None, 4.0], {}, 2, (None, None, None, 3.0)),
    ("a repeated network stands once", [3.0, 3.0, 1.0], {1: 0}, 2, (None, None, 2.0)),
    ("with its best measurement", [3.0, 5.0, 1.0], {1: 0}, 2, (None, None, 3.0)),
    ("and not with a worse one", [3.0, 2.0, 1.0], {1: 0}, 2, (None, None, 2.0)),
    ("children of equal reward are two", [3.0, 3.0], {}, 2, (None, 3.0)),
    ("rewards below zero", [-3.0, -1.0], {}, 1, (-3.0, -1.0)),
]


@pytest.mark.parametrize(("rewards", "same", "most", "line"), [row[1:] for row in MEANS], ids=[row[0] for row in MEANS])
def test_means_of_the_best(
    rewards: list[float | None], same: dict[int, int], most: int, line: tuple[float | None, ...]
) -> None:
    assert means_of_the_best(trials(rewards, same=same), most, PLAIN) == line


def test_a_child_beyond_a_limit_is_never_among_the_best() -> None:
    assert means_of_the_best(trials([3.0], size=10.0), 1, LIMITED) == (3.0,)
    assert means_of_the_best(trials([3.0], size=10.5), 1, LIMITED) == (None,)


def test_a_child_that_does_not_count_for_the_search_does_not_count_here() -> None:
    (trial,) = trials([3.0])
    beyond = Trial(**{**vars(trial), "observation": None})
    assert means_of_the_best([beyond], 1, PLAIN) == (None,)


def test_a_band_has_the_quantiles_of_all_resamples_of_two_seeds() -> None:
    """Of two seeds a resample is both of the one (1/4), both of the other (1/4) or one of each (1/2)."""
    low, high = bands([[0.0, 5.0], [1.0, 5.0]])
    assert (low[0], high[0]) == (0.0, 1.0)
    assert (low[1], high[1]) == (5.0, 5.0)


def test_an_interval_of_many_seeds_is_that_of_the_normal_distribution() -> None:
    values = [math.sin(n * 12.9898) for n in range(400)]
    mean = sum(values) / 400
    error = 1.96 * math.sqrt(sum((value - mean) ** 2 for value in values) / 400) / 20
    found = interval(values)
    assert found.mean == pytest.approx(mean)
    assert found.low == pytest.approx(mean - error, abs=0.1 * error)
    assert found.high == pytest.approx(mean + error, abs=0.1 * error)
    assert interval(values) == found


def test_no_values_have_no_interval() -> None:
    with pytest.raises(ValueError, match="no values"):
        interval([])


def test_shared_seeds_are_compared_seed_by_seed() -> None:
    """Seeds differ by tens, the two sides by 1 on each: paired there is no doubt, unpaired nothing could be told."""
    one, other = {1: 1.0, 2: 11.0, 3: 31.0}, {1: 0.0, 2: 10.0, 3: 30.0}
    found = difference(one, other)
    assert found.paired
    assert found.seeds == (3, 3)
    assert found.interval is not None
    assert (found.interval.mean, found.interval.low, found.interval.high) == (1.0, 1.0, 1.0)
    apart = difference(one, {seed + 10: value for seed, value in other.items()})
    assert not apart.paired
    assert apart.interval is not None
    assert apart.interval.mean == pytest.approx(1.0)
    assert apart.interval.low < -10
    assert apart.interval.high > 10


def test_seeds_that_only_one_side_has_are_left_out_of_pairs() -> None:
    found = difference({1: 1.0, 2: 2.0, 9: 100.0}, {1: 0.0, 2: 0.0, 8: 0.0})
    assert found.interval is not None
    assert (found.interval.mean, found.seeds, found.paired) == (1.5, (2, 2), True)


def test_one_seed_gives_a_difference_and_no_p() -> None:
    found = difference({1: 3.0}, {1: 1.0})
    assert found.interval is not None
    assert (found.interval.mean, found.p) == (2.0, None)
    assert difference({}, {1: 1.0}).interval is None


@pytest.mark.parametrize(
    ("one", "other", "least"), [(2, None, 0.5), (3, None, 0.25), (6, None, 0.03125), (3, 3, 0.1), (1, 1, 1.0)]
)
def test_no_p_is_below_what_so_many_seeds_can_show(one: int, other: int | None, least: float) -> None:
    assert least_p(one, other) == pytest.approx(least)


def test_p_of_equals_is_large_and_of_a_clear_difference_small_and_it_has_two_sides() -> None:
    noise = {seed: math.sin(seed * 12.9898) for seed in range(30)}
    zero = dict.fromkeys(range(30), 0.0)
    shifted = {seed: value + 1.0 for seed, value in noise.items()}
    equal, clear, reverse = difference(noise, zero).p, difference(shifted, zero).p, difference(zero, shifted).p
    assert equal is not None
    assert equal > 0.3
    assert clear == reverse
    assert clear is not None
    assert clear < 0.001
    assert difference(zero, zero).p == 1.0
    assert difference({1: 1.0, 2: 1.0, 3: 1.0}, {1: 0.0, 2: 0.0, 3: 0.0}).p == 0.25

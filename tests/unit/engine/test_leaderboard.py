from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsearch.api import Direction, Objective
from archsearch.engine.leaderboard import (
    counts,
    mean,
    moving_mean,
    running_best,
    seconds_by_outcome,
    seconds_saved,
    times_sampled,
    top,
)
from archsearch.engine.model import Phase, Trial

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANY = Objective()


def trial(index: int, reward: float | None = None, genotype: tuple[int, ...] | None = None, **fields: object) -> Trial:
    phase = fields.pop("phase", Phase.SUCCEEDED if reward is not None else Phase.FAILED)
    known = {"phase": phase, "reward": reward}
    if phase in (Phase.SUCCEEDED, Phase.FAILED):
        known["observation"] = index
    return Trial(index, genotype or (index,), {}, 0, 0.0, NOW, **{**known, **fields})  # type: ignore[arg-type]


def test_best_children_come_by_reward_then_by_lowest_index():
    trials = [trial(0, 0.5), trial(1, 0.9), trial(2), trial(3, 0.9), trial(4, 0.7)]
    assert [each.index for each in top(trials, 3, ANY)] == [1, 3, 4]


def test_a_network_appears_once_with_its_best_measurement():
    again = {"duplicate_of": 0}
    trials = [trial(0, 0.5), trial(1, 0.8, **again), trial(2, 0.6), trial(3, 0.8, reuse_of=0, **again)]
    assert [each.index for each in top(trials, 9, ANY)] == [1, 2]


def test_failed_and_unfinished_children_have_no_rank():
    trials = [trial(0), trial(1, None, phase=Phase.RUNNING), trial(2, None, phase=Phase.STOPPED)]
    assert top(trials, 5, ANY) == ()


def test_what_ended_beyond_the_end_of_a_reproducible_search_counts_for_nothing():
    trials = [trial(0, 0.5), trial(1, 0.9, observation=None), trial(2, observation=None), trial(3, phase=Phase.STOPPED)]
    assert [each.index for each in top(trials, 5, ANY)] == [0]
    found = counts(trials)
    assert (found.succeeded, found.failed, found.stopped, found.uncounted, found.total) == (1, 0, 1, 2, 4)


def test_top_of_none_is_empty_and_a_negative_count_is_refused():
    assert top([trial(0, 1.0)], 0, ANY) == ()
    with pytest.raises(ValueError, match="k is -1; allowed: from 0"):
        top([], -1, ANY)


def test_mean_leaves_out_what_is_unknown():
    assert mean([1.0, None, 3.0]) == 2.0
    assert mean([None]) is None


@pytest.mark.parametrize(
    ("direction", "expected"),
    [(Direction.MAXIMIZE, (None, 2.0, 2.0, 2.0, 5.0)), (Direction.MINIMIZE, (None, 2.0, 1.0, 1.0, 1.0))],
)
def test_running_best_follows_the_direction_and_carries_over_gaps(direction, expected):
    assert running_best([None, 2.0, 1.0, None, 5.0], direction) == expected


def test_moving_mean_is_of_the_last_known_values():
    assert moving_mean([None, 2.0, 4.0, None, 9.0], 2) == (None, 2.0, 3.0, 3.0, 6.5)
    with pytest.raises(ValueError, match="window is 0; allowed: from 1"):
        moving_mean([1.0], 0)


def test_counts_tell_trained_from_reused_and_both_from_retrained_duplicates():
    trials = [
        trial(0, 0.5), trial(1, 0.5, (0,), duplicate_of=0, reuse_of=0), trial(2, 0.6, (0,), duplicate_of=0),
        trial(3), trial(4, None, (3,), duplicate_of=3, reuse_of=3), trial(5, None, phase=Phase.RUNNING),
        trial(6, None, phase=Phase.PENDING), trial(7, None, phase=Phase.STOPPED),
    ]  # fmt: skip
    got = counts(trials)
    assert (got.succeeded, got.failed, got.running, got.pending, got.stopped) == (3, 2, 1, 1, 1)
    assert (got.reused, got.reused_succeeded, got.duplicates, got.trained, got.total) == (2, 1, 3, 2, 8)
    assert times_sampled(trials)[0] == 3


def test_seconds_are_added_by_outcome_and_reuse_saves_those_of_its_source():
    trials = [trial(0, 0.5, seconds=4.0), trial(1, 0.5, reuse_of=0), trial(2, 0.5, reuse_of=0), trial(3, seconds=1.5)]
    assert seconds_by_outcome(trials) == {Phase.SUCCEEDED: 4.0, Phase.FAILED: 1.5}
    assert seconds_saved(trials) == 8.0


@given(st.lists(st.none() | st.floats(-1e6, 1e6)), st.integers(1, 20))
def test_best_bounds_every_value_and_means_stay_between_extremes(values, window):
    known = [value for value in values if value is not None]
    best, means = running_best(values), moving_mean(values, window)
    assert len(best) == len(means) == len(values)
    if known:
        assert best[-1] == max(known)
        slack = 1e-9 * max(map(abs, known)) + 1e-12
        assert all(min(known) - slack <= each <= max(known) + slack for each in means if each is not None)


@given(st.lists(st.tuples(st.integers(0, 5), st.none() | st.floats(0, 1))), st.integers(0, 8))
def test_top_is_the_head_of_the_whole_ranking_without_repeats(children, k):
    first: dict[int, int] = {}
    for index, (token, _) in enumerate(children):
        first.setdefault(token, index)
    trials = [
        trial(index, reward, (token,), duplicate_of=None if first[token] == index else first[token])
        for index, (token, reward) in enumerate(children)
    ]
    everyone = top(trials, len(trials), ANY)
    assert top(trials, k, ANY) == everyone[:k]
    assert len({each.genotype for each in everyone}) == len(everyone)
    assert {each.genotype for each in everyone} == {each.genotype for each in trials if each.reward is not None}

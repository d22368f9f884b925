"""The Pareto set is that of brute force, whatever the order in which children come in."""

import json
import random
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsearch.api import Objective
from archsearch.engine.model import Phase, Trial
from archsearch.engine.pareto import Front, dominates, front, values
from archsearch.engine.rewards import reward_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SIZE = {"metric": "size", "target": 4.0, "weight": -0.5}
SPEED = {"metric": "speed", "target": 4.0, "weight": 0.07, "constraint": "Hard"}


def objective(*also: dict[str, Any], **more: Any) -> Objective:
    return Objective.model_validate_json(json.dumps({"metric": "accuracy", "also": list(also)} | more))


TWO = objective(SIZE)
THREE = objective(SIZE, SPEED)


def child(index: int, wanted: Objective, metrics: dict[str, float], **more: Any) -> Trial:
    reward = reward_of(wanted, metrics)
    assert isinstance(reward, float), reward
    values: dict[str, Any] = {"index": index, "genotype": (index,), "architecture": {}, "policy_version": 0}
    values |= {"log_probability": 0.0, "created": NOW, "phase": Phase.SUCCEEDED, "reward": reward, "metrics": metrics}
    return Trial(**(values | {"observation": index} | more))


def indices(trials: tuple[Trial, ...]) -> list[int]:
    return [trial.index for trial in trials]


def by_hand(trials: list[Trial], wanted: Objective) -> list[int]:
    """Every measurement compared with every other: the best one of each network, by reward."""
    best: dict[int, Trial] = {}
    for trial in sorted(trials, key=lambda trial: (-(trial.reward or 0.0), trial.index)):
        best.setdefault(trial.network, trial)
    alone = [
        one
        for one in best.values()
        if not any(dominates(values(wanted, o), values(wanted, one)) for o in best.values())
    ]
    alone.sort(key=lambda one: (-(one.reward or 0.0), tuple(-value for value in values(wanted, one)), one.index))
    return indices(tuple(alone))


MEASURED = st.lists(
    st.tuples(st.integers(0, 6), st.integers(1, 6), st.integers(1, 6), st.integers(0, 30)), min_size=0, max_size=40
)


@given(MEASURED, st.sampled_from([TWO, THREE]), st.booleans(), st.integers(1, 6), st.randoms(use_true_random=False))
def test_the_set_is_that_of_brute_force_taken_in_at_once_or_one_by_one_in_any_order(
    measured: list[tuple[int, int, int, int]], wanted: Objective, minimize: bool, size: int, order: random.Random
) -> None:
    if minimize:
        wanted = objective(*json.loads(wanted.model_dump_json())["also"], direction="Minimize")
    first: dict[int, int] = {}
    trials = []
    for index, (accuracy, large, fast, token) in enumerate(measured):
        root = first.setdefault(token, index)
        metrics = {"accuracy": accuracy / 6, "size": float(large), "speed": float(fast)}
        trials.append(child(index, wanted, metrics, duplicate_of=None if root == index else root))
    expected = by_hand(trials, wanted)
    assert indices(front(trials, wanted, 1000)) == expected
    assert indices(front(trials, wanted, size)) == expected[:size]
    growing = Front(wanted, size=size)
    order.shuffle(trials)
    for trial in trials:
        before = growing.members
        assert growing.take([trial]) == (growing.members != before)
    assert indices(growing.members) == expected[:size]
    assert not growing.take(trials), "what is known already changes nothing"


def test_nothing_is_in_it_where_no_further_metric_counts() -> None:
    wanted = objective()
    assert front([child(0, wanted, {"accuracy": 1.0})], wanted) == ()


def test_of_two_equal_networks_both_are_in_it_and_of_one_that_was_reused_one() -> None:
    same = {"accuracy": 0.5, "size": 4.0}
    trials = [child(0, TWO, same), child(1, TWO, same), child(2, TWO, same, duplicate_of=0, reuse_of=0)]
    assert indices(front(trials, TWO)) == [0, 1]


def test_what_failed_does_not_count_or_is_beyond_a_limit_is_not_in_it() -> None:
    wanted = objective(SIZE | {"limit": 5.0})
    good = child(0, wanted, {"accuracy": 0.1, "size": 5.0})
    trials = [
        good,
        child(1, wanted, {"accuracy": 0.9, "size": 5.1}),
        child(2, wanted, {"accuracy": 0.9, "size": 1.0}, observation=None),
        replace(good, index=3, phase=Phase.FAILED, reward=None, metrics={}, observation=3),
        replace(good, index=4, phase=Phase.RUNNING, reward=None, metrics={}, observation=None),
    ]
    assert indices(front(trials, wanted)) == [0]


def test_those_left_out_for_want_of_room_come_back_when_members_are_beaten() -> None:
    line = [child(index, TWO, {"accuracy": 0.9 - index / 100, "size": 9.0 - index / 10}) for index in range(6)]
    growing = Front(TWO, line, size=3)
    kept = indices(growing.members)
    assert len(kept) == 3
    winner = child(6, TWO, {"accuracy": 0.91, "size": min(line[index].metrics["size"] for index in kept)})
    assert growing.take([winner])
    assert indices(growing.members) == by_hand([*line, winner], TWO)[:3]
    assert len(growing.members) == 3


def test_a_network_measured_anew_takes_its_place_and_frees_whom_it_kept_out() -> None:
    small = child(0, TWO, {"accuracy": 0.5, "size": 2.0})
    kept_out = child(1, TWO, {"accuracy": 0.4, "size": 3.0})
    growing = Front(TWO, [small, kept_out])
    assert indices(growing.members) == [0]
    again = child(2, TWO, {"accuracy": 0.9, "size": 5.0}, duplicate_of=0)
    assert growing.take([again])
    assert indices(growing.members) == [2, 1]


def test_a_size_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match="size is 0; allowed: from 1"):
        Front(TWO, size=0)


def test_a_ledger_of_12800_where_nobody_beats_anybody_costs_little() -> None:
    draw = random.Random(11)
    trials = []
    for index in range(12_800):
        size, speed = draw.uniform(1, 100), draw.uniform(1, 100)
        accuracy = (100 - size) / 400 + (100 - speed) / 400  # the faster and the smaller, the worse: a plane
        trials.append(child(index, THREE, {"accuracy": 0.5 - accuracy, "size": size, "speed": 101 - speed}))
    begun = time.process_time()
    growing = Front(THREE, trials[:12_700])
    loaded = time.process_time() - begun
    begun = time.process_time()
    for trial in trials[12_700:]:
        growing.take([trial])
    grown = (time.process_time() - begun) / 100
    assert len(growing.members) == 25
    assert growing.members == front(trials, THREE)
    assert loaded < 2.0, "about 0.1 s where nothing else runs"
    assert grown < 0.005, "about 0.1 ms where nothing else runs"

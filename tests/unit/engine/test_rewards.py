"""From metrics to the reward: transforms, further metrics, limits, and what a failed child teaches."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsearch.api import Objective
from archsearch.controller_contract import Observation
from archsearch.engine.ledger import Ledger
from archsearch.engine.model import Phase, Trial
from archsearch.engine.rewards import excused, reward_of, sought, taught_of, within_limits
from archsearch.report import ReportProblem

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINIMIZE = {"metric": "loss", "direction": "Minimize"}


def objective(*also: dict[str, Any], **more: Any) -> Objective:
    return Objective.model_validate_json(json.dumps({"metric": "accuracy", "also": list(also)} | more))


def less(**more: Any) -> dict[str, Any]:
    """A further metric of which less is better."""
    return {"metric": "size", "target": 100.0, "weight": -0.5} | more


def more(**further: Any) -> dict[str, Any]:
    """A further metric of which more is better."""
    return {"metric": "speed", "target": 100.0, "weight": 0.5} | further


def failed(**given: Any) -> Trial:
    known: dict[str, Any] = {"phase": Phase.FAILED, "reason": "Diverged", "observation": 0}
    values: dict[str, Any] = {"index": 0, "genotype": (0,), "architecture": {}, "policy_version": 0}
    return Trial(**(values | {"log_probability": 0.0, "created": NOW} | known | given))


@pytest.mark.parametrize(
    ("sought_for", "metrics", "expected"),
    [
        (objective(), {"accuracy": 0.8}, 0.8),
        (objective(reward={"power": {"exponent": 3}}), {"accuracy": 0.5}, 0.125),
        (objective(**MINIMIZE), {"loss": 2.0}, -2.0),
        (objective(**MINIMIZE, reward={"inversePower": {"scale": 80, "exponent": 2}}), {"loss": 4.0}, 5.0),
        # The target leaves the reward as it is; four times as large halves it, a quarter doubles it.
        (objective(less()), {"accuracy": 0.8, "size": 100.0}, 0.8),
        (objective(less()), {"accuracy": 0.8, "size": 400.0}, 0.4),
        (objective(less()), {"accuracy": 0.8, "size": 25.0}, 1.6),
        (objective(more()), {"accuracy": 0.8, "speed": 400.0}, 1.6),
        (objective(more()), {"accuracy": 0.8, "speed": 25.0}, 0.4),
        # A hard one asks for nothing beyond its target.
        (objective(less(constraint="Hard")), {"accuracy": 0.8, "size": 25.0}, 0.8),
        (objective(less(constraint="Hard")), {"accuracy": 0.8, "size": 100.0}, 0.8),
        (objective(less(constraint="Hard")), {"accuracy": 0.8, "size": 400.0}, 0.4),
        (objective(more(constraint="Hard")), {"accuracy": 0.8, "speed": 400.0}, 0.8),
        (objective(more(constraint="Hard")), {"accuracy": 0.8, "speed": 25.0}, 0.4),
        # A reward below zero is divided: what is worse makes it worse, what is better makes it better.
        (objective(less(), **MINIMIZE), {"loss": 2.0, "size": 400.0}, -4.0),
        (objective(less(), **MINIMIZE), {"loss": 2.0, "size": 25.0}, -1.0),
        (objective(more(), **MINIMIZE), {"loss": 2.0, "speed": 25.0}, -4.0),
        (objective(less(constraint="Hard"), **MINIMIZE), {"loss": 2.0, "size": 25.0}, -2.0),
        # Several multiply; nothing is made of nothing; a limit does not touch the reward.
        (objective(less(), more()), {"accuracy": 0.8, "size": 400.0, "speed": 25.0}, 0.2),
        (objective(less()), {"accuracy": 0.0, "size": 400.0}, 0.0),
        (objective(less(limit=200.0)), {"accuracy": 0.8, "size": 400.0}, 0.4),
        # MnasNet (1807.11626, section 3.1): doubling the latency costs about 5 per cent with a weight of -0.07.
        (objective(less(weight=-0.07)), {"accuracy": 0.75, "size": 200.0}, 0.75 * 0.9526),
    ],
)
def test_the_reward_is_the_transformed_metric_times_each_further_one_to_its_weight(
    sought_for: Objective, metrics: dict[str, float], expected: float
) -> None:
    assert reward_of(sought_for, metrics) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("sought_for", "metrics", "reason", "fragments"),
    [
        (objective(), {"loss": 1.0}, "MetricMissing", ["'accuracy' (objective.metric)", "it has: loss"]),
        (objective(), {}, "MetricMissing", ["it has: none"]),
        (objective(less()), {"accuracy": 0.8}, "MetricMissing", ["'size' (objective.also[0].metric)", "it has: acc"]),
        (objective(less(), more()), {"accuracy": 1, "size": 1}, "MetricMissing", ["objective.also[1].metric", "size"]),
        (objective(less()), {"accuracy": 0.8, "size": 0.0}, "RewardUndefined", ["size = 0.0", "objective.also[0]"]),
        (objective(less()), {"accuracy": 0.8, "size": -3.0}, "RewardUndefined", ["needs a positive metric"]),
        (
            objective(less(constraint="Hard")), {"accuracy": 0.8, "size": -3.0},
            "RewardUndefined", ["needs a positive metric"],
        ),
        (
            objective(less(weight=-100.0)), {"accuracy": 0.8, "size": 1e-3},
            "RewardUndefined", ["size = 0.001", "objective.also[0]", "(0.001 / 100.0) ** -100.0", "no finite number"],
        ),
        (
            objective(less(weight=-100.0), **MINIMIZE), {"loss": 1.0, "size": 1e30},
            "RewardUndefined", ["reward -1.0", "no finite number"],
        ),
        (objective(reward={"power": {}}), {"accuracy": -1.0}, "RewardUndefined", ["accuracy = -1.0", "not negative"]),
        (
            objective(**MINIMIZE, reward={"inversePower": {}}), {"loss": 0.0},
            "RewardUndefined", ["loss = 0.0", "needs a positive metric"],
        ),
        (objective(**MINIMIZE, reward={"inversePower": {}}), {"loss": 1e-300}, "RewardUndefined", ["loss = 1e-300"]),
    ],
)  # fmt: skip
def test_what_has_no_reward_is_a_problem_that_names_metric_value_and_field(
    sought_for: Objective, metrics: dict[str, float], reason: str, fragments: list[str]
) -> None:
    problem = reward_of(sought_for, metrics)
    assert isinstance(problem, ReportProblem)
    assert problem.reason == reason
    for fragment in fragments:
        assert fragment in problem.message


MAGNITUDES = st.integers(1, 1000).map(float)


@given(
    base=st.integers(0, 20),
    sizes=st.tuples(MAGNITUDES, MAGNITUDES),
    weight=st.sampled_from([-2.0, -0.07, 0.07, 2.0]),
    constraint=st.sampled_from(["Soft", "Hard"]),
    minimize=st.booleans(),
)
def test_a_child_with_a_worse_further_metric_never_has_the_better_reward(
    base: int, sizes: tuple[float, float], weight: float, constraint: str, minimize: bool
) -> None:
    also = {"metric": "size", "target": 50.0, "weight": weight, "constraint": constraint}
    wanted = objective(also, **(MINIMIZE if minimize else {}))
    better, worse = sorted(sizes, reverse=weight > 0)
    metric = wanted.metric
    rewards = [reward_of(wanted, {metric: base / 20, "size": size}) for size in (better, worse)]
    assert all(isinstance(reward, float) for reward in rewards)
    assert rewards[0] >= rewards[1]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("also", "metrics", "expected"),
    [
        ((), {}, True),
        ((less(),), {"size": 1e9}, True),
        ((less(limit=200.0),), {"size": 200.0}, True),
        ((less(limit=200.0),), {"size": 200.1}, False),
        ((more(limit=50.0),), {"speed": 50.0}, True),
        ((more(limit=50.0),), {"speed": 49.9}, False),
        ((less(limit=200.0), more(limit=50.0)), {"size": 100.0, "speed": 49.0}, False),
        ((less(limit=200.0),), {}, False),
    ],
)
def test_a_limit_bars_what_is_beyond_it_in_the_direction_of_the_weight(
    also: tuple[dict[str, Any], ...], metrics: dict[str, float], expected: bool
) -> None:
    assert within_limits(objective(*also), metrics) is expected


def test_what_is_sought_is_compared_by_its_direction() -> None:
    assert sought(objective(), {"accuracy": 0.75}) == 0.75
    assert sought(objective(**MINIMIZE), {"loss": 0.75}) == -0.75
    assert sought(objective(), {"loss": 1.0}) < sought(objective(), {"accuracy": -1e300})


@pytest.mark.parametrize(
    ("trial", "reward"),
    [
        (failed(), -1.0),
        (failed(reason="Killed"), -1.0),
        (failed(reason="DeadlineExceeded"), -1.0),
        (failed(reason="RewardUndefined"), -1.0),
        (failed(reason="LostTooOften"), None),
        (failed(reason="DataMissing", shared_fault=True), None),
        (failed(phase=Phase.SUCCEEDED, reward=0.25, reason=None), 0.25),
    ],
)
def test_a_child_that_failed_by_itself_teaches_the_reward_of_failure(trial: Trial, reward: float | None) -> None:
    assert taught_of(objective(failure={"reward": -1.0}), trial) == reward
    assert taught_of(objective(), trial) == trial.reward


@pytest.mark.parametrize(("reason", "shared", "taught"), [("Diverged", False, -1), ("DataMissing", True, None)])
def test_a_child_that_took_a_failure_over_teaches_as_the_one_that_failed(
    reason: str, shared: bool, taught: float | None
) -> None:
    root = failed(reason=reason, shared_fault=shared)
    heir = failed(index=1, reason=reason, duplicate_of=0, reuse_of=0, observation=1)
    ledger = Ledger([root, heir], objective=objective(failure={"reward": -1.0}))
    assert [tell.reward for tell in ledger.tells(0, 2)] == [taught, taught]
    assert [tell.reward for tell in Ledger([root, heir]).tells(0, 2)] == [None, None]
    assert [tell.excused for tell in Ledger([root, heir]).tells(0, 2)] == [shared, shared]


@pytest.mark.parametrize(
    ("trial", "nothing_known"),
    [
        (failed(), False),
        (failed(reason="LostTooOften"), True),
        (failed(reason="DataMissing", shared_fault=True), True),
        (failed(phase=Phase.SUCCEEDED, reward=0.25, reason=None), False),
    ],
)
def test_a_child_that_failed_by_no_fault_of_its_own_is_excused(trial: Trial, nothing_known: bool) -> None:
    assert excused(trial) is nothing_known


def test_an_observation_says_that_it_is_excused_only_where_it_is() -> None:
    plain = Observation(number=0, index=0, genotype=(1,), reward=1.0)
    assert "excused" not in plain.model_dump_json()
    lost = Observation(number=0, index=0, genotype=(1,), excused=True)
    for observation in (plain, lost):
        assert Observation.model_validate_json(observation.model_dump_json()) == observation

"""Tables of (given, plan): what ends a search, what is taught at its end, and rewards and targets."""

from typing import Any

import pytest
from plans import exited, manifest, plan, proposal, report, trial

from archsearch.engine.ledger import Ledger, LedgerError
from archsearch.engine.model import (
    Attempt,
    AttemptState,
    ControllerFact,
    Phase,
    Result,
    Stop,
    Teach,
    Trial,
)


@pytest.mark.parametrize(
    ("trials", "given", "active", "result", "reason"),
    [
        ({"max": 2}, [trial(0), trial(1)], 0, Result.SUCCEEDED, "MaxTrialsReached"),
        ({"max": 1, "maxFailed": 5}, [trial(0, Phase.FAILED)], 0, Result.FAILED, "MaxTrialsReached"),
        ({"maxFailed": 1}, [trial(0, Phase.FAILED), trial(1, Phase.FAILED)], 0, Result.FAILED, "TooManyFailures"),
        ({"deadline": "1m"}, [trial(0)], 60.0, Result.SUCCEEDED, "DeadlineReached"),
        ({"deadline": "1m"}, [trial(0, Phase.FAILED)], 60.0, Result.FAILED, "DeadlineReached"),
        ({"target": 0.5}, [trial(0)], 0, Result.SUCCEEDED, "TargetReached"),
        (
            {"maxConsecutiveDuplicates": 2},
            [trial(0), *(trial(i, genotype=(0, 0), duplicate_of=0, reuse_of=0) for i in (1, 2))],
            0,
            Result.SUCCEEDED,
            "PolicyCollapsed",
        ),
        (
            {"max": 99},
            [*(trial(i) for i in range(16)), trial(16, genotype=(0, 0), duplicate_of=0, reuse_of=0)],
            0,
            Result.SUCCEEDED,
            "SpaceExhausted",
        ),
        (
            {},
            [trial(0, Phase.FAILED, shared_fault=True, reason="DataMissing", message="no folder x")],
            0,
            Result.FAILED,
            "DataMissing",
        ),
    ],
)
def test_what_ends_a_search(
    trials: dict[str, Any], given: list[Trial], active: float, result: Result, reason: str
) -> None:
    target = trials.pop("target", None)
    objective = {"metric": "accuracy"} | ({} if target is None else {"target": target})
    outcome = plan(manifest(objective=objective, **trials), given, active_seconds=active).outcome
    assert outcome is not None
    assert (outcome.result, outcome.reason) == (result, reason)


def test_failures_that_were_taken_over_do_not_count_against_max_failed() -> None:
    copies = [trial(i, Phase.FAILED, genotype=(0, 0), duplicate_of=0, reuse_of=0) for i in range(1, 5)]
    assert plan(manifest(maxFailed=1), [trial(0, Phase.FAILED), *copies]).outcome is None


def test_a_shared_fault_of_before_the_search_was_started_again_is_forgiven() -> None:
    old = trial(0, Phase.FAILED, shared_fault=True, reason="DataMissing")
    assert plan(manifest(), [old], forgiven=1).outcome is None
    new = trial(1, Phase.FAILED, shared_fault=True, reason="DataCorrupt")
    outcome = plan(manifest(), [old, new], forgiven=1).outcome
    assert outcome is not None
    assert outcome.reason == "DataCorrupt"


def test_a_shared_fault_does_not_end_a_search_that_has_succeeded_before() -> None:
    fault = trial(1, Phase.FAILED, shared_fault=True, reason="DataMissing")
    assert plan(manifest(), [trial(0), fault]).outcome is None


def test_the_end_stops_what_runs_and_waits_for_it_before_the_outcome() -> None:
    search = manifest(parallelism=2, lookahead=1, deadline="1m")
    trials = [trial(0), trial(1, Phase.RUNNING), trial(2, Phase.PENDING)]
    running = Attempt(1, 1, AttemptState.RUNNING)
    made = plan(search, trials, attempts=(running,), active_seconds=61.0)
    assert made.stops == (Stop(1, 1, "SearchEnded"),)
    assert [(t.index, t.phase) for t in made.trials] == [(2, Phase.STOPPED)]
    assert (made.outcome, made.starts, made.calls) == (None, (), ())
    gone = Attempt(1, 1, AttemptState.EXITED, exit_code=-15, reason="SearchEnded")
    after = plan(search, [trial(0), trial(1, Phase.RUNNING), made.trials[0]], attempts=(gone,), active_seconds=62.0)
    assert after.outcome is not None
    assert [(t.index, t.phase) for t in after.trials] == [(1, Phase.STOPPED)]


def test_no_outcome_before_the_policy_has_been_taught_everything() -> None:
    made = plan(manifest(max=1), [trial(0)], controller=ControllerFact(0, 1))
    assert (made.outcome, made.calls) == (None, (Teach(0, 1),))


def test_a_proposal_outside_the_space_fails_the_search_and_says_why() -> None:
    outcome = plan(manifest(), [], proposals=(proposal(0, (0, 9)),)).outcome
    assert outcome is not None
    assert outcome.reason == "InvalidProposal"
    assert "9" in outcome.message


def test_a_collapsing_policy_is_told_before_it_ends_the_search() -> None:
    copies = [trial(i, genotype=(0, 0), duplicate_of=0, reuse_of=0) for i in range(1, 12)]
    made = plan(manifest(max=500, maxConsecutiveDuplicates=40), [trial(0), *copies])
    assert made.outcome is None
    assert "10 children in a row" in made.warnings[0]


def test_the_clock_wakes_the_loop_at_the_deadline() -> None:
    assert plan(manifest(deadline="1m"), [], active_seconds=12.5).wake_after == 47.5
    assert plan(manifest(), []).wake_after is None


@pytest.mark.parametrize(
    ("objective", "metric", "reward"),
    [
        ({}, 0.9, 0.9),
        ({"reward": {"power": {"exponent": 3}}}, 0.5, 0.125),
        ({"reward": {"power": {}}}, -0.5, "RewardUndefined"),
        ({"reward": {"power": {"exponent": 100}}}, 1e10, "RewardUndefined"),
        ({"direction": "Minimize"}, 0.9, -0.9),
        ({"direction": "Minimize", "reward": {"inversePower": {"scale": 80, "exponent": 2}}}, 4.0, 5.0),
        ({"direction": "Minimize", "reward": {"inversePower": {}}}, 0.0, "RewardUndefined"),
    ],
)
def test_from_metric_to_reward(objective: dict[str, Any], metric: float, reward: float | str) -> None:
    search = manifest(objective={"metric": "accuracy"} | objective)
    (changed,) = plan(search, [trial(0, Phase.RUNNING)], attempts=(exited(data=report(metric)),)).trials[:1]
    assert (changed.reason if isinstance(reward, str) else changed.reward) == reward


@pytest.mark.parametrize(
    ("direction", "target", "metric", "ends"),
    [
        ("Maximize", 0.7, 0.7, True),
        ("Maximize", 0.7, 0.6, False),
        ("Minimize", 0.7, 0.6, True),
        ("Minimize", 0.7, 0.8, False),
    ],
)
def test_the_target_is_a_value_of_the_metric(direction: str, target: float, metric: float, ends: bool) -> None:
    search = manifest(objective={"metric": "accuracy", "direction": direction, "target": target}, parallelism=1)
    reward = metric if direction == "Maximize" else -metric
    given = [trial(0, reward=reward, metrics={"accuracy": metric})]
    assert (plan(search, given).outcome is not None) == ends


@pytest.mark.parametrize(
    ("writes", "why"),
    [
        ([trial(1)], "indices have no gaps"),
        ([trial(0), trial(0, Phase.FAILED)], "cannot change"),
        ([trial(0, observation=1)], "is not the next"),
        ([trial(0, Phase.RUNNING, observation=0)], "nothing to teach"),
        ([trial(0, Phase.RUNNING), trial(0, Phase.RUNNING, genotype=(3, 3))], "genotype"),
    ],
)
def test_what_a_ledger_refuses(writes: list[Trial], why: str) -> None:
    with pytest.raises(LedgerError, match=why):
        Ledger().put(writes)


def test_a_target_is_reached_by_the_metric_within_the_limits_and_not_by_the_reward() -> None:
    also = {"metric": "latency", "target": 10, "weight": -1, "limit": 20}
    search = manifest(objective={"metric": "accuracy", "target": 0.8, "also": [also]})
    quick = trial(0, reward=0.7, metrics={"accuracy": 0.7, "latency": 10.0})
    beyond = trial(1, reward=0.45, metrics={"accuracy": 0.9, "latency": 20.5})
    there = trial(2, reward=0.425, metrics={"accuracy": 0.85, "latency": 20.0})
    assert plan(search, [quick, beyond]).outcome is None
    outcome = plan(search, [quick, beyond, there]).outcome
    assert outcome is not None
    assert (outcome.reason, outcome.message) == (
        "TargetReached",
        "child 2 has accuracy 0.85; objective.target is 0.8",
    )


def test_a_search_within_whose_limits_nobody_is_has_failed() -> None:
    also = {"metric": "latency", "target": 10, "weight": -1, "limit": 20}
    search = manifest(objective={"metric": "accuracy", "also": [also]}, max=1)
    outcome = plan(search, [trial(0, reward=0.4, metrics={"accuracy": 0.9, "latency": 21.0})]).outcome
    assert outcome is not None
    assert outcome.result is Result.FAILED
    assert outcome.message.endswith("and none of those that succeeded is within the limits of objective.also")

"""Tables of (given, plan): every rule of decide() that DESIGN or a manifest's reference states."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from archsearch.api import ArchitectureSearch, Strategy
from archsearch.controller_contract import Proposal
from archsearch.engine.decide import decide
from archsearch.engine.ledger import Ledger, LedgerError
from archsearch.engine.model import (
    AskFor,
    Attempt,
    AttemptState,
    ControllerFact,
    Facts,
    Phase,
    Plan,
    Replay,
    Result,
    Stop,
    Teach,
    Trial,
)
from archsearch.engine.running import trial_name, trial_seed
from archsearch.space import build

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def manifest(*, suspend: bool = False, objective: dict[str, Any] | None = None, **trials: Any) -> ArchitectureSearch:
    spec = {
        "objective": objective or {"metric": "accuracy"},
        "searchSpace": {"choices": [{"name": "a", "values": [0, 1, 2, 3]}, {"name": "b", "values": [0, 1, 2, 3]}]},
        "trials": {"max": 10} | trials,
        "trial": {"task": {"custom": {}}, "command": ["x"]},
        "suspend": suspend,
    }
    kind = {"apiVersion": "archsearch.io/v1alpha1", "kind": "ArchitectureSearch"}
    return ArchitectureSearch.model_validate_json(json.dumps(kind | {"metadata": {"name": "s"}, "spec": spec}))


def trial(index: int, phase: Phase = Phase.SUCCEEDED, **more: Any) -> Trial:
    given: dict[str, Any] = {}
    if phase is Phase.SUCCEEDED:
        given = {"reward": 0.5, "metrics": {"accuracy": 0.5}, "observation": index}
    if phase is Phase.FAILED:
        given = {"observation": index, "reason": "Diverged"}
    if phase is not Phase.PENDING:
        given |= {"attempts": 1}
    genotype = (index // 4 % 4, index % 4)
    architecture = {"kind": "choices", "values": {"a": genotype[0], "b": genotype[1]}}
    values = {"policy_version": 0, "log_probability": -1.0, "created": NOW, "phase": phase} | given | more
    return Trial(**({"index": index, "genotype": genotype, "architecture": architecture} | values))


def proposal(index: int, genotype: tuple[int, int]) -> Proposal:
    return Proposal(index=index, genotype=genotype, policy_version=0, log_probability=-1.0)


def plan(search: ArchitectureSearch, trials: list[Trial], **facts: Any) -> Plan:
    numbered = sum(t.observation is not None for t in trials)
    facts.setdefault("controller", ControllerFact(version=numbered, asked=len(trials)))
    return decide(search, build(search.spec.search_space), Ledger(trials), Facts(**facts), NOW)


def report(accuracy: float = 0.75) -> bytes:
    return json.dumps({"version": 1, "metrics": {"accuracy": accuracy, "loss": 1.0}}).encode()


def exited(code: int = 0, data: bytes | None = None, **more: Any) -> Attempt:
    return Attempt(0, 1, AttemptState.EXITED, exit_code=code, report=data, seconds=2.0, cpu_seconds=3.0, **more)


def test_a_free_slot_asks_for_one_child_each_from_the_current_policy() -> None:
    assert plan(manifest(parallelism=3), []).calls == (AskFor(0, None), AskFor(1, None), AskFor(2, None))


def test_a_proposal_is_recorded_and_started_in_one_plan() -> None:
    made = plan(manifest(), [], proposals=(proposal(0, (1, 2)),), controller=ControllerFact(0, 1))
    assert [(t.index, t.genotype, t.phase, t.attempts) for t in made.trials] == [(0, (1, 2), Phase.RUNNING, 1)]
    assert made.starts[0].input.trial == "s-000000" == trial_name("s", 0)
    assert made.starts[0].input.architecture == {"kind": "choices", "values": {"a": 1, "b": 2}}
    assert made.starts[0].input.seed == trial_seed(0, 0) != trial_seed(0, 1)
    assert made.calls == ()


def test_lookahead_proposes_beyond_parallelism_but_starts_no_more() -> None:
    proposals = tuple(proposal(i, (0, i)) for i in range(3))
    made = plan(manifest(lookahead=2), [], proposals=proposals, controller=ControllerFact(0, 3))
    assert [t.phase for t in made.trials] == [Phase.RUNNING, Phase.PENDING, Phase.PENDING]
    assert plan(manifest(lookahead=2), []).calls == (AskFor(0, None), AskFor(1, None), AskFor(2, None))


@pytest.mark.parametrize(
    ("attempt", "retries", "phase", "reason", "failures"),
    [
        (exited(data=report()), 2, Phase.SUCCEEDED, None, 0),
        (exited(1, report()), 2, Phase.RUNNING, "ExitCode", 1),
        (exited(1), 0, Phase.FAILED, "ExitCode", 1),
        (exited(-9), 0, Phase.FAILED, "Killed", 1),
        (exited(0, None), 2, Phase.FAILED, "ReportMissing", 1),
        (exited(0, b"{"), 2, Phase.FAILED, "ReportTruncated", 1),
        (exited(0, b'{"version":1,"metrics":{"accuracy":NaN}}'), 2, Phase.FAILED, "MetricNotFinite", 1),
        (exited(0, b'{"version":1,"metrics":{"loss":1}}'), 2, Phase.FAILED, "MetricMissing", 1),
        (exited(0, b'{"version":1,"error":{"reason":"Diverged","message":"x"}}'), 2, Phase.FAILED, "Diverged", 1),
        (exited(-15, reason="DeadlineExceeded"), 2, Phase.FAILED, "DeadlineExceeded", 1),
        (exited(-15, reason="Suspended"), 0, Phase.RUNNING, "Suspended", 0),
        (exited(0, None, reason="DeadlineExceeded"), 2, Phase.FAILED, "DeadlineExceeded", 1),
        (exited(0, None, reason="Suspended"), 0, Phase.RUNNING, "Suspended", 0),
        (exited(0, b"{", reason="Suspended"), 0, Phase.RUNNING, "Suspended", 0),
        (exited(0, report(), reason="Suspended"), 0, Phase.SUCCEEDED, None, 0),
        (exited(0, None, reason="WarmProcessEnded"), 0, Phase.RUNNING, "WarmProcessEnded", 0),
        (Attempt(0, 1, AttemptState.LOST), 0, Phase.RUNNING, "AttemptLost", 0),
        (Attempt(0, 1, AttemptState.LOST, reason="Evicted"), 0, Phase.RUNNING, "Evicted", 0),
    ],
)
def test_what_an_ended_attempt_means(
    attempt: Attempt, retries: int, phase: Phase, reason: str | None, failures: int
) -> None:
    (changed,) = plan(manifest(retries=retries), [trial(0, Phase.RUNNING)], attempts=(attempt,)).trials[:1]
    assert (changed.phase, changed.reason, changed.failures) == (phase, reason, failures)
    assert changed.attempts == (2 if phase is Phase.RUNNING else 1), "another attempt starts in the same plan"
    assert changed.observation == (0 if changed.phase.terminal else None)
    assert (changed.seconds, changed.cpu_seconds) == (attempt.seconds, attempt.cpu_seconds)


def test_a_trial_that_takes_its_node_down_each_time_ends() -> None:
    lost = Attempt(0, 101, AttemptState.LOST)
    (changed,) = plan(manifest(), [trial(0, Phase.RUNNING, attempts=101)], attempts=(lost,)).trials
    assert (changed.phase, changed.reason) == (Phase.FAILED, "LostTooOften")


def test_a_reward_is_taught_in_the_pass_that_reads_it_and_before_the_next_ask() -> None:
    made = plan(manifest(), [trial(0, Phase.RUNNING)], attempts=(exited(data=report()),))
    assert made.trials[0].observation == 0
    assert made.calls == (Teach(0, 1), AskFor(1, None))


def test_a_failed_trial_is_told_too() -> None:
    made = plan(manifest(retries=0), [trial(0, Phase.RUNNING)], attempts=(exited(1),))
    assert made.calls[0] == Teach(0, 1)


@pytest.mark.parametrize(
    ("controller", "calls"),
    [
        (None, ()),
        (ControllerFact(0, 0), (Replay(),)),
        (ControllerFact(1, 1), (Replay(),)),
        (ControllerFact(3, 2), (Replay(),)),
        (ControllerFact(1, 2), (Teach(1, 2), AskFor(2, None))),
        (ControllerFact(2, 3), (AskFor(2, None),)),
    ],
    ids=["dead", "fresh", "asks lost", "taught more than the ledger knows", "behind by one tell", "ahead by an ask"],
)
def test_a_controller_that_is_not_where_the_ledger_is(controller: ControllerFact | None, calls: tuple[Any]) -> None:
    assert plan(manifest(), [trial(0), trial(1)], controller=controller).calls == calls


@pytest.mark.parametrize(
    ("duplicates", "root", "phase", "reuse_of", "reward"),
    [
        ("Reuse", trial(0), Phase.SUCCEEDED, 0, 0.5),
        ("Reuse", trial(0, Phase.FAILED), Phase.FAILED, 0, None),
        ("Reuse", trial(0, Phase.RUNNING), Phase.PENDING, 0, None),
        ("Reuse", trial(0, Phase.STOPPED), Phase.RUNNING, None, None),
        ("Reuse", trial(0, Phase.FAILED, shared_fault=True), Phase.RUNNING, None, None),
        ("Retrain", trial(0), Phase.RUNNING, None, None),
    ],
)
def test_a_child_that_was_sampled_before(
    duplicates: str, root: Trial, phase: Phase, reuse_of: int | None, reward: float | None
) -> None:
    search = manifest(duplicates=duplicates, parallelism=2)
    made = plan(search, [root], proposals=(proposal(1, (0, 0)),), forgiven=1)
    new = next(t for t in made.trials if t.index == 1)
    assert (new.duplicate_of, new.phase, new.reuse_of, new.reward) == (0, phase, reuse_of, reward)


def test_a_waiting_duplicate_takes_over_the_result_when_it_comes() -> None:
    waiting = trial(1, Phase.PENDING, genotype=(0, 0), duplicate_of=0, reuse_of=0)
    made = plan(manifest(parallelism=2), [trial(0, Phase.RUNNING), waiting], attempts=(exited(data=report()),))
    assert [(t.phase, t.reward, t.observation) for t in made.trials] == [
        (Phase.SUCCEEDED, 0.75, 0),
        (Phase.SUCCEEDED, 0.75, 1),
    ]


def test_reproducible_duplicates_are_reused_only_from_the_prefix_that_is_taught() -> None:
    search = manifest(reproducible=True, parallelism=2)
    inside = plan(search, [trial(0), trial(1)], proposals=(proposal(2, (0, 0)),))
    assert inside.trials[0].reuse_of == 0
    outside = plan(search, [trial(0), trial(1)], proposals=(proposal(2, (0, 1)),))
    assert (outside.trials[0].duplicate_of, outside.trials[0].reuse_of) == (1, None)


def test_reproducible_asks_see_exactly_the_rewards_that_they_may() -> None:
    search = manifest(reproducible=True, parallelism=2)
    trials = [trial(0), trial(1, Phase.RUNNING), trial(2, Phase.RUNNING)]
    facts = {"controller": ControllerFact(1, 3)}
    second_first = (replace(exited(data=report()), index=2),)
    assert plan(search, trials, attempts=second_first, **facts).calls == (), "child 3 must see child 1 first"
    first = (replace(exited(data=report()), index=1),)
    assert plan(search, trials, attempts=first, **facts).calls == (Teach(1, 2), AskFor(3, 2))


def test_reproducible_numbers_follow_the_indices() -> None:
    search = manifest(reproducible=True, parallelism=2, max=2)
    early = trial(1, observation=None)
    made = plan(search, [trial(0, Phase.RUNNING), early], attempts=(exited(data=report()),))
    assert [(t.index, t.observation) for t in made.trials] == [(0, 0), (1, 1)]


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


@pytest.mark.parametrize(("strategy", "advice"), [({}, "entropyWeight"), ({"random": {}}, "hardly a network")])
def test_a_search_that_only_repeats_itself_is_told_what_may_help(strategy: dict[str, Any], advice: str) -> None:
    search = manifest(maxConsecutiveDuplicates=2)
    spec = search.spec.model_copy(update={"strategy": Strategy.model_validate(strategy)})
    copies = [trial(i, genotype=(0, 0), duplicate_of=0, reuse_of=0) for i in (1, 2)]
    outcome = plan(search.model_copy(update={"spec": spec}), [trial(0), *copies]).outcome
    assert outcome is not None
    assert advice in outcome.message


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


def test_suspend_stops_running_children_and_starts_no_more() -> None:
    running = Attempt(0, 1, AttemptState.RUNNING)
    made = plan(manifest(suspend=True, parallelism=2), [trial(0, Phase.RUNNING)], attempts=(running,))
    assert made.stops == (Stop(0, 1, "Suspended"),)
    assert (made.starts, made.calls, made.outcome) == ((), (), None)
    stopping = replace(running, state=AttemptState.STOPPING)
    assert plan(manifest(suspend=True), [trial(0, Phase.RUNNING)], attempts=(stopping,)).empty


def test_parallelism_zero_lets_running_children_end_and_starts_no_more() -> None:
    running = Attempt(0, 1, AttemptState.RUNNING)
    assert plan(manifest(parallelism=0), [trial(0, Phase.RUNNING)], attempts=(running,)).empty


def test_an_attempt_that_the_ledger_does_not_know_is_stopped() -> None:
    old = Attempt(0, 1, AttemptState.RUNNING)
    newer = trial(0, Phase.RUNNING, attempts=2)
    assert plan(manifest(), [newer], attempts=(old,)).stops == (Stop(0, 1, "Stale"),)


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

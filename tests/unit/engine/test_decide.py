"""Tables of (given, plan): every rule of decide() that DESIGN or a manifest's reference states."""

from dataclasses import replace
from typing import Any

import pytest
from plans import exited, manifest, plan, proposal, report, trial

from archsearch.api import Strategy
from archsearch.engine.model import (
    AskFor,
    Attempt,
    AttemptState,
    ControllerFact,
    Phase,
    Replay,
    Stop,
    Teach,
    Trial,
)
from archsearch.engine.running import trial_name, trial_seed


def test_a_free_slot_asks_for_one_child_each_from_the_current_policy() -> None:
    assert plan(manifest(parallelism=3), []).calls == (AskFor(0, None), AskFor(1, None), AskFor(2, None))


def test_a_proposal_is_recorded_and_started_in_one_plan() -> None:
    made = plan(manifest(), [], proposals=(proposal(0, (1, 2)),), controller=ControllerFact(0, 1))
    assert [(t.index, t.genotype, t.phase, t.attempts) for t in made.trials] == [(0, (1, 2), Phase.RUNNING, 1)]
    assert made.starts[0].input.trial == "s-000000" == trial_name("s", 0)
    assert made.starts[0].input.architecture == {"kind": "choices", "values": {"a": 1, "b": 2}}
    assert made.starts[0].input.seed == trial_seed(0, 0) != trial_seed(0, 1)
    assert made.calls == ()


@pytest.mark.parametrize(("lingering", "started"), [(0, [1, 2]), (1, [1]), (2, []), (3, [])])
def test_a_slot_whose_program_has_ended_and_whose_pod_has_not_is_not_free(lingering: int, started: list[int]) -> None:
    trials = [trial(0), trial(1, Phase.PENDING), trial(2, Phase.PENDING)]
    made = plan(manifest(parallelism=2), trials, lingering=lingering)
    assert [start.index for start in made.starts] == started


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


def test_what_the_backend_says_of_an_exit_is_told_and_tried_again() -> None:
    told = Attempt(0, 1, AttemptState.EXITED, exit_code=6, message="the init container fetch ended with exit code 6")
    (changed,) = plan(manifest(retries=0), [trial(0, Phase.RUNNING)], attempts=(told,)).trials[:1]
    assert (changed.phase, changed.reason, changed.message) == (Phase.FAILED, "ExitCode", told.message)
    (changed,) = plan(manifest(retries=1), [trial(0, Phase.RUNNING)], attempts=(told,)).trials[:1]
    assert (changed.phase, changed.failures) == (Phase.RUNNING, 1)


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
    ("strategy", "in_force", "advice"),
    [
        ({"ppo": {}}, None, "entropyWeight"),
        ({"random": {}}, None, "hardly a network"),
        ({}, {"reinforce": {}}, "entropyWeight"),
        ({}, {"evolution": {}}, "a larger population"),
        ({}, {"random": {}}, "hardly a network"),
    ],
    ids=str,
)
def test_a_search_that_only_repeats_itself_is_told_what_may_help_the_strategy_in_force(
    strategy: dict[str, Any], in_force: dict[str, Any] | None, advice: str
) -> None:
    search = manifest(maxConsecutiveDuplicates=2)
    spec = search.spec.model_copy(update={"strategy": Strategy.model_validate(strategy)})
    copies = [trial(i, genotype=(0, 0), duplicate_of=0, reuse_of=0) for i in (1, 2)]
    known = None if in_force is None else Strategy.model_validate(in_force).resolved()
    outcome = plan(search.model_copy(update={"spec": spec}), [trial(0), *copies], strategy=known).outcome
    assert outcome is not None
    assert advice in outcome.message


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

"""The status of a search follows from what is known, and is written only where it differs."""

import time
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from plans import NOW, manifest, trial

from archsearch.api import Objective
from archsearch.api.conditions import ConditionStatus, ConditionType
from archsearch.api.status import Resolved, SearchStatus
from archsearch.api.strategy import Strategy
from archsearch.controller_contract import PolicyState
from archsearch.engine import leaderboard
from archsearch.engine.ending import all_done, ending, no_more_new
from archsearch.engine.ledger import Tally
from archsearch.engine.model import Facts, Outcome, Phase, Result, Trial
from archsearch.operator.acceptance import Refused
from archsearch.operator.conditions import find, holds
from archsearch.operator.scores import Scores
from archsearch.operator.search_status import View, outcome_of, patch_of, read_status, refused_status, status_of

T = ConditionType
DONE = Outcome(Result.SUCCEEDED, "MaxTrialsReached", "all 10 children have ended")


@dataclass(frozen=True)
class Trouble:
    reason: str = "Unschedulable"
    message: str = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu"
    pod: str | None = "s-000000-1"


def view(*trials: Trial, suspend: bool = False, spec: dict[str, Any] | None = None, **more: Any) -> View:
    search = manifest(suspend=suspend, **(spec or {}))
    given = {
        "search": search,
        "generation": 1,
        "previous": SearchStatus(),
        "scores": Scores("s", trials),
        "resolved": Resolved(strategy=Strategy(), trial_image="trial:1"),
        "now": NOW,
        "controller_up": True,
    }
    return View(**(given | more))


def told(status: SearchStatus, kind: ConditionType) -> tuple[str, str]:
    condition = find(status.conditions, kind)
    assert condition is not None
    return condition.status.value, condition.reason


RUNNING = trial(0, Phase.RUNNING)
PENDING = trial(0, Phase.PENDING)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (view(controller_up=False), ("True", "Starting")),
        (view(), ("True", "Starting")),
        (view(RUNNING, running=1), ("True", "Running")),
        (view(RUNNING, running=0), ("True", "Running")),
        (view(RUNNING, running=1, controller_up=False), ("True", "Running")),
        (view(trial(0), controller_up=False), ("True", "WaitingForController")),
        (view(trial(0)), ("True", "Running")),
        (view(RUNNING, problems=[Trouble()]), ("False", "Unschedulable")),
        (view(RUNNING, running=1, problems=[Trouble()]), ("True", "Running")),
        (view(problems=[Trouble("ImagePullFailed")], controller_up=False), ("False", "ImagePullFailed")),
        (view(problems=[Trouble("ControllerFailed")], controller_up=False), ("False", "ControllerFailed")),
        (view(RUNNING, running=1, spec={"parallelism": 0}), ("True", "Draining")),
        (view(PENDING, spec={"parallelism": 0}), ("False", "Drained")),
        (view(RUNNING, running=1, suspend=True), ("True", "Suspending")),
        (view(PENDING, suspend=True), ("False", "Suspended")),
        (view(PENDING, suspend=True, problems=[Trouble()]), ("False", "Suspended")),
        (view(trial(0), outcome=DONE), ("False", "MaxTrialsReached")),
        (view(trial(0), outcome=DONE, suspend=True, problems=[Trouble()]), ("False", "MaxTrialsReached")),
    ],
)
def test_progressing_says_what_the_search_is_doing(given: View, expected: tuple[str, str]) -> None:
    assert told(status_of(given), T.PROGRESSING) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (view(RUNNING, running=1), ("False", "NotSuspended")),
        (view(RUNNING, running=1, suspend=True), ("False", "Suspending")),
        (view(PENDING, suspend=True), ("True", "Suspended")),
        (view(PENDING, suspend=True, outcome=DONE), ("False", "Ended")),
    ],
)
def test_suspended_holds_once_nothing_runs(given: View, expected: tuple[str, str]) -> None:
    assert told(status_of(given), T.SUSPENDED) == expected


def test_each_kind_of_problem_is_told_by_its_first_pod_whether_or_not_something_runs() -> None:
    others = [Trouble(pod=f"s-00000{number}-1", message=f"too few GPUs on {number} nodes") for number in (1, 2)]
    problems = [Trouble("ImagePullFailed", "no such image", "s-000003-1"), Trouble(), *others]
    for running, reason in ((0, "ImagePullFailed"), (1, "Running")):
        condition = find(status_of(view(RUNNING, running=running, problems=problems)).conditions, T.PROGRESSING)
        assert condition is not None
        assert condition.reason == reason
        assert "s-000003-1: no such image" in condition.message
        assert "s-000000-1: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu (and 2 more of this" in (
            condition.message
        )


def outcomes() -> list[Outcome]:
    """One of every rule of the engine that ends a search, well or not."""
    search = manifest(maxFailed=0, deadline="1h", objective={"metric": "accuracy", "target": 0.4})
    spec = search.spec
    good, bad = Tally(succeeded=1, best=trial(0)), Tally(failed=1)
    fault = Tally(failed=1, shared_fault=trial(0, Phase.FAILED, reason="DataMissing", message="no folder"))
    no_target = manifest(maxFailed=5, deadline="1h").spec
    late = Facts(active_seconds=3600.0)
    found = [
        ending(spec, good, Facts()),
        ending(spec, bad, Facts()),
        ending(spec, fault, Facts()),
        ending(no_target, good, late),
        ending(no_target, bad, late),
        *(all_done(spec, tally) for tally in (good, bad)),
        *(no_more_new(spec, t, Facts(), exhausted=e, duplicates=9) for t in (good, bad) for e in (True, False)),
    ]
    assert all(found)
    return [outcome for outcome in found if outcome is not None]


def test_the_table_of_outcomes_has_every_reason_of_the_engine() -> None:
    reasons = {outcome.reason for outcome in outcomes()}
    assert reasons == {
        "TargetReached",
        "TooManyFailures",
        "DataMissing",
        "DeadlineReached",
        "MaxTrialsReached",
        "SpaceExhausted",
        "PolicyCollapsed",
    }


@pytest.mark.parametrize("outcome", outcomes(), ids=lambda outcome: f"{outcome.reason}-{outcome.result}")
def test_exactly_one_of_succeeded_and_failed_holds_once_it_has_ended(outcome: Outcome) -> None:
    status = status_of(view(trial(0), outcome=outcome))
    held = {kind for kind in (T.SUCCEEDED, T.FAILED) if holds(status.conditions, kind)}
    assert held == {T.SUCCEEDED if outcome.result is Result.SUCCEEDED else T.FAILED}
    assert told(status, T.PROGRESSING) == ("False", outcome.reason)
    assert status.completion_time == "2026-01-01T00:00:00Z"
    assert outcome_of(status) == outcome, "a restarted operator knows how it ended"
    assert outcome_of(read_status({"status": status.model_dump(mode="json")})) == outcome


def test_neither_holds_before_the_end_and_all_six_conditions_stand_from_the_first_pass() -> None:
    status = status_of(view())
    assert [condition.type for condition in status.conditions] == list(ConditionType)
    assert outcome_of(status) is None
    assert holds(status.conditions, T.READY)
    assert (status.start_time, status.completion_time) == ("2026-01-01T00:00:00Z", None)


def test_a_search_whose_maximum_was_raised_has_not_ended_any_more() -> None:
    ended = status_of(view(trial(0), outcome=DONE))
    again = status_of(view(trial(0), previous=ended, now=NOW + timedelta(hours=1)))
    assert outcome_of(again) is None
    assert again.completion_time is None
    assert again.start_time == ended.start_time
    assert patch_of(ended, again) is not None
    assert (patch_of(ended, again) or {})["completionTime"] is None


def test_counts_add_up_and_progress_says_how_many_are_over() -> None:
    trials = [
        trial(0),
        trial(1, Phase.FAILED),
        trial(2, Phase.RUNNING),
        trial(3, Phase.PENDING),
        trial(4, Phase.STOPPED, attempts=0),
        trial(5, Phase.SUCCEEDED, observation=2, reuse_of=0),
    ]
    status = status_of(view(*trials))
    counts = status.counts.model_dump(exclude={"confirming", "confirmed", "unconfirmed"})
    assert counts == {"pending": 1, "running": 1, "succeeded": 2, "failed": 1, "stopped": 1, "reused": 1}
    assert sum(counts.values()) - counts["reused"] == len(trials)
    assert status.progress == "4/10"


@pytest.mark.parametrize(("outcome", "place"), [(None, "pending"), (DONE, "stopped")])
def test_results_that_were_not_taught_count_as_waiting_and_then_for_nothing(
    outcome: Outcome | None, place: str
) -> None:
    early = trial(1, Phase.SUCCEEDED, observation=None, reward=0.9)
    status = status_of(view(trial(0), early, outcome=outcome, spec={"reproducible": True}))
    assert (getattr(status.counts, place), status.counts.succeeded) == (1, 1)
    assert status.best_reward == 0.5


def test_a_maximum_lowered_below_what_was_sampled_is_not_overshot() -> None:
    status = status_of(view(*(trial(index) for index in range(12)), spec={"max": 5}))
    assert status.progress == "12/12"


def test_the_best_are_those_of_the_leaderboard_whatever_the_order_they_came_in() -> None:
    trials = [
        trial(
            index,
            reward=float(index * 37 % 101),
            genotype=(index % 40, 0),
            observation=index,
            duplicate_of=index % 40 if index >= 40 else None,
        )
        for index in range(400)
    ]
    whole = leaderboard.top(trials, 25, Objective())
    for order in (trials, trials[::-1], trials[1::2] + trials[::2]):
        best = Scores("s", order).best
        assert [one.index for one in best] == [one.index for one in whole]
    assert best[0].trial == f"s-{best[0].index:06d}"


def test_the_pareto_set_is_told_where_further_metrics_count_and_nobody_beyond_a_limit_is_in_it_or_best() -> None:
    also = {"metric": "latency", "target": 10, "weight": -1, "limit": 20}
    objective = manifest(objective={"metric": "accuracy", "also": [also]}).spec.objective
    measured = [(0.5, 10.0, 0.5), (0.8, 20.0, 0.4), (0.4, 10.0, 0.4), (0.99, 20.5, 0.483)]
    trials = [
        trial(index, reward=reward, metrics={"accuracy": accuracy, "latency": latency})
        for index, (accuracy, latency, reward) in enumerate(measured)
    ]
    status = status_of(view(scores=Scores("s", trials, objective=objective)))
    assert [one.index for one in status.pareto] == [0, 1]
    assert [one.index for one in status.best] == [0, 1, 2]
    patch = patch_of(SearchStatus(), status)
    assert patch is not None
    assert patch["pareto"][1]["metrics"] == {"accuracy": 0.8, "latency": 20.0}
    assert status_of(view(*trials)).pareto == ()


def test_scores_of_changes_are_those_of_the_whole_ledger() -> None:
    scores = Scores("s")
    begun = [trial(index, Phase.PENDING) for index in range(20)]
    running = [replace(one, phase=Phase.RUNNING, attempts=1) for one in begun]
    ended = [trial(index, Phase.FAILED if index % 3 == 0 else Phase.SUCCEEDED) for index in range(20)]
    for step in (begun, running, running, ended, ended):
        scores.take(step)
    fresh = Scores("s", ended)
    assert (scores.counts(ended=False), scores.best, len(scores)) == (fresh.counts(ended=False), fresh.best, 20)


def test_a_pass_over_ten_thousand_children_takes_milliseconds() -> None:
    trials = [trial(i, reward=i / 10_000, genotype=(i, 0), metrics={"accuracy": i / 1e4}) for i in range(10_000)]
    given = view(*trials)
    shortest = 1.0
    for number in range(20):
        begun = time.perf_counter()
        given.scores.take([trial(10_000 + number, reward=1.0 + number, genotype=(10_000 + number, 0))])
        status = status_of(given)
        patch_of(given.previous, status)
        shortest = min(shortest, time.perf_counter() - begun)
        given = replace(given, previous=status)
    assert shortest < 0.005, "a pass costs as much as what has changed"


# --- writing only what differs --------------------------------------------------------------------------------------


def policy(version: int = 3, entropy: float | None = 1.5) -> PolicyState:
    return PolicyState(strategy="reinforce", version=version, asked=5, hash="ab" * 32, entropy=entropy, baseline=0.25)


@pytest.mark.parametrize(
    "given",
    [
        view(),
        view(RUNNING, running=1, problems=[Trouble()], policy=policy(), warnings=("the policy collapses",)),
        view(trial(0), outcome=DONE, policy=policy(), diverged="another kind of CPU"),
        view(PENDING, suspend=True, diverged=""),
    ],
)
def test_the_same_facts_twice_write_nothing(given: View) -> None:
    first = status_of(given)
    again = status_of(replace(given, previous=first, now=NOW + timedelta(hours=1)))
    assert again == first
    assert patch_of(first, again) is None
    stored = {"status": first.model_dump(mode="json", by_alias=True, exclude_none=True)}
    assert patch_of(read_status(stored), again) is None, "nor after it was read back"


def test_a_patch_makes_the_new_status_of_the_old_one() -> None:
    old = status_of(view(trial(0), RUNNING, policy=policy(), warnings=("one",)))
    new = status_of(view(trial(0), previous=old, policy=policy(4, None), outcome=DONE, warnings=("two",), generation=2))
    patch = patch_of(old, new)
    assert patch is not None
    assert patch["policy"]["entropy"] is None, "what is unknown now is cleared"
    assert "resolved" not in patch
    assert "startTime" not in patch
    stored = old.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert read_status({"status": merged(stored, patch)}) == new
    assert new.warnings == ("one", "two")


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


@pytest.mark.parametrize(
    ("seconds", "has_deadline", "written"),
    [(29.0, True, False), (31.0, True, True), (31.0, False, False), (10_000.0, False, False)],
)
def test_active_time_alone_is_written_now_and_then_and_only_for_a_deadline(
    seconds: float, has_deadline: bool, written: bool
) -> None:
    old = status_of(view(RUNNING, active_seconds=5.0, gpu_seconds=1.0))
    new = status_of(view(RUNNING, active_seconds=5.0 + seconds, gpu_seconds=2.0, previous=old))
    patch = patch_of(old, new, has_deadline=has_deadline)
    assert (patch is not None) == written
    if patch is not None:
        assert patch == {"activeSeconds": 5.0 + seconds, "gpuSeconds": 2.0}


def test_times_ride_along_with_what_is_written_anyhow() -> None:
    old = status_of(view(RUNNING))
    new = status_of(view(trial(0), active_seconds=5.0, gpu_seconds=2.0, previous=old))
    assert {"activeSeconds", "gpuSeconds", "counts", "best"} <= set(patch_of(old, new) or {})


def test_what_is_not_known_after_a_restart_stays_as_it_was_written() -> None:
    old = status_of(view(trial(0), policy=policy(), diverged="another kind of CPU"))
    new = status_of(view(trial(0), previous=old))
    assert new.policy.hash == "ab" * 32
    assert holds(new.conditions, T.POLICY_DIVERGED)
    assert not holds(status_of(view(trial(0), previous=old, diverged="")).conditions, T.POLICY_DIVERGED)


def test_warnings_are_told_once_and_the_oldest_give_way() -> None:
    first = status_of(view(warnings=("a", "b", "a")))
    assert first.warnings == ("a", "b")
    many = status_of(view(previous=first, warnings=tuple(f"w{number}" for number in range(32))))
    assert len(many.warnings) == 32
    assert many.warnings[0] == "w0"


# --- refusals -------------------------------------------------------------------------------------------------------


def test_a_refused_manifest_is_told_by_ready_and_progressing_and_nothing_has_ended() -> None:
    refused = Refused("InvalidManifest", "spec.seed: -1 is not allowed")
    status = refused_status(SearchStatus(), refused, 4, NOW)
    assert told(status, T.READY) == ("False", "InvalidManifest")
    assert told(status, T.PROGRESSING) == ("False", "InvalidManifest")
    assert outcome_of(status) is None
    assert status.observed_generation == 4
    assert patch_of(status, refused_status(status, refused, 4, NOW + timedelta(hours=1))) is None


def test_a_refused_edit_leaves_what_was_achieved() -> None:
    ended = status_of(view(trial(0), outcome=DONE))
    status = refused_status(ended, Refused("InvalidManifest", "bad"), 2, NOW)
    assert outcome_of(status) == DONE
    assert (status.best, status.counts) == (ended.best, ended.counts)


# --- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "object",
    [
        {},
        {"status": None},
        {"status": []},
        {"status": "done"},
        {"status": {"unknown": 1}},
        {"status": {"counts": 7, "best": "none", "conditions": {"type": "Ready"}, "activeSeconds": "long"}},
        {"status": {"activeSeconds": -1, "progress": "x" * 100, "startTime": 7}},
    ],
)
def test_a_status_of_garbage_is_an_empty_one(object: dict[str, Any]) -> None:
    assert read_status(object) == SearchStatus()


def test_of_a_status_edited_by_hand_what_is_good_is_kept() -> None:
    good = status_of(view(trial(0), policy=policy(), active_seconds=7.5, forgiven=3))
    stored = good.model_dump(mode="json", by_alias=True, exclude_none=True)
    stored["conditions"][1]["status"] = "Maybe"
    stored["best"].append({"trial": "", "index": -1})
    stored["policy"]["version"] = -5
    stored["mine"] = True
    found = read_status({"status": stored})
    assert [condition.type for condition in found.conditions] == [one for one in T if one is not T.PROGRESSING]
    assert found.best == good.best
    assert (found.active_seconds, found.forgiven, found.policy.version) == (7.5, 3, 0)
    repaired = status_of(view(trial(0), previous=found, policy=policy(), active_seconds=7.5, forgiven=3))
    assert repaired == good, "the next pass mends it"


def test_every_condition_is_valid_by_its_model_for_the_longest_messages() -> None:
    long = "x" * 200_000
    outcome = Outcome(Result.FAILED, "R" * 63, long)
    status = status_of(view(trial(0), outcome=outcome, diverged=long, warnings=(long,)))
    assert SearchStatus.model_validate_json(status.model_dump_json()) == status
    assert find(status.conditions, T.FAILED).status is ConditionStatus.TRUE  # type: ignore[union-attr]
    assert len(status.model_dump_json()) < 100_000

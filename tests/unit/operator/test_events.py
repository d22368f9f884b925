"""Events are posted on transitions only, bounded, and named so that none is posted twice."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from plans import NOW, manifest, trial

from archsearch.api.status import Counts, Resolved, SearchStatus
from archsearch.api.strategy import Strategy
from archsearch.engine.model import Outcome, Phase, Plan, Result
from archsearch.operator.acceptance import Refused
from archsearch.operator.events import NOTE, Subject, controller_replaced, events_for
from archsearch.operator.problems import Problem
from archsearch.operator.scores import Scores
from archsearch.operator.search_status import View, refused_status, status_of

SUBJECT = Subject("s", "default", "0b0f9a3e", instance="archsearch-7c9")
DONE = Outcome(Result.SUCCEEDED, "MaxTrialsReached", "all 10 children have ended")
FAILED = Outcome(Result.FAILED, "TooManyFailures", "11 trials failed")
NOTHING = SearchStatus()


class Trouble:
    def __init__(self, reason: str, message: str = "no node fits", pod: str = "s-000000-1") -> None:
        self.reason, self.message, self.pod = reason, message, pod


def status(previous: SearchStatus = NOTHING, *, suspend: bool = False, **more: Any) -> SearchStatus:
    trials = more.pop("trials", ())
    return status_of(
        View(
            search=manifest(suspend=suspend),
            generation=1,
            previous=previous,
            scores=Scores("s", trials),
            resolved=Resolved(strategy=Strategy()),
            now=NOW,
            controller_up=True,
            **more,
        )
    )


ACCEPTED = status()
REFUSED = refused_status(NOTHING, Refused("InvalidManifest", "spec.seed: -1 is not allowed"), 1, NOW)

REFUSED_AGAIN = refused_status(REFUSED, Refused("InvalidManifest", "other"), 2, NOW)


@pytest.mark.parametrize(
    ("previous", "new", "expected"),
    [
        (NOTHING, ACCEPTED, [("Normal", "Accepted")]),
        (NOTHING, status(suspend=True), [("Normal", "Accepted"), ("Normal", "Suspended")]),
        (NOTHING, REFUSED, [("Warning", "InvalidManifest")]),
        (REFUSED, REFUSED, []),
        (
            REFUSED,
            refused_status(REFUSED, Refused("InvalidManifest", "other"), 2, NOW),
            [("Warning", "InvalidManifest")],
        ),
        (REFUSED, status(REFUSED), [("Normal", "Accepted")]),
        (ACCEPTED, status(ACCEPTED), []),
        (ACCEPTED, status(ACCEPTED, suspend=True), [("Normal", "Suspended")]),
        (ACCEPTED, status(ACCEPTED, suspend=True, trials=[trial(0, Phase.RUNNING)]), []),
        (status(suspend=True), status(status(suspend=True)), [("Normal", "Resumed")]),
        (status(suspend=True), status(status(suspend=True), outcome=DONE), [("Normal", "Succeeded")]),
        (ACCEPTED, status(ACCEPTED, outcome=DONE), [("Normal", "Succeeded")]),
        (ACCEPTED, status(ACCEPTED, outcome=FAILED), [("Warning", "Failed")]),
        (status(outcome=DONE), status(status(outcome=DONE)), [("Normal", "Continued")]),
        (ACCEPTED, status(ACCEPTED, diverged="another CPU"), [("Warning", "PolicyDiverged")]),
        (status(diverged="another CPU"), status(status(diverged="another CPU")), []),
        (ACCEPTED, status(ACCEPTED, trials=[trial(0)], running=1, gpu_seconds=9.0), []),
    ],
)
def test_each_transition_has_its_event_and_nothing_else_has(
    previous: SearchStatus, new: SearchStatus, expected: list[tuple[str, str]]
) -> None:
    events = events_for(previous, new, None, SUBJECT, NOW)
    assert [(event["type"], event["reason"]) for event in events] == expected
    assert events_for(new, new, None, SUBJECT, NOW) == []


def failures(first: int, many: int, **more: Any) -> Plan:
    return Plan(
        trials=tuple(trial(index, Phase.FAILED, message="boom", **more) for index in range(first, first + many))
    )


def after(failed: int) -> SearchStatus:
    return ACCEPTED.model_copy(update={"counts": Counts(failed=failed)})


@pytest.mark.parametrize(
    ("plan", "failed", "fragments"),
    [
        (failures(4, 1), 1, ["child 4 failed, Diverged: boom"]),
        (failures(4, 2), 5, ["child 4 failed", "child 5 failed", "5 have failed so far"]),
        (failures(4, 9), 9, ["child 8 failed", "and 4 more"]),
        (failures(40, 1), 16, ["child 40 failed", "16 have failed so far"]),
        (failures(40, 1), 17, None),
        (failures(40, 3), 33, ["33 have failed"]),
        (failures(40, 1, observation=None), 1, None),
        (failures(40, 1, reuse_of=3), 1, None),
        (Plan(trials=(trial(0),)), 0, None),
        (None, 3, None),
    ],
)
def test_failed_children_are_told_one_by_one_and_then_ever_more_rarely(
    plan: Plan | None, failed: int, fragments: list[str] | None
) -> None:
    events = events_for(after(failed), after(failed), plan, SUBJECT, NOW)
    if fragments is None:
        assert events == []
        return
    (event,) = events
    assert (event["type"], event["reason"]) == ("Warning", "TrialFailed")
    assert all(fragment in event["note"] for fragment in fragments)


def test_ten_thousand_failures_one_after_the_other_give_few_events() -> None:
    told = [e for n in range(1, 10_001) for e in events_for(after(n), after(n), failures(n, 1), SUBJECT, NOW)]
    assert len(told) == 10 + 10


def told_problems(now: list[Problem], before: list[Problem], at: datetime = NOW) -> list[dict[str, Any]]:
    return events_for(ACCEPTED, ACCEPTED, None, SUBJECT, at, problems=now, problems_before=before)


def test_a_problem_is_told_as_it_appears_once_for_all_its_pods() -> None:
    problems: list[Problem] = [Trouble("Unschedulable"), Trouble("Unschedulable", pod="s-000001-1")]
    (event,) = told_problems(problems, [])
    assert (event["type"], event["reason"]) == ("Warning", "Unschedulable")
    assert "and 1 more of this kind" in event["note"]
    assert told_problems(problems, problems[:1]) == []
    assert [e["reason"] for e in told_problems([*problems, Trouble("ImagePullFailed")], problems)] == [
        "ImagePullFailed"
    ]


def test_a_problem_that_comes_and_goes_has_one_name_for_ten_minutes() -> None:
    start = NOW.replace(minute=0)
    events = [
        told_problems([Trouble("Unschedulable", f"{second} nodes")], [], start + timedelta(seconds=second))[0]
        for second in range(0, 1200, 60)
    ]
    assert len({event["metadata"]["name"] for event in events}) == 2


def test_an_event_has_the_form_that_the_api_server_asks_for() -> None:
    (event,) = events_for(ACCEPTED, status(ACCEPTED, outcome=DONE), None, SUBJECT, NOW)
    assert re.fullmatch(r"s\.[0-9a-f]{16}", event["metadata"]["name"])
    assert event | {"metadata": None} == {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": None,
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "archsearch.io/operator",
        "reportingInstance": "archsearch-7c9",
        "action": "Succeeded",
        "reason": "Succeeded",
        "type": "Normal",
        "regarding": {
            "apiVersion": "archsearch.io/v1alpha1",
            "kind": "ArchitectureSearch",
            "name": "s",
            "namespace": "default",
            "uid": "0b0f9a3e",
        },
        "note": "MaxTrialsReached: all 10 children have ended",
    }


def test_names_follow_from_what_is_said_of_whom_and_when() -> None:
    def name(subject: Subject = SUBJECT, why: str = "it is gone", at: datetime = NOW) -> str:
        return str(controller_replaced(subject, "s-controller-2", why, at)["metadata"]["name"])

    assert name() == name()
    others = [name(replace(SUBJECT, uid="other")), name(why="other"), name(at=NOW + timedelta(seconds=1))]
    assert len({name(), *others}) == 4


@pytest.mark.parametrize("letter", ["x", "é", "😀"])
def test_a_note_has_at_most_1024_bytes_and_whole_characters(letter: str) -> None:
    note = controller_replaced(SUBJECT, "p", letter * 2000, NOW)["note"]
    assert NOTE - 8 < len(note.encode()) <= NOTE
    assert note.endswith("…")


def test_a_note_holds_nothing_that_harms_a_terminal() -> None:
    assert "\x1b" not in controller_replaced(SUBJECT, "p", "\x1b[31m\ud800", NOW)["note"]

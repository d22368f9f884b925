"""The table of attempt states: what Jobs and pods show, and what the engine is told."""

import json
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cluster_objects import RUNNING, START, UID, at, ended, job, pod, report, search
from plans import trial

from archsearch.engine.ledger import Ledger
from archsearch.engine.model import AttemptState, Phase
from archsearch.operator import names
from archsearch.operator.cache import GONE
from archsearch.operator.observing import Observed, lingering_slots, observe_attempt, observe_attempts
from archsearch.operator.port import Object
from archsearch.operator.trimming import trim_job, trim_pod

NOW = START + timedelta(seconds=30)
LIVE, STOPPING, EXITED, LOST = AttemptState.RUNNING, AttemptState.STOPPING, AttemptState.EXITED, AttemptState.LOST
GONE_JOB = None


def seen(job: Object | None, *pods: Object, now: float = 30, log: bytes | None = None, **trial: Any) -> Observed:
    """What is observed, the same of whole objects and of what the cache keeps of them."""
    moment = START + timedelta(seconds=now)
    whole, kept = (
        observe_attempt(3, 2, each_job, each_pods, now=moment, search=search(trial), node_lost_after=60, log=log)
        for each_job, each_pods in (
            (job, pods),
            (None if job is None else trim_job(job), [trim_pod(pod) for pod in pods]),
        )
    )
    assert whole == kept
    return whole


def gone(pod: Object) -> Object:
    return pod | {"metadata": pod["metadata"] | {"annotations": {GONE: "true"}}}


def disruption(reason: str, after: float = 5) -> dict[str, Any]:
    told = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": f"told of {reason}"}
    return {"conditions": [told | {"lastTransitionTime": at(after)}]}


GOOD = report()
KILLED = ended(137)
PREEMPTED, TAINTED, EVICTED = "PreemptionByScheduler", "DeletionByTaintManager", "EvictionByEvictionAPI"
FORGOTTEN, REFUSED, LATE = "ContainerStatusUnknown", "UnexpectedAdmissionError", "DeadlineExceeded"
NO_PROGRAM = ended(128, "no such file", reason="StartError")

STATES: list[tuple[str, Object | None, tuple[Object, ...], AttemptState, str | None, bool]] = [
    # what, Job, pods, state, reason, whether a slot is held
    ("no pod yet", job(), (), LIVE, None, True),
    ("pending", job(), (pod("Pending"),), LIVE, None, True),
    ("running", job(), (pod("Running", RUNNING),), LIVE, None, True),
    ("waiting", job(), (pod("Pending", {"waiting": {"reason": "ErrImagePull"}}),), LIVE, None, True),
    ("stop said and not done, no pod yet", job(stop="Suspended"), (), LIVE, None, True),
    ("stop said and not done", job(stop="Suspended"), (pod("Running", RUNNING),), LIVE, None, True),
    ("stop done", job(stop="Suspended", deleted=True), (pod("Running", RUNNING),), STOPPING, None, True),
    ("Job deleted", job(deleted=True), (pod("Running", RUNNING),), STOPPING, None, True),
    ("Job deleted, pod gone", job(deleted=True), (), STOPPING, None, False),
    ("pod deleted", job(), (pod("Running", RUNNING, deleted=29),), STOPPING, None, True),
    ("orphan", GONE_JOB, (pod("Running", RUNNING),), LIVE, None, True),
    ("container ended, pod not", job(), (pod("Running", ended(0, GOOD)),), EXITED, None, True),
    ("ended", job(), (pod("Succeeded", ended(0, GOOD)),), EXITED, None, False),
    ("failed", job("Failed"), (pod("Failed", ended(1)),), EXITED, None, False),
    ("tombstone", GONE_JOB, (gone(pod("Running", ended(0, GOOD), deleted=29)),), EXITED, None, False),
    ("stopped by us", job(stop="Suspended"), (pod("Failed", ended(143), deleted=5),), EXITED, "Suspended", False),
    ("stopped by us, no trace", job(stop="Stale"), (pod("Failed"),), EXITED, "Stale", False),
    ("deadline", job(), (pod("Failed", KILLED, reason=LATE),), EXITED, LATE, False),
    ("deadline, no trace", job(), (pod("Failed", reason=LATE),), EXITED, LATE, False),
    ("memory", job(), (pod("Failed", ended(137, reason="OOMKilled")),), EXITED, "OutOfMemory", False),
    ("memory of a child of it", job(), (pod("Failed", ended(1, reason="OOMKilled")),), EXITED, "OutOfMemory", False),
    (
        "not started",
        job(),
        (pod("Failed", ended(128, "no such file", reason="StartError")),),
        EXITED,
        "StartFailed",
        False,
    ),
    ("evicted", job(), (pod("Failed", KILLED, reason="Evicted", message="disk"),), LOST, "Evicted", False),
    ("evicted, no trace", job(), (pod("Failed", reason="Evicted"),), LOST, "Evicted", False),
    (
        "preempted",
        job(),
        (pod("Failed", KILLED, **disruption(PREEMPTED)),),
        LOST,
        PREEMPTED,
        False,
    ),
    (
        "tainted",
        job(),
        (pod("Running", KILLED, **disruption(TAINTED)),),
        LOST,
        TAINTED,
        True,
    ),
    (
        "ended before the disruption",
        job(),
        (pod("Failed", ended(1, after=3), **disruption(EVICTED)),),
        EXITED,
        None,
        False,
    ),
    ("pod deleted by somebody", job(), (pod("Failed", ended(143), deleted=9),), LOST, "PodDeleted", False),
    ("deleted, ended well", job(), (pod("Failed", ended(0), deleted=5),), LOST, "PodDeleted", False),
    (
        "ended without a report, then deleted",
        job(),
        (pod("Failed", ended(0, after=3), deleted=9),),
        EXITED,
        None,
        False,
    ),
    ("ended, then deleted", job(), (pod("Failed", ended(1, after=3), deleted=9),), EXITED, None, False),
    ("good, then deleted", job(), (pod("Failed", ended(0, GOOD), deleted=9),), EXITED, None, False),
    (
        "good all the same",
        job(),
        (pod("Failed", ended(0, GOOD), **disruption(EVICTED)),),
        EXITED,
        None,
        False,
    ),
    (
        "good at the deadline",
        job(),
        (pod("Failed", ended(0, GOOD), reason=LATE),),
        EXITED,
        LATE,
        False,
    ),
    ("not admitted", job(), (pod("Failed", reason="OutOfnvidia.com/gpu"),), LOST, "OutOfnvidiaComGpu", False),
    ("unexpected", job(), (pod("Failed", reason=REFUSED),), LOST, REFUSED, False),
    (
        "forgotten",
        job(),
        (pod("Failed", ended(137, reason=FORGOTTEN)),),
        LOST,
        FORGOTTEN,
        False,
    ),
    ("failed without a word", job(), (pod("Failed"),), LOST, "ReportLost", False),
    ("node lost", job(), (pod("Running", RUNNING, deleted=-40),), LOST, "NodeLost", False),
    ("node lost, ended before", job(), (pod("Running", ended(0, GOOD), deleted=-40),), EXITED, None, False),
    ("both gone", GONE_JOB, (), LOST, "JobMissing", False),
    ("pod gone, Job over", job("Complete"), (), LOST, "ReportLost", False),
    ("pod gone, Job failed", job("Failed"), (), LOST, "ReportLost", False),
]


@pytest.mark.parametrize(
    ("made", "pods", "state", "reason", "slot"), [pytest.param(*row[1:], id=row[0]) for row in STATES]
)
def test_what_is_seen_becomes_this_state(
    made: Object | None, pods: tuple[Object, ...], state: AttemptState, reason: str | None, slot: bool
) -> None:
    observed = seen(made, *pods)
    assert (observed.attempt.state, observed.attempt.reason, observed.holds_slot) == (state, reason, slot)
    assert (observed.attempt.index, observed.attempt.attempt) == (3, 2)


@pytest.mark.parametrize(
    ("code", "expected"),
    [(0, 0), (1, 1), (127, 127), (128, 128), (137, -9), (143, -15), (139, -11), (192, -64), (193, 193), (255, 255)],
)
def test_exit_codes_of_signals_become_negative(code: int, expected: int) -> None:
    assert seen(job(), pod("Failed", ended(code))).attempt.exit_code == expected


def test_a_signal_that_is_told_as_such_counts() -> None:
    assert seen(job(), pod("Failed", ended(0, signal=9))).attempt.exit_code == -9


def test_the_report_is_the_termination_message() -> None:
    observed = seen(job(), pod("Succeeded", ended(0, "é" + GOOD)))
    assert observed.attempt.report == ("é" + GOOD).encode()
    assert seen(job(), pod("Succeeded", ended(0))).attempt.report is None


def test_seconds_are_those_of_the_container() -> None:
    assert seen(job(), pod("Running", RUNNING), now=12.5).attempt.seconds == 12.5
    assert seen(job(), pod("Failed", ended(1, after=7))).attempt.seconds == 7
    assert seen(job(), pod("Pending")).attempt.seconds == 0
    assert seen(job(), pod("Running", RUNNING), now=-3).attempt.seconds == 0  # a clock that is behind


def test_the_messages_name_the_field_that_sets_the_limit() -> None:
    late = seen(job(), pod("Failed", KILLED, reason="DeadlineExceeded"), deadline="90s").attempt
    assert late.message == "it ran longer than spec.trial.deadline (90s)"
    memory = {"limits": {"memory": "4Gi"}}
    big = seen(job(), pod("Failed", ended(137, reason="OOMKilled")), resources=memory).attempt
    assert "spec.trial.resources.limits.memory (4Gi)" in str(big.message)
    assert "no such file" in str(seen(job(), pod("Failed", NO_PROGRAM)).attempt.message)


def test_a_failed_init_container_uses_up_a_retry_and_is_named() -> None:
    init = [{"name": "fetch", "state": ended(6)}]
    waiting = {"waiting": {"reason": "PodInitializing"}}
    attempt = seen(job(), pod("Failed", waiting, initContainerStatuses=init)).attempt
    assert (attempt.state, attempt.exit_code, attempt.reason) == (EXITED, 6, None)
    assert "init container fetch" in str(attempt.message)


def test_of_two_pods_the_one_with_a_good_report_speaks() -> None:
    first = pod("Failed", ended(0, GOOD), name="a", born=-5)
    second = pod("Running", RUNNING, name="b", born=2)
    observed = seen(job(), second, first)
    assert (observed.attempt.state, observed.pod, observed.holds_slot) == (EXITED, "a", True)


def test_of_two_pods_one_that_was_taken_away_gives_way_to_the_newer() -> None:
    first = pod("Failed", KILLED, name="a", born=-5, **disruption("EvictionByEvictionAPI"))
    second = pod("Running", RUNNING, name="b", born=2)
    observed = seen(job(), first, second)
    assert (observed.attempt.state, observed.pod) == (LIVE, "b")


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_pods_does_not_matter(seed: int) -> None:
    pods = [pod("Running", RUNNING, name="b"), pod("Failed", ended(1), name="a"), pod("Pending", name="c", born=3)]
    random.Random(seed).shuffle(pods)
    assert seen(job(), *pods).pod == "a"


def test_the_node_and_the_pod_are_told() -> None:
    observed = seen(job(), pod("Running", RUNNING))
    assert (observed.node, observed.pod) == ("node1", "digits-000003-2-abcde")


@pytest.mark.parametrize(
    ("pods", "state"),
    [
        ((), EXITED),
        ((pod("Running", RUNNING),), STOPPING),
        ((pod("Failed", ended(143), deleted=5),), EXITED),
        ((pod("Succeeded", ended(0), deleted=5),), EXITED),
    ],
)
def test_an_attempt_that_we_have_stopped_is_known_as_such_though_its_job_is_gone(
    pods: tuple[Object, ...], state: AttemptState
) -> None:
    moment = START + timedelta(seconds=30)
    observed = observe_attempt(
        3, 2, GONE_JOB, pods, now=moment, search=search({}), node_lost_after=60, log=None, stop="Suspended"
    )
    reason = "Suspended" if state is EXITED else None
    assert (observed.attempt.state, observed.attempt.reason) == (state, reason)


# --- report.from: Log ---------------------------------------------------------------------------------------------

FROM_LOG = {"report": {"from": "Log"}}


def test_a_report_in_the_log_is_asked_for_and_nothing_is_settled_before() -> None:
    observed = seen(job(), pod("Succeeded", ended(0)), **FROM_LOG)
    assert observed.needs_log
    assert (observed.attempt.state, observed.attempt.exit_code) == (LIVE, None)


def test_the_last_report_in_the_log_is_the_report() -> None:
    observed = seen(job(), pod("Succeeded", ended(0, "not this")), log=f"{GOOD}\nbye\n".encode(), **FROM_LOG)
    assert not observed.needs_log
    assert (observed.attempt.state, observed.attempt.report) == (EXITED, GOOD.encode())


def test_a_log_without_a_report_ends_the_attempt_without_one() -> None:
    observed = seen(job(), pod("Succeeded", ended(0, GOOD)), log=b"\xff\xfe", **FROM_LOG)
    assert (observed.attempt.state, observed.attempt.report) == (EXITED, None)


def test_the_log_of_a_program_that_has_failed_is_not_asked_for() -> None:
    observed = seen(job(), pod("Failed", NO_PROGRAM), **FROM_LOG)
    assert (observed.needs_log, observed.attempt.reason) == (False, "StartFailed")
    assert seen(job(), pod("Failed", ended(3)), **FROM_LOG).attempt.exit_code == 3


def test_the_log_of_a_pod_that_was_taken_away_is_not_asked_for() -> None:
    observed = seen(job(), pod("Failed", KILLED, **disruption("EvictionByEvictionAPI")), **FROM_LOG)
    assert (observed.needs_log, observed.attempt.state) == (False, LOST)


# --- times of the program -----------------------------------------------------------------------------------------


def timed(started: float, ended_: float) -> str:
    base = int(START.timestamp()) * 10**9
    times = {"started": base + int(started * 1e9), "ended": base + int(ended_ * 1e9)}
    return report(times=times)


def test_times_of_the_report_are_finer_than_those_of_the_container() -> None:
    observed = seen(job(), pod("Succeeded", ended(0, timed(0.25, 9.5))))
    assert observed.attempt.seconds == 9.25
    assert observed.process_started == int(START.timestamp()) * 10**9 + 250_000_000
    assert observed.process_ended == int(START.timestamp()) * 10**9 + 9_500_000_000


@pytest.mark.parametrize(("started", "ended_"), [(-10, 9), (1, 100), (9, 1)])
def test_times_that_cannot_be_true_are_passed_over(started: float, ended_: float) -> None:
    observed = seen(job(), pod("Succeeded", ended(0, timed(started, ended_))))
    assert (observed.attempt.seconds, observed.process_started, observed.process_ended) == (10, None, None)


# --- all attempts of a search -------------------------------------------------------------------------------------


def all_seen(jobs: list[Object], pods: list[Object], **more: Any) -> tuple[Observed, ...]:
    return observe_attempts(jobs, pods, now=NOW, search=search(), search_uid=UID, node_lost_after=60, **more)


def relabelled(object: Object, **labels: str) -> Object:
    keys = {"uid": names.SEARCH_UID_LABEL, "index": names.INDEX_LABEL, "component": names.COMPONENT}
    changed = object["metadata"]["labels"] | {keys[key]: value for key, value in labels.items()}
    return object | {"metadata": object["metadata"] | {"labels": changed}}


def test_attempts_are_found_by_their_labels_in_order() -> None:
    jobs = [job(index=10), job(index=2, attempt=2), job(index=2, attempt=1)]
    pods = [pod("Running", RUNNING, index=2, attempt=2), pod("Running", RUNNING, index=4, attempt=1)]
    assert [one.key for one in all_seen(jobs, pods)] == [(2, 1), (2, 2), (4, 1), (10, 2)]


def test_what_belongs_to_others_is_passed_over() -> None:
    strangers = [
        relabelled(job(), uid="another"),
        relabelled(job(), index="x"),
        relabelled(job(), index="-1"),
        relabelled(job(), component="controller"),
        {"metadata": {}},
    ]
    assert all_seen(strangers, strangers) == ()


def test_an_attempt_that_should_be_there_and_is_not_is_lost() -> None:
    (one,) = all_seen([], [], expected=[(3, 2)])
    assert (one.key, one.attempt.state, one.attempt.reason) == ((3, 2), LOST, "JobMissing")
    (other,) = all_seen([job()], [], expected=[(3, 2)])
    assert other.attempt.state is LIVE


def test_each_attempt_is_given_its_own_log() -> None:
    pods = [pod("Succeeded", ended(0), index=index) for index in (1, 2)]
    found = observe_attempts(
        [],
        pods,
        now=NOW,
        search=search(FROM_LOG),
        search_uid=UID,
        node_lost_after=60,
        logs={(1, 2): GOOD.encode()},
    )
    assert [one.needs_log for one in found] == [False, True]


def test_slots_linger_where_the_ledger_counts_nobody_for_them() -> None:
    running = trial(0, Phase.RUNNING, attempts=2)
    ledger = Ledger([running, trial(1, Phase.SUCCEEDED, attempts=1, observation=0)])
    one: dict[str, Callable[[], tuple[list[Object], list[Object]]]] = {
        "counted": lambda: ([job(index=0)], [pod("Running", RUNNING, index=0)]),
        "over": lambda: ([job(index=0)], [pod("Running", ended(0, GOOD), index=0)]),
        "earlier": lambda: ([], [pod("Running", RUNNING, index=0, attempt=1)]),
        "done": lambda: ([], [pod("Running", RUNNING, index=1, attempt=1)]),
        "unknown": lambda: ([job(index=7)], []),
        "terminal": lambda: ([], [pod("Failed", ended(1), index=1, attempt=1)]),
    }
    counted = {name: lingering_slots(all_seen(*make()), ledger) for name, make in one.items()}
    assert counted == {"counted": 0, "over": 1, "earlier": 1, "done": 1, "unknown": 1, "terminal": 0}


# --- garbled objects ----------------------------------------------------------------------------------------------


def garbled(value: Any, draw: random.Random) -> Any:
    """``value`` with something in it replaced or taken away."""
    wrong: list[Any] = [None, 1, -1, "x", [], {}, [None], True, 1.5, {"x": 1}]
    if not isinstance(value, dict | list) or not value or draw.random() < 0.1:
        return draw.choice(wrong)
    if isinstance(value, list):
        place = draw.randrange(len(value))
        return [*value[:place], garbled(value[place], draw), *value[place + 1 :]]
    key = draw.choice(sorted(value))
    rest = {name: item for name, item in value.items() if name != key}
    return rest if draw.random() < 0.2 else rest | {key: garbled(value[key], draw)}


def test_nothing_raises_whatever_an_object_holds() -> None:
    draw = random.Random(7)
    states = set()
    for _, made, pods, *_ in STATES * 30:
        objects = json.loads(json.dumps([made, *pods]))
        broken = [garbled(garbled(object, draw), draw) if object else None for object in objects]
        first, *rest = [object if isinstance(object, dict) else None for object in broken]
        whole = [object for object in rest if object is not None]
        observed = observe_attempt(3, 2, first, whole, now=NOW, search=search(), node_lost_after=60, log=None)
        states.add(observed.attempt.state)
    assert states == set(AttemptState)

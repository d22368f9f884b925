"""What became of an attempt, read from its Job and its pods: the engine's facts, and what only a cluster has.

Nothing here raises on an object, whatever is in it: what is missing counts as not there yet.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from archsearch.api import ArchitectureSearch, ReportSource
from archsearch.engine.ledger import Ledger
from archsearch.engine.model import Attempt, AttemptState, Phase
from archsearch.operator import names
from archsearch.operator.fields import field, integer, mapping, text
from archsearch.operator.pods import (
    PodView,
    choose,
    is_over,
    stopped_by_disruption,
    view,
)
from archsearch.operator.port import Object
from archsearch.operator.times import nanoseconds
from archsearch.operator.verdicts import ended, vanished
from archsearch.report import Report, find_report_in_log, parse_report

Key = tuple[int, int]
"""Index of a child and number of an attempt."""
_SLACK = 1_500_000_000
"""Nanoseconds by which a report's own times may lie outside those of its container, which are whole seconds."""


@dataclass(frozen=True)
class Observed:
    """One attempt as the cluster shows it."""

    attempt: Attempt
    node: str | None = None
    """Node of its pod."""
    holds_slot: bool = False
    """Whether a pod of it is not terminal (or will still be made) and its node is not lost."""
    needs_log: bool = False
    """Its program has ended and its report is to be read from the log; until it is given, the attempt is RUNNING."""
    process_started: int | None = None
    """Start of its program in nanoseconds since 1970, as the report says, where that can be true."""
    process_ended: int | None = None
    """When its program wrote the report, likewise."""
    pod: str | None = None
    """Name of its pod."""

    @property
    def key(self) -> Key:
        """Which attempt it is."""
        return self.attempt.index, self.attempt.attempt

    @property
    def over(self) -> bool:
        """Whether the attempt has ended, well or not."""
        return self.attempt.state in (AttemptState.EXITED, AttemptState.LOST)


def observe_attempts(
    jobs: Iterable[Object],
    pods: Iterable[Object],
    *,
    now: datetime,
    search: ArchitectureSearch,
    search_uid: str,
    node_lost_after: float,
    expected: Iterable[Key] = (),
    logs: Mapping[Key, bytes] | None = None,
    stops: Mapping[Key, str] | None = None,
) -> tuple[Observed, ...]:
    """Every attempt of a search that can be seen, and those ``expected`` that cannot, by index and attempt.

    Jobs and pods are told apart by their labels; those of other searches, of controllers, or with labels that are no
    numbers are passed over. Attempts that the ledger does not know are among the answers: the engine stops them.

    Args:
        jobs: Jobs of the cache; finished ones of trials that are over may be left out.
        pods: its pods.
        now: the present.
        search: the manifest.
        search_uid: uid of the search.
        node_lost_after: seconds after which a pod that should be gone and is not counts as lost with its node.
        expected: the last attempt of every trial that the ledger says is running.
        logs: the end of the log of each attempt whose log has been read.
        stops: why we have stopped attempts: their Jobs, which say so too, may be gone.
    """
    job_of = {key: job for job in jobs if (key := attempt_of(job, search_uid)) is not None}
    pods_of: dict[Key, list[Object]] = {}
    for pod in pods:
        if (key := attempt_of(pod, search_uid)) is not None:
            pods_of.setdefault(key, []).append(pod)
    return tuple(
        observe_attempt(
            *key,
            job_of.get(key),
            pods_of.get(key, ()),
            now=now,
            search=search,
            node_lost_after=node_lost_after,
            log=(logs or {}).get(key),
            stop=(stops or {}).get(key),
        )
        for key in sorted({*job_of, *pods_of, *expected})
    )


def attempt_of(object: Object, search_uid: str) -> Key | None:
    """Which attempt of the search a Job or pod belongs to; None: to none."""
    labels = mapping(object, "metadata", "labels")
    if labels.get(names.SEARCH_UID_LABEL) != search_uid or labels.get(names.COMPONENT) != names.TRIAL:
        return None
    index, attempt = integer(labels, names.INDEX_LABEL), integer(labels, names.ATTEMPT_LABEL)
    return None if index is None or attempt is None else (index, attempt)


def lingering_slots(observed: Iterable[Observed], ledger: Ledger) -> int:
    """Slots that are held although the ledger counts no running attempt for them (``Facts.lingering``)."""
    return sum(one.holds_slot and not _counted(one, ledger) for one in observed)


def _counted(one: Observed, ledger: Ledger) -> bool:
    index, attempt = one.key
    if one.over or index >= len(ledger):
        return False  # one that is over frees its trial's slot in the very pass that sees it
    return ledger[index].phase is Phase.RUNNING and ledger[index].attempts == attempt


def observe_attempt(
    index: int,
    attempt: int,
    job: Object | None,
    pods: Sequence[Object],
    *,
    now: datetime,
    search: ArchitectureSearch,
    node_lost_after: float,
    log: bytes | None,
    stop: str | None = None,
) -> Observed:
    """One attempt, from its Job and its pods; arguments as in :func:`observe_attempts`.

    An attempt whose Job and pods are all gone is LOST (JobMissing): whoever has just created a Job must not ask
    before the Job is in what is observed.
    """
    stop = text(job, "metadata", "annotations", names.STOP_REASON) or stop
    from_log = search.spec.trial.report.source is ReportSource.LOG
    views = [view(pod, now, node_lost_after) for pod in pods]
    pod = choose(views, from_log=from_log)
    found = Observed(
        _attempt(Attempt(index, attempt, AttemptState.RUNNING), job, pod, stop, search, now, log if from_log else None),
        holds_slot=any(not one.terminal and not one.lost for one in views) or (not views and _pod_to_come(job)),
    )
    if pod is None:
        return found
    found = replace(found, node=pod.node, pod=pod.name)
    if from_log and log is None and _reported(pod):
        running = replace(found.attempt, state=AttemptState.RUNNING, exit_code=None, reason=None, message=None)
        return replace(found, attempt=running, needs_log=True)
    return _with_times(found, pod)


def _attempt(
    blank: Attempt,
    job: Object | None,
    pod: PodView | None,
    stop: str | None,
    search: ArchitectureSearch,
    now: datetime,
    log: bytes | None,
) -> Attempt:
    if pod is None:
        return vanished(blank, job, stop)
    blank = replace(blank, seconds=pod.seconds(now))
    if pod.terminated is not None or pod.terminal or pod.lost:
        report = pod.report if log is None else find_report_in_log(log.decode(errors="replace"))
        return ended(blank, pod, stop, report, search)
    return replace(blank, state=AttemptState.STOPPING if _goes(job, pod, stop) else AttemptState.RUNNING)


def _goes(job: Object | None, pod: PodView, stop: str | None) -> bool:
    """Whether it has been told to end. That its Job says why is not enough: its deletion may have failed."""
    if job is None:
        return stop is not None or pod.deleted is not None
    return pod.deleted is not None or field(job, "metadata", "deletionTimestamp") is not None


def _reported(pod: PodView) -> bool:
    """Whether a report is to be expected: of one that has not exited with 0 it would not be believed."""
    return pod.terminated is not None and integer(pod.terminated, "exitCode") == 0 and not stopped_by_disruption(pod)


def _pod_to_come(job: Object | None) -> bool:
    return job is not None and not is_over(job) and field(job, "metadata", "deletionTimestamp") is None


def _with_times(found: Observed, pod: PodView) -> Observed:
    """The times that the report tells, where they lie within those of the container; they are finer."""
    report = parse_report(found.attempt.report) if found.attempt.report else None
    times = report.times if isinstance(report, Report) else None
    if times is None or pod.started is None or pod.finished is None:
        return found
    first, last = nanoseconds(pod.started) - _SLACK, nanoseconds(pod.finished) + _SLACK
    if not first <= times.started <= times.ended <= last:
        return found
    seconds = (times.ended - times.started) / 1e9
    timed = replace(found.attempt, seconds=seconds)
    return replace(found, attempt=timed, process_started=times.started, process_ended=times.ended)

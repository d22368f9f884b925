"""A trial's pod, as far as it matters here: what its container, its conditions and its deletion say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from archsearch.operator import names
from archsearch.operator.cache import is_gone
from archsearch.operator.fields import field, integer, items, mapping, text, time
from archsearch.operator.port import Object
from archsearch.report import Report, parse_report

_TERMINAL = ("Succeeded", "Failed")
_UNKNOWN_STATUS = "ContainerStatusUnknown"
"""What a kubelet writes that no longer knows how a container ended: the exit code beside it is made up."""
_TAKEN = ("Evicted", "NodeLost", "NodeShutdown", "Preempting", "Shutdown", "Terminated", "UnexpectedAdmissionError")
"""Reasons of a failed pod that are no fault of its program."""


@dataclass(frozen=True)
class Disruption:
    """Why a pod was taken from its program, and when."""

    reason: str
    message: str
    since: datetime | None


@dataclass(frozen=True)
class PodView:
    """One pod of an attempt."""

    name: str | None
    uid: str | None
    node: str | None
    created: datetime | None
    phase: str
    reason: str | None
    """``status.reason``: DeadlineExceeded, Evicted, ..."""
    message: str | None
    deleted: datetime | None
    """When its deletion was asked for."""
    gone: bool
    """It has been deleted; this is the last that was seen of it."""
    lost: bool
    """It should have been gone long ago and is not: nobody hears from its node."""
    started: datetime | None
    """Start of the trial container."""
    terminated: Mapping[str, Any] | None
    """How the trial container ended, once it has."""
    disruption: Disruption | None
    init_failure: Mapping[str, Any] | None
    """The init container that ended badly: name, exitCode, message."""

    @property
    def terminal(self) -> bool:
        """Whether the pod is over: it holds nothing any more."""
        return self.gone or self.phase in _TERMINAL

    @property
    def finished(self) -> datetime | None:
        """When the trial container ended."""
        return time(self.terminated, "finishedAt")

    @property
    def report(self) -> bytes | None:
        """Its termination message."""
        message = text(self.terminated, "message")
        return None if message is None else message.encode("utf-8", "replace")

    def seconds(self, now: datetime) -> float:
        """Seconds that the trial container has run, up to ``now``."""
        if self.started is None:
            return 0.0
        end = self.finished or (now if self.terminated is None else self.started)
        return max(0.0, (end - self.started).total_seconds())


def view(pod: Object, now: datetime, node_lost_after: float) -> PodView:
    """What ``pod`` says; one that has outlived its deletion by ``node_lost_after`` seconds is lost."""
    status = mapping(pod, "status")
    state = _trial_state(status)
    terminated = mapping(state, "terminated") if isinstance(field(state, "terminated"), Mapping) else None
    phase = text(status, "phase") or "Unknown"
    due = time(pod, "metadata", "deletionTimestamp")
    late = due is not None and now > due + timedelta(seconds=node_lost_after)
    grace = integer(pod, "metadata", "deletionGracePeriodSeconds") or 0
    return PodView(
        name=text(pod, "metadata", "name"),
        uid=text(pod, "metadata", "uid"),
        node=text(pod, "spec", "nodeName"),
        created=time(pod, "metadata", "creationTimestamp"),
        phase=phase,
        reason=text(status, "reason"),
        message=text(status, "message"),
        deleted=None if due is None else due - timedelta(seconds=max(0, grace)),
        gone=is_gone(pod),
        lost=late and phase not in _TERMINAL,
        started=time(terminated, "startedAt") or time(state, "running", "startedAt"),
        terminated=terminated,
        disruption=_disruption(status),
        init_failure=_init_failure(status),
    )


def _trial_state(status: Mapping[str, Any]) -> Mapping[str, Any]:
    for container in items(status, "containerStatuses"):
        if container.get("name") == names.TRIAL_CONTAINER:
            return mapping(container, "state")
    return {}


def _disruption(status: Mapping[str, Any]) -> Disruption | None:
    for condition in items(status, "conditions"):
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            reason = text(condition, "reason") or "Disrupted"
            return Disruption(reason, text(condition, "message") or "", time(condition, "lastTransitionTime"))
    reason = text(status, "reason") or ""
    if reason in _TAKEN or reason.startswith("OutOf") or reason == "NodeAffinity":
        return Disruption(reason, text(status, "message") or "", None)
    if text(_trial_state(status), "terminated", "reason") == _UNKNOWN_STATUS:
        return Disruption(_UNKNOWN_STATUS, "its node no longer knows how it ended", None)
    return None


def _init_failure(status: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for container in items(status, "initContainerStatuses"):
        how = mapping(container, "state", "terminated")
        if integer(how, "exitCode"):
            return {"name": text(container, "name"), **how}
    return None


def stopped_by_disruption(pod: PodView) -> bool:
    """Whether the program was ended by what happened to its pod, not by itself.

    Times are whole seconds: a program that ended in the second of the disruption counts as ended by it, which costs a
    further attempt and no retry.
    """
    return not (pod.terminated is not None and integer(pod.terminated, "exitCode") == 0) and taken_away(pod)


def taken_away(pod: PodView) -> bool:
    """Whether the pod was taken from its program before that had ended, however it ended then."""
    known = [pod.deleted] if pod.deleted is not None else []
    if pod.disruption is not None:
        if pod.disruption.since is None:
            return True
        known.append(pod.disruption.since)
    if not known:
        return False
    return pod.finished is None or pod.finished.replace(microsecond=0) >= min(known).replace(microsecond=0)


def choose(pods: Sequence[PodView], *, from_log: bool) -> PodView | None:
    """The pod that speaks for an attempt: one with a good report, else one whose program has ended, else the newest.

    A Job makes one pod; where somebody deleted it, there may be two for a while.
    """

    def rank(pod: PodView) -> tuple[bool, bool, float, str]:
        done = pod.terminated is not None and integer(pod.terminated, "exitCode") == 0
        good = done and (from_log or isinstance(parse_report(pod.report), Report))
        born = 0.0 if pod.created is None else pod.created.timestamp()
        return good, pod.terminated is not None and not stopped_by_disruption(pod), born, pod.name or ""

    return max(pods, key=rank, default=None)


def trial_ended(pod: Object) -> bool:
    """Whether the trial container of a pod has ended, or its pod has before it began."""
    status = mapping(pod, "status")
    return text(status, "phase") in _TERMINAL or isinstance(field(_trial_state(status), "terminated"), Mapping)


def other_containers(pod: Object) -> tuple[str, ...]:
    """Names of containers of a pod that run beside the trial's."""
    statuses = items(pod, "status", "containerStatuses")
    running = [one for one in statuses if isinstance(field(one, "state", "running"), Mapping)]
    return tuple(name for one in running if (name := text(one, "name")) and name != names.TRIAL_CONTAINER)


def is_over(job: Object) -> bool:
    """Whether a Job has ended, well or not."""
    conditions = items(job, "status", "conditions")
    return any(one.get("type") in ("Complete", "Failed") and one.get("status") == "True" for one in conditions)

"""What time alone brings about: when to look again at Jobs and pods although nothing tells of them."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from archsearch.operator.fields import items, text, time
from archsearch.operator.port import Object
from archsearch.operator.problems import NO_POD_AFTER, NOT_STARTING_AFTER, lacks_pod_since, waits_since

_SLACK = timedelta(milliseconds=50)
"""Looked at a little later than due: by then it is so."""


def due_in(jobs: Iterable[Object], pods: Iterable[Object], now: datetime, node_lost_after: float) -> float | None:
    """Seconds until a Job has been without a pod, or a pod without a container, for too long, or a pod that should be
    gone counts as lost; None: no time comes that changes anything."""
    pods = list(pods)
    moments = [*_without_pod(jobs, pods), *_not_starting(pods), *_lost(pods, timedelta(seconds=node_lost_after))]
    return min(((moment + _SLACK - now).total_seconds() for moment in moments if moment + _SLACK > now), default=None)


def _without_pod(jobs: Iterable[Object], pods: Iterable[Object]) -> Iterator[datetime]:
    owners = {text(owner, "uid") for pod in pods for owner in items(pod, "metadata", "ownerReferences")}
    for job in jobs:
        since = lacks_pod_since(job, owners)
        if since is not None:
            yield since + NO_POD_AFTER


def _not_starting(pods: Iterable[Object]) -> Iterator[datetime]:
    for pod in pods:
        since = waits_since(pod)
        if since is not None:
            yield since + NOT_STARTING_AFTER


def _lost(pods: Iterable[Object], after: timedelta) -> Iterator[datetime]:
    for pod in pods:
        due = time(pod, "metadata", "deletionTimestamp")
        if due is not None and text(pod, "status", "phase") not in ("Succeeded", "Failed"):
            yield due + after

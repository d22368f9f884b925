"""What keeps pods from running, in words for a search's conditions.

Pods say most of it. What only events tell (a volume that cannot be mounted, a pod that a quota or an admission rule
refuses) is not seen here, but for its trace: a Job that has no pod, or a pod whose containers are not even begun,
although that should have come a while ago.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from archsearch.operator.fields import field, items, mapping, text, time
from archsearch.operator.pods import is_over
from archsearch.operator.port import Object
from archsearch.report_parsing import printable, shorten

UNSCHEDULABLE = "Unschedulable"
IMAGE_PULL_FAILED = "ImagePullFailed"
CONTAINER_CONFIG_FAILED = "ContainerConfigFailed"
PODS_NOT_CREATED = "PodsNotCreated"
POD_NOT_STARTING = "PodNotStarting"
_ORDER = (IMAGE_PULL_FAILED, CONTAINER_CONFIG_FAILED, PODS_NOT_CREATED, POD_NOT_STARTING, UNSCHEDULABLE)
"""Those that a person must mend first come first: what cannot be scheduled may only have to wait."""
_PULL = (
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImageInspectError",
    "ImagePullBackOff",
    "InvalidImageName",
    "RegistryUnavailable",
    "SignatureValidationFailed",
)
_CONFIG = ("CreateContainerConfigError", "CreateContainerError", "PostStartHookError", "RunContainerError")
_BACK_OFF = re.compile(r'^Back-off pulling image "[^"]*"(: )?')
_LONGEST = 1024
NO_POD_AFTER = timedelta(seconds=5)
"""A Job has its pod within a fraction of a second; a cluster that is this late says that something refuses it."""
NOT_STARTING_AFTER = timedelta(seconds=20)
"""Volumes, secrets and the network of a pod are there within seconds; some clouds take longer to attach a disk."""
_BEING_MADE = ("ContainerCreating", "PodInitializing")
_LATEST = datetime.max


@dataclass(frozen=True)
class Problem:
    """One thing that keeps pods from running."""

    reason: str
    """CamelCase: Unschedulable, ImagePullFailed, ContainerConfigFailed, PodsNotCreated or PodNotStarting, as they are
    found here; JobRefused (launching.py) and ControllerFailed (controller.py)."""
    message: str
    """What is wrong, for people; the same for every pod that suffers from it, unless it says what to ask of which."""
    pod: str
    """The pod (PodsNotCreated, JobRefused: the Job) that has had it longest; empty where it is no pod's."""
    since: datetime | None
    """Since when, if that is known."""


def problems(pods: Iterable[Object], jobs: Iterable[Object] = (), now: datetime | None = None) -> tuple[Problem, ...]:
    """What stands in the way of ``pods`` of trials and controllers, each thing once, gravest first.

    With ``now``, also what takes too long: pods whose containers are not begun, ``jobs`` without a pod. Never raises.
    """
    pods = list(pods)
    found = [problem for pod in pods if not _gone(pod) for problem in _of_pod(pod)]
    if now is not None:
        found += [problem for pod in pods for problem in _of_waiting_pod(pod, now)]
        owners = {text(owner, "uid") for pod in pods for owner in items(pod, "metadata", "ownerReferences")}
        found += [problem for job in jobs for problem in _of_job(job, owners, now)]
    first: dict[tuple[str, str], Problem] = {}
    for problem in sorted(found, key=_age):
        first.setdefault((problem.reason, problem.message), problem)
    return tuple(sorted(first.values(), key=lambda one: (_ORDER.index(one.reason), *_age(one))))


def _age(problem: Problem) -> tuple[datetime, str, str]:
    since = _LATEST if problem.since is None else problem.since.replace(tzinfo=None)
    return since, problem.pod, problem.message


def _gone(pod: Object) -> bool:
    over = text(pod, "status", "phase") in ("Succeeded", "Failed")
    return over or field(pod, "metadata", "deletionTimestamp") is not None


def _of_pod(pod: Object) -> Iterator[Problem]:
    name, born = text(pod, "metadata", "name") or "", time(pod, "metadata", "creationTimestamp")
    for condition in items(pod, "status", "conditions"):
        unfit = condition.get("status") == "False" and condition.get("reason") == UNSCHEDULABLE
        if condition.get("type") == "PodScheduled" and unfit:
            told = _clean(text(condition, "message") or "the scheduler does not say why")
            yield Problem(UNSCHEDULABLE, told, name, time(condition, "lastTransitionTime") or born)
    images = {text(one, "name"): text(one, "image") for kind in _KINDS for one in items(pod, "spec", kind)}
    for kind in _KINDS:
        for container in items(pod, "status", f"{kind.removesuffix('s')}Statuses"):
            image = images.get(text(container, "name")) or text(container, "image")
            yield from _of_container(container, image, name, time(pod, "status", "startTime") or born)


_KINDS = ("initContainers", "containers")


def _of_container(container: Mapping[str, Any], image: object, pod: str, since: datetime | None) -> Iterator[Problem]:
    waiting = mapping(container, "state", "waiting")
    reason, told = text(waiting, "reason"), _clean(text(waiting, "message") or "")
    if reason in _PULL:
        # Two reasons take turns while a pull is tried again: the words are the same for both.
        detail = _BACK_OFF.sub("", told).removeprefix("ErrImagePull: ")
        why = f": {detail}" if detail else ""
        yield Problem(IMAGE_PULL_FAILED, _clean(f"the image {image} cannot be pulled{why}"), pod, since)
    elif reason in _CONFIG:
        text_ = f"the container {text(container, 'name')} cannot be made: {told or reason}"
        yield Problem(CONTAINER_CONFIG_FAILED, _clean(text_), pod, since)


def waits_since(pod: Object) -> datetime | None:
    """Since when a pod has had a node, and no container of it has been begun; None: it has no node, or has one begun.

    A kubelet whose condition PodReadyToStartContainers is true has volumes, secrets and network, and is pulling images:
    that may take as long as it takes, and is told where it fails.
    """
    conditions = {text(one, "type"): text(one, "status") for one in items(pod, "status", "conditions")}
    if conditions.get("PodReadyToStartContainers") == "True" or _gone(pod) or not text(pod, "spec", "nodeName"):
        return None
    statuses = [one for kind in ("initContainerStatuses", "containerStatuses") for one in items(pod, "status", kind)]
    if not statuses or any(text(one, "state", "waiting", "reason") not in _BEING_MADE for one in statuses):
        return None
    return time(pod, "status", "startTime") or time(pod, "metadata", "creationTimestamp")


def _of_waiting_pod(pod: Object, now: datetime) -> Iterator[Problem]:
    since = waits_since(pod)
    if since is None or now - since < NOT_STARTING_AFTER:
        return
    name = text(pod, "metadata", "name") or ""
    why = "a volume, secret, ConfigMap or network that it needs is not there, or comes slowly"
    look = f"kubectl describe pod {name} says which"
    yield Problem(POD_NOT_STARTING, f"its node does not begin its containers: {why} ({look})", name, since)


def lacks_pod_since(job: Object, owners: Collection[str | None]) -> datetime | None:
    """Since when a Job runs without a pod; None: it has one, is over, or waits (as Kueue's suspended ones do).

    ``owners`` are the uids of whatever owns pods.
    """
    waits = field(job, "spec", "suspend") is True or field(job, "metadata", "deletionTimestamp") is not None
    if waits or is_over(job) or text(job, "metadata", "uid") in owners:
        return None
    return time(job, "status", "startTime") or time(job, "metadata", "creationTimestamp")


def _of_job(job: Object, owners: Collection[str | None], now: datetime) -> Iterator[Problem]:
    since = lacks_pod_since(job, owners)
    if since is None or now - since < NO_POD_AFTER:
        return
    name = text(job, "metadata", "name") or ""
    message = "Jobs have no pod: a quota or an admission rule of the cluster refuses it (kubectl describe job says why)"
    yield Problem(PODS_NOT_CREATED, message, name, since)


def _clean(message: str) -> str:
    return shorten(printable(" ".join(message.split())), _LONGEST)

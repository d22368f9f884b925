"""What the caches keep of Jobs and pods: what is read from them here, and nothing of the templates they came from."""

from typing import Any

from archsearch.api import GROUP
from archsearch.operator.port import Object

_METADATA = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
)
_JOB_SPEC = ("ttlSecondsAfterFinished", "suspend")
_POD_STATUS = (
    "phase",
    "reason",
    "message",
    "conditions",
    "startTime",
    "podIP",
    "containerStatuses",
    "initContainerStatuses",
)


def trim_job(job: Object) -> Object:
    """A Job without its template and what tools have written on it."""
    status = job.get("status") or {}
    return {
        "metadata": _metadata(job),
        "spec": _some(job.get("spec") or {}, _JOB_SPEC),
        "status": _some(status, ("conditions", "startTime")),
    }


def trim_pod(pod: Object) -> Object:
    """A pod without its spec but for the names of its node and images."""
    spec = pod.get("spec") or {}
    kept: dict[str, Any] = {"nodeName": spec["nodeName"]} if spec.get("nodeName") else {}
    for kind in ("containers", "initContainers"):
        if spec.get(kind):
            kept[kind] = [_some(container, ("name", "image")) for container in spec[kind]]
    return {"metadata": _metadata(pod), "spec": kept, "status": _some(pod.get("status") or {}, _POD_STATUS)}


def _metadata(object: Object) -> Object:
    metadata = object["metadata"]
    kept = _some(metadata, _METADATA)
    ours = {key: value for key, value in (metadata.get("annotations") or {}).items() if key.startswith(f"{GROUP}/")}
    ours.pop(f"{GROUP}/trial-input", None)
    if ours:
        kept["annotations"] = ours
    owners = [_some(owner, ("kind", "uid", "controller")) for owner in metadata.get("ownerReferences") or ()]
    if owners:
        kept["ownerReferences"] = owners
    return kept


def _some(object: Object, keys: tuple[str, ...]) -> Object:
    return {key: object[key] for key in keys if key in object}

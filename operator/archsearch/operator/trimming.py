"""What is kept of Jobs and pods in memory: the fields that something reads, a tenth of the whole."""

from collections.abc import Mapping
from typing import Any

from archsearch.operator.fields import field, items, mapping
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
_POD_STATUS = ("phase", "reason", "message", "startTime", "podIP")
_CONDITION = ("type", "status", "reason", "message", "lastTransitionTime")
_CONTAINERS = ("containers", "initContainers")
_CONTAINER_STATUS = ("name", "image", "imageID", "ready", "state")
_OURS = "archsearch.io/"
_TOO_LARGE = "archsearch.io/trial-input"


def trim_pod(pod: Object) -> Object:
    """A pod of a trial or of a controller."""
    status: Object = _some(mapping(pod, "status"), _POD_STATUS)
    status |= _lists(pod, "status", ("conditions",), _CONDITION)
    status |= _lists(pod, "status", ("containerStatuses", "initContainerStatuses"), _CONTAINER_STATUS)
    spec = _some(mapping(pod, "spec"), ("nodeName",)) | _lists(pod, "spec", _CONTAINERS, ("name", "image"))
    return {"metadata": _metadata(pod), "spec": spec, "status": status}


def trim_job(job: Object) -> Object:
    """A Job of a trial."""
    spec = _some(mapping(job, "spec"), ("suspend", "ttlSecondsAfterFinished"))
    status = _some(mapping(job, "status"), ("startTime",)) | _lists(job, "status", ("conditions",), _CONDITION)
    return {"metadata": _metadata(job), "spec": spec, "status": status}


def _metadata(object: Object) -> Object:
    kept = _some(mapping(object, "metadata"), _METADATA)
    annotations = mapping(object, "metadata", "annotations")
    ours = {key: value for key, value in annotations.items() if key.startswith(_OURS) and key != _TOO_LARGE}
    owners = [_some(owner, ("kind", "name", "uid")) for owner in items(object, "metadata", "ownerReferences")]
    return kept | ({"annotations": ours} if ours else {}) | ({"ownerReferences": owners} if owners else {})


def _lists(object: Object, part: str, names: tuple[str, ...], keys: tuple[str, ...]) -> Object:
    return {
        name: [_some(item, keys) for item in items(object, part, name)]
        for name in names
        if field(object, part, name) is not None
    }


def _some(value: Mapping[str, Any], keys: tuple[str, ...]) -> Object:
    return {key: value[key] for key in keys if key in value}

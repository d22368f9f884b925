"""The status of pods as kubelets write it, as pure functions."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]
MESSAGE_LIMIT = 4096
"""Bytes of a termination message that a kubelet keeps: the last ones."""


def now() -> str:
    """The time as a kubelet writes it: whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def is_terminal(pod: Mapping[str, Any]) -> bool:
    """Whether the pod has ended, so that its resources are free."""
    return pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}


def condition(kind: str, status: bool, reason: str = "", message: str = "") -> Object:
    """A condition of a pod."""
    found: Object = {"type": kind, "status": str(status), "lastTransitionTime": now()}
    return found | ({"reason": reason} if reason else {}) | ({"message": message} if message else {})


def unschedulable(resource: str) -> Object:
    """The status of a pod that no node has room for."""
    message = f"0/1 nodes are available: 1 Insufficient {resource}."
    return {"conditions": [condition("PodScheduled", False, "Unschedulable", message)]}


def waiting(pod: Mapping[str, Any], started: str, reason: str, message: str) -> Object:
    """The status of a pod that its node has had since ``started`` and whose containers cannot start yet."""
    state = {"waiting": {"reason": reason, "message": message}}
    return {
        "phase": "Pending",
        "startTime": started,
        "conditions": _readiness(False, "ContainersNotReady"),
        "containerStatuses": _containers(pod, state, started=False),
    }


def running(pod: Mapping[str, Any], started: str, address: str, *, ready: bool) -> Object:
    """The status of a pod whose containers run since ``started``."""
    return {
        "phase": "Running",
        "startTime": started,
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": [condition("Initialized", True), *_readiness(ready, "" if ready else "ContainersNotReady")],
        "containerStatuses": _containers(pod, {"running": {"startedAt": started}}, started=True, ready=ready),
    }


def terminated(pod: Mapping[str, Any], started: str, exit_code: int, reason: str, message: bytes) -> Object:
    """The status of a pod whose containers have ended; its phase is not in it, which a kubelet writes as late."""
    state: Object = {"exitCode": exit_code, "reason": reason, "startedAt": started, "finishedAt": now()}
    if message:
        state["message"] = message[-MESSAGE_LIMIT:].decode("utf-8", "replace")
    reason = "PodCompleted" if exit_code == 0 else "PodFailed"
    return {
        "conditions": _readiness(False, reason),
        "containerStatuses": _containers(pod, {"terminated": state}, started=False),
    }


def others_run(pod: Mapping[str, Any], status: Mapping[str, Any], started: str) -> list[Object]:
    """Statuses of containers of which only the first, the trial's, has ended."""
    others = _containers(pod, {"running": {"startedAt": started}}, started=True)[1:]
    return [status["containerStatuses"][0], *others]


def _readiness(ready: bool, reason: str) -> list[Object]:
    return [condition("Ready", ready, reason), condition("ContainersReady", ready, reason)]


def _containers(pod: Mapping[str, Any], state: Object, *, started: bool, ready: bool = False) -> list[Object]:
    return [
        {
            "name": container["name"],
            "image": container["image"],
            "imageID": "" if "waiting" in state else f"stand-in/{container['image']}",
            "containerID": "" if "waiting" in state else f"standin://{pod['metadata']['uid']}/{container['name']}",
            "ready": ready,
            "started": started,
            "restartCount": 0,
            "state": state,
        }
        for container in pod["spec"]["containers"]
    ]

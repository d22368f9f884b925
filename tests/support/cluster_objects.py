"""Searches, Jobs and pods as a cluster would show them: each test says only what differs."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from archsearch.api import ArchitectureSearch
from archsearch.engine.model import Start
from archsearch.operator import names
from archsearch.operator.port import Object
from archsearch.operator.settings import Images, Settings
from archsearch.report import TrialInput

UID = "7f1c9a52-0000-4000-8000-000000000001"
START = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
"""When the trial container of :func:`pod` started."""
SETTINGS = Settings(images=Images(trial="trial:1", controller="controller:1"), key=b"key")


def search(
    trial: dict[str, Any] | None = None, *, namespace: str | None = "team", name: str = "digits", **spec: Any
) -> ArchitectureSearch:
    whole = {
        "apiVersion": "archsearch.io/v1alpha1",
        "kind": "ArchitectureSearch",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "searchSpace": {
                "choices": [{"name": "width", "values": [0.5, 1.0, 2.0]}, {"name": "kind", "values": ["a"]}]
            },
            "trial": {"task": {"custom": {"epochs": 1.0}}, "image": "team/trial:2"} | (trial or {}),
        }
        | spec,
    }
    return ArchitectureSearch.model_validate_json(json.dumps(whole))


def start(index: int = 3, attempt: int = 2, **more: Any) -> Start:
    given = {"architecture": {"kind": "choices", "values": {"width": 1.0, "kind": "a"}}, "task": {"custom": {}}} | more
    return Start(
        index,
        attempt,
        TrialInput(search="digits", trial=f"digits-{index:06d}", index=index, seed=9, attempt=attempt, **given),
    )


def at(seconds: float) -> str:
    """A time ``seconds`` after the container's start, as Kubernetes writes it."""
    return f"{START + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


def report(accuracy: float = 0.75, **more: Any) -> str:
    return json.dumps({"version": 1, "metrics": {"accuracy": accuracy}} | more)


def ended(code: int = 0, message: str | None = None, *, after: float = 10, **more: Any) -> dict[str, Any]:
    """State of a container that has ended."""
    told = {} if message is None else {"message": message}
    return {"terminated": {"exitCode": code, "startedAt": at(0), "finishedAt": at(after)} | told | more}


RUNNING = {"running": {"startedAt": at(0)}}


def pod(
    phase: str = "Running",
    state: dict[str, Any] | None = None,
    *,
    index: int = 3,
    attempt: int = 2,
    name: str = "digits-000003-2-abcde",
    born: float = -5,
    deleted: float | None = None,
    **status: Any,
) -> Object:
    """A pod of an attempt; ``deleted``: when its deletion was asked for, with 5 s of grace."""
    metadata: Object = {
        "name": name,
        "namespace": "team",
        "uid": f"uid-of-{name}",
        "resourceVersion": "1",
        "creationTimestamp": at(born),
        "labels": names.attempt_labels("digits", UID, index, attempt),
        "ownerReferences": [{"kind": "Job", "name": f"digits-{index:06d}-{attempt}", "uid": "uid-of-the-job"}],
    }
    if deleted is not None:
        metadata |= {"deletionTimestamp": at(deleted + 5), "deletionGracePeriodSeconds": 5}
    statuses = [] if state is None else [{"name": "trial", "state": state, "image": "team/trial:2"}]
    spec = {"nodeName": "node1", "containers": [{"name": "trial", "image": "team/trial:2"}]}
    return {"metadata": metadata, "spec": spec, "status": {"phase": phase, "containerStatuses": statuses} | status}


def job(*conditions: str, stop: str | None = None, deleted: bool = False, index: int = 3, attempt: int = 2) -> Object:
    metadata: Object = {
        "name": f"digits-{index:06d}-{attempt}",
        "namespace": "team",
        "uid": "uid-of-the-job",
        "resourceVersion": "1",
        "creationTimestamp": at(-6),
        "labels": names.attempt_labels("digits", UID, index, attempt),
    }
    if stop is not None:
        metadata["annotations"] = {names.STOP_REASON: stop}
    if deleted:
        metadata["deletionTimestamp"] = at(1)
    told = [{"type": condition, "status": "True"} for condition in conditions]
    return {"metadata": metadata, "spec": {}, "status": {"conditions": told, "startTime": at(-6)}}

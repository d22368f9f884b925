"""What a stand-in knows of pods, and how it is told to treat them."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from archsearch.operator.names import ATTEMPT_LABEL, COMPONENT, INDEX_LABEL, SEARCH_LABEL, TRIAL
from archsearch.report import TrialInput
from kube import statuses
from kube.controller_pod import ControllerPod
from kube.trials import Outcome, TrialProgram

Object = dict[str, Any]
Which = Callable[[Mapping[str, Any]], bool]
"""Chooses pods by their objects."""


class Refusal(StrEnum):
    """Why a pod does not start."""

    UNSCHEDULABLE = "Unschedulable"
    IMAGE_PULL = "ErrImagePull"


@dataclass
class Behaviour:
    """How pods are treated from now on; a test changes it while they run."""

    trial: TrialProgram
    delay: float | Callable[[TrialInput], float]
    slots: int | None
    late_phase: float
    hold: bool
    resource: str
    refusals: dict[Refusal, Which] = field(default_factory=dict)

    def refuses(self, pod: "KnownPod", refusal: Refusal) -> bool:
        """Whether ``pod`` may not start by reason of ``refusal``."""
        return refusal in self.refusals and self.refusals[refusal](pod.object)

    def seconds(self, given: TrialInput) -> float:
        """How long the trial takes."""
        return self.delay(given) if callable(self.delay) else self.delay


@dataclass(frozen=True)
class PodView:
    """A pod as it was last seen."""

    namespace: str
    name: str
    search: str
    component: str
    index: int | None
    attempt: int | None
    phase: str
    running: bool
    """Whether its containers run."""
    ready: bool


@dataclass(frozen=True)
class Ending:
    """How a pod ends: its container's outcome, and what the pod's status says besides."""

    outcome: Outcome
    status: Mapping[str, Any] = field(default_factory=dict)


class KnownPod:
    """A pod, from the first time it is seen until it is gone."""

    def __init__(self, pod: Object) -> None:
        self.object = pod
        self.uid: str = pod["metadata"]["uid"]
        self.namespace: str = pod["metadata"]["namespace"]
        self.name: str = pod["metadata"]["name"]
        self.labels: Mapping[str, str] = pod["metadata"]["labels"]
        self.path = f"/api/v1/namespaces/{self.namespace}/pods/{self.name}"
        self.bound = False
        self.gone = False
        self.deleting = False
        self.lost = False
        """Its node is lost: nobody ends it."""
        self.released = False
        self.started = ""
        self.ending: Ending | None = None
        """What ends it before its time."""
        self.controller: ControllerPod | None = None
        self.log: bytes | None = None
        self.task: asyncio.Task[None] | None = None

    def see(self, pod: Object) -> None:
        """Take in what the API server says; being deleted is for ever."""
        self.object = pod
        self.deleting = self.deleting or "deletionTimestamp" in pod["metadata"]

    @property
    def is_trial(self) -> bool:
        """Whether it is a trial's pod; else it is a controller's."""
        return self.labels.get(COMPONENT) == TRIAL

    @property
    def must_end(self) -> bool:
        """Whether it is being deleted, and its node is there to end it."""
        return self.gone or (self.deleting and not self.lost)

    @property
    def is_live(self) -> bool:
        """Whether it takes up its resources."""
        return not self.gone and not statuses.is_terminal(self.object)

    def view(self) -> PodView:
        """It, for tests."""
        containers = self.object.get("status", {}).get("containerStatuses", ())
        index, attempt = self.labels.get(INDEX_LABEL), self.labels.get(ATTEMPT_LABEL)
        return PodView(
            namespace=self.namespace,
            name=self.name,
            search=self.labels.get(SEARCH_LABEL, ""),
            component=self.labels.get(COMPONENT, ""),
            index=None if index is None else int(index),
            attempt=None if attempt is None else int(attempt),
            phase=self.object.get("status", {}).get("phase", "Pending"),
            running=any("running" in each["state"] for each in containers),
            ready=any(each["ready"] for each in containers),
        )

"""Stands in for a scheduler and a node on a real control plane: pods of archsearch come to life and end as a test says.

Controller pods are the real controller program on a loopback address. Trial pods compute their report by a function of
the test. Everything else (Jobs, garbage collection, admission) is the control plane's own.
"""

import asyncio
import uuid
from collections.abc import Callable, Collection
from pathlib import Path
from signal import SIGKILL
from typing import Any, Self

from archsearch.operator.names import CONTROLLER, SEARCH_LABEL, SELECTOR, TRIAL
from archsearch.report import TrialInput
from kube import statuses
from kube.api import Api
from kube.bulletin import Bulletin
from kube.control_plane import ControlPlane
from kube.kubelet import Kubelet
from kube.node_logs import NodeLogs
from kube.pods import Behaviour, Ending, KnownPod, PodView, Refusal, Which
from kube.trials import Outcome, TrialProgram, hashed_reward

__all__ = ["Outcome", "PodView", "Refusal", "StandIn", "hashed_reward"]

Object = dict[str, Any]


class StandIn:
    """Use it as an asynchronous context manager; leaving it ends what it runs and removes its pods.

    Args:
        plane: where it works.
        folder: for files and logs of controllers.
        namespaces: whose pods it takes; None: all.
        trial: what trials do.
        delay: seconds that a trial takes, or a function of its input.
        slots: how many trial pods have room at once; the others are Unschedulable. None: as many as there are.
        late_phase: seconds by which a pod's phase comes after its container's end; 0: both in one update.
        hold: trials run until they are released.
        resource: what there is too little of, in the scheduler's message.
    """

    def __init__(
        self,
        plane: ControlPlane,
        folder: Path,
        *,
        namespaces: Collection[str] | None = None,
        trial: TrialProgram = hashed_reward,
        delay: float | Callable[[TrialInput], float] = 0.0,
        slots: int | None = None,
        late_phase: float = 0.0,
        hold: bool = False,
        resource: str = "nvidia.com/gpu",
    ) -> None:
        self.most_at_once: dict[tuple[str, str], int] = {}
        """By (namespace, search): the most trial pods that were ever not terminal at once."""
        self._plane, self._folder, self._namespaces = plane, folder, namespaces
        self._behaviour = Behaviour(trial, delay, slots, late_phase, hold, resource)
        self._bulletin = Bulletin()
        self._node = f"stand-in-{uuid.uuid4().hex[:10]}"
        self._pods: dict[str, KnownPod] = {}
        self._live: dict[tuple[str, str], set[str]] = {}

    async def __aenter__(self) -> Self:
        self._api = await Api(self._plane).__aenter__()
        self._kubelet = Kubelet(self._api, self._node, self._folder, self._behaviour, self._bulletin)
        self._logs = NodeLogs(self._plane, self._log_of)
        await self._logs.open()
        await self._api.call("POST", "/api/v1/nodes", self._node_object())
        self._watcher = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        tasks = [self._watcher, *(pod.task for pod in self._pods.values() if pod.task is not None)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            async with asyncio.timeout(20):  # the API server may be down for good
                await asyncio.gather(*map(self._kubelet.clear, self._pods.values()))
                await self._api.call("DELETE", f"/api/v1/nodes/{self._node}")
        finally:
            await self._logs.close()
            await self._api.__aexit__()
        if kind is None and self._bulletin.errors:
            raise self._bulletin.errors[0]

    # What a test sees and waits for.

    def pods(self, *, component: str = TRIAL, search: str | None = None) -> list[PodView]:
        """Pods that are there now, oldest first."""
        views = [pod.view() for pod in self._pods.values() if not pod.gone]
        return [each for each in views if each.component == component and search in (None, each.search)]

    async def until(self, holds: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
        """Wait until ``holds``; it is asked again whenever a pod has changed.

        Raises:
            TimeoutError: not within ``seconds``; the message has ``what`` and the pods.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._bulletin.until(lambda: bool(self._bulletin.errors) or holds())
        except TimeoutError:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}; pods:\n{self._told()}") from None
        if self._bulletin.errors:
            raise self._bulletin.errors[0]

    async def running_trial(self, index: int, *, search: str | None = None, seconds: float = 30.0) -> PodView:
        """Wait until the container of child ``index`` runs; its pod."""
        return await self._running(TRIAL, search, seconds, index)

    async def running_controller(self, *, search: str | None = None, seconds: float = 60.0) -> PodView:
        """Wait until a controller runs and is ready; its pod."""
        return await self._running(CONTROLLER, search, seconds, None)

    # What a test changes.

    def set_slots(self, slots: int | None) -> None:
        """Have room for so many trial pods at once from now on; None: for all."""
        self._behaviour.slots = slots
        self._bulletin.notify()

    def hold(self) -> None:
        """Trials that end from now on wait until they are released."""
        self._behaviour.hold = True

    def release(self, pod: PodView | None = None) -> None:
        """Let ``pod`` end, or every trial: also those to come."""
        if pod is None:
            self._behaviour.hold = False
        else:
            self._find(pod).released = True
        self._bulletin.notify()

    def refuse(self, refusal: Refusal, which: Which = lambda pod: True) -> None:
        """Do not start the pods that ``which`` chooses, until :meth:`accept`."""
        self._behaviour.refusals[refusal] = which
        self._bulletin.notify()

    def accept(self) -> None:
        """Start all pods again."""
        self._behaviour.refusals.clear()
        self._bulletin.notify()

    # Faults.

    async def delete(self, pod: PodView) -> None:
        """Delete a pod as a person does: its container is told to end, then it goes."""
        await self._api.call("DELETE", self._find(pod).path)

    async def evict(self, pod: PodView) -> None:
        """Evict a pod by the eviction API, as a drain of its node does: condition DisruptionTarget, then deletion."""
        metadata = {"name": pod.name, "namespace": pod.namespace}
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
        await self._api.call("POST", f"{self._find(pod).path}/eviction", body)

    def evict_by_node(self, pod: PodView) -> None:
        """Evict a pod as a kubelet does whose node is short of memory: the pod stays, Failed, reason Evicted."""
        message = "The node was low on resource: memory."
        disrupted = statuses.condition("DisruptionTarget", True, "TerminationByKubelet", message)
        status = {"phase": "Failed", "reason": "Evicted", "message": message, "conditions": [disrupted]}
        self._end(pod, Ending(Outcome(exit_code=137), status))

    def oom_kill(self, pod: PodView) -> None:
        """End a pod's container as the kernel does that has no memory left."""
        self._end(pod, Ending(Outcome(exit_code=137, reason="OOMKilled"), {}))

    async def lose_node(self, pod: PodView) -> None:
        """Lose the pod's node: it is being deleted, and nobody is there to end it."""
        self._find(pod).lost = True
        await self.delete(pod)

    def crash(self, pod: PodView) -> None:
        """Kill a controller's process."""
        found = self._find(pod)
        assert found.controller is not None, f"{pod.name} runs no controller"
        found.controller.signal(SIGKILL)

    async def _watch(self) -> None:
        try:
            listed: set[str] | None = None
            async for kind, pod in self._api.watch("/api/v1/pods", SELECTOR):
                if kind == "LISTED":
                    listed = set()
                elif kind == "COMPLETE":
                    for uid in self._pods.keys() - (listed or set()):
                        self._vanish(uid)
                    listed = None
                elif kind == "DELETED":
                    self._vanish(pod["metadata"]["uid"])
                else:
                    if listed is not None:
                        listed.add(pod["metadata"]["uid"])
                    self._see(pod)
                self._bulletin.notify()
        except Exception as error:
            self._bulletin.fail(error)

    def _see(self, object: Object) -> None:
        pod = self._pods.get(object["metadata"]["uid"])
        if pod is None:
            foreign = self._namespaces is not None and object["metadata"]["namespace"] not in self._namespaces
            if foreign or object["spec"].get("nodeName"):
                return
            pod = self._pods[object["metadata"]["uid"]] = KnownPod(object)
            pod.see(object)
            pod.task = asyncio.create_task(self._kubelet.live(pod))
        else:
            pod.see(object)
        self._count(pod)

    def _vanish(self, uid: str) -> None:
        if uid in self._pods:
            self._pods[uid].gone = True
            self._count(self._pods[uid])

    def _count(self, pod: KnownPod) -> None:
        if not pod.is_trial:
            return
        search = (pod.namespace, pod.labels[SEARCH_LABEL])
        live = self._live.setdefault(search, set())
        if pod.is_live:
            live.add(pod.uid)
        else:
            live.discard(pod.uid)
            self._kubelet.taken.discard(pod.uid)
        self.most_at_once[search] = max(len(live), self.most_at_once.get(search, 0))

    async def _running(self, component: str, search: str | None, seconds: float, index: int | None) -> PodView:
        def found() -> list[PodView]:
            views = self.pods(component=component, search=search)
            ready = [each for each in views if each.running and each.ready]
            return [each for each in ready if index is None or each.index == index]

        await self.until(lambda: bool(found()), f"a running {component} {'' if index is None else index}", seconds)
        return found()[0]

    def _told(self) -> str:
        pods = [pod for pod in self._pods.values() if not pod.gone]
        logs = [(pod.name, pod.controller.read_log()) for pod in pods if pod.controller is not None]
        said = [f"{name} said:\n{(log or b'')[-2000:].decode('utf-8', 'replace')}" for name, log in logs]
        return "\n".join([*(str(pod.view()) for pod in pods), *said])

    def _find(self, view: PodView) -> KnownPod:
        for pod in self._pods.values():
            if not pod.gone and (pod.namespace, pod.name) == (view.namespace, view.name):
                return pod
        raise AssertionError(f"pod {view.namespace}/{view.name} is gone")

    def _end(self, view: PodView, ending: Ending) -> None:
        self._find(view).ending = ending
        self._bulletin.notify()

    def _log_of(self, namespace: str, name: str, container: str) -> bytes | None:
        for pod in self._pods.values():
            if not pod.gone and (pod.namespace, pod.name) == (namespace, name):
                return pod.log if pod.controller is None else pod.controller.read_log()
        return None

    def _node_object(self) -> Object:
        slots = 10_000 if self._behaviour.slots is None else self._behaviour.slots
        size = {"cpu": "64", "memory": "256Gi", "pods": "10000", self._behaviour.resource: str(slots)}
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self._node},
            "status": {
                "capacity": size,
                "allocatable": size,
                "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": self._logs.port}},
                "conditions": [statuses.condition("Ready", True)],
            },
        }

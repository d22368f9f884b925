"""The life of a pod on the node of a stand-in: scheduled, pulled, run, ended, removed."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

from kube import statuses
from kube.api import Api, Refused
from kube.bulletin import Bulletin
from kube.controller_pod import ControllerPod
from kube.pods import Behaviour, Ending, KnownPod, Refusal
from kube.trials import Outcome, outcome_of, trial_input

Object = dict[str, Any]
_TERMINATED = Outcome(exit_code=143)  # what SIGTERM makes of a program that does not catch it
_LOG_MESSAGE = 2048  # bytes of a failed container's log that become its message, where its pod asks for that
_OVERDUE = {
    "phase": "Failed",
    "reason": "DeadlineExceeded",
    "message": "Pod was active on the node longer than the specified deadline",
}


class Gone(Exception):  # noqa: N818 - not an error
    """A pod is gone or being deleted, and nothing of it runs."""


class Kubelet:
    """Lives the pods of ``node``, each in a task of its own; files of controllers are below ``folder``."""

    def __init__(self, api: Api, node: str, folder: Path, behaviour: Behaviour, bulletin: Bulletin) -> None:
        self._api, self._node, self._folder, self._behaviour, self._bulletin = api, node, folder, behaviour, bulletin
        self.taken: set[str] = set()
        """Uids of the trial pods that have a slot."""

    async def live(self, pod: KnownPod) -> None:
        """One pod from its creation to its end; what goes wrong goes to the bulletin."""
        try:
            await self._schedule(pod)
            await self._pull(pod)
            ending = await (self._run_trial(pod) if pod.is_trial else self._run_controller(pod))
            await self._finish(pod, ending)
        except Gone:
            await self._remove(pod)
        except Exception as error:
            self._bulletin.fail(error)

    async def clear(self, pod: KnownPod) -> None:
        """End a pod's process and remove the pod, whatever it is at."""
        if pod.controller is not None:
            await pod.controller.stop(patience=5)
        if pod.bound and not pod.gone:
            await self._remove(pod)

    async def _schedule(self, pod: KnownPod) -> None:
        if not self._has_room(pod) and not pod.must_end:
            await self._status(pod, statuses.unschedulable(self._behaviour.resource))
            await self._bulletin.until(lambda: pod.must_end or self._has_room(pod))
        if pod.must_end:
            raise Gone
        if pod.is_trial:
            self.taken.add(pod.uid)
        target = {"apiVersion": "v1", "kind": "Node", "name": self._node}
        binding = {"metadata": {"name": pod.name, "uid": pod.uid}, "target": target}
        await self._call("POST", f"{pod.path}/binding", binding)
        pod.bound = True

    def _has_room(self, pod: KnownPod) -> bool:
        if self._behaviour.refuses(pod, Refusal.UNSCHEDULABLE):
            return False
        return not pod.is_trial or self._behaviour.slots is None or len(self.taken) < self._behaviour.slots

    async def _pull(self, pod: KnownPod) -> None:
        pod.started = statuses.now()
        if not self._behaviour.refuses(pod, Refusal.IMAGE_PULL):
            return
        message = f'failed to pull image "{pod.object["spec"]["containers"][0]["image"]}": not found'
        await self._status(pod, statuses.waiting(pod.object, pod.started, "ErrImagePull", message))
        message = f"Back-off pulling image: {message}"
        await self._status(pod, statuses.waiting(pod.object, pod.started, "ImagePullBackOff", message))
        await self._bulletin.until(lambda: pod.must_end or not self._behaviour.refuses(pod, Refusal.IMAGE_PULL))
        if pod.must_end:
            raise Gone

    async def _run_trial(self, pod: KnownPod) -> Ending:
        if pod.must_end:
            raise Gone
        await self._status(pod, statuses.running(pod.object, pod.started, "127.0.0.1", ready=True))
        pod.log = b""
        given = trial_input(pod.object)
        own = Ending(outcome_of(self._behaviour.trial(given)))
        return await self._end_of_trial(pod, own, self._behaviour.seconds(given))

    async def _end_of_trial(self, pod: KnownPod, own: Ending, seconds: float) -> Ending:
        now = asyncio.get_running_loop().time
        done = now() + seconds
        overdue = now() + pod.object["spec"].get("activeDeadlineSeconds", float("inf"))
        while True:
            if pod.ending is not None:
                return pod.ending
            if pod.must_end:
                return Ending(_TERMINATED)
            if pod.lost:
                await self._bulletin.until(lambda: pod.gone)
                raise Gone
            if now() >= done and (pod.released or not self._behaviour.hold):
                return own
            if now() >= overdue:
                return Ending(_TERMINATED, _OVERDUE)
            alarm = min((moment for moment in (done, overdue) if moment > now()), default=float("inf"))
            await self._bulletin.woken(None if alarm == float("inf") else alarm - now())

    async def _run_controller(self, pod: KnownPod) -> Ending:
        folder = self._folder / pod.namespace / f"{pod.name}-{pod.uid[:8]}"  # a name may come again
        folder.mkdir(parents=True)
        controller = pod.controller = ControllerPod(self._api, pod.object, folder)
        await self._start(pod, controller)
        await self._status(pod, statuses.running(pod.object, pod.started, controller.address, ready=False))
        ready = asyncio.create_task(self._tell_ready(pod, controller))
        try:
            await self._bulletin.until(lambda: pod.must_end or controller.exit_code is not None)
            if controller.exit_code is None:
                await controller.stop(pod.object["metadata"].get("deletionGracePeriodSeconds", 0))
        finally:
            ready.cancel()
        assert controller.exit_code is not None
        return Ending(Outcome(exit_code=controller.exit_code, log=controller.log.read_bytes()))

    async def _start(self, pod: KnownPod, controller: ControllerPod) -> None:
        while not pod.must_end:  # as a kubelet tries again until it can mount the Secret
            try:
                await controller.start(when_ended=self._bulletin.notify)
            except Refused as refused:
                if refused.status != 404:
                    raise
                await self._bulletin.woken(0.2)
            else:
                return
        raise Gone

    async def _tell_ready(self, pod: KnownPod, controller: ControllerPod) -> None:
        try:
            if await controller.ready():
                await self._status(pod, statuses.running(pod.object, pod.started, controller.address, ready=True))
        except Gone:
            pass  # its life goes on to its end in the other task
        except Exception as error:
            self._bulletin.fail(error)

    async def _finish(self, pod: KnownPod, ending: Ending) -> None:
        outcome, pod.log = ending.outcome, ending.outcome.log
        policy = pod.object["spec"]["containers"][0].get("terminationMessagePolicy")
        message = outcome.message
        if not message and outcome.exit_code != 0 and policy == "FallbackToLogsOnError":
            message = outcome.log[-_LOG_MESSAGE:]
        status = statuses.terminated(pod.object, pod.started, outcome.exit_code, outcome.state_reason, message)
        if self._behaviour.late_phase:
            await self._status(
                pod, {**status, "containerStatuses": statuses.others_run(pod.object, status, pod.started)}
            )
            with suppress(TimeoutError):
                async with asyncio.timeout(self._behaviour.late_phase):
                    await self._bulletin.until(lambda: pod.must_end)
        conditions = [*status["conditions"], *ending.status.get("conditions", ())]
        phase = "Succeeded" if outcome.exit_code == 0 else "Failed"
        await self._status(pod, {**status, "phase": phase, **ending.status, "conditions": conditions})
        if pod.must_end:
            raise Gone

    async def _status(self, pod: KnownPod, status: Object) -> None:
        try:
            found = await self._api.patch_status(pod.path, {"metadata": {"uid": pod.uid}, "status": status})
        except Refused as refused:
            raise (Gone() if refused.status in (404, 409) else refused) from None
        pod.deleting = pod.deleting or "deletionTimestamp" in found["metadata"]

    async def _call(self, method: str, path: str, body: Object) -> None:
        try:
            await self._api.call(method, path, body)
        except Refused as refused:
            raise (Gone() if refused.status in (404, 409) else refused) from None

    async def _remove(self, pod: KnownPod) -> None:
        """Remove this very pod, not a later one of its name; one that is gone is no error."""
        try:
            body = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod.uid}}
            await self._api.call("DELETE", pod.path, body)
        except Refused as refused:
            if refused.status not in (404, 409):
                raise

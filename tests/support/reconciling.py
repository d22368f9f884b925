"""A namespace with an operator at work and a stand-in for nodes, and what the API server tells of its searches."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cluster_searches import search
from kube.api import Api
from kube.bulletin import Bulletin
from kube.control_plane import ControlPlane
from kube.stand_in import StandIn
from operator_runs import operator, settings_for

from archsearch.operator.names import SEARCH_LABEL
from archsearch.operator.program import Operator

Object = dict[str, Any]
SEARCHES = "/apis/archsearch.io/v1alpha1/architecturesearches"
TRIALS = "/apis/archsearch.io/v1alpha1/architecturetrials"
JOBS = "/apis/batch/v1/jobs"
EVENTS = "/apis/events.k8s.io/v1/events"


class World:
    """What goes on in one namespace (and in others, where a test says so), as watches tell it."""

    def __init__(self, plane: ControlPlane, namespace: str, stand_in: StandIn, api: Api) -> None:
        self.plane, self.namespace, self.stand_in, self.api = plane, namespace, stand_in, api
        self.operator: Operator | None = None
        self._bulletin = Bulletin()
        self._found: dict[str, dict[tuple[str, str], Object]] = {path: {} for path in (SEARCHES, TRIALS, JOBS, EVENTS)}

    # What a test does.

    def path(self, name: str = "", *, of: str = SEARCHES, namespace: str | None = None) -> str:
        """Path of an object, or of its kind in the namespace."""
        group, _, plural = of.rpartition("/")
        return f"{group}/namespaces/{namespace or self.namespace}/{plural}{'/' if name else ''}{name}"

    async def search(self, name: str, *, namespace: str | None = None, **spec: Any) -> None:
        """Create a search (`cluster_searches.search`)."""
        body = search(name, namespace or self.namespace, **spec)
        await self.api.call("POST", self.path(namespace=namespace), body)

    async def edit(self, name: str, **spec: Any) -> int:
        """Change fields of a search's spec by a merge patch; its generation then."""
        edited = await self.api.call("PATCH", self.path(name), {"spec": spec})
        return int(edited["metadata"]["generation"])

    async def delete(self, name: str, *, of: str = SEARCHES) -> None:
        """Delete an object as kubectl does."""
        await self.api.call("DELETE", self.path(name, of=of), {"propagationPolicy": "Background"})

    # What it sees.

    def status(self, name: str, namespace: str | None = None) -> Object:
        """The status of a search; empty where there is none."""
        found: Object = self._found[SEARCHES].get((namespace or self.namespace, name), {}).get("status", {})
        return found

    def condition(self, name: str, kind: str, namespace: str | None = None) -> Object:
        """One condition of a search; empty where there is none."""
        conditions = self.status(name, namespace).get("conditions", ())
        return next((one for one in conditions if one["type"] == kind), {})

    def reason(self, name: str, kind: str = "Progressing") -> tuple[str, str]:
        """Status and reason of a condition: ("False", "Suspended")."""
        found = self.condition(name, kind)
        return found.get("status", ""), found.get("reason", "")

    def trials(self, name: str, namespace: str | None = None) -> list[Object]:
        """The ArchitectureTrials of a search, by index."""
        return sorted(self._of(TRIALS, name, namespace), key=lambda trial: int(trial["spec"]["index"]))

    def trial(self, name: str, index: int) -> Object:
        """The status of one child; empty where there is none."""
        found: Object = next((t.get("status", {}) for t in self.trials(name) if t["spec"]["index"] == index), {})
        return found

    def jobs(self, name: str) -> list[Object]:
        """The Jobs of a search."""
        return self._of(JOBS, name, None)

    def events(self, name: str, reason: str) -> list[str]:
        """Notes of the events about a search that have this reason."""
        told = [event for event in self._found[EVENTS].values() if event["regarding"].get("name") == name]
        return [event.get("note", "") for event in told if event["reason"] == reason]

    def names(self, kind: str) -> set[str]:
        """Names of everything of a kind in the namespace."""
        return {name for namespace, name in self._found[kind] if namespace == self.namespace}

    async def until(self, holds: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
        """Wait until ``holds``; it is asked again at every change of a search, a trial, a Job, an event or a pod.

        Raises:
            TimeoutError: not within ``seconds``; the message has ``what``, the searches and the pods.
        """
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    if self._bulletin.errors:
                        raise self._bulletin.errors[0]
                    await self._bulletin.woken(0.2)  # pods are the stand-in's to tell
        except TimeoutError:
            told = "\n".join(
                f"{name}: {found.get('status', {}).get('counts')} "
                + "; ".join(
                    f"{c['type']}={c['status']} {c['reason']} {c['message']}" for c in found["status"]["conditions"]
                )
                for (_, name), found in self._found[SEARCHES].items()
                if "conditions" in found.get("status", {})
            )
            pods = "\n".join(str(pod) for part in ("trial", "controller") for pod in self.stand_in.pods(component=part))
            raise TimeoutError(f"waited {seconds:.0f} s for {what}\n{told}\n{pods}") from None

    async def until_reason(self, name: str, status: str, reason: str, seconds: float = 30.0) -> Object:
        """Wait until condition Progressing has this status and reason; the condition."""
        await self.until(lambda: self.reason(name) == (status, reason), f"{name} to be {reason}", seconds)
        return self.condition(name, "Progressing")

    async def until_ended(self, name: str, kind: str = "Succeeded", seconds: float = 60.0) -> Object:
        """Wait until a search has Succeeded (or Failed); its status."""
        await self.until(lambda: self.reason(name, kind)[0] == "True", f"{name} to have {kind}", seconds)
        return self.status(name)

    async def until_told(self, name: str, *reasons: str) -> None:
        """Wait until there is an event about a search for each reason; they follow the status."""
        await self.until(lambda: all(self.events(name, reason) for reason in reasons), f"events {reasons}", 10)

    def _of(self, kind: str, name: str, namespace: str | None) -> list[Object]:
        where = namespace or self.namespace
        found = [o for (space, _), o in self._found[kind].items() if space == where]
        return [one for one in found if one["metadata"].get("labels", {}).get(SEARCH_LABEL) == name]

    async def follow(self, path: str) -> None:
        """Keep what there is at ``path`` for ever."""
        found = self._found[path]
        try:
            async for change, one in self.api.watch(path, ""):
                if change in ("LISTED", "COMPLETE"):
                    continue
                key = (one["metadata"]["namespace"], one["metadata"]["name"])
                if change == "DELETED":
                    found.pop(key, None)
                else:
                    found[key] = one
                self._bulletin.notify()
        except Exception as error:
            self._bulletin.fail(error)


@asynccontextmanager
async def world(
    plane: ControlPlane,
    namespace: str,
    folder: Path,
    *,
    settings: Object | None = None,
    act: bool = True,
    **options: Any,
) -> AsyncIterator[World]:
    """A world with an operator in it, unless ``act`` is False; ``options`` are those of StandIn."""
    given = {"namespaces": [namespace], **options}
    async with Api(plane) as api, StandIn(plane, folder, **given) as stand_in:
        here = World(plane, namespace, stand_in, api)
        watches = [asyncio.create_task(here.follow(path)) for path in (SEARCHES, TRIALS, JOBS, EVENTS)]
        try:
            if not act:
                yield here
                return
            async with operator(settings_for(plane.kubeconfig, namespace, **(settings or {}))) as running:
                here.operator = running
                yield here
        finally:
            for watch in watches:
                watch.cancel()
            await asyncio.gather(*watches, return_exceptions=True)

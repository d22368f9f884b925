"""The controller pod of one search: made, spoken to by its address, replaced when it is gone."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from archsearch.api import ArchitectureSearch, Strategy
from archsearch.calling import Caller
from archsearch.controller_client import ControllerError, ControllerRefused
from archsearch.operator import names
from archsearch.operator.builders import controller as build
from archsearch.operator.cache import is_gone
from archsearch.operator.port import POD, AlreadyExists, ClusterError, Object, Rejected
from archsearch.operator.problems import Problem
from archsearch.operator.shared import SearchRef, Shared
from archsearch.operator.speaking import PATIENCE, Line

_log = logging.getLogger(__name__)
_LONGEST_BACK_OFF = 30.0
_SETTLED = 5.0
"""Seconds that a controller must have been there for what went wrong before to be forgotten: one that answers twice and
dies, again and again, is told of, and is not made anew in a spin."""
_AGAIN = 2.0
"""Seconds until it is tried again to delete a pod."""
_LIVE = ("Pending", "Running")


class ControllerPod:
    """Keeps exactly one controller pod, and has a Caller carry out the calls of plans on it.

    A bare pod and not a Deployment: the ledger is the state, so there is nothing to roll out; a new one may be made in
    the moment in which the old one is seen to be gone, and there are never two.
    """

    def __init__(
        self,
        shared: Shared,
        ref: SearchRef,
        search: ArchitectureSearch,
        strategy: Strategy,
        image: str,
        wake: Callable[[], None],
        keep_every: int | None,
        belongings: Callable[[], Awaitable[None]],
    ) -> None:
        """A keeper that knows of no pod yet; ``belongings`` makes what a pod needs and is not there (any more)."""
        self._shared = shared
        self._ref = ref
        self._search = search
        self._wake = wake
        self._token = build.token(shared.settings.key, ref.uid)
        self._config = build.config(search, strategy)
        self._hash = build.config_hash(self._token, self._config)
        self._image = image
        self._pod: Object | None = None
        """The pod that is spoken to, or will be."""
        self._number = 0
        self._failures = 0
        self._not_before = 0.0
        self._belongings = belongings
        self._bare = False
        """Whether what the next pod needs has not been looked after since the one before was made."""
        self._cut_off = False
        """Whether a call had no usable answer: the way to it is found anew."""
        self.caller = Caller(
            self, wake, keep_every, lambda seconds: shared.metrics.proposed(ref.namespace, ref.name, seconds)
        )
        self._line = Line(shared, self._token, self.caller, self, wake)
        self.problem: Problem | None = None
        """Why there is no controller to speak to, where that is more than a matter of seconds."""
        self.replacements: list[tuple[str, str]] = []
        """Pods made in place of one that is gone, and why, not yet told."""
        self._gone: str | None = None
        """Why the pod before is gone, until there is another."""
        self._retired = ""
        """Uid of the pod that is to be replaced, or has been, for a reason that has been told."""

    @property
    def up(self) -> bool:
        """Whether there is a controller that answers."""
        return self.caller.fact is not None

    @property
    def image_digest(self) -> str | None:
        """The image of the running pod by its digest, where the node tells one that can be pulled."""
        if self._pod is None:
            return None
        for status in self._pod.get("status", {}).get("containerStatuses", ()):
            image = str(status.get("imageID", "")).removeprefix("docker-pullable://")
            if status.get("name") == names.CONTROLLER_CONTAINER and "@sha256:" in image:
                return image
        return None

    def edit(self, search: ArchitectureSearch) -> None:
        """Go on with an edited manifest; other resources count for the next pod."""
        self._search = search

    def pin(self, image: str) -> None:
        """Make the next pod from ``image``: the first one's, by its digest."""
        self._image = image

    # --- keeping one --------------------------------------------------------------------------------------------------

    async def ensure(self, pods: Sequence[Object]) -> float | None:
        """See to it that there is one; seconds until it makes sense to look again without any event, or None."""
        mine = sorted(filter(_is_controller, pods), key=_number)
        self._number = max([self._number, *map(_number, mine)])
        live = [pod for pod in mine if self._is_live(pod)]
        chosen = live[-1] if live else None
        if self._cut_off or (self._pod is not None and _uid(self._pod) == self._retired):
            self._cut_off = False
            await self._line.hang_up()
        stays = False
        for pod in mine:
            if is_gone(pod):
                self._shared.pods.forget(_uid(pod))
            elif pod is not chosen and "deletionTimestamp" not in pod["metadata"]:
                stays |= not await self._goes(pod)
        if stays:
            return _AGAIN  # never two
        if self._pod is not None and (chosen is None or _uid(chosen) != _uid(self._pod)):
            await self._lost(mine)
        if chosen is None:
            return await self._make()
        self._pod = chosen
        self._line.connect_once_it_runs(chosen)
        return self._forgets_in()

    def _forgets_in(self) -> float | None:
        """Forget what went wrong once this one has been there for a while; seconds until then, where that is due."""
        if not self._failures or self._line.up_since is None:
            return None
        wait = self._line.up_since + _SETTLED - self._shared.monotonic()
        if wait <= 0 and not self.caller.busy:
            self._failures, self.problem = 0, None
        return wait if wait > 0 else None

    def _is_live(self, pod: Object) -> bool:
        metadata, status = pod["metadata"], pod.get("status", {})
        same = metadata.get("annotations", {}).get(names.CONFIG_HASH) == self._hash
        return (
            same
            and _uid(pod) != self._retired
            and not is_gone(pod)
            and "deletionTimestamp" not in metadata
            and status.get("phase", "Pending") in _LIVE
        )

    async def _make(self) -> float | None:
        wait = self._not_before - self._shared.monotonic()
        if wait > 0:
            return wait
        try:
            if self._bare:
                await self._belongings()
                self._bare = False
        except Rejected as error:
            return self._cannot_make(f"what the controller needs cannot be made: {error}", "")
        self._number += 1
        pod = build.build_controller_pod(
            self._search, self._ref.uid, self._number, self._token, self._config, self._image, self._shared.settings
        )
        try:
            made = await self._shared.port.create(POD, pod)
        except AlreadyExists:
            return 0.5
        except Rejected as error:
            return self._cannot_make(f"the controller pod is refused: {error}", pod["metadata"]["name"])
        self._shared.pods.put(made)
        self._pod = made
        if self._gone is not None:
            self.replacements.append((made["metadata"]["name"], self._gone))
            self._gone = None
        self._shared.metrics.controller_started(self._ref.namespace, self._ref.name)
        return None

    def _cannot_make(self, why: str, pod: str) -> float:
        """Tell it; seconds until it is tried again."""
        self._back_off()
        self.problem = Problem("ControllerFailed", why, pod, None)
        return self._not_before - self._shared.monotonic()

    async def _lost(self, pods: Sequence[Object]) -> None:
        """The pod that was spoken to is gone, or will never answer again."""
        assert self._pod is not None
        gone = next((pod for pod in pods if _uid(pod) == _uid(self._pod)), self._pod)
        _log.info("controller pod %s of %s is gone", gone["metadata"]["name"], self._ref.name)
        self._gone = _why(gone)
        if _uid(gone) == self._retired and self.problem is not None:
            self._gone = self.problem.message
        elif self._failures:
            self.problem = Problem("ControllerFailed", self._gone, gone["metadata"]["name"], None)
        self._back_off()
        self._pod, self._bare = None, True
        await self._line.hang_up()

    def _back_off(self) -> None:
        """The first one that is lost is replaced at once, those after it ever later, until one lasts."""
        delay = 0.0 if self._failures == 0 else min(_LONGEST_BACK_OFF, 0.5 * 2**self._failures)
        self._failures += 1
        self._not_before = self._shared.monotonic() + delay

    async def _delete(self, pod: Object) -> None:
        metadata = pod["metadata"]
        await self._shared.port.delete(POD, metadata["namespace"], metadata["name"], uid=metadata["uid"])

    async def _goes(self, pod: Object) -> bool:
        """Delete ``pod``; whether that is under way. Children go on meanwhile: an error is no pass's end."""
        try:
            await self._delete(pod)
        except ClusterError as error:
            message = f"it cannot be replaced: {error}"
            _log.warning("controller pod %s: %s", pod["metadata"]["name"], message)
            if isinstance(error, Rejected) and self.problem is None:
                self.problem = Problem("ControllerFailed", message, pod["metadata"]["name"], None)
            return False
        return True

    async def remove(self, pods: Sequence[Object]) -> None:
        """The search is over: no controller is needed any more."""
        for pod in filter(_is_controller, pods):
            if "deletionTimestamp" not in pod["metadata"] and not is_gone(pod):
                await self._delete(pod)
        self._pod, self._bare = None, True
        await self._line.hang_up()

    async def close(self) -> None:
        """Stop speaking to it; the pod stays."""
        await self._line.hang_up()

    # --- what its caller and its line hear ----------------------------------------------------------------------------

    def answered(self) -> None:
        """A call was answered; whether that lasts is seen in time (:meth:`ensure`)."""

    def unusable(self, error: ControllerError) -> None:
        """It may be dead, which the watch will say, or cut off: ask for its health until it answers or is replaced."""
        _log.info("controller of %s does not answer: %s", self._ref.name, error)
        self._cut_off = True
        self._wake()

    def cannot_go_on(self, refusal: ControllerRefused) -> None:
        """Another one would refuse as well; it is asked again, ever later, since somebody may mend it."""
        self._retire(f"the controller cannot go on: {refusal}")

    def silent(self) -> None:
        """It runs, and nobody hears of it."""
        self._retire(f"the controller runs and does not answer for {PATIENCE:.0f} s")

    def unforeseen(self, error: Exception) -> None:
        """A bug of ours, told with its stack; a new controller begins from the ledger."""
        _log.error("calling the controller of %s failed", self._ref.name, exc_info=error)
        self._retire(None)

    def _retire(self, problem: str | None) -> None:
        """Have the next pass replace it."""
        pod = "" if self._pod is None else str(self._pod["metadata"]["name"])
        if problem is not None:
            _log.warning("controller pod %s: %s; it is replaced", pod, problem)
            self.problem = Problem("ControllerFailed", problem, pod, None)
        self._failures = max(1, self._failures)
        if self._pod is not None:
            self._retired = _uid(self._pod)
        self._wake()


def _is_controller(pod: Object) -> bool:
    return bool(pod["metadata"].get("labels", {}).get(names.COMPONENT) == names.CONTROLLER)


def _number(pod: Object) -> int:
    last = str(pod["metadata"]["name"]).rpartition("-")[2]
    return int(last) if last.isdecimal() else 0


def _uid(pod: Object) -> str:
    return str(pod["metadata"]["uid"])


def _why(pod: Object) -> str:
    """What its container said when it ended, as far as the pod tells."""
    for status in pod.get("status", {}).get("containerStatuses", ()):
        ended = status.get("state", {}).get("terminated")
        if ended:
            said = str(ended.get("message") or ended.get("reason") or "").strip()
            return f"the controller ended with exit code {ended.get('exitCode')}: {said[-2000:]}"
    return f"controller pod {pod['metadata']['name']} was deleted or lost"

"""The loop of one search: accept the manifest, then pass after pass, whatever happens to it or around it."""

import asyncio
import contextlib
import logging

from archsearch.engine.ledger import LedgerError
from archsearch.operator.acceptance import Refused
from archsearch.operator.accepting import admit
from archsearch.operator.codec import LedgerObjectError
from archsearch.operator.leaving import leave
from archsearch.operator.port import SEARCH, ClusterError, Conflict, NotFound, Object, Rejected
from archsearch.operator.recording import LedgerMoved, SearchGone
from archsearch.operator.running import Running
from archsearch.operator.shared import SearchRef, Shared
from archsearch.operator.telling import Teller

_log = logging.getLogger(__name__)
_LONGEST_BACK_OFF = 30.0
_LEAVING = 2.0
"""Seconds until it is tried again what something else that is about to go stands in the way of."""
_SHORTEST = 0.01
"""Seconds between two passes: what has come in together is looked at together."""


class SearchLoop:
    """One search, from the moment it is seen until it is deleted or the operator ends.

    Events only wake it; a pass works from what is. An error of any kind is told, counted and tried again later: it
    never reaches another search.
    """

    def __init__(self, shared: Shared, ref: SearchRef, search: Object) -> None:
        self._shared = shared
        self._ref = ref
        self._object = search
        self._woken = asyncio.Event()
        self._woken_at: float | None = None
        self._last_pass = self._looked = shared.monotonic()
        self._failures = 0
        self._generation = -1
        """Generation of the manifest that was accepted last."""
        self._refused = -1
        """Generation of the manifest that was refused last, where none was accepted since."""
        self._retry = 0.0
        """When it is looked at again: what the cluster refuses today it may accept tomorrow."""
        self._running: Running | None = None
        self._teller: Teller | None = None

    @property
    def seconds_since_pass(self) -> float:
        """How long ago a pass ended, with an error or without."""
        return self._shared.monotonic() - self._last_pass

    def is_called(self, ref: SearchRef) -> bool:
        """Whether it is of a search of that name."""
        return (self._ref.namespace, self._ref.name) == (ref.namespace, ref.name)

    def wake(self) -> None:
        """Something has happened: look."""
        if self._woken_at is None:
            self._woken_at = self._shared.monotonic()
        self._woken.set()

    def update(self, search: Object) -> None:
        """The search has changed, or is being deleted; an echo of our own status wakes nobody."""
        turned = _turn(search) != _turn(self._object)
        self._object = search
        if turned:
            self.wake()

    async def run(self) -> None:
        """Pass after pass; returns once the search is gone, and is cancelled where the operator ends."""
        self.wake()
        try:
            wait: float | None = 0.0
            while wait is not None:
                await self._wait(wait)
                wait = await self._guarded()
        finally:
            await self._let_go()
            self._shared.pods.forget_all(self._ref.namespace, self._ref.uid)
            self._shared.metrics.forget(self._ref.namespace, self._ref.name)

    async def _let_go(self) -> None:
        """Forget what is known of the search in memory; everything in the cluster stays."""
        running, self._running = self._running, None
        self._generation = self._refused = -1
        if running is not None:
            await running.close()

    async def _wait(self, seconds: float) -> None:
        """Until something wakes it, or ``seconds`` are over, or the resync is due."""
        with contextlib.suppress(TimeoutError):
            # Not wait_for, which in Python 3.11 may miss a cancellation that comes together with the event.
            async with asyncio.timeout(min(seconds, self._shared.settings.resync)):
                await self._woken.wait()
        woken, self._woken_at = self._woken_at, None
        self._woken.clear()
        if woken is not None:
            self._shared.metrics.queued(self._shared.monotonic() - woken)

    async def _look_again(self) -> None:
        """Now and then the search itself is read: an event may have been missed, its status been edited."""
        if self._shared.monotonic() - self._looked < self._shared.settings.resync:
            return
        with contextlib.suppress(ClusterError):
            try:
                stored = await self._shared.port.get(SEARCH, self._ref.namespace, self._ref.name)
                self.update(stored)
                if self._teller is not None and stored["metadata"]["uid"] == self._ref.uid:
                    self._teller.found(stored)
            except NotFound:
                self._object = {"metadata": {"uid": ""}}
            self._looked = self._shared.monotonic()

    async def _guarded(self) -> float | None:
        """A pass, and the seconds until the next; None: the search is gone. Raises nothing but a cancellation."""
        begun, error = self._shared.monotonic(), None
        try:
            await self._look_again()
            wait = await self._pass()
            self._failures = 0
        except SearchGone:
            return None
        except LedgerMoved as moved:
            _log.info("%s/%s: %s", self._ref.namespace, self._ref.name, moved)
            wait = 0.5
        except ClusterError as failed:
            error, wait = type(failed).__name__, self._back_off()
            if isinstance(failed, Conflict):
                wait = min(wait, _LEAVING)
            _log.warning("%s/%s: %s; again in %.1f s", self._ref.namespace, self._ref.name, failed, wait)
        except (LedgerError, LedgerObjectError) as broken:
            error, wait = "LedgerBroken", self._back_off()
            await self._begin_anew(Refused("LedgerBroken", str(broken)))
        except Exception:
            error, wait = "Bug", self._back_off()
            _log.exception("%s/%s: a pass failed; again in %.1f s", self._ref.namespace, self._ref.name, wait)
        self._last_pass = self._shared.monotonic()
        self._shared.metrics.reconciled(self._ref.namespace, self._ref.name, self._last_pass - begun, error)
        return max(_SHORTEST, wait)

    async def _begin_anew(self, broken: Refused) -> None:
        """Memory and what is stored do not fit: say so; the next pass reads everything again, which may be mended."""
        _log.error("%s/%s: %s", self._ref.namespace, self._ref.name, broken.message)
        try:
            await self._let_go()
            self._shared.metrics.forget(self._ref.namespace, self._ref.name)  # the ledger is counted anew
            await self._tell_refused(broken)
        except Exception:
            _log.exception("%s/%s: it cannot be told: %s", self._ref.namespace, self._ref.name, broken.message)

    def _back_off(self) -> float:
        self._failures += 1
        return min(_LONGEST_BACK_OFF, 0.25 * 2.0 ** min(self._failures, 10))

    async def _pass(self) -> float:
        metadata = self._object["metadata"]
        if metadata["uid"] != self._ref.uid:
            raise SearchGone(self._ref.name)
        if "deletionTimestamp" in metadata:
            await leave(self._shared, self._ref)
            raise SearchGone(self._ref.name)
        generation = int(metadata.get("generation", 0))
        if generation != self._generation and (generation != self._refused or self._shared.monotonic() >= self._retry):
            refused = await self._take(self._object, generation)
            self._refused = -1 if refused is None else generation
            self._retry = self._shared.monotonic() + self._shared.settings.resync
            if refused is not None and self._running is not None:
                self._running.refuse(refused, generation)
            elif refused is not None:
                await self._tell_refused(refused)
        if self._running is None:
            return self._shared.settings.resync
        # One that runs goes on by its manifest before, where an edit of it is refused.
        wait = await self._running.step()
        return self._shared.settings.resync if wait is None else wait

    async def _take(self, object: Object, generation: int) -> Refused | None:
        """Accept a new or edited manifest; a search that was running goes on with it."""
        known = None if self._running is None else self._running.search
        admitted = await admit(self._shared, self._ref, object, known)
        if isinstance(admitted, Refused):
            return admitted
        teller = await self._known()
        if self._running is None:
            running = Running(self._shared, self._ref, admitted.search, generation, teller, self.wake)
            try:
                await running.open(admitted.warnings)
            except Rejected as error:
                await running.close()
                return Refused("Rejected", f"what the search needs cannot be made: {error}")
            except BaseException:
                await running.close()
                raise
            self._running = running
        else:
            self._running.edit(admitted.search, generation)
        self._generation = generation
        return None

    async def _known(self) -> Teller:
        """Who writes the status, with what has been written before."""
        if self._teller is None:
            try:
                stored = await self._shared.port.get(SEARCH, self._ref.namespace, self._ref.name)
            except NotFound:
                raise SearchGone(self._ref.name) from None
            if stored["metadata"]["uid"] != self._ref.uid:
                raise SearchGone(self._ref.name)
            self._teller = Teller(self._shared, self._ref, stored)
        return self._teller

    async def _tell_refused(self, refused: Refused) -> None:
        generation = int(self._object["metadata"].get("generation", 0))
        with contextlib.suppress(ClusterError, SearchGone):
            await (await self._known()).refused(refused, generation)


def _turn(search: Object) -> tuple[object, bool]:
    metadata = search["metadata"]
    return metadata.get("generation"), "deletionTimestamp" in metadata

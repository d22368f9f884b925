"""One operator acts at a time: a Lease, held and renewed, and given up in time by whoever cannot renew it.

The rules are client-go's (tools/leaderelection): nobody compares clocks. A waiting operator measures, by its own
monotonic clock, for how long the Lease has not changed; the holder measures how long ago it began its last renewal that
succeeded. A holder counts itself out at two thirds of the time after which anybody else may take over.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from archsearch.operator.port import (
    LEASE,
    AlreadyExists,
    ClusterError,
    ClusterPort,
    Conflict,
    NotFound,
    Object,
    Unavailable,
)
from archsearch.operator.sighting import Sighting, sight

log = logging.getLogger(__name__)

_GIVE_UP = 2 / 3
"""Share of the duration after which a holder that could not renew counts itself out."""


def _awake() -> float:
    """Seconds that go on while the machine sleeps (Linux): a laptop that wakes up must know how long it was away."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def _wall() -> datetime:
    return datetime.now(UTC)


class Lease:
    """A Lease of coordination.k8s.io. Rights needed: get, create and patch on it.

    `acquire` waits until it is ours, then it is renewed until `release`, or until it is `lost`. ``async with`` does
    both. It may be acquired again afterwards.
    """

    def __init__(
        self,
        port: ClusterPort,
        *,
        namespace: str,
        name: str,
        identity: str,
        duration: int = 15,
        period: float = 2.5,
        clock: Callable[[], float] = _awake,
        wall: Callable[[], datetime] = _wall,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """A Lease that is not held yet.

        Args:
            port: the cluster; one without `may_write`, or the Lease could not be taken.
            namespace: namespace of the Lease, which exists.
            name: its name.
            identity: who we are; no two processes at a time may have the same (a pod's name is good: its container
                restarts only after it has ended, and goes on at once as the holder that it was).
            duration: whole seconds of silence after which another may take over.
            period: seconds between two renewals, and between two looks while waiting.
            clock: seconds, monotonic.
            wall: the time, for the Lease's fields, which are for people.
            sleep: waits that many seconds.

        Raises:
            ValueError: the numbers leave no time for a second try before the Lease is lost.
        """
        if not 0 < 2 * period <= duration * _GIVE_UP:
            raise ValueError(f"lease: period {period} s must be above 0, and at most a third of duration {duration} s")
        if not identity:
            raise ValueError("lease: identity is empty")
        self.lost = asyncio.Event()
        """Set when it was held and could not be renewed in time, or somebody else has it."""
        self._port = port
        self._namespace, self._name, self._identity = namespace, name, identity
        self._duration, self._period = duration, period
        self._clock, self._wall, self._sleep = clock, wall, sleep
        self._version = ""
        self._renewed: float | None = None
        self._asked = False
        """Whether it may be ours without our knowing: whoever waited for the answer was cancelled, or none came."""
        self._renewing: asyncio.Task[None] | None = None

    @property
    def held(self) -> bool:
        """Whether it is ours, by the clock: also right when the process hung and ``lost`` could not be set yet."""
        return self._renewed is not None and self._clock() - self._renewed < self._limit and not self.lost.is_set()

    async def __aenter__(self) -> Self:
        await self.acquire()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.release()

    async def acquire(self) -> None:
        """Wait until the Lease is ours, for as long as that takes; errors are tried again.

        Raises:
            RuntimeError: it is held already.
        """
        if self._renewing is not None:
            raise RuntimeError("lease: acquired twice")
        self.lost.clear()
        sighting: Sighting | None = None
        said = ""
        while True:
            started = self._clock()
            try:
                async with asyncio.timeout(self._limit):
                    sighting = await self._try(sighting)
                state = f"held by {sighting.holder}" if sighting is not None else "taken by another"
            except (ClusterError, TimeoutError) as error:
                state = f"{error}" or "no answer in time"
            else:
                if sighting is not None and sighting.holder == self._identity:
                    break
            if state != said:
                log.info("lease %s/%s: waiting: %s", self._namespace, self._name, state)
                said = state
            await self._sleep(self._period * random.uniform(0.8, 1.2))
        self._renewed, self._asked = started, False
        log.info("lease %s/%s: held by %s", self._namespace, self._name, self._identity)
        self._renewing = asyncio.create_task(self._keep(), name="lease")

    async def release(self) -> None:
        """Stop renewing and, where it still is ours, empty it, so that another need not wait. Never raises for that."""
        task, self._renewing = self._renewing, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        held, self._renewed = self.held, None
        asked, self._asked = self._asked, False
        if not held and not asked:
            return
        try:
            async with asyncio.timeout(self._period):
                await self._give_back(surely=held)
        except (ClusterError, TimeoutError) as error:
            log.warning("lease %s/%s: not given back, it will expire: %s", self._namespace, self._name, error)

    async def _give_back(self, *, surely: bool) -> None:
        """Empty it where it is ours, which is asked where we are not sure of it, or of its version."""
        nobody = {"holderIdentity": ""}
        if surely:
            try:
                await self._patch(nobody)
                return
            except Conflict:
                pass  # a renewal was written for whose answer nobody has waited
        if await self._is_ours():
            await self._patch(nobody)

    async def _is_ours(self) -> bool:
        """Whether the API server says so; what comes after goes by the version that it has."""
        try:
            lease = await self._port.get(LEASE, self._namespace, self._name)
        except NotFound:
            return False
        self._version = lease["metadata"]["resourceVersion"]
        return bool((lease.get("spec") or {}).get("holderIdentity") == self._identity)

    @property
    def _limit(self) -> float:
        return self._duration * _GIVE_UP

    async def _try(self, before: Sighting | None) -> Sighting | None:
        """Look, and take it where that is allowed; how it stands then (None: another was faster)."""
        try:
            lease = await self._port.get(LEASE, self._namespace, self._name)
        except NotFound:
            return await self._create()
        sighting = sight(lease, before, self._clock())
        if not sighting.free_for(self._identity, self._clock()):
            return sighting
        self._version = lease["metadata"]["resourceVersion"]
        self._asked = True
        try:
            taken = await self._patch(
                {
                    "holderIdentity": self._identity,
                    "leaseDurationSeconds": self._duration,
                    "acquireTime": self._time(),
                    "renewTime": self._time(),
                    "leaseTransitions": sighting.transitions + (sighting.holder != self._identity),
                }
            )
        except Conflict:
            self._asked = False
            return None
        return sight(taken, sighting, self._clock())

    async def _create(self) -> Sighting | None:
        spec = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": self._duration,
            "acquireTime": self._time(),
            "renewTime": self._time(),
            "leaseTransitions": 0,
        }
        metadata = {"name": self._name, "namespace": self._namespace}
        self._asked = True
        try:
            made = await self._port.create(
                LEASE, {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": metadata, "spec": spec}
            )
        except AlreadyExists:
            self._asked = False
            return None
        self._version = made["metadata"]["resourceVersion"]
        return sight(made, None, self._clock())

    async def _keep(self) -> None:
        """Renew until it cannot be done in time."""
        try:
            while self.held:
                await self._sleep(self._period)
                await self._renew()
        finally:
            if self._renewing is not None:  # not cancelled by release()
                self.lost.set()

    async def _renew(self) -> None:
        """One renewal, and where the API server does not answer the next ones, until it worked or time is up."""
        while self.held:
            assert self._renewed is not None
            started = self._clock()
            try:
                async with asyncio.timeout(max(0.0, self._renewed + self._limit - started)):
                    if not await self._renewed_once():
                        log.error("lease %s/%s: somebody else has taken it", self._namespace, self._name)
                        self.lost.set()
                        return
            except (ClusterError, TimeoutError) as error:
                log.warning("lease %s/%s: not renewed: %s", self._namespace, self._name, str(error) or "too late")
                await self._sleep(self._period / 5)
                continue
            self._renewed = started
            return
        log.error("lease %s/%s: not renewed for %.0f s", self._namespace, self._name, self._limit)

    async def _renewed_once(self) -> bool:
        """Renew; whether it still is ours. A version that is not the newest is read again: a write that we took for
        failed may have happened."""
        try:
            await self._patch({"renewTime": self._time(), "holderIdentity": self._identity})
        except Conflict:
            lease = await self._port.get(LEASE, self._namespace, self._name)
            if (lease.get("spec") or {}).get("holderIdentity") != self._identity:
                return False
            self._version = lease["metadata"]["resourceVersion"]
            raise Unavailable("it was changed meanwhile") from None
        return True

    async def _patch(self, spec: dict[str, Any]) -> Object:
        patch = {"metadata": {"resourceVersion": self._version}, "spec": spec}
        changed = await self._port.patch(LEASE, self._namespace, self._name, patch)
        self._version = changed["metadata"]["resourceVersion"]
        return changed

    def _time(self) -> str:
        return self._wall().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

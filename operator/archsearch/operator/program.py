"""The operator's process: what runs beside what, in which order it begins, and in which it ends."""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Awaitable, Callable
from functools import partial

from archsearch.operator.cache import has_terminated_container
from archsearch.operator.client import KubernetesPort
from archsearch.operator.connecting import configuration_from, kubeconfig_file
from archsearch.operator.following import Following
from archsearch.operator.handlers import Login
from archsearch.operator.http_server import HttpServer
from archsearch.operator.lease import Lease
from archsearch.operator.metrics import Metrics
from archsearch.operator.port import JOB, POD, ClusterPort, Object
from archsearch.operator.retrying import Backoff
from archsearch.operator.searches import Searches
from archsearch.operator.settings import Settings
from archsearch.operator.shared import Shared
from archsearch.operator.trimming import trim_job, trim_pod
from archsearch.operator.watching import Watcher

_log = logging.getLogger(__name__)
LEASE_SECONDS = 30
"""Seconds of silence after which another operator may take over. The holder counts itself out after 20: an API server
that is away for ten, as while it is upgraded, makes nobody let go."""
STALE_PASS = 300.0
"""Seconds without a pass, ten times the resync's default, after which a loop counts as stuck."""
_SETTLED = 60.0
"""Seconds after which a tenure that ends by an error of ours is followed by the next one soon."""


class Operator:
    """One operator, from its first call to its last."""

    def __init__(
        self, settings: Settings, stop: asyncio.Event, wrap: Callable[[ClusterPort], ClusterPort] | None = None
    ) -> None:
        """An operator that has not begun; ``wrap`` puts something before the port by which searches are served."""
        self._wrap = wrap
        self._settings = settings
        self._stop = stop
        self._metrics = Metrics()
        self._lease: Lease | None = None
        self._shared: Shared | None = None
        self._searches: Searches | None = None
        self._following: Following | None = None
        self.port = 0
        """Port of its HTTP server, once it listens."""

    async def run(self) -> None:
        """Run until ``stop`` is set; where the Lease is lost, everything is let go and it is waited for anew.

        Raises:
            ClusterError: there is no way to the API server.
            OSError: the HTTP server's address cannot be listened on.
        """
        login = partial(configuration_from, kubeconfig_file(self._settings.kubeconfig), self._settings.context)
        configuration = await login()
        server = HttpServer(
            self._metrics.registry,
            self._health,
            self._ready,
            host=self._settings.http_host,
            port=self._settings.http_port,
        )
        async with (
            KubernetesPort(configuration, on_call=self._metrics.api_call) as free,
            KubernetesPort(configuration, on_call=self._metrics.api_call, may_write=self._may_write) as port,
        ):
            self.port = await server.start()
            try:
                # Its own port: the one that asks whether the Lease is held could never take it.
                self._lease = Lease(
                    free,
                    namespace=self._settings.lease_namespace,
                    name=self._settings.lease_name,
                    identity=self._settings.identity,
                    duration=LEASE_SECONDS,
                )
                await self._tenures(port if self._wrap is None else self._wrap(port), login)
            finally:
                await server.close()

    async def _tenures(self, port: ClusterPort, login: Login) -> None:
        """Hold the Lease and act, again and again, until it is time to stop."""
        assert self._lease is not None
        backoff = Backoff(first=1.0, factor=2.0, cap=30.0)
        while not self._stop.is_set():
            begun = time.monotonic()
            whole = await self._act(port, login)
            await self._lease.release()
            if whole or time.monotonic() - begun >= _SETTLED:
                backoff.reset()
            if not whole:
                await self._unless_stopped(asyncio.sleep(backoff.delay()))

    async def _act(self, port: ClusterPort, login: Login) -> bool:
        """Wait for the Lease, then look after searches until it is lost or it is time to stop.

        False: something of ours has ended that should not.
        """
        assert self._lease is not None
        if not await self._unless_stopped(self._lease.acquire()):
            return True
        self._metrics.lease(held=True)
        jobs, pods = self._watchers(port)
        self._shared = Shared(port, self._settings, jobs, pods, self._metrics)
        searches = self._searches = Searches(self._shared)
        following = self._following = Following(searches.seen, login, self._settings.namespaces)
        lost = asyncio.create_task(_until(self._lease.lost))
        stopped = asyncio.create_task(_until(self._stop))
        work: set[asyncio.Task[None]] = {
            asyncio.create_task(jobs.run(), name="the watch of Jobs"),
            asyncio.create_task(pods.run(), name="the watch of pods"),
            asyncio.create_task(_follow(jobs, pods, following), name="the watch of searches"),
        }
        try:
            await asyncio.wait({*work, lost, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if lost.done():
                _log.error("the Lease is lost: another operator may act; this one lets go of everything")
            broken = [task for task in work if task.done()]
            for task in broken:
                _log.error("%s has ended; everything is let go and begun anew", task.get_name(), exc_info=_error(task))
            return not broken
        finally:
            # Loops first: nothing is begun any more while kopf takes its time to close its watches.
            following.end()
            await searches.close()
            for task in (lost, stopped, *work):
                task.cancel()
            await asyncio.wait({lost, stopped, *work})
            # Its watches are dead: a probe that looked at them would have a standby restarted.
            self._shared = self._searches = self._following = None
            self._metrics.lease(held=False)

    def _watchers(self, port: ClusterPort) -> tuple[Watcher, Watcher]:
        def changed(namespace: str, uid: str, object: Object) -> None:
            if self._searches is not None:
                self._searches.wake(namespace, uid)

        spaces = self._settings.namespaces
        jobs = Watcher(port, JOB, trim=trim_job, changed=changed, namespaces=spaces)
        pods = Watcher(port, POD, trim=trim_pod, changed=changed, namespaces=spaces, keep=has_terminated_container)
        return jobs, pods

    async def _unless_stopped(self, work: Awaitable[object]) -> bool:
        """Do ``work`` unless it is time to stop before it is done; whether it was done."""
        doing: asyncio.Future[object] = asyncio.ensure_future(work)
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait((doing, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if doing.done():
            await doing
            return True
        doing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await doing
        return False

    # --- what probes ask ------------------------------------------------------------------------------------------

    def _may_write(self) -> bool:
        return self._lease is not None and self._lease.held

    def _health(self) -> tuple[bool, str]:
        if self._shared is None or self._searches is None:
            return True, "standing by"
        for watcher, what in ((self._shared.jobs, "Jobs"), (self._shared.pods, "pods")):
            if not watcher.alive:
                return False, f"the watch of {what} is stuck"
        if self._following is not None and self._following.down_for > STALE_PASS:
            return False, f"searches have not been watched for {self._following.down_for:.0f} s"
        oldest = self._searches.oldest_pass()
        if oldest > max(STALE_PASS, 10 * self._settings.resync):
            return False, f"a search has had no pass for {oldest:.0f} s"
        return True, f"{len(self._searches)} searches"

    def _ready(self) -> tuple[bool, str]:
        if self._lease is None:
            return False, "starting"
        return True, "active" if self._lease.held else "standing by: another operator holds the Lease"


async def _follow(jobs: Watcher, pods: Watcher, following: Following) -> None:
    """Begin with searches once it is known what they have."""
    await jobs.synced.wait()
    await pods.synced.wait()
    await following.run()


async def _until(event: asyncio.Event) -> None:
    await event.wait()


def _error(task: asyncio.Task[None]) -> BaseException | None:
    return None if task.cancelled() else task.exception()


async def run(settings: Settings) -> None:
    """Run an operator until SIGTERM or SIGINT. Raises as :meth:`Operator.run`."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await Operator(settings, stop).run()

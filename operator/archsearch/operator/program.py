"""The operator's process: what runs beside what, in which order it begins, and in which it ends."""

import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import kopf

from archsearch.operator.cache import has_terminated_container
from archsearch.operator.client import KubernetesPort
from archsearch.operator.connecting import configuration_from
from archsearch.operator.handlers import in_background, login_of, watch_searches
from archsearch.operator.http_server import HttpServer
from archsearch.operator.lease import Lease
from archsearch.operator.metrics import Metrics
from archsearch.operator.port import JOB, POD, Object
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

_KOPF_PATIENCE = 3.0
"""Seconds that kopf gets to close its watches; it only reads, so leaving it behind harms nothing."""


class Operator:
    """One operator, from its first call to its last."""

    def __init__(self, settings: Settings, stop: asyncio.Event) -> None:
        self._settings = settings
        self._stop = stop
        self._metrics = Metrics()
        self._lease: Lease | None = None
        self._shared: Shared | None = None
        self._searches: Searches | None = None
        self.port = 0
        """Port of its HTTP server, once it listens."""

    async def run(self) -> None:
        """Run until ``stop`` is set; where the Lease is lost, everything is let go and it is waited for anew.

        Raises:
            ClusterError: there is no way to the API server.
            OSError: the HTTP server's address cannot be listened on.
        """
        kubeconfig = _kubeconfig(self._settings)
        configuration = await configuration_from(kubeconfig, self._settings.context)
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
                while not self._stop.is_set():
                    await self._act(port, login_of(configuration))
                    await self._lease.release()
            finally:
                await server.close()

    async def _act(self, port: KubernetesPort, login: kopf.ConnectionInfo) -> None:
        """Wait for the Lease, then look after searches until it is lost or it is time to stop."""
        assert self._lease is not None
        if not await self._unless_stopped(self._lease.acquire()):
            return
        self._metrics.lease(held=True)
        jobs, pods = self._watchers(port)
        self._shared = Shared(port, self._settings, jobs, pods, self._metrics)
        self._searches = Searches(self._shared)
        watches = [asyncio.create_task(jobs.run()), asyncio.create_task(pods.run())]
        try:
            if await self._unless_stopped(asyncio.gather(jobs.synced.wait(), pods.synced.wait())):
                await self._watch_searches(login)
        finally:
            await self._searches.close()
            for watch in watches:
                watch.cancel()
            await asyncio.wait(watches)
            # Its watches are dead: a probe that looked at them would have a standby restarted.
            self._shared = self._searches = None
            self._metrics.lease(held=False)

    def _watchers(self, port: KubernetesPort) -> tuple[Watcher, Watcher]:
        def changed(namespace: str, uid: str, object: Object) -> None:
            if self._searches is not None:
                self._searches.wake(namespace, uid)

        spaces = self._settings.namespaces
        jobs = Watcher(port, JOB, trim=trim_job, changed=changed, namespaces=spaces)
        pods = Watcher(port, POD, trim=trim_pod, changed=changed, namespaces=spaces, keep=has_terminated_container)
        return jobs, pods

    async def _watch_searches(self, login: kopf.ConnectionInfo) -> None:
        """Run kopf until ``stop`` is set or the Lease is lost."""
        assert self._lease is not None
        assert self._searches is not None
        ended = threading.Event()
        loop, searches = asyncio.get_running_loop(), self._searches

        def seen(search: Object, deleted: bool) -> None:
            if not ended.is_set():
                loop.call_soon_threadsafe(searches.seen, search, deleted)

        watching = in_background(lambda: watch_searches(seen, login, self._settings.namespaces, ended))
        lost = asyncio.create_task(self._lease.lost.wait())
        stopped = asyncio.create_task(self._stop.wait())
        try:
            ends: tuple[asyncio.Future[Any], ...] = (watching, lost, stopped)
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if lost.done():
                _log.error("the Lease is lost: another operator may act; this one lets go of everything")
        finally:
            # Loops first: nothing is begun any more while kopf takes its time to close its watches.
            await self._searches.close()
            ended.set()
            lost.cancel()
            stopped.cancel()
            await asyncio.wait({lost, stopped})
        await asyncio.wait({watching}, timeout=_KOPF_PATIENCE)
        if watching.done():
            await watching
        else:
            _log.warning("kopf has not ended within %.0f s; it is left behind", _KOPF_PATIENCE)

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
        oldest = self._searches.oldest_pass()
        if oldest > max(STALE_PASS, 10 * self._settings.resync):
            return False, f"a search has had no pass for {oldest:.0f} s"
        return True, f"{len(self._searches)} searches"

    def _ready(self) -> tuple[bool, str]:
        if self._lease is None:
            return False, "starting"
        return True, "active" if self._lease.held else "standing by: another operator holds the Lease"


def _kubeconfig(settings: Settings) -> Path | None:
    """The kubeconfig to use: the one that was asked for, else the pod's own account, else the user's."""
    if settings.kubeconfig is not None:
        return Path(settings.kubeconfig)
    if "KUBERNETES_SERVICE_HOST" in os.environ and settings.context is None:
        return None
    return Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")


async def run(settings: Settings) -> None:
    """Run an operator until SIGTERM or SIGINT. Raises as :meth:`Operator.run`."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await Operator(settings, stop).run()

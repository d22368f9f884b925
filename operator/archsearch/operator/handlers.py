"""What kopf watches: searches, and nothing else. Its handlers only wake loops.

An event handler stores nothing, patches nothing and needs no finalizer: kopf's progress, its timers and its daemons
would write into resources that are not its own (docs/decisions). What an event says is a hint; passes read what is.
"""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import kopf
from kubernetes.aio.client.configuration import Configuration

from archsearch.operator import names
from archsearch.operator.port import ClusterError, Object

Seen = Callable[[Object, bool], None]
"""Told of a search, and whether it is deleted."""
Login = Callable[[], Awaitable[Configuration]]
"""Gives the way to the API server, with credentials as fresh as they are to be had."""
_PATIENCE = 0.5
"""Seconds that kopf gets to end by itself."""
_AGAIN = 0.2
"""Seconds after which a task that has not ended is cancelled once more."""
_LOGIN_PAUSE = 2.0
"""Seconds until a login is tried again for which there were no credentials: their file is just being replaced."""


def login_of(configuration: Configuration) -> kopf.ConnectionInfo:
    """kopf's way to the API server, the same as ours.

    It has no expiration: what the API server refuses (401) is asked for again, and kopf ends where it then gets the
    same once more. With a time that is another one each time nothing would ever be the same, and it would go on
    asking as fast as it is answered.
    """
    scheme, _, token = str((configuration.api_key or {}).get("BearerToken", "")).partition(" ")
    return kopf.ConnectionInfo(
        server=str(configuration.host),
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        scheme=scheme if token else None,
        token=token.strip() or None,  # a token's file may end with a newline
    )


def watch_searches(
    seen: Seen,
    login: Login,
    namespaces: tuple[str, ...],
    stop: threading.Event,
) -> None:
    """Run kopf until ``stop`` is set; ``seen`` is told of each event: the search, and whether it is deleted.

    To be called in a thread of its own. kopf must own its event loop: when it ends it cancels whatever else has begun
    there, and in the main thread it takes the process's signals.
    """
    asyncio.run(_run(registry(seen, login), namespaces, stop))


async def _run(handlers: kopf.OperatorRegistry, namespaces: tuple[str, ...], stop: threading.Event) -> None:
    """kopf until ``stop``. It cancels its tasks once and waits for them for ever; one that has missed its cancellation
    (Python 3.11 loses some that come as a timeout ends) would go on watching."""
    insisting = asyncio.create_task(_insist(stop))  # before kopf: it ends whatever began after it
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await kopf.operator(
                registry=handlers,
                clusterwide=not namespaces,
                namespaces=namespaces,
                standalone=True,
                stop_flag=stop,
            )
    finally:
        stop.set()  # also where kopf ended by itself: threads of the executor wait for it, and asyncio.run for them
        insisting.cancel()
        while others := asyncio.all_tasks() - {_current()}:
            _cancel(others)
            await asyncio.wait(others, timeout=_AGAIN)
        await asyncio.sleep(_AGAIN)  # connections that are closing need a moment more of their loop


async def _insist(stop: threading.Event) -> None:
    await asyncio.to_thread(stop.wait)
    await asyncio.sleep(_PATIENCE)
    while True:
        _cancel(asyncio.all_tasks() - {_current()})
        await asyncio.sleep(_AGAIN)


def _cancel(tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()


def _current() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


def registry(seen: Seen, login: Login) -> kopf.OperatorRegistry:
    """Handlers of one operator, in a registry of their own: several operators can run in one process."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)  # type: ignore[untyped-decorator, unused-ignore]
    async def connect(**_: Any) -> kopf.ConnectionInfo:
        try:
            return login_of(await login())
        except ClusterError as error:
            raise kopf.TemporaryError(str(error), delay=_LOGIN_PAUSE) from error

    @kopf.on.startup(registry=handlers)  # type: ignore[untyped-decorator, unused-ignore]
    async def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.posting.enabled = False
        settings.scanning.disabled = True
        settings.peering.standalone = True
        settings.networking.request_timeout = 30
        settings.watching.server_timeout = 240
        settings.watching.client_timeout = 270
        settings.watching.reconnect_backoff = 0.5

    @kopf.on.event("archsearch.io", "v1alpha1", names.SEARCHES, registry=handlers)  # type: ignore[untyped-decorator, unused-ignore]
    async def changed(event: kopf.RawEvent, **_: Any) -> None:
        seen(dict(event["object"]), event["type"] == "DELETED")

    return handlers

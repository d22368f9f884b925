"""What kopf watches: searches, and nothing else. Its handlers only wake loops.

An event handler stores nothing, patches nothing and needs no finalizer: kopf's progress, its timers and its daemons
would write into resources that are not its own (docs/decisions). What an event says is a hint; passes read what is.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

import kopf
from kubernetes.aio.client.configuration import Configuration

from archsearch.operator import names
from archsearch.operator.port import Object

_PATIENCE = 0.5
"""Seconds that kopf gets to end by itself."""
_AGAIN = 0.2
"""Seconds after which a task that has not ended is cancelled once more."""


def login_of(configuration: Configuration) -> kopf.ConnectionInfo:
    """kopf's way to the API server, the same as ours."""
    scheme, _, token = str((configuration.api_key or {}).get("BearerToken", "")).partition(" ")
    return kopf.ConnectionInfo(
        server=str(configuration.host),
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        scheme=scheme if token else None,
        token=token or None,
    )


def in_background(work: Callable[[], None]) -> asyncio.Future[None]:
    """Do ``work`` in a thread of its own; its end, or its error, is the future's.

    No executor's thread: nobody waits for it where the process ends, nor where it does not end when it should.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        error: BaseException | None = None
        try:
            work()
        except BaseException as raised:  # kopf ends by SystemExit as well
            error = RuntimeError(f"kopf ended: {raised!r}") if not isinstance(raised, Exception) else raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            loop.call_soon_threadsafe(settle, error)

    threading.Thread(target=run, name="kopf", daemon=True).start()
    return done


def watch_searches(
    seen: Callable[[Object, bool], None],
    login: kopf.ConnectionInfo,
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


def registry(seen: Callable[[Object, bool], None], login: kopf.ConnectionInfo) -> kopf.OperatorRegistry:
    """Handlers of one operator, in a registry of their own: several operators can run in one process."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)  # type: ignore[untyped-decorator, unused-ignore]
    async def connect(**_: Any) -> kopf.ConnectionInfo:
        return login

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

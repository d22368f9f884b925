"""Which searches there are, as kopf's watch tells it: kopf in a thread of its own, started anew where it ends."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from archsearch.operator.handlers import Login, Seen, watch_searches
from archsearch.operator.port import Object
from archsearch.operator.retrying import Backoff

_log = logging.getLogger(__name__)
_PATIENCE = 3.0
"""Seconds that kopf gets to close its watches; it only reads, so leaving it behind harms nothing."""
_SETTLED = 10.0
"""Seconds after which a kopf that was started counts as one that works."""


class Following:
    """Tells of every search that is there, has changed or has gone, until it is ended."""

    def __init__(
        self,
        seen: Seen,
        login: Login,
        namespaces: tuple[str, ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """One that has not begun.

        Args:
            seen: told of each event, in the event loop of `run`: the search, and whether it is deleted. After a new
                start it is told of every search again.
            login: kopf's way to the API server; asked again, from kopf's thread, whenever that refuses the credentials.
            namespaces: where to look; empty: everywhere.
            clock: seconds, monotonic.
        """
        self._seen = seen
        self._login = login
        self._namespaces = namespaces
        self._clock = clock
        self._well = clock()
        """When a kopf that worked was last there."""
        self._began: float | None = None
        self._backoff = Backoff(first=0.5, factor=2.0, cap=30.0)
        self._ending = asyncio.Event()

    @property
    def down_for(self) -> float:
        """Seconds without a kopf that works; 0 where there is one. One that ends again and again does not work."""
        now = self._clock()
        return 0.0 if self._began is not None and now - self._began >= _SETTLED else now - self._well

    def end(self) -> None:
        """Tell nobody of anything any more, and let `run` return soon."""
        self._ending.set()

    async def run(self) -> None:
        """Until `end` is called; kopf gets a few seconds then."""
        ending = asyncio.create_task(self._ending.wait())
        try:
            while not self._ending.is_set():
                await self._once(ending)
                await asyncio.wait({ending}, timeout=self._backoff.delay())
        finally:
            self._ending.set()
            ending.cancel()
            await asyncio.wait({ending})

    async def _once(self, ending: asyncio.Future[Any]) -> None:
        """One kopf, until it ends or is to end."""
        stop = threading.Event()
        loop = asyncio.get_running_loop()

        def hand_over(search: Object, deleted: bool) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: this kopf was left behind
                loop.call_soon_threadsafe(self._tell, search, deleted)

        self._began = self._clock()
        kopf = in_background(partial(watch_searches, hand_over, self._login, self._namespaces, stop))
        try:
            await asyncio.wait((kopf, ending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.set()
            if self.down_for == 0:
                self._well = self._clock()
                self._backoff.reset()
            self._began = None
            if kopf.done():
                _log.error("kopf has ended by itself; it is started again", exc_info=kopf.exception())
            else:
                await self._patiently(kopf)

    async def _patiently(self, kopf: asyncio.Future[None]) -> None:
        await asyncio.wait({kopf}, timeout=_PATIENCE)
        if not kopf.done():
            _log.warning("kopf has not ended within %.0f s; it is left behind", _PATIENCE)
        elif kopf.exception() is not None:
            _log.warning("kopf has ended with an error", exc_info=kopf.exception())

    def _tell(self, search: Object, deleted: bool) -> None:
        if not self._ending.is_set():
            self._seen(search, deleted)


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

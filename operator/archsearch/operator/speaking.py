"""Speaking to a controller pod: once it runs the way to it is found, and it is asked until it answers."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from archsearch.calling import Caller
from archsearch.controller_client import ControllerClient, ControllerError
from archsearch.operator.port import Object
from archsearch.operator.reaching import Reach, reach
from archsearch.operator.shared import Shared

_log = logging.getLogger(__name__)
PATIENCE = 120.0
"""Seconds that a running controller may take until it answers; PyTorch takes some of them to be imported."""


class Listener(Protocol):
    """Who hears that there will be no answer; it hangs up, as it does with every pod that it gives up."""

    def silent(self) -> None:
        """It has been running for :data:`PATIENCE` seconds and does not answer."""
        ...

    def unforeseen(self, error: Exception) -> None:
        """Something that nobody has thought of."""
        ...


class Line:
    """Connects a Caller with one controller pod at a time, until it is hung up."""

    def __init__(
        self, shared: Shared, token: str, caller: Caller, listener: Listener, wake: Callable[[], None]
    ) -> None:
        self._shared = shared
        self._token = token
        self._caller = caller
        self._listener = listener
        self._wake = wake
        self._reach: Reach | None = None
        self._client: ControllerClient | None = None
        self._connecting: asyncio.Task[None] | None = None
        self.up_since: float | None = None
        """When the controller that is spoken to first answered."""

    def connect_once_it_runs(self, pod: Object) -> None:
        """Begin to ask ``pod`` for its health, where it runs and nothing has begun since it was hung up."""
        status = pod.get("status", {})
        running = any("running" in state.get("state", {}) for state in status.get("containerStatuses", ()))
        if running and status.get("podIP") and self._client is None and self._connecting is None:
            self._connecting = asyncio.create_task(self._connect(pod))

    async def _connect(self, pod: Object) -> None:
        deadline = self._shared.monotonic() + PATIENCE
        pause = 0.1
        try:
            while self._shared.monotonic() < deadline:
                if await self._answers(pod):
                    return
                await asyncio.sleep(pause)
                pause = min(1.0, pause * 1.5)
            self._listener.silent()
        except Exception as error:
            self._listener.unforeseen(error)
        finally:
            self._connecting = None
            self._wake()

    async def _answers(self, pod: Object) -> bool:
        try:
            self._reach = self._reach or await reach(pod, self._shared.settings)
            self._client = self._client or ControllerClient(self._reach.url, self._token)
            await self._caller.connect(self._client)
        except (ControllerError, OSError) as error:
            _log.debug("controller pod %s does not answer yet: %s", pod["metadata"]["name"], error)
            if self._reach is not None and not self._reach.open:
                await self._let_go()  # the next try finds another way
            return False
        self.up_since = self._shared.monotonic()
        return True

    async def hang_up(self) -> None:
        """Give the way up and cut off what is under way: a dead pod's address answers nothing at all."""
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait({self._connecting})
        await self._let_go()

    async def _let_go(self) -> None:
        # Both at once: whoever connects while these are being closed begins with new ones.
        client, self._client = self._client, None
        found, self._reach = self._reach, None
        self.up_since = None
        try:
            await self._caller.close()
            await self._caller.disconnect()
            if client is not None:
                await client.close()
        finally:
            if found is not None:
                await found.close()

"""How the parts of a stand-in tell each other that something has changed."""

import asyncio
from collections.abc import Callable


class Bulletin:
    """Wakes everybody who waits whenever something has changed; keeps what went wrong."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self._changed = asyncio.Event()

    def notify(self) -> None:
        """Something has changed."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def fail(self, error: Exception) -> None:
        """Something has gone wrong that no test has asked for."""
        self.errors.append(error)
        self.notify()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until ``holds``; it is asked again at every change."""
        while not holds():
            await self._changed.wait()

    async def woken(self, seconds: float | None = None) -> None:
        """Wait for the next change, or for ``seconds``."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            pass

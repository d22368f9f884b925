"""How long a search has been active: the clock of ``trials.deadline``, which a kill must not turn back far."""

import time
from collections.abc import Callable

from archsearch.local.store import Store

KEEP_EVERY = 30.0
"""Active seconds after which the time is written though nothing else is: what a kill -9 can forget at most."""


class ActiveTime:
    """Seconds of all runs of a search so far; counts from its making."""

    def __init__(self, store: Store, before: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        """``before``: seconds of the earlier runs."""
        self._store = store
        self._before = before
        self._kept = before
        self._clock = clock
        self._began = clock()

    @property
    def seconds(self) -> float:
        """Up to now."""
        return self._before + self._clock() - self._began

    def keep(self) -> None:
        """Write it if it was last written here more than KEEP_EVERY ago."""
        if self.seconds - self._kept >= KEEP_EVERY:
            self.write()

    def write(self) -> None:
        """Write it."""
        self._kept = self.seconds
        self._store.write(kinds=(), active_seconds=self._kept)

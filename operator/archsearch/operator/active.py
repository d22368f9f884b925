"""Time that a search has been active, by a clock that never jumps."""

from collections.abc import Callable


class ActiveTime:
    """Adds up the time between :meth:`run` with True and with False; what earlier operators counted comes in."""

    def __init__(self, clock: Callable[[], float], so_far: float) -> None:
        self._clock = clock
        self._so_far = so_far
        self._since: float | None = None

    def run(self, active: bool) -> None:
        """From now on time counts, or does not."""
        if active and self._since is None:
            self._since = self._clock()
        elif not active and self._since is not None:
            self._so_far = self.seconds
            self._since = None

    @property
    def seconds(self) -> float:
        """Time so far."""
        return self._so_far + (0.0 if self._since is None else self._clock() - self._since)

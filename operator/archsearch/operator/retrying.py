"""How long to wait before trying again: soon at first, later in proportion to how long it has not worked."""

import random
from dataclasses import dataclass, field


@dataclass
class Backoff:
    """Growing delays with jitter, for one thing that is tried again and again.

    Each delay is about a sixth of the time that it has not worked for (``factor`` 1.2 makes it so), so
    that an API server that comes back after ten seconds is found within two or three, and one that stays away is asked
    every ``cap`` seconds. Delays are seconds.
    """

    first: float = 0.1
    factor: float = 1.2
    cap: float = 5.0
    jitter: float = 0.2
    """Share by which a delay is shortened or lengthened at random: many that failed together do not return together."""
    draws: random.Random = field(default_factory=random.Random)
    _next: float = field(default=0.0, init=False)

    def delay(self) -> float:
        """The next delay."""
        base = min(self.cap, self._next or self.first)
        self._next = base * self.factor
        return base * self.draws.uniform(1 - self.jitter, 1 + self.jitter)

    def reset(self) -> None:
        """It worked: the next delay is the first one again."""
        self._next = 0.0

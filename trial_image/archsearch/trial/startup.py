"""When a child was born, how long it took to its first training step, and when it reported."""

import os
import time
from pathlib import Path

FORKED_VARIABLE = "ARCHSEARCH_FORKED_NS"
"""time.monotonic_ns() at the fork, where a warm parent started the child."""

_imported_ns = time.monotonic_ns()


class Clock:
    """Times of one training, in seconds."""

    def __init__(self) -> None:
        self.startup = 0.0
        """From the birth of the process to the first training step."""
        self._training_ns = 0

    def training_starts(self) -> None:
        """The first batch is about to be trained."""
        self._training_ns = time.monotonic_ns()
        self.startup = max(0.0, (self._training_ns - born_ns()) / 1e9)

    def since_training(self) -> float:
        """Seconds of training so far, validation included; never 0."""
        return max(time.monotonic_ns() - self._training_ns, 1) / 1e9


def lifetime() -> tuple[int, int]:
    """Birth of this process and now, in nanoseconds since 1970 by the system's clock.

    Both are read off one moment, so a clock that is set meanwhile never makes the birth later than the end.
    """
    now = time.time_ns()
    return max(0, now - max(0, time.monotonic_ns() - born_ns())), now


def born_ns() -> int:
    """Birth of this process on the scale of time.monotonic_ns()."""
    forked = os.environ.get(FORKED_VARIABLE, "")
    if forked.isdecimal():
        return int(forked)
    return _process_started_ns() or _imported_ns


def _process_started_ns() -> int | None:
    """Start of the process as Linux has it, to a hundredth of a second; None elsewhere."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    # Field 22 of proc(5), the 20th after the name, counts clock ticks since boot, suspension included.
    since_boot = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot
    return time.monotonic_ns() - int(age * 1e9)

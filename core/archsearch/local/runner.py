"""Who trains children: the seam between the loop and the processes (or, for benchmarks, the call) that do."""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from archsearch.local.folder import Attempt
from archsearch.report import LIMIT
from archsearch.warm_contract import StartChild


@dataclass(frozen=True)
class Running:
    """The attempt has not ended."""

    seconds: float
    """Time since its process was started; 0 while it waits for that."""
    stopping: bool


@dataclass(frozen=True)
class Ended:
    """The attempt has ended."""

    exit_code: int
    report: bytes | None
    seconds: float
    reason: str | None = None
    """The reason of the stop that ended it."""
    cpu_seconds: float = 0.0
    """User and system time that it used."""


Status = Running | Ended
"""Where an attempt stands."""


class Runner(Protocol):
    """Trains children. Calls of ``wake`` tell the loop that a status has changed."""

    async def open(self, wake: Callable[[], None]) -> None:
        """Get ready; may return before it is."""
        ...

    async def start(self, request: StartChild) -> None:
        """Start an attempt. Raises ProcessFailedError when nothing can be started any more."""
        ...

    async def stop(self, name: str, reason: str) -> None:
        """End an attempt; asked again it does nothing."""
        ...

    def status(self, name: str, files: Attempt) -> Status | None:
        """Where the attempt ``name``, with these files, stands; None: nobody knows, it is lost."""
        ...

    async def close(self) -> None:
        """End every attempt and give everything back."""
        ...


def read_report(path: Path) -> bytes | None:
    """The first LIMIT + 1 bytes of a report, None if there is none.

    A child may have put anything there: a directory, a link, a pipe that would block. Only a plain file counts.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(LIMIT + 1)
    finally:
        os.close(descriptor)


def read_end(path: Path, size: int) -> bytes:
    """The last ``size`` bytes of a file; nothing where it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size))
            return file.read(size)
    except OSError:
        return b""

"""The folder's lock: one run at a time; the kernel releases it when its holder dies, however it dies."""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from archsearch.local.errors import FolderError, FolderInUseError
from archsearch.local.refusals import refusals

LOCK = "lock"
_TRIES = 6
_PAUSE = 0.02
"""Seconds between two tries: whoever only looks who holds the lock (:func:`holder`) has let go of it by then."""


class FolderLock:
    """Holds ``folder/lock`` while the context lasts.

    Raises:
        FolderInUseError: another process holds it; the message names its pid.
        FolderError: the system refuses the file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        with refusals(f"{self._folder} cannot be locked", FolderError):
            descriptor = os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                self._take(descriptor)
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            except BaseException:
                os.close(descriptor)
                raise
        self._descriptor = descriptor
        return self

    def _take(self, descriptor: int) -> None:
        for left in reversed(range(_TRIES)):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if not left:
                    holder = _pid(descriptor) or "unknown"
                    raise FolderInUseError(
                        f"{self._folder} is in use by another run (pid {holder}); "
                        "wait for it, or give another folder with --out"
                    ) from error
                time.sleep(_PAUSE)
            else:
                return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            # The file stays: removing it would let a second holder lock a file that a third can no longer see.
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


def holder(folder: Path) -> int | None:
    """Process id of the run that holds ``folder``, None if nobody does.

    A run empties the file when it ends, so only one that names a process must be tested, by a shared lock that lasts
    for an instant: a run that starts in that instant tries again.
    """
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        pid = _pid(descriptor)
        if pid is not None:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return pid
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None


def _pid(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
    return int(text) if text.isdigit() else None

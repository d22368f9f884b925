"""What the system refuses (a full disk, no right to write, no memory), in a sentence that says what to do."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from archsearch.local.errors import LocalError

_SPACE = "free some space there"
_RIGHT = "give this user the right to write there, or give another folder with --out"
_REMEDIES = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EACCES: _RIGHT,
    errno.EPERM: _RIGHT,
    errno.EROFS: _RIGHT,
    errno.ENOENT: _RIGHT,
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "close other programs: the system has too many open files",
    errno.ENOMEM: "free some memory, or train fewer children at a time (spec.trials.parallelism)",
    errno.EAGAIN: "end other programs, or raise the limit on processes (ulimit -u)",
    errno.EISDIR: "remove the folder that is in its place",
    errno.ENOTDIR: "remove the file that is in its place",
    errno.EEXIST: "remove what is in its place",
}
_TRANSIENT = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)
_SQLITE = {
    sqlite3.SQLITE_FULL: _SPACE,
    sqlite3.SQLITE_IOERR: "look whether the disk is full or broken",
    sqlite3.SQLITE_READONLY: _RIGHT,
    sqlite3.SQLITE_CANTOPEN: _RIGHT,
    sqlite3.SQLITE_PERM: _RIGHT,
    sqlite3.SQLITE_NOMEM: _REMEDIES[errno.ENOMEM],
    sqlite3.SQLITE_BUSY: "end the other program that has it open",
    sqlite3.SQLITE_LOCKED: "end the other program that has it open",
}
_GOES_ON = "then the same command goes on"


class MachineError(LocalError):
    """The system refuses what a run needs; the ledger is safe, and the same command goes on once that is mended."""


@contextmanager
def refusals(what: str, kind: type[LocalError] = MachineError) -> Iterator[None]:
    """Tell what the system refuses within: of what, why, and what to do about it.

    Raises:
        LocalError: of the given kind, in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise kind(f"{what}: {refusal(error)}") from error


def refusal(error: OSError) -> str:
    """Why the system refused, where, and what to do."""
    remedy = _REMEDIES.get(error.errno or 0, "mend it")
    return f"{error}; {remedy}, {_GOES_ON}"


def passes(error: OSError) -> bool:
    """Whether trying again may help: something has run out that others may give back."""
    return error.errno in _TRANSIENT


def database_remedy(error: sqlite3.Error) -> str | None:
    """What to do where the system refused SQLite something; None where the file itself is what is wrong."""
    # An extended code keeps its primary one in the lowest byte; errors of the module itself have none.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    remedy = _SQLITE.get(code)
    return None if remedy is None else f"{remedy}, {_GOES_ON}"

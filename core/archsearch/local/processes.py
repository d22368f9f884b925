"""Starting a program that must not outlive this one, and telling why it died."""

import asyncio
import contextlib
import ctypes
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from archsearch.local.errors import SpawnError
from archsearch.local.refusals import passes, refusal

_PR_SET_PDEATHSIG = 1
_TAIL = 2000
_MISSING = re.compile(r"No module named '?([\w.]+)'?")


async def spawn(
    command: Sequence[str],
    *,
    what: str,
    log: Path,
    environment: Mapping[str, str] | None = None,
    orphan_signal: int = signal.SIGKILL,
) -> asyncio.subprocess.Process:
    """Start ``command`` with pipes for stdin and stdout, stderr appended to ``log``, in a session of its own.

    A session of its own keeps a terminal's Ctrl-C from it: this process decides when it ends. It ends when its stdin
    closes; on Linux the kernel also sends ``orphan_signal`` when this process dies.

    Raises:
        SpawnError: the system refuses it, or its log; the message calls it ``what``.
    """
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab", buffering=0) as stderr:
            # What an earlier process said last must not be taken for the end of this one.
            stderr.write(f"--- {datetime.now(UTC).isoformat(timespec='seconds')} start\n".encode())
            return await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
                preexec_fn=_dies_with_parent(orphan_signal),
            )
    except OSError as error:
        raise SpawnError(f"{what} cannot be started: {refusal(error)}", passes=passes(error)) from error
    except subprocess.SubprocessError as error:
        raise SpawnError(f"{what} cannot be started: {error}", passes=False) from error


def _dies_with_parent(orphan_signal: int) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def in_child() -> None:
        prctl(_PR_SET_PDEATHSIG, int(orphan_signal), 0, 0, 0)
        if os.getppid() != parent:  # it died before the kernel knew that we want to follow it
            os._exit(1)

    return in_child


async def end(process: asyncio.subprocess.Process, *, patience: float) -> None:
    """End a process: close its stdin, and kill it if it is still there after ``patience`` seconds."""
    if process.stdin is not None:
        process.stdin.close()
        with contextlib.suppress(ConnectionError):
            await process.stdin.wait_closed()
    try:
        await asyncio.wait_for(process.wait(), patience)
    except TimeoutError:
        kill(process)
        await process.wait()


def kill(process: asyncio.subprocess.Process) -> None:
    """Kill a process unless it has been reaped.

    Not by ``process.kill()``: that polls first, and what it reaps there is lost to asyncio (exit code 255).
    """
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def tail(log: Path) -> str:
    """The last lines of a log, to end a message with; nothing where there are none."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _TAIL))
            text = file.read().decode("utf-8", "replace").strip()
    except OSError:
        return ""
    return f"; the end of {log}:\n{text}" if text else ""


def missing_extra(log: Path) -> str:
    """What to install, where the last line of a process's log says that a module is missing; else nothing."""
    lines = tail(log).splitlines()
    found = _MISSING.search(lines[-1]) if lines else None
    if found is None:
        return ""
    remedy = "pip install 'archsearch[controller,trial]', then the same command goes on"
    return f"\n{found[1]} is not installed here: {remedy}"


def how(returncode: int | None) -> str:
    """How a process ended, in words."""
    if returncode is None:
        return "has not ended"
    if returncode >= 0:
        return f"ended with exit code {returncode}"
    known = {member.value for member in signal.Signals}
    return f"was killed by {signal.Signals(-returncode).name if -returncode in known else f'signal {-returncode}'}"

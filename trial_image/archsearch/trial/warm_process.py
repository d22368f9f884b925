"""What happens between the fork and the trial: the child's side of the warm process.

A child is bound to the life of the warm process. The default trial program has no processes of its own, so on Linux
the kernel's parent-death signal suffices. Elsewhere, and for a person's own command (which may start more processes),
a guard stands between: it waits for the command and for a pipe whose other end the warm process alone holds; when that
end closes, the whole process group is killed.
"""

import ctypes
import os
import resource
import select
import shutil
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

NOT_STARTED = 126
"""Exit code of a child that could not even begin (its log says why), as shells have it."""
NOT_FOUND = 127
"""Exit code where the command does not exist."""
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Lifeline:
    """A pipe whose writing end the warm process alone holds: it closes with it, however it ends."""

    reader: int
    writer: int

    @classmethod
    def open(cls) -> "Lifeline":
        """A new lifeline; neither end survives an exec."""
        return cls(*os.pipe())


class DeathSignal:
    """The parent-death signal of Linux (prctl(2)); prepared before the fork, for loading a library forks badly."""

    def __init__(self, wanted: bool = True) -> None:
        """``wanted`` False: do without, as on a platform that lacks it."""
        self._prctl = ctypes.CDLL(None, use_errno=True).prctl if wanted and sys.platform == "linux" else None

    @property
    def available(self) -> bool:
        """Whether this platform has it."""
        return self._prctl is not None

    def bind(self, parent: int) -> None:
        """Die by SIGKILL when ``parent``, the calling process's parent, ends; also if it already has."""
        if self._prctl is None:
            return
        if self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
        if os.getppid() != parent:
            os._exit(NOT_STARTED)


def enter(log: str, folder: str) -> None:
    """Send stdout and stderr to ``log`` (appended), read nothing, work in ``folder``.

    Raises:
        OSError: naming the log or the folder.
    """
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    source = os.open(os.devnull, os.O_RDONLY)
    for number, target in ((source, 0), (sink, 1), (sink, 2)):
        os.dup2(number, target)
    for number in (source, sink):
        if number > 2:
            os.close(number)
    os.chdir(folder)


def execute(command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Become ``command``, found on the environment's PATH; when it cannot be started say so and exit 126 or 127."""
    program = shutil.which(command[0], path=environment.get("PATH"))
    if program is None:
        found = Path(command[0]).is_file()
        problem = "is not executable: chmod +x it" if found else "is not found: give a path, or a program on PATH"
        _say(f"command {command[0]!r} {problem}")
        os._exit(NOT_STARTED if found else NOT_FOUND)
    try:
        os.execve(program, [*command], dict(environment))  # noqa: S606
    except OSError as error:
        _say(f"command {command[0]!r} cannot be started: {error.strerror}")
    os._exit(NOT_STARTED)


def guard(work: Callable[[], NoReturn], lifeline: Lifeline, death: DeathSignal) -> NoReturn:
    """Do ``work`` in a child of this process, end as it ends, and kill the process group when the lifeline closes.

    SIGTERM reaches the group as a whole: the guard leaves it to the work and waits.
    """
    reader, writer = os.pipe()
    me = os.getpid()
    # Held back over the fork, so that none is lost between the two.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    worker = os.fork()
    if worker == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        for number in (reader, writer, lifeline.reader):
            os.close(number)
        death.bind(me)
        work()
    if signal.SIGTERM in signal.sigpending():
        os.kill(worker, signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(_not_blocking(writer))
    while True:
        ended, status = os.waitpid(worker, os.WNOHANG)
        if ended:
            _end_as(status)
        readable, _, _ = select.select([reader, lifeline.reader], [], [])
        if lifeline.reader in readable:
            os.killpg(0, signal.SIGKILL)
        if reader in readable:
            os.read(reader, 4096)


def _end_as(status: int) -> NoReturn:
    """End as the process with this wait status has ended, by the same signal if it was one."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        # The worker has dumped core where it should; a second dump would only overwrite it.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 128 - code)


def _not_blocking(descriptor: int) -> int:
    os.set_blocking(descriptor, False)
    return descriptor


def _say(text: str) -> None:
    os.write(2, f"{text}\n".encode(errors="replace"))

"""How the warm process starts a child: the fork, and who the child becomes."""

import contextlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

from archsearch.report import REPORT_VARIABLE, TRIAL_FILE_VARIABLE, TRIAL_VARIABLE
from archsearch.trial.startup import FORKED_VARIABLE
from archsearch.trial.warm_process import NOT_STARTED, DeathSignal, Lifeline, enter, execute, guard
from archsearch.warm_contract import StartChild

_LONGEST_VARIABLE = 100_000
"""Bytes: Linux allows 128 KiB to one variable of an exec'd program; longer inputs go by file."""


@dataclass(frozen=True)
class Starter:
    """How children are started."""

    environment: dict[str, str]
    """The environment that the warm process was given, before it held its own libraries to one thread."""
    death: DeathSignal
    lifeline: Lifeline
    fork: bool
    """Whether the trial program runs in the fork itself."""
    private: tuple[int, ...] = ()
    """Descriptors of the warm process that no child may hold."""

    def start(self, request: StartChild) -> int:
        """Fork; the process id. Raises OSError when the system refuses."""
        here, fork = os.getpid(), self.fork and self._one_thread()
        environment = self._environment(request)
        # Signals wait until the child has its own handlers: one that came before would vanish in the parent's.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            pid = os.fork()
            if pid == 0:
                self._child(request, environment, fork, here)
            with contextlib.suppress(OSError):
                os.setpgid(pid, pid)
            return pid
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())

    def _environment(self, request: StartChild) -> dict[str, str]:
        text = request.input.model_dump_json()
        environment = {
            "OMP_NUM_THREADS": str(request.input.threads),
            **self.environment,
            REPORT_VARIABLE: request.report_file,
            FORKED_VARIABLE: str(time.monotonic_ns()),
        }
        environment.pop(TRIAL_FILE_VARIABLE, None)
        environment.pop(TRIAL_VARIABLE, None)
        folder = Path(request.report_file).parent
        folder.mkdir(parents=True, exist_ok=True)
        if len(text.encode()) <= _LONGEST_VARIABLE:
            return {**environment, TRIAL_VARIABLE: text}
        file = folder / "input.json"
        file.write_text(text, encoding="utf-8")
        return {**environment, TRIAL_FILE_VARIABLE: str(file)}

    def _child(self, request: StartChild, environment: dict[str, str], fork: bool, parent: int) -> NoReturn:
        """The child's side: never returns, never runs the parent's clean-up."""
        try:
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())
            for descriptor in (self.lifeline.writer, *self.private):
                os.close(descriptor)
            enter(request.log, request.folder)
            self._work(request, environment, fork, parent)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(NOT_STARTED)

    def _work(self, request: StartChild, environment: dict[str, str], fork: bool, parent: int) -> NoReturn:
        if request.command is not None:
            guard(partial(execute, request.command, environment), self.lifeline, self.death)
        program = (sys.executable, "-m", "archsearch.trial")
        work: Callable[[], NoReturn] = partial(_run, environment) if fork else partial(execute, program, environment)
        if not self.death.available:
            guard(work, self.lifeline, self.death)
        self.death.bind(parent)
        work()

    def _one_thread(self) -> bool:
        try:
            threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208
        except OSError:
            return True
        if threads > 1:
            print(f"warm: {threads} threads, so the child gets a fresh interpreter", file=sys.stderr, flush=True)
        return threads == 1


def _run(environment: dict[str, str]) -> NoReturn:
    """The default trial program, in this very process."""
    from archsearch.trial.entry import main

    os.environ.clear()
    os.environ.update(environment)
    code = main(environment)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

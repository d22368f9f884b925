"""The warm process's side of its children: start, stop, reap, and tell."""

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
from archsearch.warm_contract import Answer, ChildExited, ChildStarted, StartChild, StopChild

_LONGEST_VARIABLE = 100_000
"""Bytes: Linux allows 128 KiB to one variable of an exec'd program; longer inputs go by file."""
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in ru_maxrss's unit."""


@dataclass
class Child:
    """A running child."""

    request: StartChild
    pid: int
    started: float
    """time.monotonic() at its fork."""
    stop_reason: str | None = None
    kill_at: float | None = None
    """time.monotonic() at which SIGKILL follows SIGTERM."""


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
        if len(text) <= _LONGEST_VARIABLE:
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


class Children:
    """Every child that has been started and has not yet been reaped."""

    def __init__(self, starter: Starter, answers: int) -> None:
        """``answers`` is the descriptor of the answers."""
        self.running: dict[str, Child] = {}
        self.unheard = False
        """Nobody reads the answers any more."""
        self._starter = starter
        self._answers = answers

    def say(self, answer: Answer) -> None:
        """Print one answer."""
        data = answer.model_dump_json().encode() + b"\n"
        try:
            while data and not self.unheard:
                data = data[os.write(self._answers, data) :]
        except BrokenPipeError:
            self.unheard = True

    def start(self, request: StartChild) -> None:
        """Start a child; one that the system refuses has exited with 126."""
        if request.id in self.running:
            print(f"warm: {request.id} runs already", file=sys.stderr, flush=True)
            return
        started = time.monotonic()
        try:
            pid = self._starter.start(request)
        except OSError as error:
            print(f"warm: {request.id} cannot be started: {error}", file=sys.stderr, flush=True)
            self._tell(request, ChildExited(id=request.id, exit_code=NOT_STARTED, seconds=0.0))
            return
        self.running[request.id] = Child(request, pid, started)
        self.say(ChildStarted(id=request.id, pid=pid))

    def stop(self, request: StopChild) -> None:
        """SIGTERM to the child's process group now, SIGKILL when its grace is over; the first reason is kept."""
        child = self.running.get(request.id)
        if child is None:
            return
        due = time.monotonic() + max(request.grace_seconds, 0.0)
        child.kill_at = due if child.kill_at is None else min(child.kill_at, due)
        child.stop_reason = child.stop_reason or request.reason
        _signal_group(child.pid, signal.SIGTERM)

    def stop_all(self, grace_seconds: float, reason: str) -> None:
        """Stop every child."""
        for name in self.running:
            self.stop(StopChild(id=name, grace_seconds=grace_seconds, reason=reason))

    def reap(self) -> None:
        """Collect every child that has ended: exit file first, then the answer."""
        pids = {child.pid: name for name, child in self.running.items()}
        while pids:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                return
            name = pids.pop(pid, None)
            if name is None:
                continue
            # What a command left behind in its group must not go on training.
            _signal_group(pid, signal.SIGKILL)
            child = self.running.pop(name)
            exited = ChildExited(
                id=name,
                exit_code=os.waitstatus_to_exitcode(status),
                seconds=time.monotonic() - child.started,
                cpu_seconds=usage.ru_utime + usage.ru_stime,
                max_rss_bytes=usage.ru_maxrss * _RSS_UNIT,
                stop_reason=child.stop_reason,
            )
            self._tell(child.request, exited)

    def wait_seconds(self) -> float | None:
        """Seconds until a grace ends; None: nothing is due."""
        due = [child.kill_at for child in self.running.values() if child.kill_at is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def kill_overdue(self) -> None:
        """SIGKILL to every group whose grace is over."""
        now = time.monotonic()
        for child in self.running.values():
            if child.kill_at is not None and child.kill_at <= now:
                _signal_group(child.pid, signal.SIGKILL)
                child.kill_at = None

    def _tell(self, request: StartChild, exited: ChildExited) -> None:
        file = Path(request.exit_file)
        temporary = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(exited.model_dump_json(), encoding="utf-8")
            temporary.replace(file)
        except OSError as error:
            print(f"warm: {exited.id}: exit file cannot be written: {error}", file=sys.stderr, flush=True)
        self.say(exited)


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)

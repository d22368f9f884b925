"""The warm process's side of its children: start, stop, reap, and tell."""

import contextlib
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from archsearch.trial.warm_process import NOT_STARTED
from archsearch.trial.warm_start import Starter
from archsearch.warm_contract import Answer, ChildExited, ChildStarted, StartChild, StopChild

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

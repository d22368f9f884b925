"""Children as processes forked by the warm process (core/archsearch/warm_contract.py)."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from archsearch.local.errors import ProcessFailedError
from archsearch.local.folder import Attempt
from archsearch.local.processes import end, how, kill, missing_extra, spawn, tail
from archsearch.local.runner import Ended, Running, Status, read_report
from archsearch.warm_contract import WARM_ENDED, Answer, ChildExited, ChildStarted, Ready, StartChild, StopChild

_ANSWER: TypeAdapter[Answer] = TypeAdapter(Answer)
_DEATHS = 5
"""Deaths of the warm process in a row, with no child ended between them, after which it is given up."""
_PATIENCE = 10.0
"""Seconds that it may take to end its children and itself."""


@dataclass
class _Child:
    pid: int | None = None
    started: float | None = None
    stopping: bool = False


class WarmRunner:
    """Speaks to one warm process, and starts another when it dies; what ran under a dead one is lost."""

    def __init__(
        self,
        log: Path,
        command: tuple[str, ...] = (sys.executable, "-m", "archsearch.trial.warm"),
        ready_within: float = 300.0,
    ) -> None:
        """``ready_within``: seconds in which it must say Ready; importing torch from a cold disk takes tens of them."""
        self._log = log
        self._ready_within = ready_within
        self._impatience: asyncio.TimerHandle | None = None
        self._command = command
        self._wake: Callable[[], None] = lambda: None
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._children: dict[str, _Child] = {}
        self._deaths = 0
        self._closing = False

    @property
    def pid(self) -> int | None:
        """Process id of the warm process."""
        return None if self._process is None else self._process.pid

    async def open(self, wake: Callable[[], None]) -> None:
        """Start it, so that torch is imported while the controller gets ready."""
        self._wake = wake
        await self._alive()

    async def start(self, request: StartChild) -> None:
        """Have a child started."""
        process = await self._alive()
        self._children[request.id] = _Child()
        if not await self._say(process, request):
            self._children.pop(request.id, None)
            self._wake()

    async def stop(self, name: str, reason: str) -> None:
        """Have a child stopped: SIGTERM, then SIGKILL."""
        child = self._children.get(name)
        if child is None or child.stopping or self._process is None:
            return
        child.stopping = True
        await self._say(self._process, StopChild(id=name, reason=reason))

    def status(self, name: str, files: Attempt) -> Status | None:
        """Running under this warm process, or what its exit file says."""
        child = self._children.get(name)
        if child is not None:
            seconds = 0.0 if child.started is None else time.monotonic() - child.started
            return Running(seconds, child.stopping)
        try:
            ended = ChildExited.model_validate_json(files.exit.read_bytes())
        except (OSError, ValidationError):
            return None
        if ended.stop_reason == WARM_ENDED and ended.exit_code != 0:
            return None
        report = read_report(files.report)
        return Ended(ended.exit_code, report, ended.seconds, ended.stop_reason, cpu_seconds=ended.cpu_seconds)

    async def close(self) -> None:
        """End the warm process, which ends its children."""
        self._closing = True
        if self._process is not None:
            await end(self._process, patience=_PATIENCE)
        if self._reader is not None:
            await self._reader

    async def _alive(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None and not self._gone():
            return self._process
        if self._reader is not None:
            await self._reader
        self._check()
        # SIGTERM, not SIGKILL, when we die: it still has children, and their own processes, to end.
        self._process = await spawn(
            self._command, what="the process that starts children", log=self._log, orphan_signal=signal.SIGTERM
        )
        self._reader = asyncio.create_task(self._read(self._process))
        loop = asyncio.get_running_loop()
        self._impatience = loop.call_later(self._ready_within, self._give_up_on, self._process)
        return self._process

    def _give_up_on(self, process: asyncio.subprocess.Process) -> None:
        """End a process that hangs before it is ready: its children have not begun, so no deadline of theirs runs."""
        kill(process)
        with contextlib.suppress(OSError), self._log.open("a") as log:
            log.write(f"not ready within {self._ready_within:g} s: killed\n")

    def _patient(self) -> None:
        if self._impatience is not None:
            self._impatience.cancel()
            self._impatience = None

    def _check(self) -> None:
        missing = missing_extra(self._log) if self._deaths else ""
        if self._deaths >= _DEATHS or missing:
            state = how(None if self._process is None else self._process.returncode)
            times = f", {self._deaths} times in a row" if self._deaths > 1 else ""
            raise ProcessFailedError(f"the process that starts children {state}{times}{tail(self._log)}{missing}")

    def _gone(self) -> bool:
        return self._reader is None or self._reader.done()

    async def _say(self, process: asyncio.subprocess.Process, request: StartChild | StopChild) -> bool:
        assert process.stdin is not None
        try:
            process.stdin.write(request.model_dump_json().encode() + b"\n")
            await process.stdin.drain()
        except OSError:
            return False
        return True

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        try:
            await self._take_answers(process)
        except Exception as error:
            # It speaks another language than we do: nothing that it says can be believed.
            kill(process)
            with contextlib.suppress(OSError), self._log.open("a") as log:
                log.write(f"not an answer of the warm contract: {type(error).__name__}: {error}\n")
        await process.wait()
        self._patient()
        self._deaths += not self._closing
        self._lose_all()
        self._wake()

    async def _take_answers(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            self._take(_ANSWER.validate_json(line))

    def _take(self, answer: Answer) -> None:
        if isinstance(answer, Ready):
            self._patient()
        elif isinstance(answer, ChildStarted) and answer.id in self._children:
            child = self._children[answer.id]
            child.pid, child.started = answer.pid, time.monotonic()
        elif isinstance(answer, ChildExited):
            self._children.pop(answer.id, None)
            self._deaths = 0
            self._wake()

    def _lose_all(self) -> None:
        for child in self._children.values():
            if child.pid is not None:
                _kill_group(child.pid)
        self._children.clear()


def _kill_group(pid: int) -> None:
    """Kill what is left of a child whose warm process died: its own processes do not die with it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)

"""Attempts of trials on this machine: started, watched, stopped; what the loop observes of them."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from archsearch.api import ArchitectureSearch, ReportSource, seconds
from archsearch.engine.model import Attempt, AttemptState, Phase, Start, Stop, Trial
from archsearch.local.cores import cores
from archsearch.local.folder import Attempt as Files
from archsearch.local.folder import Folder
from archsearch.local.refusals import refusals
from archsearch.local.runner import Ended, Runner, Running, read_end
from archsearch.report import TrialInput, find_report_in_log
from archsearch.warm_contract import StartChild

DEADLINE_EXCEEDED = "DeadlineExceeded"
LOG_END = 1 << 16
"""Bytes at the end of a log in which a report is looked for."""


def threads(search: ArchitectureSearch, available: int) -> int:
    """CPU threads of a child: the manifest's; else 1 where rewards must be reproducible, or a share of the cores."""
    spec = search.spec
    if spec.trial.threads is not None:
        return spec.trial.threads
    return 1 if spec.trials.reproducible else max(1, available // max(1, spec.trials.parallelism))


class Attempts:
    """Carries out starts and stops by a runner, and tells where every running trial's attempt stands."""

    def __init__(self, search: ArchitectureSearch, folder: Folder, base: Path, runner: Runner) -> None:
        """``base`` is the folder in which the manifest's relative paths start."""
        self._search = search
        self._folder = folder
        self._base = base
        self._runner = runner
        self._threads = threads(search, cores())
        limit = search.spec.trial.deadline
        self._limit = None if limit is None else float(seconds(limit))

    def request(self, name: str, files: Files, given: TrialInput) -> StartChild:
        """The request that starts an attempt named ``name``."""
        return StartChild(
            id=name,
            input=given.model_copy(update={"threads": self._threads}),
            command=self._search.spec.trial.command,
            report_file=str(files.report),
            exit_file=str(files.exit),
            log=str(files.log),
            folder=str(self._base),
        )

    async def start(self, start: Start) -> None:
        """Start an attempt; its files are new."""
        files = self._folder.attempt(start.index, start.attempt)
        await self.launch(self.request(_name(start.index, start.attempt), files, start.input), files)

    async def launch(self, request: StartChild, files: Files) -> None:
        """Start any attempt in an empty folder of its own.

        Raises:
            MachineError: the system refuses the folder.
            ProcessFailedError: nothing can be started any more.
        """
        with refusals(f"{files.folder} cannot be made for attempt {request.id}"):
            if files.folder.exists():
                shutil.rmtree(files.folder)
            files.folder.mkdir(parents=True)
        await self._runner.start(request)

    async def stop(self, stop: Stop) -> None:
        """Stop an attempt."""
        await self._runner.stop(_name(stop.index, stop.attempt), stop.reason)

    async def observe(self, active: Iterable[Trial]) -> tuple[tuple[Attempt, ...], float | None]:
        """The attempt of every running trial, and the seconds until the next one passes its deadline.

        Attempts past ``spec.trial.deadline`` are stopped here; their reason says so once they have ended.
        """
        seen, next_deadline = [], None
        for trial in active:
            if trial.phase is Phase.RUNNING:
                files = self._folder.attempt(trial.index, trial.attempts)
                attempt = self.look(_name(trial.index, trial.attempts), files, trial.index, trial.attempts)
                seen.append(attempt)
                if self._limit is not None and attempt.state is AttemptState.RUNNING:
                    left = self._limit - attempt.seconds
                    if left <= 0:
                        await self._runner.stop(_name(trial.index, trial.attempts), DEADLINE_EXCEEDED)
                    else:
                        next_deadline = left if next_deadline is None else min(left, next_deadline)
        return tuple(seen), next_deadline

    def look(self, name: str, files: Files, index: int, number: int) -> Attempt:
        """Where the attempt called ``name`` stands, as attempt ``number`` of child ``index``."""
        status = self._runner.status(name, files)
        if isinstance(status, Running):
            state = AttemptState.STOPPING if status.stopping else AttemptState.RUNNING
            return Attempt(index, number, state, seconds=status.seconds)
        if isinstance(status, Ended):
            return self._ended(index, number, status, files)
        message = "the processes that ran it are gone"
        return Attempt(index, number, AttemptState.LOST, reason="AttemptLost", message=message)

    def _ended(self, index: int, number: int, status: Ended, files: Files) -> Attempt:
        message = None
        if status.reason == DEADLINE_EXCEEDED:
            message = f"it ran longer than spec.trial.deadline ({self._search.spec.trial.deadline})"
        return Attempt(
            index,
            number,
            AttemptState.EXITED,
            exit_code=status.exit_code,
            report=self._report(status, files),
            reason=status.reason,
            message=message,
            seconds=status.seconds,
            cpu_seconds=status.cpu_seconds,
        )

    def _report(self, status: Ended, files: Files) -> bytes | None:
        """Its report: the file's, or where the manifest says ``report: {from: Log}`` the last one that it printed."""
        if self._search.spec.trial.report.source is ReportSource.TERMINATION_MESSAGE:
            return status.report
        return find_report_in_log(read_end(files.log, LOG_END).decode(errors="replace"))


def _name(index: int, attempt: int) -> str:
    return f"{index:06d}-{attempt}"

"""Trials called in the backend itself, for benchmarks of search methods: no process, no fork, the same contract."""

import contextlib
from collections.abc import Callable
from importlib.metadata import entry_points

from archsearch.local.errors import LocalError
from archsearch.local.folder import Attempt
from archsearch.local.runner import Ended, Status
from archsearch.report import LIMIT, TrialInput
from archsearch.warm_contract import StartChild

GROUP = "archsearch.inprocess"
"""Entry points, by the name of the task: functions from TrialInput to the bytes of a report."""

TrialFunction = Callable[[TrialInput], bytes]
"""Trains the child and gives its report."""


class InProcessRunner:
    """Calls a function for each attempt; what it raises is an attempt that ended with exit code 1."""

    def __init__(self, function: TrialFunction) -> None:
        self._function = function
        self._wake: Callable[[], None] = lambda: None
        self._ended: dict[str, Ended] = {}

    @classmethod
    def of_task(cls, task: str) -> "InProcessRunner":
        """The runner of the task that a manifest names.

        Raises:
            LocalError: no installed package offers this task in the same process.
        """
        found = entry_points(group=GROUP, name=task)
        if not found:
            offered = ", ".join(sorted(point.name for point in entry_points(group=GROUP))) or "none"
            raise LocalError(f"task {task} cannot run in the backend's own process; tasks that can: {offered}")
        return cls(next(iter(found)).load())

    async def open(self, wake: Callable[[], None]) -> None:
        """Nothing to get ready."""
        self._wake = wake

    async def start(self, request: StartChild) -> None:
        """Call the function where the manifest's relative paths start."""
        try:
            with contextlib.chdir(request.folder):
                report = self._function(request.input)
            self._ended[request.id] = Ended(0, report[: LIMIT + 1], 0.0)
        except Exception as error:
            self._ended[request.id] = Ended(1, f"{type(error).__name__}: {error}".encode(), 0.0)
        self._wake()

    async def stop(self, name: str, reason: str) -> None:
        """Nothing runs between two calls."""

    def status(self, name: str, files: Attempt) -> Status | None:
        """What the call gave; None when another process made it."""
        return self._ended.get(name)

    async def close(self) -> None:
        """Forget everything."""
        self._ended.clear()

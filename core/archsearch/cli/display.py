"""How far a search is: a bar on a terminal, a plain line now and then elsewhere."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from archsearch.cli.tables import duration, number
from archsearch.local.progress import Progress as SearchProgress
from archsearch.local.progress import Snapshot

LINE_SECONDS = 10.0
"""Least time between two plain lines."""


class Display(SearchProgress, Protocol):
    """Progress that is shown while a context lasts."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def facts(snapshot: Snapshot, metric: str) -> list[str]:
    """What is told besides the number of children, in the order of interest."""
    told = [f"{snapshot.running} running"]
    told += [f"{snapshot.failed} failed"] if snapshot.failed else []
    told += [f"{snapshot.reused} reused"] if snapshot.reused else []
    if snapshot.best is not None:
        told.append(f"best {metric} {number(snapshot.best.metrics.get(metric))} (child {snapshot.best.index})")
    if snapshot.moving_mean is not None:
        told.append(f"mean reward of the last 20 {number(snapshot.moving_mean)}")
    if snapshot.entropy is not None:
        told.append(f"entropy {snapshot.entropy:.2f}")
    told.append(f"{duration(snapshot.elapsed)} elapsed")
    if snapshot.left is not None:
        told.append(f"{duration(snapshot.left)} left")
    return told


class Bar:
    """A bar and a line of figures, redrawn in place."""

    def __init__(self, console: Console, name: str, metric: str) -> None:
        self._metric = metric
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[facts]}", markup=False),
            console=console,
            transient=False,
        )
        self._task = self._progress.add_task(name, total=None, facts="starting")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def update(self, snapshot: Snapshot) -> None:
        """Redraw."""
        shown = " · ".join(facts(snapshot, self._metric))
        self._progress.update(self._task, completed=snapshot.done, total=snapshot.maximum, facts=shown)

    def say(self, text: str) -> None:
        """Print above the bar."""
        self._progress.console.print(Text(text))


class Lines:
    """A line when something has changed, but not too often; ``quiet``: only what is said."""

    def __init__(
        self, console: Console, metric: str, *, quiet: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._metric = metric
        self._quiet = quiet
        self._clock = clock
        self._last: float | None = None
        self._shown = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def update(self, snapshot: Snapshot) -> None:
        """Print a line if a child has ended, and the last line is old enough or the search is at its end."""
        now = self._clock()
        recent = self._last is not None and now - self._last < LINE_SECONDS
        last = snapshot.done >= snapshot.maximum
        if self._quiet or snapshot.done == self._shown or (recent and not last):
            return
        self._last, self._shown = now, snapshot.done
        line = ", ".join([f"{snapshot.done}/{snapshot.maximum} children", *facts(snapshot, self._metric)])
        self._console.print(Text(line), soft_wrap=True)

    def say(self, text: str) -> None:
        """Print it."""
        self._console.print(Text(text), soft_wrap=True)


def display(console: Console, name: str, metric: str, *, quiet: bool) -> Display:
    """The display that fits the console."""
    if console.is_terminal and not quiet:
        return Bar(console, name, metric)
    return Lines(console, metric, quiet=quiet)

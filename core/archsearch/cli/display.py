"""How far a search is: a bar on a terminal, a plain line now and then elsewhere."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Column
from rich.text import Text

from archsearch.api import ArchitectureSearch
from archsearch.api.base import seconds
from archsearch.cli.tables import duration, number
from archsearch.local.progress import WINDOW, Snapshot
from archsearch.local.progress import Progress as SearchProgress

LINE_SECONDS = 10.0
"""Least time between two plain lines."""
BAR_WIDTH = 24
"""Columns of the bar; half of it on a narrow terminal."""
WIDE = 72
"""Columns from which a terminal is not narrow."""


class Display(SearchProgress, Protocol):
    """Progress that is shown while a context lasts."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def facts(snapshot: Snapshot, metric: str) -> list[str]:
    """What is told besides the number of children and the times, in the order of interest."""
    told = [f"{snapshot.running} running"]
    told += [f"{snapshot.confirmed} of {snapshot.confirmations} confirmed"] if snapshot.confirmations else []
    told += [f"{snapshot.failed} failed"] if snapshot.failed else []
    told += [f"{snapshot.reused} reused"] if snapshot.reused else []
    if snapshot.best is not None:
        told.append(f"best {metric} {number(snapshot.best.metrics.get(metric))} (child {snapshot.best.index})")
    if snapshot.moving_mean is not None:
        told.append(f"mean reward of the last {WINDOW} {number(snapshot.moving_mean)}")
    if snapshot.entropy is not None:
        told.append(f"entropy {snapshot.entropy:.2f}")
    return told


def times(snapshot: Snapshot, deadline: float | None) -> list[str]:
    """Time elapsed and time left: never more than ``deadline`` (seconds of active time) leaves."""
    left = snapshot.left
    if left is not None and deadline is not None:
        left = min(left, max(0.0, deadline - snapshot.elapsed))
    return [f"{duration(snapshot.elapsed)} elapsed", *([] if left is None else [f"{duration(left)} left"])]


def _total(snapshot: Snapshot) -> int:
    """The children there will be: more than the maximum where it was lowered below what had been sampled."""
    children = snapshot.running if not snapshot.confirmations else 0
    return max(snapshot.maximum, snapshot.done + children)


class Bar:
    """A bar with its times, and figures below it, redrawn in place.

    Two lines, because everything on one is cut to nothing on a terminal of 80 columns; the figures wrap where they
    must, and a long name gives way.
    """

    def __init__(self, console: Console, name: str, metric: str, deadline: float | None = None) -> None:
        self._console = console
        self._metric = metric
        self._deadline = deadline
        self._figures = Text("starting")
        self._bar = BarColumn(bar_width=BAR_WIDTH)
        self._progress = Progress(
            SpinnerColumn(),
            # A name has no spaces, so that a column that may wrap is shortened instead: the only one that is.
            TextColumn(
                "{task.description}", style="bold", markup=False, table_column=Column(overflow="ellipsis", min_width=4)
            ),
            self._bar,
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[times]}", markup=False),
            console=console,
            auto_refresh=False,
        )
        self._task = self._progress.add_task(name, total=None, times="")
        shown = Group(self._progress, Padding(self._figures, (0, 0, 0, 2)))
        self._live = Live(shown, console=console, refresh_per_second=4)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def update(self, snapshot: Snapshot) -> None:
        """Redraw, at the next frame."""
        self._bar.bar_width = BAR_WIDTH if self._console.width >= WIDE else BAR_WIDTH // 2
        self._figures.plain = " · ".join(facts(snapshot, self._metric))
        told = " · ".join(times(snapshot, self._deadline))
        self._progress.update(self._task, completed=snapshot.done, total=_total(snapshot), times=told)

    def say(self, text: str) -> None:
        """Print above the bar."""
        self._live.console.print(Text(text))


class Lines:
    """A line when something has changed, but not too often; ``quiet``: only what is said."""

    def __init__(
        self,
        console: Console,
        metric: str,
        deadline: float | None = None,
        *,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._metric = metric
        self._deadline = deadline
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
        over = snapshot.done + snapshot.confirmed
        last = snapshot.done >= snapshot.maximum and snapshot.confirmed == snapshot.confirmations
        if self._quiet or over == self._shown or (recent and not last):
            return
        self._last, self._shown = now, over
        told = [f"{snapshot.done}/{_total(snapshot)} children", *facts(snapshot, self._metric)]
        self._console.print(Text(", ".join(told + times(snapshot, self._deadline))), soft_wrap=True)

    def say(self, text: str) -> None:
        """Print it."""
        self._console.print(Text(text), soft_wrap=True)


def display(console: Console, search: ArchitectureSearch, *, quiet: bool) -> Display:
    """The display that fits the console."""
    metric, limit = search.spec.objective.metric, search.spec.trials.deadline
    deadline = None if limit is None else float(seconds(limit))
    if console.is_terminal and not quiet:
        return Bar(console, search.metadata.name, metric, deadline)
    return Lines(console, metric, deadline, quiet=quiet)

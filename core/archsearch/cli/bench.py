"""``archsearch bench``: figures of this release on this machine."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from archsearch.cli.output import INTERRUPTED, Format, FormatOption, emit, examples

if TYPE_CHECKING:  # no other command should wait for these
    from rich.console import Console

    from archsearch.bench import controller, curves, sample_efficiency
    from archsearch.bench.processes import Memory

_T = TypeVar("_T")

app = typer.Typer(help="Measure this release on this machine.", no_args_is_help=True, rich_markup_mode=None)


def register(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="bench")


EPILOG = examples(
    {
        "archsearch bench sample-efficiency --table t.csv": "random and the default",
        "... --strategy default,localSearch:Best -o json": "others, for programs",
        "... --decisions 6 --metric top1": "a column for each decision",
    }
)


StrategiesOption = Annotated[
    str,
    typer.Option("--strategy", metavar="A,B,...", help="As in a manifest; reinforce:Paper, localSearch:Best; default."),
]


@app.command("sample-efficiency", epilog=EPILOG)
def sample_efficiency_command(
    table: Annotated[
        Path,
        typer.Option(
            help="CSV: first a column that spells the decisions, a character each; then metrics.",
            show_default=False,
        ),
    ],
    metric: Annotated[str, typer.Option(help="Column that is the reward; more is better.")] = "val_accuracy",
    decisions: Annotated[int, typer.Option(min=1, max=256, help="First columns that hold a decision each.")] = 1,
    separator: Annotated[
        str | None, typer.Option(help="Stands between options in the first column.", show_default="none")
    ] = None,
    strategy: StrategiesOption = "random,default",
    children: Annotated[int, typer.Option(min=1, max=1_000_000, help="Children of each search.")] = 300,
    seeds: Annotated[int, typer.Option(min=1, max=100_000, help="Searches of each strategy.")] = 20,
    first_seed: Annotated[int, typer.Option(min=0, max=2**31 - 100_001, help="Seed of the first search.")] = 0,
    in_flight: Annotated[int, typer.Option(min=1, max=10_000, help="Children asked for and not yet taught.")] = 1,
    forked: Annotated[int, typer.Option(min=0, help="So many seeds, the first, by forked children.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Keep the searches' folders here, and go on with them.")] = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Regret of each strategy on a measured table.

    Whole searches, through service, ledger and backend; regret counts against children asked for. Differences are to
    the first strategy, seed by seed.
    """
    import asyncio

    from archsearch.bench import curves, sample_efficiency
    from archsearch.bench.strategies import parse_strategies
    from archsearch.bench.table import read_table
    from archsearch.bench.wide import Layout

    if separator is not None and (decisions > 1 or not separator):
        why = "it is empty" if not separator else f"the first column holds one decision (--decisions {decisions})"
        raise typer.BadParameter(why, param_hint="--separator")
    if forked > seeds:
        raise typer.BadParameter(f"{forked} is more than --seeds {seeds}", param_hint="--forked")
    named = parse_strategies(strategy)
    measured = sample_efficiency.Benchmark(
        table=read_table(table, metric, Layout(decisions, separator)),
        strategies=named,
        children=children,
        seeds=range(first_seed, first_seed + seeds),
        in_flight=in_flight,
        forked=forked,
        out=out,
    )
    found = _interruptible(lambda: asyncio.run(sample_efficiency.measure(measured, _Counter(len(named) * seeds))))
    first = next(iter(named))
    lines = [
        row
        for name in found
        for row in curves.rows(
            name, found[name], measured.table.best, children, None if name == first else found[first]
        )
    ]
    ends = [_told(curves.summary(name, found[name], children)) for name in found]
    emit([dict(row) for row in lines], output, lambda console: _show_curves(console, lines, ends))
    if output is not Format.TEXT:
        for line in ends:
            _tell(line)


@app.command("start")
def start_command(
    children: Annotated[int, typer.Option(min=1, max=10_000, help="Children, one at a time and two at a time.")] = 50,
    cold: Annotated[int, typer.Option(min=0, max=100, help="Starts of a trial program without a warm parent.")] = 3,
    output: FormatOption = Format.TEXT,
) -> None:
    """Time from a child's fork to its first training step.

    On digits; beside a cold start of the trial program.
    """
    from archsearch.bench import start

    found = _interruptible(lambda: start.measure(children, min(cold, children), _tell))
    data = [{"start": one.how, "children": len(one.seconds), **_rounded(one.percentiles())} for one in found]
    emit(data, output, lambda console: _show(console, data))


@app.command("controller")
def controller_command(
    strategy: StrategiesOption = "random,default",
    observed: Annotated[int, typer.Option(min=1, max=1_000_000, help="Observations, 6 decisions.")] = 10_000,
    observed_layers: Annotated[
        int, typer.Option(min=0, max=1_000_000, help="Observations, 15 layers with skips; 0: leave that space out.")
    ] = 10_000,
    in_flight: Annotated[int, typer.Option(min=1, max=100_000, help="Children asked for and not yet taught.")] = 800,
    rounds: Annotated[int, typer.Option(min=1, max=100_000, help="Pairs of observe and propose that are timed.")] = 400,
    output: FormatOption = Format.TEXT,
) -> None:
    """Latency, replay and memory of the controller.

    Propose and observe are measured through HTTP, at a load.
    """
    from archsearch.bench import controller
    from archsearch.bench.strategies import parse_strategies

    spaces = {"choices": observed, "layers": observed_layers}
    loads = [
        controller.Load(space, name, settings, count, in_flight, rounds)
        for space, count in spaces.items()
        if count
        for name, settings in parse_strategies(strategy).items()
    ]
    data = [_load_row(figures) for figures in _interruptible(lambda: controller.run(loads, _tell))]
    emit(data, output, lambda console: _show(console, data))


@app.command("memory")
def memory_command(
    children: Annotated[int, typer.Option(min=1, max=10_000, help="Children of the search.")] = 12,
    output: FormatOption = Format.TEXT,
) -> None:
    """Largest memory of each process of a search.

    Those of `archsearch run`, on digits.
    """
    from archsearch.bench import memory

    found = _interruptible(lambda: memory.measure(children, _tell))
    data = [{"process": kind, **_memory(figures)} for kind, figures in found.items()]
    emit(data, output, lambda console: _show(console, data))


# --- telling ----------------------------------------------------------------------------------------------------------


def _interruptible(work: Callable[[], _T]) -> _T:
    try:
        return work()
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def _tell(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


class _Counter:
    """Tells each search that has ended."""

    def __init__(self, searches: int) -> None:
        self._searches = searches
        self._ended = 0

    def __call__(self, done: "sample_efficiency.Done") -> None:
        self._ended += 1
        curve = done.curve
        best = max((value for value in curve.validation if value is not None), default=None)
        _tell(
            f"{self._ended}/{self._searches} {done.strategy}, seed {done.seed}: {len(curve.validation)} children in "
            f"{curve.seconds:.1f} s, best validation {'none' if best is None else f'{best:.3f}'}"
        )


def _told(summary: "curves.Summary") -> str:
    gain = "not measured"
    if summary.gain is not None:
        interval = f"95 % interval {summary.gain.low:+.3f} to {summary.gain.high:+.3f}, bootstrap over seeds"
        gain = f"{summary.gain.mean:+.3f} ({interval})"
    return (
        f"{summary.strategy}: {summary.duplicates:.1f} duplicates a search; mean reward of the last {summary.window} "
        f"children minus the first {summary.window}: {gain}; {1000 * summary.seconds_per_child:.1f} ms a child"
    )


def _show_curves(console: "Console", lines: "list[curves.Row]", ends: list[str]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("strategy", "children", "seeds", "regret", "± std", "test", "± std", f"minus {lines[0]['strategy']}"):
        table.add_column(name, justify="left" if name == "strategy" else "right")
    for row in lines:
        numbers = (row["regret_mean"], row["regret_std"], row["test_mean"], row["test_std"])
        figures = ("-" if value is None else f"{value:.3f}" for value in numbers)
        table.add_row(row["strategy"], str(row["children"]), str(row["seeds"]), *figures, _apart(row))
    console.print(table)
    for line in ends:
        console.print(line)


def _apart(row: "curves.Row") -> str:
    mean, low, high = row["difference_mean"], row["difference_low"], row["difference_high"]
    if mean is None or low is None or high is None:
        return "-"
    return f"{mean:+.3f} ({low:+.3f} to {high:+.3f})"


def _show(console: "Console", rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, value in rows[0].items():
        table.add_column(name.replace("_", " "), justify="left" if isinstance(value, str) else "right")
    for row in rows:
        table.add_row(*(str(row.get(name, "-")) for name in rows[0]))
    console.print(table)


def _load_row(figures: "controller.Figures") -> dict[str, Any]:
    load = figures.load
    return {
        "space": load.space,
        "strategy": load.strategy,
        "observed": load.observed,
        "in_flight": load.in_flight,
        **_rounded(figures.percentiles()),
        "replay_s": round(figures.replay, 2),
        **(_memory(figures.memory) if figures.memory is not None else {}),
    }


def _memory(memory: "Memory") -> dict[str, float]:
    figures = {"rss_mib": memory.rss, "pss_mib": memory.pss, "uss_mib": memory.uss}
    return _rounded({name: value for name, value in figures.items() if value is not None})


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in figures.items()}

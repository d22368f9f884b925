"""What ``archsearch compare`` does: the searches that are lacking, then the figure, the tables and the page."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from archsearch.bench.compare import contenders, searching
from archsearch.bench.compare.contenders import Run
from archsearch.cli.output import INTERRUPTED, Format, emit
from archsearch.cli.overriding import override
from archsearch.cli.report import report_extra
from archsearch.cli.source import STDIN, read_source
from archsearch.cli.stopping import stop_on_signals
from archsearch.local.errors import LocalError, UsageError
from archsearch.manifest import load

if TYPE_CHECKING:
    from archsearch.bench.compare.comparison import Comparison

SEEDS = 3
"""Searches of each manifest, where nothing is said."""


class CompareError(LocalError):
    """The comparison cannot be written."""


def compare_searches(
    given: Sequence[str],
    out: Path,
    output: Format,
    *,
    seeds: int | None,
    trials: int | None,
    parallelism: int | None,
    at_once: int,
) -> int:
    """Run what is lacking, compare, and write the comparison; the exit code.

    Raises:
        InvalidManifestError: a manifest is not valid.
        LocalError: they cannot be compared, or a search cannot be run.
    """
    with report_extra():  # before hours of searches, not after
        from archsearch.bench.compare.comparison import Comparison
        from archsearch.bench.compare.page import PICTURE, write
        from archsearch.bench.compare.views import data
    folders = [Path(name) for name in given if name != STDIN and Path(name).is_dir()]
    files = [name for name in given if name == STDIN or not Path(name).is_dir()]
    flags = {"--seeds": seeds, "--trials": trials, "--parallelism": parallelism}
    _refuse_idle_flags(files, flags)
    manifests = [_manifest(name, trials, parallelism) for name in files]
    read = [run for folder in folders for run in contenders.read_folder(folder)]
    contenders.refuse_other_aims(
        [(each.source, each.search) for each in manifests] + [(str(run.folder), run.record.manifest) for run in read]
    )
    planned = searching.plan(manifests, seeds or SEEDS, out)
    fresh = asyncio.run(_until_told(planned, at_once)) if planned else []
    if fresh is None:
        return INTERRUPTED
    comparison = Comparison(tuple(contenders.contenders(_as_given(given, [*fresh, *read], manifests, out))))
    try:
        page = write(comparison, out).resolve()
    except OSError as error:
        raise CompareError(f"the comparison cannot be written: {error}") from error
    files_written = {"page": str(page), "picture": str(page.with_name(PICTURE))}
    emit({**data(comparison), **files_written}, output, lambda console: _show(console, comparison, page))
    return 0


def _refuse_idle_flags(files: Sequence[str], flags: dict[str, int | None]) -> None:
    idle = [flag for flag, value in flags.items() if value is not None]
    if idle and not files:
        raise UsageError(f"{', '.join(idle)}: only folders are given, and those are compared as they are")


def _manifest(name: str, trials: int | None, parallelism: int | None) -> searching.Manifest:
    source = read_source(name)
    search = override(load(source.data, source.name), trials=trials, parallelism=parallelism, seed=None)
    return searching.Manifest(search, source.name, source.base)


def _as_given(
    given: Sequence[str], runs: Sequence[Run], manifests: Sequence[searching.Manifest], out: Path
) -> list[Run]:
    """The runs in the order of the command line: the first is what others are measured against."""
    names = iter(out / each.search.metadata.name for each in manifests)
    roots = [Path(name) if name != STDIN and Path(name).is_dir() else next(names) for name in given]
    order = {root: place for place, root in reversed(list(enumerate(roots)))}
    return sorted(
        runs, key=lambda run: min(order.get(run.folder, len(roots)), order.get(run.folder.parent, len(roots)))
    )


async def _until_told(planned: Sequence[searching.Planned], at_once: int) -> list[Run] | None:
    told = "stopping: children are ended, the ledgers are safe (once more to leave at once)"
    stop = stop_on_signals(lambda: _tell(told))
    return await searching.carry_out(planned, at_once=at_once, stop=stop, told=_tell)


def _tell(text: str) -> None:
    print(f"compare: {text}", file=sys.stderr, flush=True)


def _show(console: Console, comparison: "Comparison", page: Path) -> None:
    from archsearch.bench.compare.tables import VERSUS_HEADER, row_header, row_lines, story, versus_lines

    console.print(_table(row_header(comparison), [line.cells for line in row_lines(comparison)], left=("search",)))
    if comparison.versus:
        console.print()
        cells = [line.cells for line in versus_lines(comparison)]
        console.print(_table(VERSUS_HEADER, cells, left=("difference", "of")))
    console.print()
    for text in (*story(comparison), *comparison.notes):
        console.print(text)
    console.print(str(page))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in header:
        table.add_column(name, justify="left" if name in left else "right", no_wrap=name not in left)
    for row in rows:
        table.add_row(*row)
    return table

"""Commands that read a search's folder: trials, show, best, audit."""

import asyncio
import json
from typing import Annotated

import typer
from rich.console import Console

from archsearch.cli import tables, views
from archsearch.cli.output import FolderArgument, Format, FormatOption, emit
from archsearch.engine import leaderboard
from archsearch.engine.model import Trial
from archsearch.engine.record import SearchRecord
from archsearch.local.audit import audit as audit_record
from archsearch.local.errors import UsageError
from archsearch.local.lock import holder
from archsearch.local.record import load_record

BEST = 25


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (trials, show, best, audit):
        app.command()(command)


def trials(folder: FolderArgument, output: FormatOption = Format.TEXT) -> None:
    """List every child of a search; also while it runs."""
    record = load_record(folder)
    _list(record, record.trials, output)


def best(
    folder: FolderArgument,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many.")] = BEST,
    output: FormatOption = Format.TEXT,
) -> None:
    """List the best distinct children, best first."""
    record = load_record(folder)
    _list(record, leaderboard.top(record.trials, count), output)


def show(
    folder: FolderArgument,
    child: Annotated[int | None, typer.Option("--child", min=0, help="Show one child, architecture and all.")] = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Show a search, or one of its children."""
    record = load_record(folder)
    if child is None:
        pid = holder(folder)
        lines = tables.summary(record, views.state(record, pid))
        emit(views.search_view(record, pid), output, lambda console: _print(console, lines))
        return
    trial = _child(record, child)

    def text(console: Console) -> None:
        _print(console, tables.child_lines(record, trial))
        console.print(json.dumps(trial.architecture, indent=2), markup=False)

    emit(views.trial_view(record, trial, architecture=True), output, text)


def audit(folder: FolderArgument, output: FormatOption = Format.TEXT) -> None:
    """Derive every child anew from the ledger, and say where one differs (exit code 1 then)."""
    record = load_record(folder)
    found = asyncio.run(audit_record(record))
    lines = tables.audit_lines(found)
    emit(views.audit_view(record, found), output, lambda console: _print(console, lines))
    if not found.agrees:
        raise typer.Exit(1)


def _child(record: SearchRecord, index: int) -> Trial:
    if index >= len(record.trials):
        there = f"0 to {len(record.trials) - 1}" if record.trials else "none yet"
        raise UsageError(f"--child {index}: there is no such child; there are: {there}")
    return record.trials[index]


def _list(record: SearchRecord, listed: tuple[Trial, ...], output: Format) -> None:
    data = [views.trial_view(record, trial) for trial in listed]
    emit(data, output, lambda console: console.print(tables.trials_table(record, listed), markup=False))


def _print(console: Console, lines: list[str]) -> None:
    for line in lines:
        console.print(line, markup=False)

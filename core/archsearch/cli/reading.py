"""Commands that read a search's folder: trials, show, best, audit."""

import asyncio
import json
from typing import Annotated

import typer
from rich.console import Console

from archsearch.cli import tables, views
from archsearch.cli.auditing import audit_lines, changed_versions
from archsearch.cli.output import FolderArgument, Format, FormatOption, emit
from archsearch.cli.summary import child_lines, search_lines
from archsearch.engine import leaderboard
from archsearch.engine.model import Phase, Trial
from archsearch.engine.record import SearchRecord
from archsearch.local.audit import audit as audit_record
from archsearch.local.errors import UsageError
from archsearch.local.folder import Folder
from archsearch.local.lock import holder
from archsearch.local.opening import versions
from archsearch.local.record import load_record

BEST = 25


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (trials, show, best, audit):
        app.command()(command)


def trials(
    folder: FolderArgument,
    failed: Annotated[bool, typer.Option("--failed", help="Only children that failed.")] = False,
    output: FormatOption = Format.TEXT,
) -> None:
    """List every child of a search; also while it runs."""
    record = load_record(folder)
    listed = tuple(trial for trial in record.trials if not failed or trial.phase is Phase.FAILED)
    _list(record, listed, output)


def best(
    folder: FolderArgument,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many.")] = BEST,
    output: FormatOption = Format.TEXT,
) -> None:
    """List the best distinct children, best first."""
    record = load_record(folder)
    _list(record, leaderboard.top(record.trials, count), output, size=True)


def show(
    folder: FolderArgument,
    child: Annotated[int | None, typer.Option("--child", min=0, help="Show one child, architecture and all.")] = None,
    output: FormatOption = Format.TEXT,
) -> None:
    """Show a search, or one of its children."""
    record = load_record(folder)
    if child is None:
        pid, page = holder(folder), Folder(folder).page
        lines = search_lines(record, views.state(record, pid), page)
        emit(views.search_view(record, pid, page=page), output, lambda console: _print(console, lines))
        return
    trial = _child(record, child)

    def text(console: Console) -> None:
        _print(console, child_lines(record, trial))
        log = Folder(folder).attempt(trial.index, trial.attempts).log
        _print(console, [f"  log         {log}"] if log.is_file() else [])
        console.print(json.dumps(trial.architecture, indent=2))

    emit(views.trial_view(record, trial, architecture=True), output, text)


def audit(folder: FolderArgument, output: FormatOption = Format.TEXT) -> None:
    """Derive every child anew from the ledger, and say where one differs (exit code 1 then)."""
    record = load_record(folder)
    found = asyncio.run(audit_record(record))
    changed = changed_versions(record.versions, versions())
    lines = audit_lines(found, changed)
    emit(views.audit_view(record, found, changed), output, lambda console: _print(console, lines))
    if not found.agrees:
        raise typer.Exit(1)


def _child(record: SearchRecord, index: int) -> Trial:
    if index >= len(record.trials):
        there = f"0 to {len(record.trials) - 1}" if record.trials else "none yet"
        raise UsageError(f"--child {index}: there is no such child; there are: {there}")
    return record.trials[index]


def _list(record: SearchRecord, listed: tuple[Trial, ...], output: Format, *, size: bool = False) -> None:
    data = [views.trial_view(record, trial) for trial in listed]
    emit(data, output, lambda console: console.print(tables.trials_table(record, listed, size=size)))


def _print(console: Console, lines: list[str]) -> None:
    for line in lines:
        console.print(line)

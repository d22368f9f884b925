"""What the commands do that read a search's folder: trials, show, best, audit."""

import asyncio
import json
from pathlib import Path

from rich.console import Console

from archsearch.cli import tables, views
from archsearch.cli.auditing import audit_lines, changed_versions
from archsearch.cli.output import Format, emit
from archsearch.cli.summary import child_lines, search_lines
from archsearch.engine import leaderboard
from archsearch.engine.model import Phase, Trial
from archsearch.engine.record import SearchRecord
from archsearch.local.errors import UsageError
from archsearch.local.folder import Folder
from archsearch.local.lock import holder
from archsearch.local.opening import versions
from archsearch.local.record import load_record


def list_trials(folder: Path, output: Format, *, failed: bool) -> None:
    """Print every child, or every one that failed."""
    record = load_record(folder)
    listed = tuple(trial for trial in record.trials if not failed or trial.phase is Phase.FAILED)
    _list(record, listed, output)


def list_best(folder: Path, output: Format, count: int) -> None:
    """Print the best distinct children, best first."""
    record = load_record(folder)
    _list(record, leaderboard.top(record.trials, count), output, size=True)


def show_search(folder: Path, output: Format) -> None:
    """Print a search as a whole."""
    record = load_record(folder)
    pid, page = holder(folder), Folder(folder).page
    lines = search_lines(record, views.state(record, pid), page)
    emit(views.search_view(record, pid, page=page), output, lambda console: _print(console, lines))


def show_child(folder: Path, output: Format, index: int) -> None:
    """Print one child, with its architecture.

    Raises:
        UsageError: there is no such child.
    """
    record = load_record(folder)
    trial = _child(record, index)
    lines = child_lines(record, trial)
    log = Folder(folder).attempt(trial.index, trial.attempts).log
    lines += [f"  log         {log}"] if log.is_file() else []
    lines.append(json.dumps(trial.architecture, indent=2))
    emit(views.trial_view(record, trial, architecture=True), output, lambda console: _print(console, lines))


def audit_folder(folder: Path, output: Format) -> bool:
    """Derive every child anew and print where one differs; whether none does."""
    from archsearch.local.audit import audit  # with its HTTP client: no other command should wait for it

    record = load_record(folder)
    found = asyncio.run(audit(record))
    changed = changed_versions(record.versions, versions())
    lines = audit_lines(found, changed)
    emit(views.audit_view(record, found, changed), output, lambda console: _print(console, lines))
    return found.agrees


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

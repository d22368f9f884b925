"""What the commands do that read a search, in a folder or on a cluster: trials, show, best, audit."""

import asyncio
import json

from rich.console import Console

from archsearch.cli import tables, views
from archsearch.cli.auditing import audit_lines, changed_versions
from archsearch.cli.finding import Found
from archsearch.cli.output import Format, emit
from archsearch.cli.summary import child_lines, search_lines
from archsearch.cli.tables import flat
from archsearch.engine import leaderboard, pareto
from archsearch.engine.model import Phase, Trial
from archsearch.engine.record import SearchRecord
from archsearch.local.errors import UsageError
from archsearch.local.folder import Folder
from archsearch.local.opening import versions


def list_trials(found: Found, output: Format, *, failed: bool) -> None:
    """Print every child, or every one that failed."""
    record = found.record
    listed = tuple(trial for trial in record.trials if not failed or trial.phase is Phase.FAILED)
    _list(record, listed, output)


def list_best(found: Found, output: Format, count: int) -> None:
    """Print the best distinct children, best first."""
    record = found.record
    _list(record, leaderboard.top(record.trials, count, record.manifest.spec.objective), output, size=True)


def list_pareto(found: Found, output: Format, count: int) -> None:
    """Print the Pareto set: children that no other beats in all metrics that count, highest reward first.

    Raises:
        UsageError: only one metric counts.
    """
    record = found.record
    objective = record.manifest.spec.objective
    if not objective.also:
        only = f"{objective.metric} alone counts, and the best of it are listed without --pareto"
        raise UsageError(f"--pareto: objective.also names no further metric; {only}")
    _list(record, pareto.front(record.trials, objective, count), output, size=True)


def show_search(found: Found, output: Format) -> None:
    """Print a search as a whole."""
    record = found.record
    page = None if found.folder is None else Folder(found.folder).page
    state = f"{found.state} ({flat(found.detail)})" if found.detail else found.state
    lines = search_lines(record, state, page)
    data = views.search_view(record, found.pid, page=page, told=(found.state, found.detail))
    emit(data, output, lambda console: _print(console, lines))


def show_child(found: Found, output: Format, index: int) -> None:
    """Print one child, with its architecture.

    Raises:
        UsageError: there is no such child.
    """
    record = found.record
    trial = _child(record, index)
    lines = child_lines(record, trial)
    log = found.log_of(trial)
    lines += [f"  log         {log}"] if log is not None else []
    lines.append(json.dumps(trial.architecture, indent=2))
    emit(views.trial_view(record, trial, architecture=True), output, lambda console: _print(console, lines))


def audit_search(found: Found, output: Format) -> bool:
    """Derive every child anew and print where one differs; whether none does."""
    from archsearch.local.audit import audit  # with its HTTP client: no other command should wait for it

    record = found.record
    audited = asyncio.run(audit(record))
    changed = changed_versions(record.versions, versions())
    lines = audit_lines(audited, changed)
    emit(views.audit_view(record, audited, changed), output, lambda console: _print(console, lines))
    return audited.agrees


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

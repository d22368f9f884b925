"""Task ``tabular``: look the child's metrics up in a table of measured networks; for benchmarks of search methods.

Imports neither torch nor NumPy, so that a benchmark may call :func:`run` in its own process.
"""

import csv
import math
import re
from dataclasses import dataclass
from pathlib import Path

from archsearch.api.base import METRIC_PATTERN
from archsearch.api.task import Tabular, Task
from archsearch.report import MAX_METRICS, Report, TrialInput
from archsearch.trial.errors import SearchError, TrialError
from archsearch.trial.task_input import read_task


@dataclass(frozen=True)
class Table:
    """A table: metrics of each network by its spelling."""

    metrics: tuple[str, ...]
    rows: dict[str, tuple[float, ...]]


_cache: dict[Path, tuple[tuple[int, int], Table]] = {}


def prefetch(task: Tabular, base: Path) -> None:
    """Read the table into this process, so that children forked from it need not."""
    load(base / task.table)


def run(trial: TrialInput, task: Tabular | None = None, base: Path | None = None) -> Report:
    """The metrics of the child, under the names of the table's columns.

    ``task`` defaults to the one in ``trial``; ``base`` is where a relative path starts (default: the working
    directory). Never raises for a bad child or table when ``task`` is left out: the report has the error then.

    Raises:
        TrialError: NotInTable, ArchitectureInvalid; of scope Search: TableMissing, TableInvalid.
    """
    base = base or Path.cwd()
    if task is not None:
        return _look_up(trial, task, base)
    try:
        return _look_up(trial, _tabular(read_task(trial.task)), base)
    except TrialError as error:
        return error.report()


def _tabular(task: Task) -> Tabular:
    if task.tabular is None:
        raise SearchError("TaskUnsupported", f"task is {task.kind}; here it must be tabular")
    return task.tabular


def _look_up(trial: TrialInput, task: Tabular, base: Path) -> Report:
    table = load(base / task.table)
    spelling = spell(trial)
    row = table.rows.get(spelling)
    if row is None:
        raise TrialError(
            "NotInTable", f"{task.table} has no network {spelling!r}; it has {len(table.rows)} others, the first column"
        )
    return Report(metrics=dict(zip(table.metrics, row, strict=True)))


def spell(trial: TrialInput) -> str:
    """The child as the first column spells it: its values in order, one character each."""
    values = trial.architecture.get("values")
    if trial.architecture.get("kind") != "choices" or not isinstance(values, dict):
        raise SearchError(
            "ArchitectureUnsupported",
            f"architecture.kind is {trial.architecture.get('kind')!r}; tabular looks up children of: 'choices'",
        )
    for name, value in values.items():
        if len(str(value)) != 1:
            raise SearchError(
                "ArchitectureUnsupported",
                f"choice {name!r} is {value!r}; a table spells each decision with one character: use values such as "
                "0 to 9 or single letters",
            )
    return "".join(str(value) for value in values.values())


def load(path: Path) -> Table:
    """The table at ``path``, read again only when the file has changed.

    Raises:
        TrialError: of scope Search: TableMissing, TableUnreadable, TableInvalid with the line.
    """
    try:
        stat = path.stat()
        stamp = (stat.st_mtime_ns, stat.st_size)
        known = _cache.get(path)
        if known is None or known[0] != stamp:
            _cache[path] = known = (stamp, _read(path))
    except FileNotFoundError:
        raise SearchError("TableMissing", f"there is no table {path}; task.tabular.table names it") from None
    except OSError as error:
        raise SearchError("TableUnreadable", f"table {path} cannot be read: {error.strerror or error}") from error
    return known[1]


def _read(path: Path) -> Table:
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file, strict=True)
        try:
            header = next(lines, None)
            metrics = _metrics(path, header)
            rows: dict[str, tuple[float, ...]] = {}
            for row in lines:
                if row:
                    _add(path, lines.line_num, rows, row, metrics)
        except csv.Error as error:
            raise _invalid(path, lines.line_num, str(error)) from error
        except UnicodeDecodeError as error:
            raise _invalid(path, lines.line_num + 1, f"not UTF-8 text: {error.reason}") from error
    if not rows:
        raise _invalid(path, 2, "no network follows the header")
    return Table(metrics, rows)


def _metrics(path: Path, header: list[str] | None) -> tuple[str, ...]:
    if header is None:
        raise _invalid(path, 1, "the file is empty; the first line names the columns")
    metrics = tuple(name.strip() for name in header[1:])
    if not 1 <= len(metrics) <= MAX_METRICS:
        raise _invalid(path, 1, f"{len(header)} columns; needed: the spelling, then 1 to {MAX_METRICS} metrics")
    for name in metrics:
        if not re.fullmatch(METRIC_PATTERN, name):
            raise _invalid(path, 1, f"column {name!r} is no metric's name: a letter, then letters, digits and _")
        if metrics.count(name) > 1:
            raise _invalid(path, 1, f"two columns are named {name!r}")
    return metrics


def _add(path: Path, line: int, rows: dict[str, tuple[float, ...]], row: list[str], metrics: tuple[str, ...]) -> None:
    if len(row) != 1 + len(metrics):
        raise _invalid(path, line, f"{len(row)} columns; the header has {1 + len(metrics)}")
    spelling = row[0]
    if not spelling:
        raise _invalid(path, line, "the first column is empty; it spells the network")
    if spelling in rows:
        raise _invalid(path, line, f"network {spelling!r} occurs twice")
    length = len(next(iter(rows), spelling))
    if len(spelling) != length:
        raise _invalid(path, line, f"network {spelling!r} has {len(spelling)} decisions; those above have {length}")
    rows[spelling] = tuple(_number(path, line, name, text) for name, text in zip(metrics, row[1:], strict=True))


def _number(path: Path, line: int, name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _invalid(path, line, f"{name} is {text!r}; allowed: a finite number")
    return number


def _invalid(path: Path, line: int, problem: str) -> SearchError:
    return SearchError("TableInvalid", f"{path}, line {line}: {problem}")

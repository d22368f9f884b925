"""Tables of measured networks: a CSV whose first column spells the decisions of a ``choices`` space.

One character for each decision, in order; every other column is a metric. Read alike by the task that looks children
up and by the benchmarks that compare strategies.
"""

import csv
import math
import re
from dataclasses import dataclass
from pathlib import Path

from archsearch.api.base import METRIC_PATTERN
from archsearch.report import MAX_METRICS


class TableError(ValueError):
    """A file is not such a table; the message begins with the line at fault."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")


@dataclass(frozen=True)
class Table:
    """A table: metrics of each network by its spelling; all spellings are of one length."""

    metrics: tuple[str, ...]
    rows: dict[str, tuple[float, ...]]


def read_table(path: Path) -> Table:
    """Read a table.

    Raises:
        TableError: it is not one.
        OSError: it cannot be read.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file, strict=True)
        try:
            metrics = _metrics(next(lines, None))
            rows: dict[str, tuple[float, ...]] = {}
            for row in lines:
                if row:
                    _add(lines.line_num, rows, row, metrics)
        except csv.Error as error:
            raise TableError(lines.line_num, f"not a CSV: {error}") from error
        except UnicodeDecodeError as error:
            raise TableError(lines.line_num + 1, f"not UTF-8 text: {error.reason}") from error
    if not rows:
        raise TableError(2, "no network follows the header")
    return Table(metrics, rows)


def _metrics(header: list[str] | None) -> tuple[str, ...]:
    if header is None:
        raise TableError(1, "the file is empty; the first line names the columns")
    metrics = tuple(name.strip() for name in header[1:])
    if not 1 <= len(metrics) <= MAX_METRICS:
        raise TableError(1, f"{len(header)} columns; needed: the spelling, then 1 to {MAX_METRICS} metrics")
    for name in metrics:
        if not re.fullmatch(METRIC_PATTERN, name):
            raise TableError(1, f"column {name!r} is no metric's name: a letter, then letters, digits and _")
        if metrics.count(name) > 1:
            raise TableError(1, f"two columns are named {name!r}")
    return metrics


def _add(line: int, rows: dict[str, tuple[float, ...]], row: list[str], metrics: tuple[str, ...]) -> None:
    if len(row) != 1 + len(metrics):
        raise TableError(line, f"{len(row)} columns; the header has {1 + len(metrics)}")
    spelling = row[0]
    if not spelling:
        raise TableError(line, "the first column is empty; it spells the network")
    if spelling in rows:
        raise TableError(line, f"network {spelling!r} occurs twice")
    length = len(next(iter(rows), spelling))
    if len(spelling) != length:
        raise TableError(line, f"network {spelling!r} has {len(spelling)} decisions; those above have {length}")
    rows[spelling] = tuple(_number(line, name, text) for name, text in zip(metrics, row[1:], strict=True))


def _number(line: int, name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise TableError(line, f"{name} is {text!r}; allowed: a finite number")
    return number

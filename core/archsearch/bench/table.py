"""Tables of measured networks: what a benchmark must know of one before the search asks for its first child."""

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from archsearch.bench.errors import BenchError

VALIDATION = "val_accuracy"
"""Column that is the reward."""
TEST = "test_accuracy"
"""Column that is reported and never a reward."""
_MOST_DECISIONS = 256
_MOST_OPTIONS = 64
"""Bounds of ``searchSpace.choices``."""


@dataclass(frozen=True)
class BenchTable:
    """A table of measured networks."""

    path: Path
    """Absolute."""
    options: tuple[tuple[str, ...], ...]
    """For each decision, the characters seen at its place in the first column, sorted."""
    best: float
    """Highest validation accuracy, in the table's unit."""
    networks: int


def read_table(path: Path) -> BenchTable:
    """Read a CSV whose first column spells the decisions, one character each.

    Raises:
        BenchError: it cannot be read, lacks ``val_accuracy`` or ``test_accuracy``, or a line is not as it must be.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = _rows(path, csv.reader(file, strict=True))
            return _table(path, rows)
    except OSError as error:
        raise BenchError(f"--table {path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BenchError(f"--table {path} is not UTF-8 text: {error.reason}") from error
    except csv.Error as error:
        raise BenchError(f"--table {path} is not a CSV: {error}") from error


def _table(path: Path, rows: Iterable[tuple[int, str, float]]) -> BenchTable:
    seen: set[str] = set()
    best = -math.inf
    for line, spelling, validation in rows:
        length = len(next(iter(seen), spelling))
        if not 1 <= len(spelling) <= _MOST_DECISIONS:
            raise _wrong(
                path, line, f"the first column has {len(spelling)} characters; allowed: 1 to {_MOST_DECISIONS}"
            )
        if len(spelling) != length:
            raise _wrong(path, line, f"{spelling!r} spells {len(spelling)} decisions; those above have {length}")
        if spelling in seen:
            raise _wrong(path, line, f"{spelling!r} occurs twice")
        seen.add(spelling)
        best = max(best, validation)
    if not seen:
        raise BenchError(f"--table {path} holds no network: a header, then a line for each, are needed")
    options = tuple(tuple(sorted(set(place))) for place in zip(*seen, strict=True))
    for place, characters in enumerate(options, start=1):
        if len(characters) > _MOST_OPTIONS:
            text = f"decision {place} has {len(characters)} different characters; allowed: {_MOST_OPTIONS} at most"
            raise BenchError(f"--table {path}: {text}")
    return BenchTable(path.resolve(), options, best, len(seen))


def _rows(path: Path, lines: Iterator[list[str]]) -> Iterator[tuple[int, str, float]]:
    """Line number, spelling and validation accuracy of each network."""
    header = [name.strip() for name in next(lines, [])]
    columns = header[1:]
    for name in (VALIDATION, TEST):
        if columns.count(name) != 1:
            there = ", ".join(header) or "none"
            raise BenchError(
                f"--table {path} needs one column {name} after the first, which spells the network; columns: {there}"
            )
    for number, row in enumerate(lines, start=2):
        if not row:
            continue
        if len(row) != len(header):
            raise _wrong(path, number, f"{len(row)} columns; the header has {len(header)}")
        numbers = {name: _number(path, number, name, row[header.index(name, 1)]) for name in (VALIDATION, TEST)}
        yield number, row[0], numbers[VALIDATION]


def _number(path: Path, line: int, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _wrong(path, line, f"{name} is {text!r}; allowed: a finite number")
    return value


def _wrong(path: Path, line: int, what: str) -> BenchError:
    return BenchError(f"--table {path}, row {line}: {what}")

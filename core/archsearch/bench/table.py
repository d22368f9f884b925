"""Tables of measured networks: what a benchmark must know of one before the search asks for its first child."""

from dataclasses import dataclass
from pathlib import Path

from archsearch import table
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
        BenchError: it cannot be read, is no such table, or lacks ``val_accuracy`` or ``test_accuracy``.
    """
    try:
        known = table.read_table(path)
    except OSError as error:
        raise BenchError(f"--table {path} cannot be read: {error.strerror or error}") from error
    except table.TableError as error:
        raise BenchError(f"--table {path}, {error}") from error
    for name in (VALIDATION, TEST):
        if name not in known.metrics:
            there = ", ".join(known.metrics)
            raise BenchError(f"--table {path} lacks the column {name}; columns after the first: {there}")
    best = max(row[known.metrics.index(VALIDATION)] for row in known.rows.values())
    return BenchTable(path.resolve(), _options(path, list(known.rows)), best, len(known.rows))


def _options(path: Path, spellings: list[str]) -> tuple[tuple[str, ...], ...]:
    if len(spellings[0]) > _MOST_DECISIONS:
        text = f"the first column spells {len(spellings[0])} decisions; allowed: {_MOST_DECISIONS} at most"
        raise BenchError(f"--table {path}: {text}")
    options = tuple(tuple(sorted(set(place))) for place in zip(*spellings, strict=True))
    for place, characters in enumerate(options, start=1):
        if len(characters) > _MOST_OPTIONS:
            text = f"decision {place} has {len(characters)} different characters; allowed: {_MOST_OPTIONS} at most"
            raise BenchError(f"--table {path}: {text}")
    return options

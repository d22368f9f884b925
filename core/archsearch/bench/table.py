"""Tables of measured networks: what a benchmark must know of one before the search asks for its first child."""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from archsearch import table
from archsearch.bench.errors import BenchError
from archsearch.bench.wide import Layout, condensed

VALIDATION = "val_accuracy"
"""Column that is the reward, unless another is named."""
TEST = "test_accuracy"
"""Column that is reported and never a reward, where a table has it."""
_MOST_DECISIONS = 256
_MOST_OPTIONS = 64
"""Bounds of ``searchSpace.choices``."""
_HINT = "(options of several characters: --separator; a column for each decision: --decisions N)"


@dataclass(frozen=True)
class BenchTable:
    """A table of measured networks."""

    path: Path
    """Absolute."""
    options: tuple[tuple[str, ...], ...]
    """For each decision, the characters seen at its place in the spelling, sorted."""
    best: float
    """Highest reward, in the table's unit."""
    networks: int
    metric: str = VALIDATION
    """Column that is the reward; more is better."""
    test: str | None = TEST
    """Column that is reported beside it; None: there is none."""
    text: str | None = None
    """The table in the form that searches look up, where ``path`` has it in another."""

    def placed(self, folder: Path) -> Path:
        """Where searches may look up: ``path``, or a copy of it in their form in ``folder``.

        The copy is named by what is in it: searches that were kept never look up in another table than they did.
        """
        if self.text is None:
            return self.path
        folder.mkdir(parents=True, exist_ok=True)
        data = self.text.encode()
        copy = folder.resolve() / f"table-{hashlib.sha256(data).hexdigest()[:16]}.csv"
        copy.write_bytes(data)
        return copy


def read_table(path: Path, metric: str = VALIDATION, layout: Layout | None = None) -> BenchTable:
    """Read a CSV of networks: their decisions, then their metrics.

    Args:
        path: the file.
        metric: the column that is the reward.
        layout: how decisions are told; None: the first column spells them, one character each.

    Raises:
        BenchError: it cannot be read, is no such table, or lacks ``metric``.
    """
    text: str | None = None
    try:
        if layout is None or layout.plain:
            known = table.read_table(path)
        else:
            text = condensed(path, layout)
            known = _read_text(text)
    except OSError as error:
        raise BenchError(f"--table {path} cannot be read: {error.strerror or error}") from error
    except table.TableError as error:
        hint = f" {_HINT}" if layout is None or layout.plain else ""
        raise BenchError(f"--table {path}, {error}{hint}") from error
    if metric not in known.metrics:
        there = ", ".join(known.metrics)
        raise BenchError(f"--table {path} lacks the column {metric}; columns of metrics: {there} (--metric names one)")
    best = max(row[known.metrics.index(metric)] for row in known.rows.values())
    test = TEST if TEST in known.metrics and metric != TEST else None
    return BenchTable(path.resolve(), _options(path, list(known.rows)), best, len(known.rows), metric, test, text)


def _read_text(text: str) -> table.Table:
    """Lines stay where they were, so that what is wrong is told with the line of the file itself."""
    with tempfile.TemporaryDirectory(prefix="archsearch-table-") as folder:
        copy = Path(folder) / "table.csv"
        copy.write_text(text, encoding="utf-8")
        return table.read_table(copy)


def _options(path: Path, spellings: list[str]) -> tuple[tuple[str, ...], ...]:
    if len(spellings[0]) > _MOST_DECISIONS:
        text = f"the first column spells {len(spellings[0])} decisions; allowed: {_MOST_DECISIONS} at most"
        raise BenchError(f"--table {path}: {text} {_HINT}")
    options = tuple(tuple(sorted(set(place))) for place in zip(*spellings, strict=True))
    for place, characters in enumerate(options, start=1):
        if len(characters) > _MOST_OPTIONS:
            text = f"decision {place} has {len(characters)} different characters; allowed: {_MOST_OPTIONS} at most"
            raise BenchError(f"--table {path}: {text}")
    return options

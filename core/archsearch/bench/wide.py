"""Tables that spell a decision with more than one character, rewritten into the one form that searches look up."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_letters, digits

from archsearch.table import TableError

_CHARACTERS = digits + ascii_letters + "-_"
"""One for each option of a decision: as many as ``searchSpace.choices`` may have."""


@dataclass(frozen=True)
class Layout:
    """How a table tells the decisions of a network."""

    columns: int = 1
    """The first so many columns hold one decision each; 1: the first column spells all of them."""
    separator: str | None = None
    """What stands between the options in a first column that spells all; None: each is one character."""

    @property
    def plain(self) -> bool:
        """Whether it is the form that searches look up."""
        return self.columns == 1 and self.separator is None


def condensed(path: Path, layout: Layout) -> str:
    """The table at ``path`` with one column that spells the decisions, a character each, in the order of the options.

    Raises:
        TableError: it is no CSV, or its decisions are not laid out so.
        OSError: it cannot be read.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file, strict=True)
        try:
            header = next(lines, [])
            rows = [(lines.line_num, row) for row in lines if row]
        except csv.Error as error:
            raise TableError(lines.line_num, f"not a CSV: {error}") from error
        except UnicodeDecodeError as error:
            raise TableError(lines.line_num + 1, f"not UTF-8 text: {error.reason}") from error
    if len(header) <= layout.columns:
        raise TableError(1, f"{len(header)} columns; needed: {layout.columns} of decisions, then metrics")
    if not rows:
        raise TableError(2, "no network follows the header")
    return _written(header, rows, layout)


def _written(header: Sequence[str], rows: Sequence[tuple[int, list[str]]], layout: Layout) -> str:
    networks = [_decisions(line, row, layout) for line, row in rows]
    _check([line for line, _ in rows], networks)
    codes = [_codes(place, options) for place, options in enumerate(zip(*networks, strict=True), start=1)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["network", *header[layout.columns :]])
    written = 1
    for (line, row), network in zip(rows, networks, strict=True):
        text.write("\n" * (line - 1 - written))  # what is wrong with a metric is then told with the line of the file
        spelling = "".join(code[option] for code, option in zip(codes, network, strict=True))
        writer.writerow([spelling, *row[layout.columns :]])
        written = line
    return text.getvalue()


def _check(lines: Sequence[int], networks: Sequence[tuple[str, ...]]) -> None:
    seen: set[tuple[str, ...]] = set()
    for line, network in zip(lines, networks, strict=True):
        shown = ", ".join(network)
        if len(network) != len(networks[0]):
            told = f"{len(network)} decisions; those above have {len(networks[0])}"
            raise TableError(line, f"network ({shown}) has {told}")
        if network in seen:
            raise TableError(line, f"network ({shown}) occurs twice")
        seen.add(network)


def _decisions(line: int, row: Sequence[str], layout: Layout) -> tuple[str, ...]:
    if layout.separator is not None:
        found = tuple(part.strip() for part in row[0].split(layout.separator))
    else:
        found = tuple(part.strip() for part in row[: layout.columns])
    for place, option in enumerate(found, start=1):
        if not option:
            raise TableError(line, f"decision {place} is empty")
    return found


def _codes(place: int, options: Sequence[str]) -> dict[str, str]:
    different = sorted(set(options))
    if len(different) > len(_CHARACTERS):
        text = f"decision {place} has {len(different)} different options; allowed: {len(_CHARACTERS)} at most"
        raise TableError(2, f"{text} (is it a metric? --decisions says how many columns are decisions)")
    return dict(zip(different, _CHARACTERS, strict=False))

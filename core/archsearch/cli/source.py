"""Manifests as commands are given them: a file, a pipe, or standard input; read once, because a pipe ends."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from archsearch.manifest.checking import read_file
from archsearch.manifest.errors import InvalidManifestError, ManifestError
from archsearch.manifest.reading import MAX_BYTES
from archsearch.report_parsing import printable

STDIN = "-"
"""What stands for standard input among the files."""


@dataclass(frozen=True)
class Source:
    """What was read."""

    name: str
    """What errors call it."""
    data: bytes
    base: Path
    """Where its relative paths start: its folder, or the current one where it has none (standard input, a pipe)."""

    @property
    def text(self) -> str:
        """Its text, once it is known to be valid."""
        return self.data.decode("utf-8-sig")


def display_name(file: str) -> str:
    """What errors call ``file``."""
    return "<stdin>" if file == STDIN else printable(file)


def read_source(file: str) -> Source:
    """The manifest ``file``, or standard input for ``-``.

    Raises:
        InvalidManifestError: it cannot be read.
    """
    name = display_name(file)
    if file == STDIN:
        return Source(name, _standard_input(name), Path.cwd())
    path = Path(file)
    data = read_file(path, name)
    return Source(name, data, path.resolve().parent if path.is_file() else Path.cwd())


def _standard_input(name: str) -> bytes:
    given: TextIO | None = sys.stdin  # None where it was closed before we began
    reason = "it is closed"
    try:
        if given is not None:
            return given.buffer.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
    problem = ManifestError(name, "", 0, 0, "Unreadable", f"standard input cannot be read: {reason}")
    raise InvalidManifestError((problem,))

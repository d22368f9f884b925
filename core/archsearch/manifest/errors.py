"""What can be wrong with a manifest, said so that a person can mend it and a program can sort it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from archsearch.report_parsing import printable, shorten

Path = tuple[str | int, ...]
"""Keys and places from the top of a document down to a field."""


@dataclass(frozen=True)
class ManifestError:
    """One mistake. ``str()`` of it is a line as compilers write it: ``search.yaml:12:5: spec.seed: ...``."""

    file: str
    """Name of the file, ``<stdin>``, or whatever the caller calls the text."""
    path: str
    """Full path of the field, as ``spec.searchSpace.choices[2].values[0]``; empty: the document as a whole."""
    line: int
    """Line of the value (of the key, where the key is at fault), from 1; 0: the file cannot be read at all."""
    column: int
    """Column, from 1; 0: as for line."""
    kind: str
    """CamelCase kind of mistake, for programs: UnknownField, MissingField, WrongType, OutOfRange, ..."""
    message: str
    """What is wrong, with the value, what is allowed, and the nearest legal name."""
    value: Any = None
    """The value that was given; None where a field is missing."""
    allowed: tuple[str, ...] = ()
    """What would be right: the legal names, or one phrase."""
    suggestion: str | None = None
    """The nearest legal name or value, if one is near."""

    def __str__(self) -> str:
        """The mistake with its place."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class InvalidManifestError(ValueError):
    """A manifest is not valid; ``errors`` holds every mistake in it."""

    def __init__(self, errors: Iterable[ManifestError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in self.errors))


def spell(path: Path) -> str:
    """``path`` as people write it; keys that hold dots or spaces are quoted: ``metadata.labels["a.b/c"]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.replace("_", "").replace("-", "").isalnum():
            text += f".{part}" if text else part
        else:
            text += f'["{shorten(printable(part), 80)}"]'
    return text

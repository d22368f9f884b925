"""Which edits of a manifest a living search allows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from archsearch.api import ArchitectureSearch
from archsearch.manifest.errors import Path, spell
from archsearch.manifest.sentences import show

MUTABLE: tuple[Path, ...] = (
    ("metadata", "labels"),
    ("metadata", "annotations"),
    ("spec", "suspend"),
    ("spec", "trials", "max"),
    ("spec", "trials", "parallelism"),
    ("spec", "trials", "lookahead"),
    ("spec", "trials", "deadline"),
    ("spec", "trials", "maxFailed"),
    ("spec", "trials", "maxConsecutiveDuplicates"),
    ("spec", "trials", "retries"),
    ("spec", "trials", "confirm"),
    ("spec", "trial", "podTemplate"),
    ("spec", "trial", "resources"),
    ("spec", "trial", "jobMetadata"),
    ("spec", "controller", "resources"),
)
"""What may change while a search lives: how much of it and where it runs, never what it means."""
FIXED_WHERE_REPRODUCIBLE: tuple[Path, ...] = (("spec", "trials", "parallelism"), ("spec", "trials", "lookahead"))
"""Which rewards a child is sampled from follows from these two, so a reproducible search keeps them."""


@dataclass(frozen=True)
class ForbiddenChange:
    """An edit that a living search does not allow; ``str()`` of it is a sentence."""

    path: str
    """Full path of the field, as ``spec.searchSpace.convolutional.filters``."""
    old: Any
    """Its value in the ledger; None: it was left out."""
    new: Any
    """Its value in the edited manifest; None: it is left out."""
    reason: str
    """Why it cannot change."""

    def __str__(self) -> str:
        """Field, old value, new value and reason."""
        return f"{self.path} cannot change from {_words(self.old)} to {_words(self.new)}: {self.reason}"


def immutable_changes(old: ArchitectureSearch, new: ArchitectureSearch) -> tuple[ForbiddenChange, ...]:
    """The edits from ``old`` to ``new`` that a living search does not allow; empty: all of them are allowed.

    What differs is as :func:`differences` says.
    """
    fixed = FIXED_WHERE_REPRODUCIBLE if old.spec.trials.reproducible else ()
    mutable = [path for path in MUTABLE if path not in fixed]
    changes = []
    for path, was, becomes in differences(old, new):
        if not any(path[: len(prefix)] == prefix for prefix in mutable):
            reason = "the search is reproducible" if path in fixed else "the search would no longer be the same"
            changes.append(ForbiddenChange(spell(path), was, becomes, reason))
    return tuple(changes)


def differences(one: ArchitectureSearch, other: ArchitectureSearch) -> Iterator[tuple[Path, Any, Any]]:
    """The fields in which two manifests differ, each with both values; None: it is left out.

    A default that is written out is no difference. Lists of objects are compared one by one where they are of equal
    length, other lists as a whole.
    """
    before, after = (search.model_dump(mode="json", by_alias=True, exclude_none=True) for search in (one, other))
    yield from _differences((), before, after)


def _differences(path: Path, old: Any, new: Any) -> Iterator[tuple[Path, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in (*old, *(key for key in new if key not in old)):
            yield from _differences((*path, key), old.get(key), new.get(key))
    elif _objects(old) and _objects(new) and len(old) == len(new):
        for place, (was, becomes) in enumerate(zip(old, new, strict=True)):
            yield from _differences((*path, place), was, becomes)
    elif type(old) is not type(new) or old != new:
        yield path, old, new


def _objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _words(value: Any) -> str:
    return "nothing" if value is None else show(value)

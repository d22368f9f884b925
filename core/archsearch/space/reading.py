"""Strict reading of architecture JSON: every refusal gives the path, the value and what is allowed."""

from collections.abc import Sequence
from typing import Any

from archsearch.space.base import GenotypeError

_LONGEST = 200


def read_object(value: Any, keys: Sequence[str], path: str) -> dict[str, Any]:
    """``value``, an object with exactly ``keys``. Raises GenotypeError."""
    allowed = ", ".join(keys)
    if not isinstance(value, dict):
        raise GenotypeError(f"{path} is {shown(value)}; allowed: an object with {allowed}")
    for key in value:
        if key not in keys:
            raise GenotypeError(f"{path} has the unknown field {shown(key)} ({shown(value[key])}); allowed: {allowed}")
    for key in keys:
        if key not in value:
            raise GenotypeError(f"{path} lacks {key}; needed: {allowed}")
    return value


def read_list(value: Any, path: str) -> list[Any]:
    """``value``, a list. Raises GenotypeError."""
    if not isinstance(value, list):
        raise GenotypeError(f"{path} is {shown(value)}; allowed: a list")
    return value


def read_kind(value: Any, kind: str) -> None:
    """Check the ``kind`` of an architecture. Raises GenotypeError."""
    if value != kind:
        raise GenotypeError(f"kind is {shown(value)}; allowed: {kind!r}")


def read_option(value: Any, options: Sequence[str], path: str) -> str:
    """``value``, one of the texts ``options``. Raises GenotypeError."""
    if not isinstance(value, str) or value not in options:
        raise GenotypeError(f"{path} is {shown(value)}; allowed: {', '.join(options)}")
    return value


def is_integer(value: Any) -> bool:
    """Whether ``value`` is a JSON integer; true and 1.0 are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def shown(value: object) -> str:
    """``value`` as a message shows it: cut where it is long, for it may come from anywhere."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        # An integer of thousands of digits, or a list within itself: Python refuses to write it.
        return f"a value of type {type(value).__name__}, too long to show"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."

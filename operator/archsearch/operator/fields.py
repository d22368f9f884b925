"""Reading objects that others have written: whatever is absent or of another type is None or empty, nothing raises."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from archsearch.operator.times import parse_time


def field(value: object, *path: str) -> object:
    """What stands at ``path``; None where there is nothing."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def mapping(value: object, *path: str) -> Mapping[str, Any]:
    """The object at ``path``; empty where there is none."""
    found = field(value, *path)
    return found if isinstance(found, Mapping) else {}


def items(value: object, *path: str) -> Iterator[Mapping[str, Any]]:
    """The objects of the list at ``path``."""
    found = field(value, *path)
    return (item for item in (found if isinstance(found, list) else []) if isinstance(item, Mapping))


def text(value: object, *path: str) -> str | None:
    """The text at ``path``; None where there is none, or an empty one."""
    found = field(value, *path)
    return found if isinstance(found, str) and found else None


def integer(value: object, *path: str) -> int | None:
    """The whole number at ``path``, also where it is written as a text (labels are)."""
    found = field(value, *path)
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) <= 18:
        return int(found)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def time(value: object, *path: str) -> datetime | None:
    """The RFC 3339 time at ``path``."""
    found = text(value, *path)
    try:
        return None if found is None else parse_time(found)
    except ValueError:
        return None

"""The nearest legal thing to what somebody wrote: a field's name, a value, or the place where a field belongs."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any

from archsearch.api import schema as schemas
from archsearch.api.schema import Schema

_YES = {"yes", "on", "y", "true", "1"}
_NO = {"no", "off", "n", "false", "0"}
_MOST_CHARACTERS = 100


def near(word: str, legal: Sequence[str]) -> str | None:
    """The legal word nearest to ``word``, whatever its case, underscores and hyphens; None where none is near."""
    if len(word) > _MOST_CHARACTERS:
        return None
    folded = {_fold(candidate): candidate for candidate in legal}
    matches = get_close_matches(_fold(word), folded, n=1, cutoff=0.6)
    return folded[matches[0]] if matches else None


def _fold(word: str) -> str:
    return re.sub(r"[-_ ]", "", word).casefold()


def elsewhere(name: str) -> str | None:
    """Full path of the field called ``name`` in another object, where exactly one is; wrong indentation, mostly."""
    paths = _places().get(_fold(name), ())
    return paths[0] if len(paths) == 1 else None


@cache
def _places() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path, _, _, _ in schemas.walk():
        found.setdefault(_fold(path[-1]), []).append(".".join(path))
    return found


def value(given: Any, schema: Schema) -> str | None:
    """What was probably meant by ``given`` where ``schema`` is asked for; None where nothing is near."""
    schema = schemas.resolve(schema)
    kind = schema.get("type")
    if "enum" in schema or "const" in schema:
        legal = [str(entry) for entry in schema.get("enum", [schema.get("const")])]
        return near(given, legal) if isinstance(given, str) else None
    if kind == "boolean":
        return _boolean(given)
    if kind in ("integer", "number"):
        return _number(given, kind)
    if kind == "array":
        return f"[{given}]" if isinstance(given, str | int | float) and len(str(given)) < _MOST_CHARACTERS else None
    if schemas.ONE_OF in schema and isinstance(given, str):
        match = near(given, schemas.fields(schema))
        return f"{{{match}: {{}}}}" if match else None
    if kind == "string" and isinstance(given, int | float):
        return _quoted(given, schema)
    return _lower(given, schema) if kind == "string" and isinstance(given, str) else None


def _boolean(given: Any) -> str | None:
    word = str(given).casefold()
    return "true" if word in _YES else "false" if word in _NO else None


def _number(given: Any, kind: str) -> str | None:
    try:
        number = float(given) if isinstance(given, str | float) and not isinstance(given, bool) else None
    except ValueError:
        return None
    if number is None or abs(number) > 1e15:
        return None
    if number.is_integer():
        return str(int(number))
    return str(number) if kind == "number" else None


def _quoted(given: float, schema: Schema) -> str | None:
    if isinstance(given, bool):
        return f'"{str(given).lower()}"'
    if schema.get("pattern", "").endswith("([0-9]+s)?$"):
        return f"{given}s" if isinstance(given, int) and given > 0 else None
    return f'"{given}"' if re.match(schema.get("pattern", ""), str(given)) else None


def _lower(given: str, schema: Schema) -> str | None:
    """A name in capitals, with underscores or with spaces, as a DNS label or as an identifier."""
    pattern = schema.get("pattern")
    if pattern is None or len(given) > schema.get("maxLength", _MOST_CHARACTERS):
        return None
    for candidate in (re.sub(r"[^a-z0-9]+", "-", given.casefold()).strip("-"), re.sub(r"\W+", "_", given).strip("_")):
        if candidate and candidate != given and re.fullmatch(pattern, candidate):
            return candidate
    return None

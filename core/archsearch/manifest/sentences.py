"""From pydantic's errors to our sentences: the one table, and the joining of what belongs together."""

import json
import math
from collections.abc import Iterable
from typing import Any

from archsearch.api import schema as schemas
from archsearch.api.base import FieldError
from archsearch.manifest import suggesting
from archsearch.manifest.errors import ManifestError, Path, spell
from archsearch.manifest.nodes import Leaf, Mark, Node, child, find, key_mark, plain
from archsearch.report_parsing import printable, shorten

KINDS = {
    "missing": "MissingField",
    "extra_forbidden": "UnknownField",
    "value_error": "Conflict",
    "model_type": "WrongType",
    "model_attributes_type": "WrongType",
    "dict_type": "WrongType",
    "tuple_type": "WrongType",
    "list_type": "WrongType",
    "string_type": "WrongType",
    "bool_type": "WrongType",
    "int_type": "WrongType",
    "int_from_float": "WrongType",
    "float_type": "WrongType",
    "enum": "NotAnOption",
    "literal_error": "NotAnOption",
    "greater_than": "OutOfRange",
    "greater_than_equal": "OutOfRange",
    "less_than": "OutOfRange",
    "less_than_equal": "OutOfRange",
    "int_parsing_size": "OutOfRange",
    "finite_number": "NotFinite",
    "string_too_short": "WrongLength",
    "string_too_long": "WrongLength",
    "too_short": "WrongLength",
    "too_long": "WrongLength",
    "string_pattern_mismatch": "WrongForm",
}
"""Our kind of mistake for each of pydantic's error types that the API's models can give."""


def sentences(raw: Iterable[Any], root: Node, file: str) -> list[ManifestError]:
    """``raw``, as ``ValidationError.errors()`` gives it, as our errors: one per value, with its place in the text.

    The branches of a union each complain of the same value; they are told as one.
    """
    found: dict[tuple[str, bool], ManifestError] = {}
    for error in raw:
        if error["type"] in ("too_short", "too_long") and _length_fits(error["loc"], root):
            continue  # pydantic counts only the items that are right
        made = _sentence(error, root, file)
        place = (made.path, error["loc"][-1:] == ("[key]",))
        known = found.get(place)
        # A union's "wrong type" says less than the branch of the right type, which knows what is wrong with it.
        if known is None or (known.kind == "WrongType" and made.kind != "WrongType"):
            found[place] = made
    return list(found.values())


def rule_broken(error: FieldError, base: Path, root: Node, file: str) -> ManifestError:
    """The sentence of a rule that spans several fields; ``base`` is the path of the model that has the rule."""
    path = (*base, *error.field)
    mark, value = _place(root, path), _value(root, path)
    return _error(file, path, mark, error.kind, str(error), value, error.allowed, error.suggestion)


def _sentence(error: Any, root: Node, file: str) -> ManifestError:
    path = _path(error["loc"], root)
    kind = KINDS.get(error["type"], "NotAllowed")
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, FieldError):
        return rule_broken(cause, path, root, file)
    if kind == "MissingField":
        return _missing((*path, error["loc"][-1]), root, file)
    if kind == "UnknownField":
        return _unknown(path, root, file)
    if error["loc"][-1:] == ("[key]",):
        return _bad_key(path, root, file, kind)
    schema, value = schemas.at(path), _value(root, path)
    suggestion = suggesting.value(value, schema)
    text = f"{show(value)} is not allowed; needs {schemas.needs(schema)}" + _hint(suggestion)
    return _error(file, path, _place(root, path), kind, text, value, schemas.allowed(schema), suggestion)


def _length_fits(loc: Path, root: Node) -> bool:
    path = _path(loc, root)
    value, schema = _value(root, path), schemas.at(path)
    least = schema.get("minItems", schema.get("minProperties", 0))
    most = schema.get("maxItems", schema.get("maxProperties", math.inf))
    return isinstance(value, list | dict) and bool(least <= len(value) <= most)


def _missing(path: Path, root: Node, file: str) -> ManifestError:
    schema = schemas.at(path)
    text = f"is missing; needs {schemas.needs(schema)}"
    return _error(file, path, key_mark(root, path), "MissingField", text, None, schemas.allowed(schema), None)


def _unknown(path: Path, root: Node, file: str) -> ManifestError:
    name, legal, value = str(path[-1]), schemas.fields(schemas.at(path[:-1])), _value(root, path)
    suggestion = suggesting.near(name, legal) or suggesting.elsewhere(name)
    listed = ", ".join(legal) if legal else "no field at all"
    text = f"unknown field (its value: {show(value)}){_hint(suggestion) or ';'} allowed: {listed}"
    return _error(file, path, key_mark(root, path), "UnknownField", text, value, legal, suggestion)


def _bad_key(path: Path, root: Node, file: str, kind: str) -> ManifestError:
    names = schemas.at(path[:-1]).get("propertyNames", {"type": "string"})
    suggestion = suggesting.value(path[-1], {"type": "string", **names})
    needed = schemas.needs({"type": "string", **names})
    text = f"the name {show(path[-1])} is not allowed; needs {needed}" + _hint(suggestion)
    return _error(file, path, key_mark(root, path), kind, text, path[-1], (needed,), suggestion)


def show(value: Any) -> str:
    """``value`` for a message: JSON on one line, at most 80 characters, nothing that harms a terminal."""
    return shorten(printable(json.dumps(value, ensure_ascii=False)), 80)


def _path(loc: Path, root: Node) -> Path:
    """``loc`` as far as it leads to a value; pydantic adds names of union branches, of missing fields, and [key]."""
    path: Path = ()
    node: Node | None = root
    for part in loc:
        node = child(node, part) if node is not None else None
        if node is not None:
            path = (*path, part)
    return path


def _value(root: Node, path: Path) -> Any:
    node = find(root, path)
    return plain(node) if node is not None else None


def _place(root: Node, path: Path) -> Mark:
    """A written scalar's own place; otherwise that of its key, where people look first."""
    node = find(root, path)
    return node.mark if isinstance(node, Leaf) and node.value is not None else key_mark(root, path)


def _hint(suggestion: str | None) -> str:
    return f"; did you mean {suggestion}?" if suggestion else ""


def _error(
    file: str,
    path: Path,
    mark: Mark,
    kind: str,
    text: str,
    value: Any,
    allowed: tuple[str, ...],
    suggestion: str | None,
) -> ManifestError:
    return ManifestError(file, spell(path), mark.line, mark.column, kind, text, value, allowed, suggestion)

"""Questions to the JSON Schema of ``ArchitectureSearch``: what stands at a path, and what is allowed, in words."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from archsearch.api.base import Model
from archsearch.api.patterns import WORDS
from archsearch.api.search import ArchitectureSearch
from archsearch.api.status import SearchStatus
from archsearch.api.trial import ArchitectureTrial

Schema = Mapping[str, Any]
ONE_OF = "x-archsearch-one-of"
"""Marks an object of which exactly one (or at most one) field may be set."""
_ANYTHING: Schema = {}


@cache
def root() -> Schema:
    """The schema of the whole resource, camelCase names; maps have ``additionalProperties`` and ``propertyNames``."""
    return of(ArchitectureSearch)


@cache
def of(model: type[Model]) -> Schema:
    """The schema of any model of the API, as :func:`root` is that of ArchitectureSearch."""
    schema = model.model_json_schema(by_alias=True)
    _plain_maps(schema)
    return schema


@cache
def _definitions() -> Schema:
    """What references refer to; a name means the same in every resource."""
    found: dict[str, Any] = {}
    for model in (ArchitectureSearch, SearchStatus, ArchitectureTrial):
        found |= of(model)["$defs"]
    return found


def _plain_maps(schema: Any) -> None:
    """Rewrite ``patternProperties``, which pydantic gives for typed keys and which API servers do not know."""
    if isinstance(schema, dict):
        patterns = schema.pop("patternProperties", {})
        for pattern, values in patterns.items():
            schema["additionalProperties"] = values
            schema["propertyNames"] = {**schema.get("propertyNames", {}), "type": "string", "pattern": pattern}
    for below in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        _plain_maps(below)


def resolve(schema: Schema) -> Schema:
    """``schema`` with a reference followed and the null of an optional field left out; unions stay unions."""
    if "$ref" in schema:
        return resolve(_definitions()[schema["$ref"].rsplit("/", 1)[-1]])
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    return resolve(options[0]) if len(options) == 1 else schema


def at(path: Sequence[str | int]) -> Schema:
    """The schema at ``path``; the schema of anything where the path leads out of what is typed."""
    schema = resolve(root())
    for part in path:
        if isinstance(part, int):
            schema = resolve(schema.get("items", _ANYTHING))
        elif part in schema.get("properties", {}):
            schema = resolve(schema["properties"][part])
        else:
            more = schema.get("additionalProperties")
            schema = resolve(more) if isinstance(more, dict) else _ANYTHING
    return schema


def fields(schema: Schema) -> tuple[str, ...]:
    """Names of the fields of an object."""
    return tuple(schema.get("properties", {}))


def walk() -> Iterator[tuple[tuple[str, ...], Schema, Schema, bool]]:
    """Every field: its path (``[]`` for each item), what it was declared as, its resolved schema, whether required."""
    yield from _walk((), resolve(root()))


def _walk(path: tuple[str, ...], schema: Schema) -> Iterator[tuple[tuple[str, ...], Schema, Schema, bool]]:
    for name, declared in schema.get("properties", {}).items():
        found = resolve(declared)
        yield (*path, name), declared, found, name in schema.get("required", ())
        items = resolve(found.get("items", _ANYTHING))
        yield from _walk((*path, name), found)
        yield from _walk((*path, name + "[]"), items)


def needs(schema: Schema) -> str:
    """What ``schema`` allows, as a phrase that follows "needs"."""
    schema = resolve(schema)
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join(str(value) for value in schema["enum"])
    if "anyOf" in schema:
        return _either(schema["anyOf"])
    words = {
        "integer": _number,
        "number": _number,
        "string": _text,
        "boolean": lambda _: "true or false",
        "array": _list,
        "object": _object,
    }.get(schema.get("type", ""))
    return words(schema) if words is not None else "any JSON value"


def allowed(schema: Schema) -> tuple[str, ...]:
    """The legal values, or where they cannot be listed the phrase of :func:`needs` alone."""
    schema = resolve(schema)
    if "enum" in schema:
        return tuple(str(value) for value in schema["enum"])
    return (str(schema["const"]),) if "const" in schema else (needs(schema),)


def _either(options: Sequence[Schema]) -> str:
    kinds = [option.get("type") for option in options]
    # Where any number is allowed, an integer needs no words of its own.
    phrases = [needs(option) for option in options if not (option.get("type") == "integer" and "number" in kinds)]
    return ", ".join(phrases[:-1]) + " or " + phrases[-1] if len(phrases) > 1 else phrases[0]


def bounds(schema: Schema) -> str:
    """The bounds of a number: ``from 0 to 10000``, ``above 0, at most 100``; empty without any."""
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f"from {_digits(low)} to {_digits(high)}"
    parts = [
        f"{word} {_digits(schema[key])}"
        for key, word in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
        )
        if key in schema
    ]
    return ", ".join(parts)


def _digits(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"


def _number(schema: Schema) -> str:
    return ("an integer " if schema["type"] == "integer" else "a number ").strip() + _spaced(bounds(schema))


def _spaced(text: str) -> str:
    return f" {text}" if text else ""


def _count(schema: Schema, low: str, high: str, unit: str) -> str:
    least, most = schema.get(low, 0), schema.get(high)
    if most is None:
        return f"at least {least} {unit}" if least else ""
    return f"{least} to {most} {unit}" if least else f"at most {most} {unit}"


def _text(schema: Schema) -> str:
    length = _count(schema, "minLength", "maxLength", "characters")
    pattern = schema.get("pattern")
    form = f": {WORDS.get(pattern, f'matching {pattern}')}" if pattern else ""
    return "a text" + (f" of {length}" if length else "") + form


def _list(schema: Schema) -> str:
    length = _count(schema, "minItems", "maxItems", "items")
    return "a list" + (f" of {length}" if length else "") + f", each {needs(schema.get('items', _ANYTHING))}"


def _object(schema: Schema) -> str:
    names = ", ".join(fields(schema))
    if ONE_OF in schema:
        return f"an object with {schema[ONE_OF]} one of the fields {names}"
    if "properties" in schema:
        return f"an object with the fields {names}" if names else "an empty object, {}"
    length = _count(schema, "minProperties", "maxProperties", "entries")
    values = schema.get("additionalProperties")
    each = f", each {needs(values)}" if isinstance(values, dict) and resolve(values) else ""
    return "an object" + (f" of {length}" if length else "") + each

"""The reference page of the API, written from its models: ``python -m archsearch.api.reference > FILE``."""

import json
from collections.abc import Iterator
from typing import Any

from archsearch.api import schema as schemas
from archsearch.api.schema import Schema

_HEAD = """# ArchitectureSearch

Written by `python -m archsearch.api.reference` from the models in `core/archsearch/api`; do not edit.

A manifest is YAML 1.2 (`6e-4` is a number; `yes`, `no`, `on` and `off` are texts) of at most 1 MiB. Every field not
named here is refused. Names are camelCase. Lengths of time are written as `90s`, `4h`, `1h30m` or `2d`, largest unit
first, from 1s to 3650d. `archsearch validate FILE...` tells every mistake at once.
"""
_COLUMNS = "| field | needs | default | unit | meaning |\n|---|---|---|---|---|"


def page() -> str:
    """The whole page, Markdown."""
    return _HEAD + "".join(_section(path, schema) for path, schema in _objects((), schemas.resolve(schemas.root())))


def _objects(path: tuple[str, ...], schema: Schema) -> Iterator[tuple[tuple[str, ...], Schema]]:
    """Every object with fields, in the order of the page."""
    yield path, schema
    for name, declared in schema.get("properties", {}).items():
        found = schemas.resolve(declared)
        items = schemas.resolve(found.get("items", {}))
        if "properties" in found:
            yield from _objects((*path, name), found)
        elif "properties" in items:
            yield from _objects((*path, f"{name}[]"), items)


def _section(path: tuple[str, ...], schema: Schema) -> str:
    title = ".".join(path) or "The resource"
    lines = [f"\n## {title}\n", schema.get("description", "")]
    if schemas.ONE_OF in schema:
        lines.append(f"\nSet {schema[schemas.ONE_OF]} one of these.")
    if schema.get("properties"):
        lines += ["\n" + _COLUMNS, *(_row(schema, name) for name in schema["properties"])]
    else:
        lines.append("\nIt has no fields: write `{}`.")
    return "\n".join(lines) + "\n"


def _row(schema: Schema, name: str) -> str:
    declared = schema["properties"][name]
    required = name in schema.get("required", ())
    cells = (f"`{name}`", _needs(declared), _default(declared, required), unit_of(declared), _meaning(declared))
    return "| " + " | ".join(_escape(cell) for cell in cells) + " |"


def _escape(cell: str) -> str:
    return cell.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _needs(declared: Schema) -> str:
    found = schemas.resolve(declared)
    return "an object, below" if found.get("properties") else schemas.needs(found)


def _default(declared: Schema, required: bool) -> str:
    if required:
        return "**required**"
    value: Any = declared.get("default")
    if value is None:
        return "left out"
    if isinstance(value, dict) and value:
        return "its defaults"
    return f"`{json.dumps(value)}`" if not isinstance(value, str) else f"`{value}`"


def unit_of(declared: Schema) -> str:
    """The unit of a field; empty where it has none."""
    found = str(declared.get("x-unit", ""))
    return "a pure number" if found == "1" else found


def _meaning(declared: Schema) -> str:
    return str(declared.get("description") or schemas.resolve(declared).get("description", ""))


if __name__ == "__main__":
    print(page(), end="")

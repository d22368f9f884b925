"""The reference pages of the API, written from its models: ``python -m archsearch.api.reference FOLDER``."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from archsearch.api import schema as schemas
from archsearch.api.schema import Schema
from archsearch.api.status import SearchStatus
from archsearch.api.trial import ArchitectureTrial

_HEAD = """# ArchitectureSearch

Written by `make reference` from the models in `core/archsearch/api`; do not edit.

A manifest is YAML 1.2 (`6e-4` is a number; `yes`, `no`, `on` and `off` are texts) of at most 1 MiB. Every field not
named here is refused. Names are camelCase. Lengths of time are written as `90s`, `4h`, `1h30m` or `2d`, largest unit
first, from 1s to 3650d. `archsearch validate FILE...` tells every mistake at once.

kubectl reads YAML 1.1: quote `yes`, `no`, `on`, `off` and numbers that begin with 0, or they are true, false and octal.
"""
_STATUS = """
# The status of an ArchitectureSearch

Written by the operator, on a cluster only; a manifest has none. `kubectl get archsearch` shows the essence.
"""
_TRIAL_HEAD = """# ArchitectureTrial

Written by `make reference` from the models in `core/archsearch/api`; do not edit.

Made and kept by the operator, one for each child of a search: its ledger. `kubectl get archtrial` lists them. What was
sampled never changes, and once a trial is over nothing does but its observation number.
"""
_COLUMNS = "| field | needs | default | unit | meaning |\n|---|---|---|---|---|"


def pages() -> dict[str, str]:
    """Every page, Markdown, by the name of its file."""
    return {"architecturesearch.md": page(), "architecturetrial.md": _trial_page()}


def page() -> str:
    """The page of ArchitectureSearch."""
    status = _objects(("status",), schemas.of(SearchStatus))
    return _HEAD + _sections(_objects((), schemas.resolve(schemas.root()))) + _STATUS + _sections(status)


def _trial_page() -> str:
    return _TRIAL_HEAD + _sections(_objects((), schemas.of(ArchitectureTrial)))


def _sections(objects: Iterable[tuple[tuple[str, ...], Schema]]) -> str:
    return "".join(_section(path, schema) for path, schema in objects)


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
    return f"`{value}`" if isinstance(value, str) and value else f"`{json.dumps(value)}`"


def unit_of(declared: Schema) -> str:
    """The unit of a field; empty where it has none."""
    found = str(declared.get("x-unit", ""))
    return "a pure number" if found == "1" else found


def _meaning(declared: Schema) -> str:
    return str(declared.get("description") or schemas.resolve(declared).get("description", ""))


def main(folders: list[str]) -> int:
    """Write every page into every one of ``folders``; 2 where none is given."""
    if not folders:
        print("usage: python -m archsearch.api.reference FOLDER...", file=sys.stderr)
        return 2
    for folder in map(Path, folders):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in pages().items():
            (folder / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

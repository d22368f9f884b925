"""What the command line says in place of fields of the manifest, judged as the manifest is."""

import json
from typing import Any

from pydantic import ValidationError

from archsearch.api import ArchitectureSearch
from archsearch.local.errors import UsageError
from archsearch.manifest.errors import ManifestError, spell
from archsearch.manifest.nodes import Leaf, Mapping, Mark, Node, Sequence
from archsearch.manifest.semantics import broken_rules
from archsearch.manifest.sentences import rule_broken, sentences

FLAGS = {
    "--trials": ("spec", "trials", "max"),
    "--parallelism": ("spec", "trials", "parallelism"),
    "--seed": ("spec", "seed"),
}
"""The field that each flag stands for."""


def override(
    search: ArchitectureSearch, *, trials: int | None, parallelism: int | None, seed: int | None
) -> ArchitectureSearch:
    """The manifest with what the command line says in its place.

    Raises:
        UsageError: a value is not allowed, by itself or beside the rest of the manifest; the message names flag and
            field.
    """
    values = dict(zip(FLAGS, (trials, parallelism, seed), strict=True))
    given = {flag: value for flag, value in values.items() if value is not None}
    if not given:
        return search
    manifest = search.model_dump(mode="json", exclude_unset=True)
    for flag, value in given.items():
        *above, field = FLAGS[flag]
        place = manifest
        for part in above:
            place = place.setdefault(part, {})
        place[field] = value
    return _validated(manifest, tuple(given))


def _validated(manifest: dict[str, Any], flags: tuple[str, ...]) -> ArchitectureSearch:
    root, name = _tree(manifest), "command line"
    try:
        search = ArchitectureSearch.model_validate_json(json.dumps(manifest))
        errors = [rule_broken(rule, (), root, name) for rule in broken_rules(search)]
    except ValidationError as error:
        errors = sentences(error.errors(include_url=False), root, name)
    if errors:
        raise UsageError("\n".join(_told(error, flags) for error in errors))
    return search


def _told(error: ManifestError, flags: tuple[str, ...]) -> str:
    """The mistake with its flag; with every flag where it is in another field, which was right without them."""
    named = [flag for flag in flags if spell(FLAGS[flag]) == error.path] or flags
    return f"{', '.join(named)}: {error.path}: {error.message}"


def _tree(value: Any) -> Node:
    """Plain data as a document, whose places nobody asks for."""
    nowhere = Mark(0, 0)
    if isinstance(value, dict):
        return Mapping(nowhere, {key: (nowhere, _tree(below)) for key, below in value.items()})
    if isinstance(value, list):
        return Sequence(nowhere, [_tree(below) for below in value])
    return Leaf(nowhere, value)

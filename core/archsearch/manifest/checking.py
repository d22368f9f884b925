"""A manifest's text to a search, or to everything that is wrong with it."""

import json
from dataclasses import dataclass
from pathlib import Path as FilePath

from pydantic import ValidationError

from archsearch.api import ArchitectureSearch
from archsearch.api import schema as schemas
from archsearch.api.oneof import none_set, several_set
from archsearch.manifest import suggesting
from archsearch.manifest.composing import Document
from archsearch.manifest.errors import InvalidManifestError, ManifestError, Path, spell
from archsearch.manifest.nodes import Leaf, Mapping, Node, child, key_mark, plain
from archsearch.manifest.reading import MAX_BYTES, read
from archsearch.manifest.semantics import broken_rules
from archsearch.manifest.sentences import rule_broken, sentences, show

_KIND = "ArchitectureSearch"


@dataclass(frozen=True)
class Checked:
    """What became of one document."""

    line: int
    """Where it starts, from 1."""
    search: ArchitectureSearch | None
    errors: tuple[ManifestError, ...]


def check_all(data: str | bytes, name: str) -> tuple[tuple[Checked, ...], tuple[ManifestError, ...]]:
    """Every document of ``data``, and what is wrong with the text as a whole (syntax, size, encoding).

    Never raises on bad input. ``name`` is what errors call the text.
    """
    documents, errors = read(data, name)
    return tuple(_check_document(document, name) for document in documents), errors


def check(data: str | bytes, name: str) -> tuple[ArchitectureSearch | None, tuple[ManifestError, ...]]:
    """The one search of ``data``, or None and every mistake; two searches are a mistake too. Never raises."""
    checked, errors = check_all(data, name)
    found = (*(error for document in checked for error in document.errors), *errors)
    if not found and len(checked) > 1:
        lines = ", ".join(str(document.line) for document in checked)
        message = f"there are {len(checked)} searches, on lines {lines}; only one is read here: give each its own file"
        found = (ManifestError(name, "", checked[1].line, 1, "SeveralSearches", message),)
    return (None, found) if found else (checked[0].search, ())


def load(source: str | bytes | FilePath, name: str | None = None) -> ArchitectureSearch:
    """The search of a manifest: ``source`` is its text, or the path of its file.

    Raises:
        InvalidManifestError: with every mistake, each with its field, line, value and what is allowed; also where the
            file cannot be read.
    """
    data = read_file(source) if isinstance(source, FilePath) else source
    search, errors = check(data, name or (str(source) if isinstance(source, FilePath) else "<text>"))
    if search is None:
        raise InvalidManifestError(errors)
    return search


def read_file(path: FilePath, name: str | None = None) -> bytes:
    """The bytes of ``path``, which errors call ``name``: one more than :data:`MAX_BYTES` at most.

    Raises:
        InvalidManifestError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        problem = ManifestError(name or str(path), "", 0, 0, "Unreadable", f"the file cannot be read: {reason}")
        raise InvalidManifestError((problem,)) from error


def _check_document(document: Document, name: str) -> Checked:
    root = document.root
    search, errors = None, list(document.errors)
    if not isinstance(root, Mapping):
        errors.append(_not_an_object(root, name))
    elif (foreign := _foreign(root, name)) is not None:
        errors = [foreign]
    else:
        search, wrong = _validate(root, name)
        errors += [error for error in wrong if not _told(error, document)]
    errors.sort(key=lambda error: (error.line, error.column))
    return Checked(root.mark.line, None if errors else search, tuple(errors))


def _not_an_object(root: Node, name: str) -> ManifestError:
    message = f"the document is {show(plain(root))}; it must be an object with apiVersion, kind, metadata and spec"
    return ManifestError(name, "", root.mark.line, root.mark.column, "NotAnObject", message, plain(root))


def _foreign(root: Mapping, name: str) -> ManifestError | None:
    """What to say of another kind of resource: that, and nothing of its fields."""
    node = child(root, "kind")
    if not isinstance(node, Leaf) or not isinstance(node.value, str):
        return None
    if node.value == _KIND or suggesting.near(node.value, (_KIND,)) is not None:
        return None
    message = f"{show(node.value)} is not allowed; only {_KIND} is read here"
    return ManifestError(name, "kind", node.mark.line, node.mark.column, "OtherKind", message, node.value, (_KIND,))


def _validate(root: Mapping, name: str) -> tuple[ArchitectureSearch | None, list[ManifestError]]:
    # As JSON, so that strict mode reads lists as tuples and words as enums; by manifest names only.
    text = json.dumps(plain(root))
    try:
        search = ArchitectureSearch.model_validate_json(text, by_alias=True, by_name=False)
    except ValidationError as error:
        found = sentences(error.errors(include_url=False), root, name)
        return None, found + _one_of_errors(root, name, found)
    return search, [rule_broken(rule, (), root, name) for rule in broken_rules(search)]


def _told(error: ManifestError, document: Document) -> bool:
    """Whether ``error`` only repeats that a value could not be read."""
    for path in map(spell, document.broken):
        if error.path == path or (error.kind == "NoneSet" and path.startswith(f"{error.path}.")):
            return True
    return False


def _one_of_errors(root: Node, name: str, found: list[ManifestError]) -> list[ManifestError]:
    """Violations of one-of that pydantic did not come to because a field inside is wrong as well."""
    known = {error.path for error in found if error.kind in ("SeveralSet", "NoneSet")}
    excused = {error.path.rpartition(".")[0] for error in found if error.kind == "UnknownField"}
    errors = []
    for path, node, schema in _one_ofs(root, (), schemas.root()):
        legal = schemas.fields(schema)
        chosen = [key for key in legal if _is_set(node, key)]
        at_fault = len(chosen) > 1 or (not chosen and schema[schemas.ONE_OF] == "exactly")
        if at_fault and spell(path) not in known and not (not chosen and spell(path) in excused):
            text = several_set(chosen, ", ".join(legal)) if chosen else none_set(", ".join(legal))
            mark, kind = key_mark(root, path), "SeveralSet" if chosen else "NoneSet"
            errors.append(ManifestError(name, spell(path), mark.line, mark.column, kind, text, plain(node), legal))
    return errors


def _is_set(node: Mapping, key: str) -> bool:
    below = child(node, key)
    return below is not None and not (isinstance(below, Leaf) and below.value is None)


def _one_ofs(node: Node, path: Path, schema: schemas.Schema) -> list[tuple[Path, Mapping, schemas.Schema]]:
    schema = schemas.resolve(schema)
    if not isinstance(node, Mapping):
        return []
    found = [(path, node, schema)] if schemas.ONE_OF in schema else []
    for key, declared in schema.get("properties", {}).items():
        below = child(node, key)
        if below is not None:
            found += _one_ofs(below, (*path, key), declared)
    return found

"""From the events of a YAML parser to trees of values with places.

Working on events rather than on loaded objects is what gives both lines of a duplicate key, tells ``"5"`` from ``5``,
and lets a nest of aliases be refused before it is expanded.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from archsearch.manifest.errors import ManifestError, Path, spell
from archsearch.manifest.nodes import Leaf, Mapping, Mark, Node, Sequence
from archsearch.manifest.scalars import Scalar, ScalarProblem, resolve, text_problem
from archsearch.report_parsing import shown

MAX_VALUES = 50_000
"""Most values of one document, aliases expanded."""
MAX_DEPTH = 64
"""Deepest nesting, aliases expanded."""
MAX_DOCUMENTS = 100
"""Most documents of one file, empty ones included."""
_TEXT_TAGS = (None, "!", "tag:yaml.org,2002:str")


@dataclass(frozen=True)
class Document:
    """One document of a file: its tree, and the mistakes made in spelling it."""

    root: Node
    errors: tuple[ManifestError, ...] = ()
    broken: tuple[Path, ...] = ()
    """Paths whose values could not be read (they are null in the tree)."""


class UnreadableError(Exception):
    """The text cannot be read any further than ``mark``."""

    def __init__(self, mark: Mark, kind: str, message: str) -> None:
        self.mark, self.kind, self.message = mark, kind, message
        super().__init__(message)


def mark_of(mark: Any) -> Mark:
    """Our place for the parser's, which counts from 0."""
    return Mark(mark.line + 1, mark.column + 1)


class Composer:
    """Builds one document after the other; mistakes in scalars and keys are collected, not raised."""

    def __init__(self, events: Iterator[Any], name: str) -> None:
        self._events, self._name = events, name
        self._started = 0

    def documents(self) -> Iterator[Document]:
        """The documents that hold anything. Raises :class:`UnreadableError`."""
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                self._start(event)
                root = self._node(next(self._events), (), 1)
                if not (isinstance(root, Leaf) and root.value is None and not self._errors):
                    yield Document(root, tuple(self._errors), tuple(self._broken))

    def _start(self, event: Any) -> None:
        if event.version is not None and tuple(event.version) != (1, 2):
            found = ".".join(str(part) for part in event.version)
            raise UnreadableError(mark_of(event.start_mark), "YamlVersion", f"%YAML {found}: only YAML 1.2 is read")
        self._started += 1
        if self._started > MAX_DOCUMENTS:
            message = f"the file has more than {MAX_DOCUMENTS} documents"
            raise UnreadableError(mark_of(event.start_mark), "TooManyDocuments", message)
        self._errors: list[ManifestError] = []
        self._broken: list[Path] = []
        self._anchors: dict[str, Node | None] = {}
        self._values = 0

    def _node(self, event: Any, path: Path, depth: int) -> Node:
        if isinstance(event, AliasEvent):
            return self._alias(event, depth)
        self._count(1, depth, mark_of(event.start_mark))
        if event.anchor is not None:
            self._anchors[event.anchor] = None  # under construction: an alias to it inside itself is refused
        node: Node
        if isinstance(event, ScalarEvent):
            node = self._leaf(event, path)
        elif isinstance(event, MappingStartEvent):
            node = self._mapping(event, path, depth)
        else:
            node = self._sequence(event, path, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: Any, depth: int) -> Node:
        mark, anchor = mark_of(event.start_mark), event.anchor
        if anchor not in self._anchors:
            raise UnreadableError(mark, "UnknownAnchor", f"*{anchor}: there is no anchor &{anchor} before it")
        node = self._anchors[anchor]
        if node is None:
            raise UnreadableError(mark, "RecursiveAlias", f"*{anchor} stands inside &{anchor}: it would hold itself")
        self._count(node.size, depth + node.height - 1, mark)
        return node

    def _count(self, values: int, depth: int, mark: Mark) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            message = f"the document holds more than {MAX_VALUES} values (aliases count as what they stand for)"
            raise UnreadableError(mark, "TooManyValues", message)
        if depth > MAX_DEPTH:
            raise UnreadableError(mark, "TooDeep", f"the document nests deeper than {MAX_DEPTH} levels")

    def _leaf(self, event: Any, path: Path) -> Leaf:
        mark = mark_of(event.start_mark)
        value = self._scalar(event)
        if isinstance(value, ScalarProblem):
            self._refuse(path, mark, value, event.value)
            self._broken.append(path)
            return Leaf(mark, None)
        return Leaf(mark, value)

    def _scalar(self, event: Any) -> Scalar | ScalarProblem:
        if event.tag == "tag:yaml.org,2002:binary":
            return ScalarProblem("BinaryValue", "is tagged !!binary; binary data is not allowed, only text")
        if event.tag not in _TEXT_TAGS:
            return ScalarProblem("ExplicitTag", f"has the tag {event.tag}; tags other than !!str are not allowed")
        problem = text_problem(event.value)
        if problem is not None:
            return problem
        is_plain = event.style is None and event.tag is None
        return resolve(event.value) if is_plain else str(event.value)

    def _mapping(self, event: Any, path: Path, depth: int) -> Mapping:
        node = Mapping(mark_of(event.start_mark))
        self._check_tag(event, path)
        while not isinstance(key_event := next(self._events), MappingEndEvent):
            mark = mark_of(key_event.start_mark)
            key = self._key(key_event, path, depth)
            below = self._node(next(self._events), (*path, key or "?"), depth + 1)
            if key is None:
                continue
            if key in node.entries:
                first = node.entries[key][0].line
                text = f"the key {shown(key)} stands twice, on lines {first} and {mark.line}; each may stand once"
                self._add((*path, key), mark, "DuplicateKey", text, key)
                continue
            node.entries[key] = (mark, below)
            node.size += below.size
            node.height = max(node.height, below.height + 1)
        return node

    def _key(self, event: Any, path: Path, depth: int) -> str | None:
        mark = mark_of(event.start_mark)
        if not isinstance(event, ScalarEvent):
            if isinstance(event, MappingStartEvent | SequenceStartEvent):
                self._node(event, path, depth + 1)
            self._add(path, mark, "KeyNotText", "a key is a list, an object or an alias; keys must be texts", None)
            return None
        if event.value == "<<" and event.style is None:
            self._add(path, mark, "MergeKey", "merge keys (<<) are not read; write the fields out", "<<")
            return None
        key = self._scalar(event)
        if isinstance(key, str):
            return key
        if isinstance(key, ScalarProblem):
            self._refuse(path, mark, key, event.value)
        else:
            text = f"the key {event.value or 'null'} is not a text; keys must be texts (quote it if it is meant)"
            self._add(path, mark, "KeyNotText", text, key)
        return None

    def _sequence(self, event: Any, path: Path, depth: int) -> Sequence:
        node = Sequence(mark_of(event.start_mark))
        self._check_tag(event, path)
        while not isinstance(item := next(self._events), SequenceEndEvent):
            below = self._node(item, (*path, len(node.items)), depth + 1)
            node.items.append(below)
            node.size += below.size
            node.height = max(node.height, below.height + 1)
        return node

    def _check_tag(self, event: Any, path: Path) -> None:
        if event.tag is not None:
            text = f"has the tag {event.tag}; tags other than !!str are not allowed"
            self._add(path, mark_of(event.start_mark), "ExplicitTag", text, None)

    def _refuse(self, path: Path, mark: Mark, problem: ScalarProblem, value: str) -> None:
        hint = f"; did you mean {problem.suggestion}?" if problem.suggestion else ""
        shown_value = shown(value) if problem.kind in ("ForbiddenCharacter", "BinaryValue") else value[:60]
        self._add(path, mark, problem.kind, f"{shown_value} {problem.message}{hint}", value, problem.suggestion)

    def _add(self, path: Path, mark: Mark, kind: str, text: str, value: Any, suggestion: str | None = None) -> None:
        self._errors.append(
            ManifestError(self._name, spell(path), mark.line, mark.column, kind, text, value, suggestion=suggestion)
        )

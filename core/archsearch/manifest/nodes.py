"""A document as a tree of values that know their place in the text."""

from dataclasses import dataclass, field
from typing import Any

from archsearch.manifest.errors import Path
from archsearch.manifest.scalars import Scalar


@dataclass(frozen=True)
class Mark:
    """A place in the text; line and column from 1."""

    line: int
    column: int


@dataclass
class Leaf:
    """A scalar."""

    mark: Mark
    value: Scalar
    size: int = 1
    height: int = 1


@dataclass
class Mapping:
    """Keys with their places, and values; ``size`` counts the values in it, ``height`` its levels."""

    mark: Mark
    entries: dict[str, tuple[Mark, "Node"]] = field(default_factory=dict)
    size: int = 1
    height: int = 1


@dataclass
class Sequence:
    """A list; ``size`` and ``height`` as for :class:`Mapping`."""

    mark: Mark
    items: list["Node"] = field(default_factory=list)
    size: int = 1
    height: int = 1


Node = Leaf | Mapping | Sequence


def plain(node: Node) -> Any:
    """The value of ``node`` as JSON has it."""
    if isinstance(node, Mapping):
        return {key: plain(child) for key, (_, child) in node.entries.items()}
    if isinstance(node, Sequence):
        return [plain(child) for child in node.items]
    return node.value


def child(node: Node, part: str | int) -> Node | None:
    """The value at ``part`` of ``node``, if there is one."""
    if isinstance(node, Mapping) and isinstance(part, str) and part in node.entries:
        return node.entries[part][1]
    if isinstance(node, Sequence) and isinstance(part, int) and 0 <= part < len(node.items):
        return node.items[part]
    return None


def find(node: Node, path: Path) -> Node | None:
    """The value at ``path`` below ``node``, if there is one."""
    found: Node | None = node
    for part in path:
        found = child(found, part) if found is not None else None
    return found


def key_mark(node: Node, path: Path) -> Mark:
    """Where the key of ``path`` stands; for an item of a list, or where ``path`` leads nowhere, the nearest above."""
    mark = node.mark
    for part in path:
        if isinstance(node, Mapping) and isinstance(part, str) and part in node.entries:
            mark, node = node.entries[part]
        elif isinstance(node, Sequence) and isinstance(part, int) and 0 <= part < len(node.items):
            node = node.items[part]
            mark = node.mark
        else:
            return mark
    return mark

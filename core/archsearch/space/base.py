"""The seam of every search space: a sequence of decisions, exact both ways between genotype and architecture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Genotype = tuple[int, ...]
"""Tokens that the policy emits: the index of the chosen option at each decision."""

Architecture = dict[str, Any]
"""The decoded network description, plain JSON; its ``kind`` is the space's."""


class GenotypeError(ValueError):
    """A genotype or an architecture is not of the space; the message says which token or field, and what is allowed."""


@dataclass(frozen=True)
class Anchor:
    """Marks a skip decision: whether layer ``target`` reads layer ``source`` (both from 0, source < target).

    The skip decisions of one target stand together, sources in order, options (False, True); a policy may
    answer them as a set (1611.01578, section 3.3).
    """

    target: int
    source: int


@dataclass(frozen=True)
class Decision:
    """One decision of a child.

    ``name`` is unique within a child (``layer3.filterHeight``); decisions of equal ``kind`` have the same meaning and
    options, so a policy may share its weights among them. ``options`` are the JSON scalars in token order.
    ``legal`` lists the tokens allowed after the decisions before.
    """

    name: str
    kind: str
    options: tuple[bool | int | float | str, ...]
    legal: tuple[int, ...]
    anchor: Anchor | None = None


@dataclass(frozen=True)
class Node:
    """A node of the picture of a network: the image, a layer, an operation, the classifier, ..."""

    id: str
    kind: str
    """Decides how it is drawn: ``image``, ``layer``, ``choice``; of cells ``input`` (what a cell is given),
    ``operation``, ``combination``, ``activation``, ``concat``; ``output``: the classifier, or what a cell gives."""
    label: str
    detail: dict[str, Any] = field(default_factory=dict)
    """Facts to draw: filterHeight, filterWidth, strideHeight, strideWidth, filters; name and value; for cells those
    that :mod:`~archsearch.space.cell_picture` and :mod:`~archsearch.space.recurrent_picture` name."""


@dataclass(frozen=True)
class Edge:
    """A directed edge of the picture; ``skip`` marks one that passes over at least one node."""

    source: str
    target: str
    skip: bool = False


@dataclass(frozen=True)
class Graph:
    """The graph that pictures are drawn from: nodes in topological order."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True)
class Mutation:
    """A genotype one mutation away from another, and what was done."""

    name: str
    """One of the space's :meth:`Space.mutations`."""
    genotype: Genotype


class Space(Protocol):
    """A search space.

    A space may grow: the legal length of child ``index`` is fixed by its ``stage``, a small integer (for
    ``convolutional`` the depth). Spaces that do not grow have one stage, 0.
    """

    kind: str

    def stage(self, index: int) -> int:
        """Stage of child ``index``."""
        ...

    def next(self, prefix: Sequence[int], stage: int) -> Decision | None:
        """The decision that follows ``prefix``, or None when the child is complete."""
        ...

    def size(self, stage: int | None = None) -> int:
        """Exact number of genotypes in ``stage``; None: of the last stage."""
        ...

    def sample(self, draw: "Draw", stage: int) -> Genotype:
        """A genotype drawn uniformly from ``stage``; ``draw(n)`` gives a uniform integer in [0, n)."""
        ...

    def problem(self, genotype: Sequence[int], stage: int | None = None) -> str | None:
        """Why ``genotype`` is invalid in ``stage`` (None: in every stage), or None when it is valid."""
        ...

    def decode(self, genotype: Sequence[int]) -> Architecture:
        """The architecture of ``genotype``. Raises GenotypeError."""
        ...

    def encode(self, architecture: Architecture) -> Genotype:
        """The genotype of ``architecture``: the exact inverse of decode. Raises GenotypeError."""
        ...

    def graph(self, architecture: Architecture) -> Graph:
        """The graph that its picture is drawn from."""
        ...

    def canonical(self, genotype: Sequence[int]) -> Genotype:
        """The one genotype that stands for all genotypes of the same network, itself among them.

        Two genotypes have equal canonical forms exactly if their networks are the same up to the numbering of nodes
        and the order of inputs that are combined alike. Raises GenotypeError.
        """
        ...

    def distance(self, one: Sequence[int], other: Sequence[int]) -> int:
        """Decisions in which the canonical forms differ, those that only the longer has among them.

        0 exactly if both are the same network; symmetric; the triangle inequality holds. Raises GenotypeError.
        """
        ...

    def mutations(self, stage: int) -> tuple[str, ...]:
        """Names of the mutations that change one decision of a child of ``stage``, in a fixed order."""
        ...

    def neighbours(self, genotype: Sequence[int], stage: int, name: str | None = None) -> Iterator[Mutation]:
        """Every genotype of ``stage`` one mutation away, each once, in a fixed order; never ``genotype`` itself.

        ``name``: only by this mutation. Raises GenotypeError, ValueError: no such mutation.
        """
        ...

    def mutate(self, genotype: Sequence[int], stage: int, draw: "Draw", name: str | None = None) -> Mutation | None:
        """A random neighbour: a mutation among those that can change it, then a place, then another option, each drawn
        uniformly; None where nothing can be changed. ``name`` as in :meth:`neighbours`.

        Raises GenotypeError, ValueError: no such mutation.
        """
        ...

    def extend(self, genotype: Sequence[int], stage: int, draw: "Draw") -> Genotype:
        """``genotype``, of an earlier stage or of ``stage``, with the decisions it lacks in ``stage`` drawn uniformly.

        Raises GenotypeError: it is longer than children of ``stage``, or not of the space.
        """
        ...


class Draw(Protocol):
    """A source of uniform integers."""

    def __call__(self, options: int, /) -> int:
        """A uniform integer in [0, options)."""
        ...


def walk(space: Space, genotype: Sequence[int], stage: int) -> list[Decision]:
    """The decisions that ``genotype`` answers, in order.

    Raises:
        GenotypeError: a token is not legal, or the genotype is too short or too long for ``stage``.
    """
    decisions: list[Decision] = []
    for position, token in enumerate(genotype):
        decision = space.next(genotype[:position], stage)
        if decision is None:
            raise GenotypeError(f"genotype has {len(genotype)} tokens; the child is complete after {position}")
        if type(token) is not int or token not in decision.legal:
            allowed = ", ".join(f"{legal} ({decision.options[legal]!r})" for legal in decision.legal)
            raise GenotypeError(f"token {position} ({decision.name}) is {token!r}; allowed: {allowed}")
        decisions.append(decision)
    missing = space.next(tuple(genotype), stage)
    if missing is not None:
        raise GenotypeError(f"genotype ends after {len(genotype)} tokens; the next decision is {missing.name}")
    return decisions

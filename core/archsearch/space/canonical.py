"""One numbering for all numberings of the same graph: how two genotypes are told to be the same network.

Parts are numbered one after another. A part is ready when its inputs have their numbers; of those that are ready the
smallest goes next, as its inputs (by number) and its label say. Ready parts that look the same differ at most in who
reads them: colour refinement over the whole graph (Weisfeiler and Leman) tells them apart, and where it does not, each
is tried and the smallest result is kept. A candidate is not followed when its first result has been seen: equal
results show a symmetry that carries one candidate to another, so that both lead to the same results (as in McKay and
Piperno, 1301.1493, section 2). So the form is exact, and the search stays small unless a graph is built to defeat
colour refinement.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import heapify, heappop, heappush

Key = tuple[tuple[tuple[int, int], ...], tuple[int, ...]]
"""A part by number: its inputs as (source, edge), ascending, and its label."""

Sign = tuple[int, tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]
"""What colours a part: its colour so far, its inputs, its readers."""


@dataclass(frozen=True)
class Part:
    """A part of a network: a block of a cell, a layer."""

    label: tuple[int, ...]
    """What it is, apart from its inputs."""
    inputs: tuple[tuple[int, int], ...]
    """What it reads: number of the source and label of the edge; their order has no meaning.

    Sources below ``outside`` are given to the network; the others are parts, ``outside`` + their place.
    """


def canonical(parts: Sequence[Part], outside: int) -> tuple[Part, ...]:
    """``parts`` in canonical order and numbering, inputs ascending.

    Two sequences give equal results exactly if one is the other with its parts in another order that is
    topological too (every part after those that it reads, which ``parts`` must be), and inputs in any order.
    """
    keys = _Numbering(parts, outside).smallest()
    return tuple(Part(label, inputs) for inputs, label in keys)


class _Numbering:
    def __init__(self, parts: Sequence[Part], outside: int) -> None:
        self._parts = parts
        self._outside = outside
        self._readers: list[list[tuple[int, int]]] = [[] for _ in parts]
        for place, part in enumerate(parts):
            for source, edge in part.inputs:
                if source >= outside:
                    self._readers[source - outside].append((place, edge))

    def smallest(self) -> tuple[Key, ...]:
        """The smallest result of all orders that the rules leave."""
        results = self._results(_State(self._parts, self._outside, self._readers))
        return min(results)

    def _results(self, state: "_State") -> list[tuple[Key, ...]]:
        """Some results from ``state`` on, the smallest among them."""
        tied = self._advance(state)
        if not tied:
            return [tuple(state.keys)]
        results: list[tuple[Key, ...]] = []
        seen: set[tuple[Key, ...]] = set()
        for place in tied:
            if results and self._first_result(state.after(place)) in seen:
                continue
            results.extend(self._results(state.after(place)))
            seen.update(results)
        return results

    def _advance(self, state: "_State") -> list[int]:
        """Place parts until several look the same; those, or nothing at the end."""
        while state.ready:
            tied = self._told_apart(state.smallest())
            if len(tied) > 1:
                return tied
            state.place(tied[0])
        return []

    def _first_result(self, state: "_State") -> tuple[Key, ...]:
        while tied := self._advance(state):
            state.place(tied[0])
        return tuple(state.keys)

    def _told_apart(self, tied: list[int]) -> list[int]:
        """Of parts with equal inputs and labels, those of the first colour; of those with the same readers, one."""
        if len(tied) == 1:
            return tied
        first = min(self._colours[place] for place in tied)
        distinct = {tuple(sorted(self._readers[place])): place for place in tied if self._colours[place] == first}
        return list(distinct.values())

    @cached_property
    def _colours(self) -> list[int]:
        """A number for each part that depends on the graph alone, not on the order of the parts."""
        colours, classes = _ranks([(0, (part.label,), ()) for part in self._parts]), 0
        while len(set(colours)) > classes:
            classes = len(set(colours))
            colours = _ranks([self._sign(place, colours) for place in range(len(self._parts))])
        return colours

    def _sign(self, place: int, colours: Sequence[int]) -> Sign:
        outside = self._outside
        inputs = sorted(
            (source, -1, edge) if source < outside else (outside, colours[source - outside], edge)
            for source, edge in self._parts[place].inputs
        )
        readers = sorted((colours[reader], edge) for reader, edge in self._readers[place])
        return colours[place], tuple(inputs), tuple(readers)


class _State:
    """A beginning of an order: the parts placed so far, and those that are ready."""

    def __init__(self, parts: Sequence[Part], outside: int, readers: Sequence[Sequence[tuple[int, int]]]) -> None:
        self._parts, self._outside, self._readers = parts, outside, readers
        self._number: dict[int, int] = {source: source for source in range(outside)}
        self._missing = [sum(source >= outside for source, _ in part.inputs) for part in parts]
        self.keys: list[Key] = []
        self.ready = [(self._key(place), place) for place, missing in enumerate(self._missing) if not missing]
        heapify(self.ready)

    def after(self, place: int) -> "_State":
        """A copy in which ``place``, one of those that are ready, is placed next."""
        copy = object.__new__(_State)
        copy._parts, copy._outside, copy._readers = self._parts, self._outside, self._readers
        copy._number, copy._missing = dict(self._number), list(self._missing)
        copy.keys, copy.ready = list(self.keys), list(self.ready)
        copy.place(place)
        return copy

    def smallest(self) -> list[int]:
        """The ready parts that look like the smallest one."""
        first = self.ready[0][0]
        if not any(key == first for key, _ in self.ready[1:3]):
            return [self.ready[0][1]]
        return [place for key, place in self.ready if key == first]

    def place(self, place: int) -> None:
        """Give ``place``, one of the smallest that are ready, the next number."""
        if self.ready[0][1] == place:
            key, _ = heappop(self.ready)
        else:
            key = self.ready[0][0]
            self.ready.remove((key, place))
            heapify(self.ready)
        self.keys.append(key)
        self._number[self._outside + place] = self._outside + len(self.keys) - 1
        for reader, _ in self._readers[place]:
            self._missing[reader] -= 1
            if not self._missing[reader]:
                heappush(self.ready, (self._key(reader), reader))

    def _key(self, place: int) -> Key:
        part = self._parts[place]
        return tuple(sorted((self._number[source], edge) for source, edge in part.inputs)), part.label


def _ranks(signs: Sequence[Sign]) -> list[int]:
    ranks = {sign: rank for rank, sign in enumerate(sorted(set(signs)))}
    return [ranks[sign] for sign in signs]

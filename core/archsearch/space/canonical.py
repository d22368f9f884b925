"""One numbering for all numberings of the same graph: how two genotypes are told to be the same network.

Parts are numbered one after another. A part is ready when its inputs have their numbers; of those that are ready the
smallest goes next, as its inputs (by number) and its label say. Ready parts that look the same differ at most in who
reads them: colour refinement of the whole graph (Weisfeiler and Leman), in which the parts numbered so far have their
own colours, tells them apart; where it does not, each is tried and the smallest result is kept. A candidate is not
followed where some order that begins with it gives the same result as one that begins with a candidate before it: that
shows a symmetry which carries one to the other, so that both lead to the same results (McKay and Piperno, 1301.1493,
section 2). So the form is exact, and the search stays small unless a graph is built to defeat colour refinement.
"""

from collections.abc import Sequence
from dataclasses import dataclass

Key = tuple[tuple[tuple[int, int], ...], tuple[int, ...]]
"""A part by number: its inputs as (source, edge), ascending, and its label."""

Sign = tuple[int, tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]
"""What colours a part: its colour so far, its inputs, its readers."""

_NONE = -1
"""The number of a part that has none yet."""


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
        return self._best(_State(self._parts, self._outside, self._readers))

    def _best(self, state: "_State") -> tuple[Key, ...]:
        """The smallest result from ``state`` on, which is used up."""
        tied = self._advance(state)
        if not tied:
            return tuple(state.keys)
        results: list[tuple[Key, ...]] = []
        seen: set[tuple[Key, ...]] = set()
        for place in tied:
            shown = set()
            for some in (self._quick, self._thorough):
                shown.add(some(state.after(place)))
                if shown & seen:
                    break
            else:
                results.append(self._best(state.after(place)))
            seen |= shown
        return min(results)

    def _quick(self, state: "_State") -> tuple[Key, ...]:
        """Some result from ``state`` on, by the colours that it has."""
        while state.ready:
            state.place(min(state.smallest(), key=state.colours.__getitem__))
        return tuple(state.keys)

    def _thorough(self, state: "_State") -> tuple[Key, ...]:
        """Some result from ``state`` on, by colours that are refined after every choice."""
        while tied := self._advance(state):
            state.choose(tied[0])
        return tuple(state.keys)

    def _advance(self, state: "_State") -> list[int]:
        """Place parts until several cannot be told apart: those; nothing at the end."""
        while state.ready:
            tied = state.smallest()
            if len(tied) > 1:
                if state.chosen:
                    state.colours, state.chosen = self._colours(state), False
                tied = self._told_apart(tied, state.colours)
            if len(tied) > 1:
                return tied
            state.place(tied[0])
        return []

    def _told_apart(self, tied: list[int], colours: Sequence[int]) -> list[int]:
        """Of parts with equal inputs and labels, those of the first colour; of those with the same readers, one."""
        first = min(colours[place] for place in tied)
        distinct = {tuple(sorted(self._readers[place])): place for place in tied if colours[place] == first}
        return list(distinct.values())

    def _colours(self, state: "_State") -> list[int]:
        """A number for each part that depends on the graph and on the parts placed alone, not on their order here."""
        numbers = state.number[self._outside :]
        colours = _ranks([(number, (part.label,), ()) for number, part in zip(numbers, self._parts, strict=True)])
        classes = 0
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
        self._missing = [sum(source >= outside for source, _ in part.inputs) for part in parts]
        self.number = list(range(outside)) + [_NONE] * len(parts)
        self.keys: list[Key] = []
        self.ready = [(self._key(place), place) for place, missing in enumerate(self._missing) if not missing]
        self.colours: Sequence[int] = ()
        self.chosen = True
        """Whether a part was chosen among several since ``colours`` were refined."""

    def after(self, place: int) -> "_State":
        """A copy in which ``place`` was chosen."""
        copy = object.__new__(_State)
        copy._parts, copy._outside, copy._readers = self._parts, self._outside, self._readers
        copy._missing, copy.number = list(self._missing), list(self.number)
        copy.keys, copy.ready, copy.colours = list(self.keys), list(self.ready), self.colours
        copy.choose(place)
        return copy

    def smallest(self) -> list[int]:
        """The ready parts that look like the smallest one."""
        first = min(self.ready)[0]
        return [place for key, place in self.ready if key == first]

    def choose(self, place: int) -> None:
        """Place one of several that look the same."""
        self.place(place)
        self.chosen = True

    def place(self, place: int) -> None:
        """Give ``place``, which is ready, the next number."""
        at = next(at for at, (_, ready) in enumerate(self.ready) if ready == place)
        key, _ = self.ready.pop(at)
        self.number[self._outside + place] = self._outside + len(self.keys)
        self.keys.append(key)
        for reader, _ in self._readers[place]:
            self._missing[reader] -= 1
            if not self._missing[reader]:
                self.ready.append((self._key(reader), reader))

    def _key(self, place: int) -> Key:
        part, number = self._parts[place], self.number
        return tuple(sorted([(number[source], edge) for source, edge in part.inputs])), part.label


def _ranks(signs: Sequence[Sign]) -> list[int]:
    ranks = {sign: rank for rank, sign in enumerate(sorted(set(signs)))}
    return [ranks[sign] for sign in signs]

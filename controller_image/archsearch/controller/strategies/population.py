"""What strategies share that keep networks and no parameters: how stages lie, how likely a mutant is, shares."""

import hashlib
import math
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import compress, count, islice
from operator import ne

import numpy as np

from archsearch.controller_contract import OptionProbabilities
from archsearch.space.base import Decision, Draw, Genotype, Space, walk

NEVER = -1e300
"""Natural logarithm of a probability of 0 where infinity is not allowed: ``math.exp(NEVER) == 0``."""


@dataclass(frozen=True, order=True)
class Individual:
    """A rewarded child. Individuals order by reward; of two with equal rewards the younger is the better."""

    reward: float
    number: int
    """Place in the order in which rewards were told."""
    genotype: Genotype


def draw_with(stream: np.random.Generator) -> Draw:
    """``stream`` as spaces want it."""
    return lambda options: int(stream.integers(options))


class Layout:
    """The decisions of one stage, and by which mutation each option of each is changed.

    Both are the same for every child of the stage: spaces decide each position by itself
    (:class:`archsearch.space.product.ProductSpace`).
    """

    def __init__(self, space: Space, stage: int) -> None:
        some = space.sample(lambda options: 0, stage)
        self.decisions: tuple[Decision, ...] = tuple(walk(space, some, stage))
        self.free = tuple(place for place, decision in enumerate(self.decisions) if len(decision.legal) > 1)
        """Places of the decisions with more than one option."""
        self.log_size = math.log(space.size(stage))
        self._space = space
        self._stage = stage
        self._named: dict[tuple[int, int], str] | None = None

    def uniform_entropy(self) -> float:
        """Entropy of a decision in nats, averaged over the free decisions, of a uniform draw."""
        return self.log_size / max(1, len(self.free))

    def log_extended(self, parent: Genotype, child: Genotype) -> float:
        """Logarithm of the probability that ``Space.extend`` makes ``child`` of ``parent``."""
        return NEVER if child[: len(parent)] != parent else self._log_tail(len(parent))

    def log_mutant(self, parent: Genotype, child: Genotype) -> float:
        """Logarithm of the probability that ``parent``, extended where it is of an earlier stage, is mutated to
        ``child`` by ``Space.mutate``."""
        differ = tuple(islice(differing(parent, child), 2))
        if len(differ) > 1:
            return NEVER
        if not self.free:
            return self._log_tail(len(parent))
        counts = Counter(self.named[place, child[place]] for place in self.free)
        if differ:
            here = self._turned(child, differ[0], parent[differ[0]], counts)
        else:
            # The mutated decision is one that was just drawn: whatever it was, the mutation may have led here.
            here = math.fsum(
                self._turned(child, place, token, counts)
                for place in self.free
                if place >= len(parent)
                for token in self.decisions[place].legal
                if token != child[place]
            )
        return NEVER if here == 0 else self._log_tail(len(parent)) + math.log(here)

    @property
    def named(self) -> dict[tuple[int, int], str]:
        """The mutation that changes each (place, token), for the free decisions."""
        if self._named is None:
            self._named = {}
            for turn in range(max(len(decision.legal) for decision in self.decisions)):
                # So many children have each option of each decision among them.
                some = tuple(decision.legal[turn % len(decision.legal)] for decision in self.decisions)
                for mutation in self._space.neighbours(some, self._stage):
                    place = next(iter(differing(some, mutation.genotype)))
                    self._named[place, some[place]] = mutation.name
        return self._named

    def _turned(self, child: Genotype, place: int, token: int, counts: Counter[str]) -> float:
        """Probability that ``child`` with ``token`` at ``place`` is mutated to ``child``; ``counts``: places of
        ``child`` by the mutation that changes them."""
        before, after = self.named[place, token], self.named[place, child[place]]
        names = len(counts) + (before not in counts) - (after != before and counts[after] == 1)
        places = counts[before] + (after != before)
        return 1 / (names * places * (len(self.decisions[place].legal) - 1))

    def _log_tail(self, known: int) -> float:
        return -sum(math.log(len(decision.legal)) for decision in self.decisions[known:])


class Layouts:
    """The layouts of a space, each worked out when it is first needed."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._known: dict[int, Layout] = {}

    def of(self, stage: int) -> Layout:
        """The layout of ``stage``."""
        if stage not in self._known:
            self._known[stage] = Layout(self._space, stage)
        return self._known[stage]


class Shares:
    """How many of some genotypes chose each option of each decision; longer genotypes count where they reach."""

    def __init__(self) -> None:
        self._counts: list[Counter[int]] = []

    def add(self, genotype: Genotype) -> None:
        """Count ``genotype``."""
        while len(self._counts) < len(genotype):
            self._counts.append(Counter())
        for counter, token in zip(self._counts, genotype, strict=False):
            counter[token] += 1

    def remove(self, genotype: Genotype) -> None:
        """Count ``genotype`` no longer; it must have been added."""
        for counter, token in zip(self._counts, genotype, strict=False):
            counter[token] -= 1

    def entropy(self, layout: Layout) -> float:
        """Entropy of the shares of a decision in nats, averaged over the free decisions of a stage."""
        total = 0.0
        for place in layout.free:
            total -= sum(share * math.log(share) for share in self._at(layout, place) if share > 0)
        # The sum of n shares of 1/n may differ from log n in the last bit.
        return max(0.0, total / max(1, len(layout.free)))

    def decisions(self, layout: Layout) -> tuple[OptionProbabilities, ...]:
        """The shares of each decision of a stage; uniform over the legal options where nobody has decided yet."""
        return tuple(
            OptionProbabilities(
                decision=decision.name,
                kind=decision.kind,
                options=decision.options,
                probabilities=self._at(layout, place),
            )
            for place, decision in enumerate(layout.decisions)
        )

    def _at(self, layout: Layout, place: int) -> tuple[float, ...]:
        decision = layout.decisions[place]
        counter = self._counts[place] if place < len(self._counts) else Counter[int]()
        total = counter.total()
        if total == 0:
            return tuple((token in decision.legal) / len(decision.legal) for token in range(len(decision.options)))
        return tuple(counter[token] / total for token in range(len(decision.options)))


class Journal:
    """A running SHA-256 over every change of a state: two states are equal if the same changes led to them.

    What follows from the log without being part of the state that proposals are drawn from need not be entered; what
    a strategy decided while it folded (who died, where a climb went) must be, or the hash would only be the log's.
    """

    def __init__(self, identity: str) -> None:
        """``identity``: name, settings and seed."""
        self._digest = hashlib.sha256(identity.encode())

    def enter(self, event: str, *values: int | float | bytes | None) -> None:
        """Enter a change; floats are entered exactly."""
        self._digest.update(f"\n{event} {values!r}".encode())

    def hash(self) -> str:
        """SHA-256 in hexadecimal over all that was entered."""
        return self._digest.hexdigest()


def differing(one: Sequence[int], other: Sequence[int]) -> Iterable[int]:
    """Places, ascending, at which the two differ, as far as the shorter reaches."""
    return compress(count(), map(ne, one, other))


def digest(genotype: Sequence[int]) -> bytes:
    """16 bytes that stand for ``genotype``: searches keep thousands of them, and their neighbours'."""
    return hashlib.blake2b(array("q", genotype).tobytes(), digest_size=16).digest()


def log_sum(logarithms: Iterable[float]) -> float:
    """Logarithm of the sum of the numbers whose logarithms are given; NEVER where all are 0."""
    listed = [value for value in logarithms if value > NEVER / 2]
    if not listed:
        return NEVER
    largest = max(listed)
    return min(0.0, largest + math.log(math.fsum(math.exp(value - largest) for value in listed)))

"""One climb of ``strategy.localSearch``: where it stands, and which neighbours it has handed out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice

from archsearch.space.base import Genotype, Space


@dataclass
class Known:
    """A network that was asked for."""

    genotype: Genotype
    told: bool = False
    reward: float | None = None
    """Its first reward; None: not told, or failed."""


class Climb:
    """A climb from its start over better and better neighbours."""

    def __init__(self, number: int, start: bytes, genotype: Genotype) -> None:
        """``start``: the key of ``genotype``, whose reward is still to be told."""
        self.number = number
        self.genotype = genotype
        """Where it stands, or the start that is out."""
        self.reward: float | None = None
        """Of the place where it stands; None: the start is out."""
        self.next: tuple[bytes, Genotype] | None = None
        """The neighbour that comes next, a network that nobody has asked for, and its key."""
        self.left: list[int] | None = None
        """Numbers in ``Space.neighbours`` of those that come after it, the last first; None: it has not looked."""
        self.waiting: set[bytes] = {start}
        """Networks that are out and may move it."""
        self.better: Known | None = None
        """The best neighbour that is known to be better."""

    @property
    def may_hand_out(self) -> bool:
        """Whether it stands somewhere, and is not known to have no neighbour left."""
        return self.reward is not None and (self.left is None or self.next is not None or len(self.left) > 0)

    @property
    def done(self) -> bool:
        """Whether all neighbours of its place have been looked at, handed out and told."""
        return self.left is not None and not self.left and self.next is None and not self.waiting

    def hand_out(self, key: bytes) -> bool:
        """Wait for the network if it is the next neighbour; whether it was."""
        if self.next is None or self.next[0] != key:
            return False
        self.next = None
        self.waiting.add(key)
        return True

    def hear(self, key: bytes) -> bool:
        """Wait no longer for the network; whether it was waited for."""
        if key not in self.waiting:
            return False
        self.waiting.discard(key)
        return True

    def consider(self, known: Known) -> bool:
        """Keep ``known`` if it is better than the place and the best neighbour so far; whether it is."""
        if known.reward is None or self.reward is None:
            return False
        bar = self.reward if self.better is None or self.better.reward is None else self.better.reward
        if known.reward <= bar:
            return False
        self.better = known
        return True

    def stand(self, known: Known) -> None:
        """Stand at ``known``, which has a reward; children of former places are still waited for."""
        self.genotype, self.reward = known.genotype, known.reward
        self.next, self.left, self.better = None, None, None

    def look(self, space: Space, stage: int, key: Callable[[Genotype], bytes], known: Mapping[bytes, Known]) -> bool:
        """Look at neighbours, in their order, until one is a network that nobody has asked for: it comes next.

        Those that are out are waited for. Stops at one that is told and better; whether it has stopped there.
        """
        assert self.left is not None
        here = key(self.genotype)
        while self.left:
            genotype = neighbour(space, self.genotype, stage, self.left.pop())
            there = key(genotype)
            network = known.get(there)
            if network is None:
                self.next = (there, genotype)
                return False
            if there == here:
                continue
            if not network.told:
                self.waiting.add(there)
            elif self.consider(network):
                return True
        return False


def neighbour(space: Space, genotype: Genotype, stage: int, number: int) -> Genotype:
    """Neighbour ``number`` of ``genotype``: they are not kept, for those of a deep network are thousands."""
    return next(islice(space.neighbours(genotype, stage), number, None)).genotype

"""One climb of ``strategy.localSearch``: where it stands, and which neighbours it has handed out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

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
        self.left: dict[bytes, int] | None = None
        """Neighbours that nobody has asked for, by key: their numbers in ``Space.neighbours``; None: not looked up."""
        self.waiting: set[bytes] = {start}
        """Networks that are out and may move it."""
        self.better: Known | None = None
        """The best neighbour that is known to be better."""

    @property
    def may_hand_out(self) -> bool:
        """Whether it stands somewhere, and is not known to have no neighbour left."""
        return self.reward is not None and (self.left is None or len(self.left) > 0)

    @property
    def done(self) -> bool:
        """Whether all neighbours of its place have been looked up, handed out and told."""
        return self.left is not None and not self.left and not self.waiting

    def hand_out(self, key: bytes) -> bool:
        """Wait for the network if it is a neighbour that was left; whether it was."""
        if self.left is None or self.left.pop(key, None) is None:
            return False
        self.waiting.add(key)
        return True

    def hear(self, key: bytes) -> bool:
        """Wait no longer for the network; whether it was waited for."""
        if key not in self.waiting:
            return False
        self.waiting.discard(key)
        return True

    def consider(self, known: Known) -> None:
        """Keep ``known`` if it is better than the place and the best neighbour so far; of equal ones the first."""
        if known.reward is None or self.reward is None:
            return
        bar = self.reward if self.better is None or self.better.reward is None else self.better.reward
        if known.reward > bar:
            self.better = known

    def stand(self, known: Known) -> None:
        """Stand at ``known``, which has a reward; children of former places are still waited for."""
        self.genotype, self.reward = known.genotype, known.reward
        self.left, self.better = None, None

    def look(self, space: Space, stage: int, key: Callable[[Genotype], bytes], networks: Mapping[bytes, Known]) -> None:
        """Look up which neighbours of the place are left, which are out, and the best of those that are told."""
        here = key(self.genotype)
        self.left = {}
        for number, mutation in enumerate(space.neighbours(self.genotype, stage)):
            there = key(mutation.genotype)
            if there == here or there in self.left:
                continue
            known = networks.get(there)
            if known is None:
                self.left[there] = number
            elif known.told:
                self.consider(known)
            else:
                self.waiting.add(there)

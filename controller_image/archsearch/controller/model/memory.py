"""What was told, and which of it the model sees."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsearch.space.base import Genotype


@dataclass(frozen=True)
class Entry:
    """A network that was told."""

    genotype: Genotype
    stage: int


class Memory:
    """Every tell, by network: what was told of a network twice is averaged, for training is noisy.

    A pure fold: the state after t tells is that of the first t tells, whenever somebody looks.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.tells: list[tuple[int, float | None]] = []
        """Entry and reward (None: failed) of each tell."""
        self._known: dict[Genotype, int] = {}

    def __contains__(self, network: Genotype) -> bool:
        """Whether ``network``, a canonical form, was told."""
        return network in self._known

    def tell(self, network: Genotype, genotype: Genotype, stage: int, reward: float | None) -> None:
        """Fold a tell; ``network`` is its canonical form."""
        number = self._known.setdefault(network, len(self.entries))
        if number == len(self.entries):
            self.entries.append(Entry(genotype, stage))
        self.tells.append((number, reward))

    def rewards(self, tells: int) -> NDArray[np.float64]:
        """[entries after so many tells] mean reward of each; minus infinity where it only ever failed."""
        told = self.tells[:tells]
        numbers = np.array([number for number, _ in told], dtype=np.int64)
        given = np.array([np.nan if reward is None else reward for _, reward in told], dtype=np.float64)
        good = np.isfinite(given)
        size = int(numbers.max()) + 1 if len(numbers) else 0
        times = np.bincount(numbers[good], minlength=size)
        # Divided before they are added: sums of huge rewards would overflow.
        shares = given[good] / times[numbers[good]]
        return np.where(times > 0, np.bincount(numbers[good], weights=shares, minlength=size), -np.inf)


def chosen(rewards: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Ascending numbers of the entries that a model of at most ``most`` sees: all, or of many the best half, the latest
    quarter, and a quarter spread evenly over the rest."""
    total = len(rewards)
    if total <= most:
        return np.arange(total)
    latest = np.arange(total - most // 4, total)
    earlier = np.arange(total - most // 4)
    order = np.argsort(-rewards[earlier], kind="stable")
    best, rest = earlier[order[: most // 2]], np.sort(earlier[order[most // 2 :]])
    spread = rest[np.linspace(0, len(rest) - 1, most - most // 4 - most // 2).round().astype(np.int64)]
    return np.unique(np.concatenate([best, spread, latest]))


def epoch(tells: int, shortest: int = 4, longest: int = 32) -> int:
    """The latest number of tells, up to ``tells``, at which the model is fitted anew.

    From one to the next it is a tenth of what was told before, within the bounds.
    """
    at = 0
    while (after := at + min(max(at // 10, shortest), longest)) <= tells:
        if at >= 10 * longest:
            return at + (tells - at) // longest * longest
        at = after
    return at

"""The moving averages that turn rewards into advantages."""

from dataclasses import dataclass

LARGEST = 1e9
"""Advantages are held within +-LARGEST, so that no reward, however wild, makes a gradient overflow float32."""

OUTLIER = 1.0
"""Normalised advantages are held within +-OUTLIER mean distances: a child that fails to learn (10 % among 90 %) counts
as worse than the average and no more, so that it does not drown the differences among good ones."""


@dataclass
class Baseline:
    """Exponential moving average of rewards, and of how far they lie from it.

    Both are corrected for their start as Adam's moments are: after one reward the average is that reward, after two it
    is nearly their mean, and only later do old rewards fade. A plain average that starts at 0 would praise the first
    children for nothing; one that starts at the first reward would cling to it.

    ``normalise``: advantages are divided by the running mean of their size, so that rewards in per cent, in fractions
    or negative losses teach at the same pace.
    """

    decay: float
    normalise: bool
    weight: float = 0.0
    """1 - decay ** n after n rewards."""
    total: float = 0.0
    spread_weight: float = 0.0
    spread_total: float = 0.0

    @property
    def value(self) -> float | None:
        """The average; None before the first reward."""
        return self.total / self.weight if self.weight else None

    @property
    def spread(self) -> float | None:
        """Running mean distance of a reward from the average before it; None before the second reward."""
        return self.spread_total / self.spread_weight if self.spread_weight else None

    def advantage(self, reward: float) -> float:
        """Fold ``reward`` in; its advantage over the average before it (0 for the first)."""
        before = self.value
        self.total, self.weight = self._mix(self.total, reward), self._mix(self.weight, 1.0)
        if before is None:
            return 0.0
        difference = max(-1e300, min(1e300, reward - before))
        if not self.normalise:
            return _bounded(difference)
        self.spread_total = self._mix(self.spread_total, abs(difference))
        self.spread_weight = self._mix(self.spread_weight, 1.0)
        spread = self.spread
        return max(-OUTLIER, min(OUTLIER, difference / spread)) if spread else 0.0

    def _mix(self, average: float, value: float) -> float:
        return self.decay * average + (1 - self.decay) * value


def _bounded(advantage: float) -> float:
    return max(-LARGEST, min(LARGEST, advantage))

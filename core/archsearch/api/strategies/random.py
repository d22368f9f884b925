"""``spec.strategy.random``."""

from typing import Self

from archsearch.api.base import Model


class RandomStrategy(Model):
    """Every child is drawn uniformly from the space: the yardstick of every other strategy."""

    def resolved(self) -> Self:
        """Itself: it has nothing to fill in."""
        return self

"""``spec.strategy.localSearch``."""

from enum import StrEnum
from typing import Self

from archsearch.api.base import Model


class Step(StrEnum):
    """When local search moves."""

    FIRST = "First"
    BEST = "Best"


class LocalSearchStrategy(Model):
    """Hill climbing with restarts (2005.02960): try the neighbours of a child, move to a better one, start anew at an
    optimum."""

    step: Step = Step.FIRST
    """First moves to the first neighbour that is better; Best tries all neighbours and moves to the best."""

    def resolved(self) -> Self:
        """Itself: every default is written out."""
        return self

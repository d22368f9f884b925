"""``spec.strategy``: how children are chosen."""

from typing import Self

from archsearch.api.oneof import OneOf
from archsearch.api.strategies.evolution import EvolutionStrategy, RegularizedEvolutionStrategy
from archsearch.api.strategies.local_search import LocalSearchStrategy
from archsearch.api.strategies.model_based import ModelBasedStrategy
from archsearch.api.strategies.ppo import PpoStrategy
from archsearch.api.strategies.random import RandomStrategy
from archsearch.api.strategies.reinforce import ReinforcePreset, ReinforceStrategy

__all__ = [
    "EvolutionStrategy",
    "LocalSearchStrategy",
    "ModelBasedStrategy",
    "PpoStrategy",
    "RandomStrategy",
    "RegularizedEvolutionStrategy",
    "ReinforcePreset",
    "ReinforceStrategy",
    "Strategy",
]


class Strategy(OneOf):
    """How children are chosen: at most one strategy; none means the default of this release."""

    at_least_one = False

    random: RandomStrategy | None = None
    """Uniform draws."""
    reinforce: ReinforceStrategy | None = None
    """A recurrent policy taught by REINFORCE."""
    ppo: PpoStrategy | None = None
    """A recurrent policy taught by proximal policy optimisation."""
    regularized_evolution: RegularizedEvolutionStrategy | None = None
    """Aging evolution."""
    evolution: EvolutionStrategy | None = None
    """Evolution by pairwise tournaments."""
    local_search: LocalSearchStrategy | None = None
    """Hill climbing with restarts."""
    model_based: ModelBasedStrategy | None = None
    """A policy taught by real rewards and by a model of the reward."""

    def resolved(self) -> Self:
        """The strategy in force: the default where none is set, and every field filled in."""
        set_fields = self._set_fields()
        if not set_fields:
            return type(self)(model_based=ModelBasedStrategy().resolved())
        return type(self)(**{set_fields[0]: self.chosen.resolved()})

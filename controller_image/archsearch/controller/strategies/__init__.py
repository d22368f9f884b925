"""The strategies of this release, each in a file of its own."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from archsearch.api import Strategy as StrategySpec
from archsearch.controller.strategies.evolution import Evolution
from archsearch.controller.strategies.local_search import LocalSearch
from archsearch.controller.strategies.model_based import ModelBased
from archsearch.controller.strategies.ppo import Ppo
from archsearch.controller.strategies.random import Random
from archsearch.controller.strategies.regularized_evolution import RegularizedEvolution
from archsearch.controller.strategies.reinforce import Reinforce
from archsearch.controller.strategy import Strategy
from archsearch.space.base import Space

STRATEGIES: Mapping[str, Callable[..., Strategy]] = MappingProxyType(
    {
        Random.name: Random,
        Reinforce.name: Reinforce,
        Ppo.name: Ppo,
        RegularizedEvolution.name: RegularizedEvolution,
        Evolution.name: Evolution,
        LocalSearch.name: LocalSearch,
        ModelBased.name: ModelBased,
    }
)
"""How each field of ``spec.strategy`` becomes a strategy: ``factory(settings, space, seed)``."""


def make(strategy: StrategySpec, space: Space, seed: int) -> Strategy:
    """The strategy that a manifest describes, before any ask or tell; presets are filled in here if they are not yet.

    Raises:
        ValueError: ``strategy`` is of a kind that this release does not have, or does not fit ``space``.
    """
    resolved = strategy.resolved()
    if resolved.kind not in STRATEGIES:
        raise ValueError(f"strategy is {resolved.kind!r}; this controller has: {', '.join(sorted(STRATEGIES))}")
    return STRATEGIES[resolved.kind](resolved.chosen, space, seed)

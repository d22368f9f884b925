"""Strategies in words: how each chooses children, and what its probabilities mean."""

from archsearch.api import Strategy
from archsearch.page.learned import words
from archsearch.page.numbers import number

_HOW = {
    "random": "drawn uniformly from the space",
    "reinforce": "sampled by a recurrent policy that REINFORCE teaches",
    "ppo": "sampled by a recurrent policy that proximal policy optimisation teaches",
    "regularizedEvolution": "bred by regularized evolution: the oldest of the population dies",
    "evolution": "bred by evolution in pairwise tournaments: the worse of two dies",
    "localSearch": "found by hill climbing with restarts",
    "modelBased": "chosen by a policy that learns from real rewards and from a model of them",
}
_POPULATIONS = frozenset({"regularizedEvolution", "evolution", "localSearch"})
_TELLING = ("population", "sample", "step", "initial", "learningRate", "batchSize")
"""Settings that say most; the manifest on the page has them all."""


def how(strategy: Strategy) -> str:
    """How the children of a search were chosen, with the settings that say most."""
    resolved = strategy.resolved()
    kind = resolved.kind
    values = resolved.model_dump(mode="json", exclude_none=True).get(kind, {})
    told = [f"{words(name)} {_value(values[name])}" for name in _TELLING if name in values]
    settings = f" ({', '.join(told)})" if told else ""
    return f"{_HOW.get(kind, f'chosen by {kind}')}{settings}"


def breeds(strategy: Strategy) -> bool:
    """Whether its probabilities are shares of the children that it breeds from."""
    return strategy.resolved().kind in _POPULATIONS


def _value(value: int | float | str) -> str:
    return value if isinstance(value, str) else number(value)

"""What synthetic problems are made of: spaces, effects, interactions, bans, and units of rewards."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from factors import Array, Factor, highest, value

from archsearch.api import Choice, SearchSpace
from archsearch.controller.strategy import generator
from archsearch.space import build
from archsearch.space.base import Genotype, Space

Draws = np.random.Generator
Reward = Callable[[Genotype], float | None]
Link = Callable[[float], float]


@dataclass(frozen=True)
class Problem:
    """What is searched."""

    name: str
    space: Space
    reward: Reward
    """The reward of a network without noise; None: its training fails."""
    best: float
    """The highest reward of any network."""
    noise: float = 0.0
    """Standard deviation of what a training adds, drawn anew for each child."""
    failure: float | None = None
    """What is taught of a child that fails (``objective.failure.reward``); None: only that it failed."""


def space_of(options: Sequence[Sequence[str]]) -> Space:
    choices = tuple(Choice(name=f"decision{n}", values=tuple(values)) for n, values in enumerate(options, start=1))
    return build(SearchSpace(choices=choices))


def lettered(options: Sequence[int]) -> Space:
    return space_of([tuple("abcdefghi"[:count]) for count in options])


def alike(draws: Draws, length: int, fewest: int, most: int) -> tuple[int, ...]:
    return (int(draws.integers(fewest, most + 1)),) * length


def effects(draws: Draws, options: Sequence[int], size: float) -> list[Factor]:
    weights = size * draws.lognormal(0.0, 0.5, len(options))
    return [Factor((place,), draws.normal(size=count) * weights[place]) for place, count in enumerate(options)]


def interactions(draws: Draws, options: Sequence[int], count: int) -> list[Factor]:
    every = list(combinations(range(len(options)), 2))
    chosen = sorted(int(one) for one in draws.choice(len(every), count, replace=False))
    scopes = [every[one] for one in chosen]
    return [Factor(scope, draws.normal(size=tuple(options[place] for place in scope))) for scope in scopes]


_BAN = -1e6


def bans(draws: Draws, options: Sequence[int], share: float) -> list[Factor]:
    """Forbidden options and pairs, added until they hit ``share`` of the networks; at least one network stays."""
    sample = uniform(options, int(draws.integers(2**31)), 4000)
    tables: dict[tuple[int, ...], Array] = {}
    hit = np.zeros(len(sample), dtype=bool)
    while hit.mean() < share:
        scope = tuple(
            sorted(int(place) for place in draws.choice(len(options), int(draws.integers(1, 3)), replace=False))
        )
        table = tables.get(scope, np.zeros(tuple(options[place] for place in scope))).copy()
        table[tuple(int(draws.integers(count)) for count in table.shape)] = _BAN
        tried = [Factor(*item) for item in {**tables, scope: table}.items()]
        if value(tried, highest(tried, options)) == 0:
            tables[scope] = table
            hit |= np.asarray(table[tuple(sample[:, place] for place in scope)]) < 0
    return [Factor(scope, table) for scope, table in tables.items()]


def uniform(options: Sequence[int], seed: int, count: int) -> "np.ndarray[tuple[int, int], np.dtype[np.int64]]":
    draws = generator(seed, "uniform sample")
    return np.stack([draws.integers(0, many, count) for many in options], axis=1)


def centre_and_spread(factors: Sequence[Factor], options: Sequence[int], seed: int) -> tuple[float, float]:
    scores = [value(factors, tuple(one)) for one in uniform(options, seed, 2000)]
    return float(np.mean(scores)), float(np.std(scores))


def link_of(number: int) -> Link:
    """From a score of mean 0 and deviation 1 to a reward; each grows, and every unit is another."""
    return (
        lambda score: 100 / (1 + float(np.exp(-1 - 0.7 * score))),  # an accuracy in per cent
        lambda score: 0.5 + 0.05 * score,
        lambda score: -60 * float(np.exp(-0.5 * score)),  # minus a perplexity: a heavy lower tail
        lambda score: 4000 * score,
    )[number % 4]


def of_factors(
    family: str,
    number: int,
    options: Sequence[int],
    factors: Sequence[Factor],
    banned: Sequence[Factor] = (),
    link: Link | None = None,
) -> Problem:
    centre, spread = centre_and_spread(factors, options, number)
    join = link or link_of(number)

    def reward(genotype: Genotype) -> float:
        return join((value(factors, genotype) - centre) / spread)

    top = highest([*factors, *banned], options)
    return Problem(f"{family}-{number}", lettered(options), reward, reward(top))


def compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in compositions(total - first, parts - 1):
            yield (first, *rest)

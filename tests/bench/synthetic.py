"""Problems of known optimum with other structure than tables of measured cells; the same for every run by number.

Every family is a function of an instance's number; sizes, option counts and the unit of rewards change with it. The
optimum is found by construction, by counting all networks, or by eliminating variables (factors.py), never by search.
"""

from collections.abc import Callable, Mapping
from itertools import combinations, product
from pathlib import Path
from types import MappingProxyType

import numpy as np
from cell_families import cells
from factors import Array, Factor, highest, value
from making import (
    Draws,
    Problem,
    alike,
    bans,
    centre_and_spread,
    compositions,
    effects,
    interactions,
    lettered,
    link_of,
    of_factors,
    space_of,
    uniform,
)

from archsearch.bench.table import VALIDATION, read_table
from archsearch.controller.strategy import generator
from archsearch.space.base import Genotype
from archsearch.table import read_table as read_rows


def problem_of(name: str) -> Problem:
    """``table:CSV``, or a family and a number: ``pairwise-2``."""
    if name.startswith("table:"):
        return of_table(Path(name.removeprefix("table:")))
    family, _, number = name.rpartition("-")
    if family not in FAMILIES or not number.isdecimal():
        raise SystemExit(f"--problem: {name!r}; allowed: table:CSV, or NAME-NUMBER of {', '.join(FAMILIES)}")
    return FAMILIES[family](int(number))


def of_table(path: Path) -> Problem:
    """A table of measured networks; networks that it lacks fail."""
    table, rows = read_table(path), read_rows(path)
    column = rows.metrics.index(VALIDATION)
    rewards = {spelling: row[column] for spelling, row in rows.rows.items()}

    def reward(genotype: Genotype) -> float | None:
        return rewards.get("".join(values[token] for values, token in zip(table.options, genotype, strict=True)))

    return Problem(f"table:{path.name}", space_of(table.options), reward, table.best)


# --- families ---------------------------------------------------------------------------------------------------------


def additive(number: int) -> Problem:
    """6 to 20 decisions, 3 to 9 options, each with an effect of its own; some decisions matter more."""
    draws = generator(number, "additive")
    options = alike(draws, (6, 10, 15, 20)[number % 4], 4, 9)
    return of_factors("additive", number, options, effects(draws, options, 1.0))


def pairwise(number: int) -> Problem:
    """As many interactions between two random decisions as there are decisions, stronger than what each does alone."""
    draws = generator(number, "pairwise")
    options = alike(draws, (6, 8, 12, 16)[number % 4], 3, 5)
    return of_factors(
        "pairwise", number, options, effects(draws, options, 0.5) + interactions(draws, options, len(options))
    )


def deceptive(number: int) -> Problem:
    """Odd numbers: blocks of three that lead away from their best. Even: a wide optimum, and a better narrow one."""
    return _two_optima(number) if number % 2 == 0 else _traps(number)


def _two_optima(number: int) -> Problem:
    draws = generator(number, "two optima")
    options = alike(draws, (8, 8, 14, 14)[number % 4], 3, 5)
    wide = tuple(int(draws.integers(count)) for count in options)
    narrow = tuple(
        (token + 1 + int(draws.integers(count - 1))) % count for token, count in zip(wide, options, strict=True)
    )
    weights = draws.uniform(0.5, 1.5, len(options))
    weights /= weights.sum()

    def reward(genotype: Genotype) -> float:
        away = [float(weights[np.not_equal(genotype, peak)].sum()) for peak in (wide, narrow)]
        return max(90 - 30 * away[0], 94 - 80 * away[1])

    return Problem(f"deceptive-{number}", lettered(options), reward, reward(narrow))


def _traps(number: int) -> Problem:
    draws = generator(number, "traps")
    options = alike(draws, (6, 6, 9, 12)[number % 4], 4, 5)
    factors = []
    for first in range(0, len(options), 3):
        scope = (first, first + 1, first + 2)
        shape = tuple(options[place] for place in scope)
        target = [int(draws.integers(count)) for count in shape]
        pairs = zip(np.indices(shape), target, strict=True)
        away = sum(np.asarray(place != token, dtype=float) for place, token in pairs)
        # All three right: 1. Otherwise the more are wrong the better, up to 0.7.
        factors.append(Factor(scope, np.where(away == 0, 1.0, 0.7 * (away - 1) / 2) * draws.uniform(0.7, 1.3)))
    return of_factors("deceptive", number, options, factors + effects(draws, options, 0.03))


def plateau(number: int) -> Problem:
    """Half of the networks and more collapse to chance; the others have a heavy lower tail."""
    draws = generator(number, "plateau")
    options = alike(draws, (6, 8, 10, 14)[number % 4], 3, 6)
    factors = effects(draws, options, 1.0) + interactions(draws, options, len(options) // 2)
    broken = bans(draws, options, (0.5, 0.6, 0.7, 0.6)[number % 4])
    top = highest([*factors, *broken], options)
    centre, spread = centre_and_spread(factors, options, number)

    def reward(genotype: Genotype) -> float:
        score = (value(factors, genotype) - centre) / spread
        if value(broken, genotype) < 0:
            return 10 + 0.2 * float(np.tanh(score))
        return 95 - 8 * float(np.exp(-score))

    return Problem(f"plateau-{number}", lettered(options), lambda genotype: max(10.0, reward(genotype)), reward(top))


def noisy(number: int) -> Problem:
    """Interactions under rewards whose noise is 0.25 to 1 of what networks differ by."""
    draws = generator(number, "noisy")
    options = alike(draws, (6, 8, 10, 12)[number % 4], 3, 6)
    factors = effects(draws, options, 1.0) + interactions(draws, options, len(options) // 2)
    plain = of_factors("noisy", number, options, factors, link=lambda score: 80 + 5 * score)
    return Problem(plain.name, plain.space, plain.reward, plain.best, noise=5 * (0.25, 0.5, 1.0, 0.5)[number % 4])


def failing(number: int) -> Problem:
    """70 to 90 % of the networks fail: pairs of options that do not go together, and options that never work."""
    draws = generator(number, "failing")
    options = alike(draws, (6, 8, 10, 14)[number % 4], 3, 6)
    factors = effects(draws, options, 1.0) + interactions(draws, options, len(options) // 2)
    banned = bans(draws, options, (0.7, 0.8, 0.9, 0.85)[number % 4])
    plain = of_factors("failing", number, options, factors, banned)

    def reward(genotype: Genotype) -> float | None:
        return None if value(banned, genotype) < 0 else plain.reward(genotype)

    return Problem(plain.name, plain.space, reward, plain.best)


def bag(number: int) -> Problem:
    """Options mean the same at every decision, and only their counts matter: the best are uneven, some go together."""
    draws = generator(number, "bag")
    length, kinds = ((8, 5), (10, 6), (15, 5), (30, 3))[number % 4]
    ideal, weights = length * draws.dirichlet([0.6] * kinds), draws.uniform(0.2, 1.0, kinds)
    together = np.triu(draws.normal(size=(kinds, kinds)) * 0.5, 1)

    def score(counts: Array) -> float:
        return float(-(weights * (counts - ideal) ** 2).sum() + counts @ together @ counts)

    every = [score(np.array(counts, dtype=float)) for counts in compositions(length, kinds)]
    centre, spread = float(np.mean(every)), float(np.std(every))
    link = link_of(number)

    def reward(genotype: Genotype) -> float:
        return link((score(np.bincount(genotype, minlength=kinds).astype(float)) - centre) / spread)

    return Problem(f"bag-{number}", lettered((kinds,) * length), reward, link((max(every) - centre) / spread))


def large(number: int) -> Problem:
    """30 and 60 decisions, 3 to 9 options: a chain, additive, neighbourhoods of three (NK), blocks of four."""
    draws = generator(number, "large")
    length = (30, 60)[number % 2]
    make = (_chain, _effects_of_all_sizes, _neighbourhoods, _blocks)[number % 4]
    options, factors = make(draws, length)
    return of_factors("large", number, options, factors)


def _chain(draws: Draws, length: int) -> tuple[tuple[int, ...], list[Factor]]:
    options = alike(draws, length, 4, 7)
    links = [Factor((a, a + 1), draws.normal(size=(options[a], options[a + 1])) * 0.7) for a in range(length - 1)]
    return options, links + effects(draws, options, 1.0)


def _effects_of_all_sizes(draws: Draws, length: int) -> tuple[tuple[int, ...], list[Factor]]:
    options = tuple(int(count) for count in draws.integers(3, 10, length))
    return options, effects(draws, options, 1.0)


def _neighbourhoods(draws: Draws, length: int) -> tuple[tuple[int, ...], list[Factor]]:
    options = alike(draws, length, 3, 4)
    terms = [tuple(sorted((a, (a + 1) % length, (a + 2) % length))) for a in range(length)]
    return options, [Factor(scope, draws.normal(size=tuple(options[place] for place in scope))) for scope in terms]


def _blocks(draws: Draws, length: int) -> tuple[tuple[int, ...], list[Factor]]:
    options = alike(draws, length, 3, 5)
    blocks = [tuple(range(first, min(first + 4, length))) for first in range(0, length, 4)]
    terms = [Factor(scope, draws.normal(size=tuple(options[place] for place in scope)) * 0.7) for scope in blocks]
    return options, terms + effects(draws, options, 1.0)


def mixed(number: int) -> Problem:
    """Every decision with its own number of options, 3 to 9; a third is without effect, the others fade."""
    draws = generator(number, "mixed")
    length = (6, 9, 14, 20)[number % 4]
    options = tuple(int(count) for count in draws.integers(3, 10, length))
    order = draws.permutation(length)[: length - length // 3]
    factors = [
        Factor((int(place),), draws.normal(size=options[place]) * 0.85**rank) for rank, place in enumerate(order)
    ]
    for a, b in zip(order[::2], order[1::2], strict=False):
        scope = tuple(sorted((int(a), int(b))))
        factors.append(Factor(scope, draws.normal(size=tuple(options[place] for place in scope)) * 0.4))
    return of_factors("mixed", number, options, factors)


def ordinal(number: int) -> Problem:
    """Options that lie in an order (widths, rates): a tilted bowl whose lowest point is a network."""
    draws = generator(number, "ordinal")
    options = alike(draws, (6, 8, 10, 7)[number % 4], 5, 9)
    ideal = np.array([draws.integers(count) for count in options])
    tilt = draws.normal(size=(len(options), len(options))) * 0.4 + np.eye(len(options))
    link = link_of(number)
    sample = uniform(options, number, 2000)
    scale = float(np.median([np.sum((tilt @ ((one - ideal) / (np.array(options) - 1))) ** 2) for one in sample]))

    def reward(genotype: Genotype) -> float:
        away = tilt @ ((np.array(genotype) - ideal) / (np.array(options) - 1))
        return link(1.5 - 1.5 * float(away @ away) / scale)

    return Problem(f"ordinal-{number}", lettered(options), reward, link(1.5))


def rugged(number: int) -> Problem:
    """Interactions of two and three decisions, and what one measured training adds to each network for good."""
    draws = generator(number, "rugged")
    length, count = ((6, 5), (8, 4), (10, 3), (7, 5))[number % 4]
    options = (count,) * length
    factors = effects(draws, options, 1.0) + interactions(draws, options, length)
    for _ in range(length // 2):
        scope = tuple(sorted(int(place) for place in draws.choice(length, 3, replace=False)))
        factors.append(Factor(scope, draws.normal(size=(count, count, count)) * 0.5))
    scores = np.zeros(options)
    for factor in factors:
        scores += factor.table.reshape([count if place in factor.scope else 1 for place in range(length)])
    scores = (scores - scores.mean()) / scores.std()
    scores += draws.normal(size=options) * 0.15
    link = link_of(number)

    def reward(genotype: Genotype) -> float:
        return link(float(scores[tuple(genotype)]))

    return Problem(f"rugged-{number}", lettered(options), reward, link(float(scores.max())))


def paths(number: int) -> Problem:
    """Operations on the edges of a small graph: what gets through counts, too much of the strong ones does harm."""
    draws = generator(number, "paths")
    nodes, kinds = ((4, 5), (5, 3), (4, 4), (4, 5))[number % 4]
    edges = list(combinations(range(nodes), 2))
    gain = np.concatenate([[0.0, 0.6], np.sort(draws.uniform(0.7, 1.4, kinds - 2))])  # none, skip, operations
    load = np.concatenate([[0.0, 0.0], draws.uniform(0.1, 0.5, kinds - 2)])
    bound = float(draws.uniform(0.8, 1.6))
    names = draws.permutation(kinds)

    def reward(genotype: Genotype) -> float:
        flow, depth = [1.0] + [0.0] * (nodes - 1), 0.0
        for (source, target), token in zip(edges, genotype, strict=True):
            kind = names[token]
            flow[target] += float(gain[kind]) * float(np.tanh(flow[source]))
            depth += float(load[kind]) * (flow[source] > 0)
        if flow[-1] == 0:
            return 10.0
        return 94 - 40 * float(np.exp(-1.2 * flow[-1])) - 4 * max(0.0, depth - bound) ** 2

    options = (kinds,) * len(edges)
    best = max(map(reward, product(*map(range, options))))
    return Problem(f"paths-{number}", lettered(options), lambda genotype: max(10.0, reward(genotype)), best)


def cell(number: int) -> Problem:
    """Cells of blocks (``searchSpace.cell``): 20 to 50 decisions, and many genotypes of each network."""
    space, reward = cells(number)
    return Problem(f"cell-{number}", space, lambda genotype: 50 + 30 * reward(genotype), 50 + 30 * reward.best())


FAMILIES: Mapping[str, Callable[[int], Problem]] = MappingProxyType(
    {
        family.__name__: family
        for family in (
            additive,
            pairwise,
            deceptive,
            plateau,
            noisy,
            failing,
            bag,
            large,
            mixed,
            ordinal,
            rugged,
            paths,
            cell,
        )
    }
)

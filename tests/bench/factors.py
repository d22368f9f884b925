"""Sums of small tables over a few decisions each: their value, and their exact maximum however many decisions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsearch.space.base import Genotype

Array = NDArray[np.float64]
_LARGEST = 20_000_000
"""Numbers that a table may have while variables are eliminated."""


@dataclass(frozen=True)
class Factor:
    """A term of the sum: ``table`` has an axis for each place of ``scope``, in that order."""

    scope: tuple[int, ...]
    table: Array


def value(factors: Sequence[Factor], genotype: Sequence[int]) -> float:
    """The sum at ``genotype``."""
    return sum(float(factor.table[tuple(genotype[place] for place in factor.scope)]) for factor in factors)


def highest(factors: Sequence[Factor], options: Sequence[int]) -> Genotype:
    """A genotype with the highest sum: variable elimination, the place with the fewest neighbours first.

    ``options``: how many each place has. Raises ValueError: the terms hang together too much for a table to be held.
    """
    left = [*factors, *(Factor((place,), np.zeros(count)) for place, count in enumerate(options))]
    solved: list[tuple[int, tuple[int, ...], NDArray[np.intp]]] = []
    places = set(range(len(options)))
    while places:
        place = min(sorted(places), key=lambda one: len(_neighbours(left, one)))
        joined = _joined([factor for factor in left if place in factor.scope], place, options)
        left = [factor for factor in left if place not in factor.scope]
        solved.append((place, joined.scope[1:], np.asarray(joined.table.argmax(axis=0))))
        left.append(Factor(joined.scope[1:], joined.table.max(axis=0)))
        places.remove(place)
    tokens: dict[int, int] = {}
    for place, others, choice in reversed(solved):
        tokens[place] = int(choice[tuple(tokens[other] for other in others)])
    return tuple(tokens[place] for place in range(len(options)))


def _neighbours(factors: Sequence[Factor], place: int) -> set[int]:
    return {other for factor in factors if place in factor.scope for other in factor.scope} - {place}


def _joined(factors: Sequence[Factor], place: int, options: Sequence[int]) -> Factor:
    """Their sum as one table whose first axis is ``place``."""
    scope = (place, *sorted(_neighbours(factors, place)))
    shape = [options[one] for one in scope]
    if np.prod(shape, dtype=float) > _LARGEST:
        raise ValueError(f"a table over places {scope} would have {np.prod(shape, dtype=float):.0f} numbers")
    total = np.zeros(shape)
    for factor in factors:
        order = sorted(range(len(factor.scope)), key=lambda axis: scope.index(factor.scope[axis]))
        held = set(factor.scope)
        total += factor.table.transpose(order).reshape([options[one] if one in held else 1 for one in scope])
    return Factor(scope, total)

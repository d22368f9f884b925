"""Bootstraps over seeds: bands around lines, and differences of two strategies. Deterministic.

Percentile intervals (Efron and Tibshirani 1993, section 13.3) of the mean. Few seeds make them too narrow, whatever is
done; what keeps a p honest all the same is that none is below what the number of seeds can show (:func:`least_p`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsearch.bench.stats import RESAMPLES, Interval

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """Mean of one strategy minus that of another, more is better."""

    interval: Interval | None
    """None where there are no values on both sides; without width where there is one seed alone."""
    p: float | None
    """Two-sided; None where it cannot be told from one seed."""
    paired: bool
    """Whether seed was compared with seed."""
    seeds: tuple[int, int]
    """Seeds on either side."""


def bands(lines: Sequence[Sequence[float]], resamples: int = RESAMPLES) -> tuple[Floats, Floats]:
    """Ends of the 95 % interval of the mean of ``lines`` (one for each seed, of equal length), place by place.

    Raises ValueError: there are no lines.
    """
    values = np.asarray(lines, dtype=np.float64)
    low, high = np.percentile(_resampled(values, resamples, 0), [2.5, 97.5], axis=0)
    return low, high


def interval(values: Sequence[float], resamples: int = RESAMPLES) -> Interval:
    """Mean with its 95 % interval. Raises ValueError: there are no values."""
    low, high = bands([[value] for value in values], resamples)
    return Interval(float(np.mean(values)), float(low[0]), float(high[0]))


def difference(one: Mapping[int, float], other: Mapping[int, float], resamples: int = RESAMPLES) -> Difference:
    """``one`` minus ``other``, values by seed.

    Paired over the seeds that both have, where there are two at least; otherwise both sides are resampled by
    themselves, all seeds of either.
    """
    shared = [seed for seed in one if seed in other]
    if len(shared) > 1:
        gaps = np.array([[one[seed] - other[seed]] for seed in shared])
        drawn, point = _resampled(gaps, resamples, 0)[:, 0], float(gaps.mean())
        return _judged(point, drawn, least_p(len(shared)), True, (len(shared), len(shared)))
    if not one or not other:
        return Difference(None, None, False, (len(one), len(other)))
    first, second = (np.array([[value] for value in side.values()]) for side in (one, other))
    drawn = _resampled(first, resamples, 0)[:, 0] - _resampled(second, resamples, 1)[:, 0]
    least = least_p(len(one), len(other))
    return _judged(float(first.mean() - second.mean()), drawn, least, False, (len(one), len(other)))


def least_p(one: int, other: int | None = None) -> float:
    """The smallest two-sided p that so many seeds can give without assumptions.

    Paired (``other`` is None): all differences have one sign, 2 / 2**n. Unpaired: all of one side are above all of the
    other, 2 divided by the number of ways to part the seeds. A bootstrap alone would call three seeds proof.
    """
    ways = 2**one if other is None else math.comb(one + other, one)
    return min(1.0, 2 / ways)


def _judged(point: float, drawn: Floats, least: float, paired: bool, seeds: tuple[int, int]) -> Difference:
    low, high = np.percentile(drawn, [2.5, 97.5])
    found = Interval(point, float(low), float(high))
    if min(seeds) < 2:
        return Difference(found, None, paired, seeds)
    # One more draw at zero: a share of resamples is never proof of a p of nothing.
    below, above = (int(np.count_nonzero(side)) + 1 for side in (drawn <= 0, drawn >= 0))
    p = min(1.0, 2 * min(below, above) / (len(drawn) + 1))
    return Difference(found, max(p, least), paired, seeds)


def _resampled(values: Floats, resamples: int, seed: int) -> Floats:
    """Means of ``values`` (seeds by places), their rows drawn with replacement, one row for each resample."""
    rows = len(values)
    if not rows:
        raise ValueError("no values")
    draws = np.random.default_rng(seed).multinomial(rows, np.full(rows, 1 / rows), size=resamples)
    # Means of what is added to the first row: equal rows give exactly that row, whatever rounding does.
    means: Floats = values[0] + draws @ (values - values[0]) / rows
    return means

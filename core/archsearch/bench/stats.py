"""Summaries of repeated measurements: plain functions of lists of numbers."""

import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

RESAMPLES = 10_000
"""Resamples of a bootstrap."""


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % confidence interval."""

    mean: float
    low: float
    high: float


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation (n - 1); the deviation of a single value is 0."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def percentile(values: Sequence[float], percent: float) -> float:
    """The percentile (0 to 100), linear between the two nearest values. Raises ValueError: there are no values."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    place = (len(ordered) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def bootstrap_mean(values: Sequence[float], resamples: int = RESAMPLES) -> Interval:
    """Mean with its 95 % percentile bootstrap interval (Efron and Tibshirani 1993, section 13.3), values resampled.

    Deterministic. Raises ValueError: there are no values.
    """
    return bootstrap(
        statistics.fmean(values), lambda draws: statistics.fmean(draws.choices(values, k=len(values))), resamples
    )


def bootstrap(point: float, resample: Callable[[random.Random], float], resamples: int = RESAMPLES) -> Interval:
    """The interval around ``point`` from draws of the same statistic on resampled data. Deterministic."""
    draws = random.Random(0)
    found = [resample(draws) for _ in range(resamples)]
    return Interval(point, percentile(found, 2.5), percentile(found, 97.5))

"""Sample efficiency: what a search has found after so many children asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, takewhile
from typing import TypedDict

from archsearch.bench.stats import Interval, bootstrap_mean, mean_and_deviation

_FIRST = (25, 50, 100, 150, 200, 300)
WINDOW = 50
"""Children at the beginning and at the end whose mean rewards are compared."""


@dataclass(frozen=True)
class Curve:
    """One search; a child that could not be measured has None."""

    validation: tuple[float | None, ...]
    """Validation accuracy of each child asked for, by index."""
    test: tuple[float | None, ...]
    """Test accuracy, alike; all None where the table has none."""
    duplicates: int
    """Children that had been asked for before."""
    seconds: float
    """Wall time of the search."""


class Row(TypedDict):
    """One line of the answer; accuracies in the table's unit."""

    strategy: str
    children: int
    seeds: int
    regret_mean: float
    regret_std: float
    test_mean: float | None
    """None: the table has no test accuracy."""
    test_std: float | None
    difference_mean: float | None
    """Regret minus that of the first strategy, over the seeds that both have; None: it is the first."""
    difference_low: float | None
    """95 % interval, bootstrap over the paired seeds."""
    difference_high: float | None


@dataclass(frozen=True)
class Summary:
    """What a strategy did over all seeds."""

    strategy: str
    seeds: int
    duplicates: float
    """Children that had been asked for before, mean of a search."""
    window: int
    """Children at either end that ``gain`` compares."""
    gain: Interval | None
    """Mean reward of the last children minus that of the first; None where no seed has both."""
    seconds_per_child: float


def checkpoints(children: int) -> tuple[int, ...]:
    """25, 50, 100, 150, 200, 300, then hundreds to 1000, then doubling; and ``children`` itself."""
    hundreds = range(400, 1001, 100)
    doubling = (1000 * 2**power for power in count(1))
    marks = [mark for mark in (*_FIRST, *hundreds) if mark < children]
    return (*marks, *takewhile(lambda mark: mark < children, doubling), children)


def found_after(curve: Curve, children: int) -> tuple[float, float | None] | None:
    """Validation and test accuracy of the best by validation among the first ``children`` asked for.

    Of equals the first. None while none has been measured.
    """
    pairs = zip(curve.validation[:children], curve.test[:children], strict=True)
    measured = [(validation, test) for validation, test in pairs if validation is not None]
    return max(measured, key=lambda pair: pair[0], default=None)


def rows(
    strategy: str, curves: Sequence[Curve], best: float, children: int, first: Sequence[Curve] | None = None
) -> list[Row]:
    """A line for each checkpoint; ``seeds`` counts the searches that had measured a child by then.

    ``first``: the curves of the strategy to compare with, by the same seeds.
    """
    lines = []
    for mark in checkpoints(children):
        found = [pair for curve in curves if (pair := found_after(curve, mark)) is not None]
        if not found:
            continue
        regret_mean, regret_std = mean_and_deviation([best - validation for validation, _ in found])
        tests = [test for _, test in found if test is not None]
        test_mean, test_std = mean_and_deviation(tests) if tests else (None, None)
        apart = None if first is None else difference(curves, first, mark)
        lines.append(
            Row(
                strategy=strategy,
                children=mark,
                seeds=len(found),
                regret_mean=regret_mean,
                regret_std=regret_std,
                test_mean=test_mean,
                test_std=test_std,
                difference_mean=None if apart is None else apart.mean,
                difference_low=None if apart is None else apart.low,
                difference_high=None if apart is None else apart.high,
            )
        )
    return lines


def difference(curves: Sequence[Curve], others: Sequence[Curve], children: int) -> Interval | None:
    """Regret minus that of ``others`` after so many children, seeds paired; None where no seed has both."""
    pairs = [
        (found_after(one, children), found_after(other, children)) for one, other in zip(curves, others, strict=True)
    ]
    apart = [other[0] - one[0] for one, other in pairs if one is not None and other is not None]
    return bootstrap_mean(apart) if apart else None


def summary(strategy: str, curves: Sequence[Curve], children: int) -> Summary:
    """What the strategy did; the interval of the gain is a bootstrap over seeds."""
    window = max(1, min(WINDOW, children // 2))
    gains = [gain for curve in curves if (gain := _gain(curve, window)) is not None]
    asked = sum(len(curve.validation) for curve in curves)
    return Summary(
        strategy=strategy,
        seeds=len(curves),
        duplicates=sum(curve.duplicates for curve in curves) / len(curves),
        window=window,
        gain=bootstrap_mean(gains) if gains else None,
        seconds_per_child=sum(curve.seconds for curve in curves) / max(1, asked),
    )


def _gain(curve: Curve, window: int) -> float | None:
    first = [value for value in curve.validation[:window] if value is not None]
    last = [value for value in curve.validation[-window:] if value is not None]
    if not first or not last:
        return None
    return sum(last) / len(last) - sum(first) / len(first)

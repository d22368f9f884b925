"""The tables of a comparison in words and numbers, the same for the page and a terminal."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from archsearch.bench.compare.comparison import Comparison, Row, Versus
from archsearch.bench.compare.contenders import Contender
from archsearch.bench.compare.course import RANKS
from archsearch.bench.stats import Interval
from archsearch.page.numbers import duration, plural, scale_of

MEASURES = ("best", "mean of the top 5", "mean of the top 25")
"""For each of RANKS."""
_EVIDENT = 0.05
"""A p below this is called a difference."""


@dataclass(frozen=True)
class Line:
    """A row of a table."""

    cells: tuple[str, ...]
    first: bool = False
    """Whether a new checkpoint, or a new pair, begins."""


@dataclass(frozen=True)
class Unit:
    """How rewards are written: accuracies and errors as per cent, and no more digits than the spread deserves."""

    percent: bool
    digits: int

    def text(self, value: float) -> str:
        """A reward without its unit."""
        return f"{self._scaled(value):.{self.digits}f}"

    def signed(self, value: float) -> str:
        """A difference of rewards with its sign."""
        return f"{self._scaled(value):+.{self.digits}f}"

    def interval(self, found: Interval | None, seeds: int) -> str:
        """A mean with its interval; alone where there is one seed, a dash where there is nothing."""
        if found is None:
            return "–"
        mean = self.text(found.mean)
        return mean if seeds == 1 else f"{mean} ({self.text(found.low)} to {self.text(found.high)})"

    def _scaled(self, value: float) -> float:
        return 100 * value if self.percent else value


def unit_of(comparison: Comparison) -> Unit:
    """How the rewards of a comparison are written."""
    known = [mean.mean for row in comparison.rows for mean in row.means if mean is not None]
    objective = comparison.contenders[0].manifest.spec.objective
    if objective.transform.kind == "identity" and not objective.also and scale_of(objective.metric, known).percent:
        return Unit(percent=True, digits=2)
    largest = max(map(abs, known), default=1.0)
    return Unit(percent=False, digits=next((digits for digits in range(1, 6) if largest >= 10.0 ** (3 - digits)), 6))


def row_header(comparison: Comparison) -> tuple[str, ...]:
    """Names of the columns of :func:`row_lines`."""
    unit = " (%)" if unit_of(comparison).percent else ""
    test = (f"{comparison.test} of the best{unit}",) if comparison.test else ()
    means = tuple(f"{measure}{unit}" for measure in MEASURES)
    return ("children", "search", "seeds", *means, *test, "duplicates", "failed", "trained")


def row_lines(comparison: Comparison) -> list[Line]:
    """What each contender has found at each checkpoint."""
    unit = unit_of(comparison)
    lines = [Line(_cells(comparison, row, unit)) for row in comparison.rows]
    size = len(comparison.contenders)
    return [Line(line.cells, place % size == 0) for place, line in enumerate(lines)]


def _cells(comparison: Comparison, row: Row, unit: Unit) -> tuple[str, ...]:
    means = [unit.interval(mean, row.seeds) for mean in row.means]
    test = [unit.interval(row.test, row.seeds)] if comparison.test else []
    counts = (f"{row.duplicates:.1f}", f"{row.failed:.1f}", duration(row.seconds))
    return (f"{row.children:,}", row.label, str(row.seeds), *means, *test, *counts)


VERSUS_HEADER = ("difference", "of", "after", "mean", "95 % interval", "p", "seeds")
"""Names of the columns of :func:`versus_lines`."""


def versus_lines(comparison: Comparison) -> list[Line]:
    """Every pair of contenders after the last checkpoint."""
    unit = unit_of(comparison)
    return [Line(_versus_cells(each, unit), each.rank == RANKS[0]) for each in comparison.versus]


def _versus_cells(versus: Versus, unit: Unit) -> tuple[str, ...]:
    found = versus.difference
    one, other = found.seeds
    seeds = f"{one} paired" if found.paired else f"{one} and {other}"
    what = (f"{versus.one} minus {versus.other}", MEASURES[RANKS.index(versus.rank)], f"{versus.children:,}")
    if found.interval is None:
        return (*what, "–", "–", "–", seeds)
    mean, low, high = (unit.signed(value) for value in (found.interval.mean, found.interval.low, found.interval.high))
    if found.p is None:
        return (*what, mean, "–", "–", seeds)
    return (*what, mean, f"{low} to {high}", p_text(found.p), seeds)


def p_text(p: float) -> str:
    """A p with two digits, never told to be nothing."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def settings(one: Contender) -> str:
    """The strategy in force with every setting."""
    fields = one.runs[0].record.strategy.model_dump(mode="json", exclude_none=True).get(one.strategy, {})
    told = ", ".join(f"{name} {json.dumps(value)}" for name, value in fields.items())
    return f"{one.strategy}: {told}" if told else one.strategy


def story(comparison: Comparison) -> list[str]:
    """The outcome in sentences, honest about what the seeds can tell."""
    last = comparison.rows[-len(comparison.contenders) :]
    ranked = sorted((row for row in last if row.means[0] is not None), key=_best, reverse=True)
    if not ranked:
        return ["No search has a child with a reward."]
    unit, leader = unit_of(comparison), ranked[0]
    value = f"{unit.text(_best(leader))}{' %' if unit.percent else ''}"
    seeds = "one seed" if leader.seeds == 1 else f"the mean over {leader.seeds} seeds"
    after = plural(comparison.children, "child", "children")
    counts = {len(one.runs) for one in comparison.contenders}
    runs = plural(sum(len(one.runs) for one in comparison.contenders), "search", "searches")
    each = f", {plural(counts.pop(), 'seed')} each" if len(counts) == 1 and len(comparison.contenders) > 1 else ""
    what = plural(len(comparison.contenders), "strategy or setting", "strategies or settings")
    begin = f"{runs} of {what} were compared over {after}{each}."
    return [
        begin,
        f"{leader.label} has the best child: {value} ({seeds}).",
        *_against(comparison, leader, ranked[1:], unit),
    ]


def _best(row: Row) -> float:
    assert row.means[0] is not None
    return row.means[0].mean


def _against(comparison: Comparison, leader: Row, others: Sequence[Row], unit: Unit) -> list[str]:
    told = []
    for row in others:
        pair = {leader.label, row.label}
        found = next(v.difference for v in comparison.versus if v.rank == RANKS[0] and {v.one, v.other} == pair)
        gap = f"{unit.text(_best(leader) - _best(row))}{' percentage points' if unit.percent else ''}"
        if found.p is None:
            verdict = "one seed cannot tell whether that is more than luck"
        elif found.p < _EVIDENT:
            verdict = f"p {'' if found.p < 0.001 else '= '}{p_text(found.p)}"
        else:
            verdict = f"p = {p_text(found.p)}: these seeds do not tell the two apart"
        told.append(f"It is {gap} ahead of {row.label} ({verdict}).")
    return [" ".join(told)] if told else []

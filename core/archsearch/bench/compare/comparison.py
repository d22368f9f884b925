"""The figures of a comparison: lines with bands, the table at checkpoints, differences, and what to mind."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from archsearch.bench.compare.bootstrap import Difference, Floats, bands, difference, interval
from archsearch.bench.compare.contenders import Contender
from archsearch.bench.compare.course import RANKS, Course, course_of
from archsearch.bench.curves import checkpoints
from archsearch.bench.stats import Interval
from archsearch.page.numbers import plural, test_metric

POINTS = 400
"""Places at which a line is drawn, at most."""
FEW = 10
"""Fewer seeds than this make bootstrap intervals noticeably too narrow."""


@dataclass(frozen=True)
class Drawn:
    """A line of the figure: the mean over seeds."""

    children: tuple[int, ...]
    mean: Floats
    low: Floats | None
    """Lower end of the 95 % band; None where there is one seed alone."""
    high: Floats | None


@dataclass(frozen=True)
class Row:
    """What one contender has found after so many children; means over seeds."""

    label: str
    children: int
    seeds: int
    means: tuple[Interval | None, ...]
    """For each of RANKS; None where a seed has not so many distinct children with a reward."""
    test: Interval | None
    """What the best child has on the test part; None where a seed did not report it."""
    duplicates: float
    failed: float
    seconds: float
    """Time that children have been trained, added up."""


@dataclass(frozen=True)
class Versus:
    """Two contenders after the last checkpoint that both have reached."""

    one: str
    other: str
    rank: int
    children: int
    difference: Difference


@dataclass(frozen=True)
class Comparison:
    """Contenders side by side."""

    contenders: tuple[Contender, ...]

    @cached_property
    def courses(self) -> tuple[tuple[Course, ...], ...]:
        """The courses of each contender, by seed."""
        return tuple(tuple(course_of(run.record) for run in one.runs) for one in self.contenders)

    @cached_property
    def children(self) -> int:
        """Children up to which all can be compared."""
        every = [course for courses in self.courses for course in courses]
        bounds = [course.children for course in every if not course.lasting]
        return min(bounds, default=max(course.children for course in every))

    @property
    def checkpoints(self) -> tuple[int, ...]:
        """Numbers of children at which the table looks."""
        return checkpoints(self.children)

    @property
    def metric(self) -> str:
        """The objective's metric."""
        return self.contenders[0].manifest.spec.objective.metric

    @cached_property
    def test(self) -> str | None:
        """The metric of the test part, where one is reported."""
        found = (test_metric(run.record) for one in self.contenders for run in one.runs)
        return next((name for name in found if name is not None), None)

    def line(self, place: int, rank: int) -> Drawn | None:
        """The line of the contender at ``place``; None where it never has so many children with a reward."""
        places = _places(self.children)
        values = [[course.mean(rank, children) for children in places] for course in self.courses[place]]
        known = [column for column in range(len(places)) if all(row[column] is not None for row in values)]
        if not known:
            return None
        matrix = np.array([[row[column] for column in known] for row in values], dtype=np.float64)
        low, high = bands(matrix.tolist()) if len(matrix) > 1 else (None, None)
        return Drawn(tuple(places[column] for column in known), matrix.mean(axis=0), low, high)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The table: a row for each contender at each checkpoint."""
        return tuple(self._row(place, mark) for mark in self.checkpoints for place in range(len(self.contenders)))

    def _row(self, place: int, children: int) -> Row:
        courses = self.courses[place]
        tests, duplicates, failed, seconds = zip(*(course.after(children) for course in courses), strict=True)
        return Row(
            label=self.contenders[place].label,
            children=children,
            seeds=len(courses),
            means=tuple(_over([course.mean(rank, children) for course in courses]) for rank in RANKS),
            test=_over(tests),
            duplicates=sum(duplicates) / len(courses),
            failed=sum(failed) / len(courses),
            seconds=sum(seconds) / len(courses),
        )

    @cached_property
    def versus(self) -> tuple[Versus, ...]:
        """Every pair of contenders after the last checkpoint, for each of RANKS."""
        pairs = combinations(range(len(self.contenders)), 2)
        return tuple(self._versus(later, earlier, rank) for earlier, later in pairs for rank in RANKS)

    def _versus(self, one: int, other: int, rank: int) -> Versus:
        found = difference(self._found(one, rank), self._found(other, rank))
        return Versus(self.contenders[one].label, self.contenders[other].label, rank, self.children, found)

    def _found(self, place: int, rank: int) -> dict[int, float]:
        """By seed what it has found in the end."""
        values = ((course.seed, course.mean(rank, self.children)) for course in self.courses[place])
        return {seed: value for seed, value in values if value is not None}

    @property
    def notes(self) -> tuple[str, ...]:
        """What whoever reads the figures should mind."""
        return tuple(self._notes())

    def _notes(self) -> Iterator[str]:
        seeds = {one.label: len(one.runs) for one in self.contenders}
        if len(set(seeds.values())) > 1:
            told = ", ".join(f"{label} has {count}" for label, count in seeds.items())
            yield f"Not all have as many seeds: {told}."
        alone = [label for label, count in seeds.items() if count == 1]
        if alone:
            yield (
                f"{_listed(alone)}: one seed only, so there is no band and no p; what one search finds is largely "
                "luck. Compare with more (--seeds)."
            )
        if 1 < min(seeds.values()) < FEW:
            yield (
                f"With {plural(min(seeds.values()), 'seed')} the intervals are too narrow: read them as the spread of "
                "what was seen."
            )
        yield from self._uneven()

    def _uneven(self) -> Iterator[str]:
        for one, courses in zip(self.contenders, self.courses, strict=True):
            early = [course for course in courses if course.lasting and course.children < self.children]
            if early:
                reasons = sorted({run.record.outcome.reason for run in one.runs if run.record.outcome is not None})
                yield (
                    f"{one.label}: {plural(len(early), 'search', 'searches')} of {len(courses)} ended before "
                    f"{self.children:,} children ({', '.join(reasons)}); what they had found then is drawn on."
                )
            longest = max(course.children for course in courses)
            if longest > self.children:
                yield f"{one.label} goes on to {longest:,} children; all are compared up to {self.children:,}."
        tried = sum(versus.difference.p is not None for versus in self.versus)
        if tried > 1:
            yield f"Each p of the {tried} stands by itself: among equals, one in twenty is below 0.05 by chance."


def _places(children: int) -> list[int]:
    """Numbers of children at which lines are drawn, evenly, the first and the last among them."""
    count = min(children, POINTS)
    return sorted({round(1 + place * (children - 1) / max(1, count - 1)) for place in range(count)})


def _over(values: Sequence[float | None]) -> Interval | None:
    known = [value for value in values if value is not None]
    return interval(known) if len(known) == len(values) else None


def _listed(labels: Sequence[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"

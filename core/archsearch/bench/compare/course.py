"""What one search has found after each child that it asked for."""

import math
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from archsearch.api import Objective
from archsearch.engine.leaderboard import children, eligible, rank
from archsearch.engine.model import Phase, Trial
from archsearch.engine.record import SearchRecord
from archsearch.page.numbers import test_metric

RANKS = (1, 5, 25)
"""Best, mean of the top 5, mean of the top 25: the lines of NASNet's figure (1707.07012, section 4.4)."""

LASTING = ("TargetReached", "SpaceExhausted", "PolicyCollapsed")
"""Reasons after which a search has found all that it will: what it has found stands, however many children others ask
for."""

Line = tuple[float | None, ...]
"""A value after each child asked for; None before there is one."""


@dataclass(frozen=True)
class Course:
    """One search, seen after each of its children, in the order in which they were asked for."""

    seed: int
    means: tuple[Line, ...]
    """For each of RANKS: the mean reward of so many best distinct children so far; None while there are fewer."""
    test: Line
    """What the best child so far has on the test part; None where it reported nothing."""
    duplicates: tuple[int, ...]
    """Children so far that an earlier one was the same network as."""
    failed: tuple[int, ...]
    """Children so far that failed."""
    seconds: tuple[float, ...]
    """Time that children so far have been trained, added up."""
    lasting: bool
    """Whether its last values hold for as many children as one likes (LASTING)."""

    @property
    def children(self) -> int:
        """Children that were asked for."""
        return len(self.test)

    def mean(self, rank: int, children: int) -> float | None:
        """The mean of the ``rank`` best after ``children``; None where there are not so many."""
        return self.means[RANKS.index(rank)][self._place(children)]

    def _place(self, children: int) -> int:
        return min(children, self.children) - 1

    def after(self, children: int) -> tuple[float | None, int, int, float]:
        """Test value of the best, duplicates, failed children and seconds after ``children``."""
        place = self._place(children)
        return self.test[place], self.duplicates[place], self.failed[place], self.seconds[place]


def course_of(record: SearchRecord) -> Course:
    """The course of a search that has ended.

    Rewards are those by which the search ranked its children: only children that count for it, and of a network that
    was trained more than once its best measurement. Trainings that confirm a result teach nothing and are left out.
    """
    trials = [trial for trial in children(record.trials) if trial.phase is not Phase.STOPPED]
    objective, outcome = record.manifest.spec.objective, record.outcome
    return Course(
        seed=record.manifest.spec.seed,
        means=tuple(means_of_the_best(trials, rank, objective) for rank in RANKS),
        test=_test_of_the_best(trials, test_metric(record), objective),
        duplicates=tuple(accumulate(trial.duplicate_of is not None for trial in trials)),
        failed=tuple(accumulate(trial.phase is Phase.FAILED for trial in trials)),
        seconds=tuple(accumulate(trial.seconds for trial in trials)),
        lasting=outcome is not None and outcome.reason in LASTING,
    )


def means_of_the_best(trials: Sequence[Trial], most: int, objective: Objective) -> Line:
    """After each child the mean reward of the ``most`` best distinct children so far; None while there are fewer.

    Children beyond a limit of ``objective.also`` are not among the best.
    """
    best: dict[int, float] = {}
    ordered: list[float] = []
    line: list[float | None] = []
    for trial in trials:
        if (
            trial.reward is not None
            and eligible(objective, trial)
            and trial.reward > best.get(trial.network, -math.inf)
        ):
            if trial.network in best:
                del ordered[bisect_left(ordered, best[trial.network])]
            best[trial.network] = trial.reward
            insort(ordered, trial.reward)
        line.append(sum(ordered[-most:]) / most if len(ordered) >= most else None)
    return tuple(line)


def _test_of_the_best(trials: Sequence[Trial], metric: str | None, objective: Objective) -> Line:
    best: Trial | None = None
    line: list[float | None] = []
    for trial in trials:
        if eligible(objective, trial) and (best is None or rank(trial) < rank(best)):
            best = trial
        line.append(best.metrics.get(metric) if best is not None and metric is not None else None)
    return tuple(line)

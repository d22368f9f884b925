"""What a ledger says about a search: ranks, running figures, counts, time. Pure functions of its trials."""

import heapq
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from archsearch.api import Direction
from archsearch.engine.model import Phase, Trial
from archsearch.space.base import Genotype


def counted(trial: Trial) -> bool:
    """Whether the result of a trial is a part of the search: it has its observation number.

    A reproducible search ends at the same child however its trials were timed. Those that happened to end beyond that
    child are kept, but were never taught and count for nothing.
    """
    return trial.observation is not None


def top(trials: Iterable[Trial], k: int = 25) -> tuple[Trial, ...]:
    """The ``k`` best distinct children, highest reward first; of equal rewards the lowest index first.

    A genotype appears once, with its best measurement, however often it was sampled. Rewards are higher for better
    children whatever the objective's direction.
    """
    if k < 0:
        raise ValueError(f"k is {k}; allowed: from 0")
    best: dict[Genotype, Trial] = {}
    for trial in trials:
        if counted(trial) and trial.reward is not None:
            known = best.get(trial.genotype)
            if known is None or _rank(trial) < _rank(known):
                best[trial.genotype] = trial
    return tuple(heapq.nsmallest(k, best.values(), key=_rank))


def _rank(trial: Trial) -> tuple[float, int]:
    assert trial.reward is not None
    return (-trial.reward, trial.index)


def mean(values: Sequence[float | None]) -> float | None:
    """Mean of the values that are known; None where there are none."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def running_best(values: Sequence[float | None], direction: Direction = Direction.MAXIMIZE) -> tuple[float | None, ...]:
    """At each place the best value so far; None before the first known one."""
    better = max if direction is Direction.MAXIMIZE else min
    best: float | None = None
    so_far: list[float | None] = []
    for value in values:
        if value is not None:
            best = value if best is None else better(best, value)
        so_far.append(best)
    return tuple(so_far)


def moving_mean(values: Sequence[float | None], window: int) -> tuple[float | None, ...]:
    """At each place the mean of the last ``window`` known values up to it; None before the first known one."""
    if window < 1:
        raise ValueError(f"window is {window}; allowed: from 1")
    recent: deque[float] = deque(maxlen=window)
    means: list[float | None] = []
    for value in values:
        if value is not None:
            recent.append(value)
        means.append(sum(recent) / len(recent) if recent else None)
    return tuple(means)


def times_sampled(trials: Iterable[Trial]) -> Counter[Genotype]:
    """How often each genotype was sampled."""
    return Counter(trial.genotype for trial in trials)


@dataclass(frozen=True)
class Counts:
    """Trials by phase; ``reused`` and ``duplicates`` say what share of all of them repeat an earlier child."""

    pending: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    stopped: int = 0
    uncounted: int = 0
    """Trials of a reproducible search that have ended without (or not yet with) an observation number."""
    reused: int = 0
    """Trials that took an earlier trial's result over; they count under their phase too."""
    duplicates: int = 0
    """Trials whose genotype was sampled before, reused or trained again."""
    reused_succeeded: int = 0
    """Succeeded trials among the reused ones."""

    @property
    def total(self) -> int:
        """All trials."""
        ended = self.succeeded + self.failed + self.stopped + self.uncounted
        return self.pending + self.running + ended

    @property
    def trained(self) -> int:
        """Succeeded trials that were trained themselves."""
        return self.succeeded - self.reused_succeeded


def counts(trials: Iterable[Trial]) -> Counts:
    """Trials by phase, and how many repeat an earlier child."""
    listed = list(trials)
    uncounted = [t for t in listed if t.phase in (Phase.SUCCEEDED, Phase.FAILED) and not counted(t)]
    phases = Counter(trial.phase for trial in listed)
    phases.subtract(trial.phase for trial in uncounted)
    reused = [trial for trial in listed if trial.reuse_of is not None]
    return Counts(
        pending=phases[Phase.PENDING],
        running=phases[Phase.RUNNING],
        succeeded=phases[Phase.SUCCEEDED],
        failed=phases[Phase.FAILED],
        stopped=phases[Phase.STOPPED],
        uncounted=len(uncounted),
        reused=len(reused),
        duplicates=sum(trial.duplicate_of is not None for trial in listed),
        reused_succeeded=sum(trial.phase is Phase.SUCCEEDED for trial in reused),
    )


def seconds_by_outcome(trials: Iterable[Trial]) -> dict[Phase, float]:
    """Seconds that the attempts of trials of each phase have run; phases without any are left out."""
    seconds = dict.fromkeys(Phase, 0.0)
    for trial in trials:
        seconds[trial.phase] += trial.seconds
    return {phase: total for phase, total in seconds.items() if total}


def seconds_saved(trials: Sequence[Trial]) -> float:
    """Seconds that reused results would have cost: those of the trials they were taken from."""
    cost = {trial.index: trial.seconds for trial in trials}
    return sum(cost.get(trial.reuse_of, 0.0) for trial in trials if trial.reuse_of is not None)

"""What a ledger says about a search: ranks, running figures, counts, time. Pure functions of its trials."""

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from archsearch.api import Direction, Objective
from archsearch.engine.judging import confirmed, over
from archsearch.engine.model import Confirmed, Phase, Trial
from archsearch.engine.rewards import within_limits


def children(trials: Iterable[Trial]) -> list[Trial]:
    """The trials without the confirmations."""
    return [trial for trial in trials if trial.confirm_of is None]


def counted(trial: Trial) -> bool:
    """Whether the result of a trial is a part of the search: it has its observation number.

    A reproducible search ends at the same child however its trials were timed. Those that happened to end beyond that
    child are kept, but were never taught and count for nothing.
    """
    return trial.observation is not None


def eligible(objective: Objective, trial: Trial) -> bool:
    """Whether a trial may be among the best: it counts, has a reward, and is within the limits of objective.also.

    Limits are judged by the child's own training, also once it is confirmed: a second training bars no child.
    """
    metrics = trial.own_metrics if isinstance(trial, Confirmed) else trial.metrics
    return counted(trial) and trial.reward is not None and within_limits(objective, metrics)


def top(trials: Iterable[Trial], k: int, objective: Objective) -> tuple[Trial, ...]:
    """The ``k`` best distinct children, highest reward first; of equal rewards the lowest index first.

    A network appears once, with its best measurement, however often it was sampled. Rewards are higher for better
    children whatever the objective's direction. Children beyond a limit of ``objective.also`` are left out.

    Those that are confirmed (:func:`archsearch.engine.judging.confirmed`) stand there as :class:`Confirmed`, by the
    mean of both rewards. Any other child that is older than the last confirmation was passed over, or its own has
    failed: it comes after them, by its own reward. One that is younger, since the search was gone on with, is ranked
    among the confirmed, so that a better one is the best at once.
    """
    listed = tuple(trials)
    means = confirmed(listed)
    # A confirmation that was stopped has said nothing.
    begun = max((trial.index for trial in over(listed) if trial.phase is not Phase.STOPPED), default=-1)
    judged = [means.get(network, trial) for network, trial in _measured(listed, objective).items()]

    def order(trial: Trial) -> tuple[float, ...]:
        return (trial.index < begun and not isinstance(trial, Confirmed), *by_reward(trial))

    return _first(judged, k, order)


def best_measured(trials: Iterable[Trial], k: int, objective: Objective) -> tuple[Trial, ...]:
    """As :func:`top`, by the children's own rewards alone: what is confirmed follows from these."""
    return _first(_measured(trials, objective).values(), k, by_reward)


def _first(judged: Iterable[Trial], k: int, key: Callable[[Trial], tuple[float, ...]]) -> tuple[Trial, ...]:
    if k < 0:
        raise ValueError(f"k is {k}; allowed: from 0")
    return tuple(heapq.nsmallest(k, judged, key=key))


def _measured(trials: Iterable[Trial], objective: Objective) -> dict[int, Trial]:
    """The best measurement of each network."""
    best: dict[int, Trial] = {}
    for trial in trials:
        if eligible(objective, trial):
            known = best.get(trial.network)
            if known is None or rank(trial) < rank(known):
                best[trial.network] = trial
    return best


def by_reward(trial: Trial) -> tuple[float, int]:
    """What children with a reward are sorted by: the best reward first, of equal ones the lowest index."""
    assert trial.reward is not None
    return (-trial.reward, trial.index)


def rank(trial: Trial) -> tuple[bool, float, int]:
    """What measurements of one network are sorted by: first one that was confirmed, then by reward."""
    return (not isinstance(trial, Confirmed), *by_reward(trial))


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


def times_sampled(trials: Iterable[Trial]) -> Counter[int]:
    """How often each network was sampled, by :attr:`Trial.network`."""
    return Counter(trial.network for trial in children(trials))


@dataclass(frozen=True)
class Confirmations:
    """Confirmations by where they stand."""

    under_way: int = 0
    succeeded: int = 0
    failed: int = 0
    stopped: int = 0

    @property
    def total(self) -> int:
        """All confirmations."""
        return self.under_way + self.succeeded + self.failed + self.stopped


@dataclass(frozen=True)
class Counts:
    """Children by phase; ``reused`` and ``duplicates`` say what share of all of them repeat an earlier child."""

    pending: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    stopped: int = 0
    uncounted: int = 0
    """Children of a reproducible search that have ended without (or not yet with) an observation number."""
    reused: int = 0
    """Children that took an earlier child's result over; they count under their phase too."""
    duplicates: int = 0
    """Children whose network was sampled before, reused or trained again."""
    reused_succeeded: int = 0
    """Succeeded children among the reused ones."""
    confirmations: Confirmations = field(default_factory=Confirmations)
    """Further trainings of the best; they are no children and count nowhere else."""

    @property
    def total(self) -> int:
        """All children."""
        ended = self.succeeded + self.failed + self.stopped + self.uncounted
        return self.pending + self.running + ended

    @property
    def trained(self) -> int:
        """Succeeded children that were trained themselves."""
        return self.succeeded - self.reused_succeeded


def counts(trials: Iterable[Trial]) -> Counts:
    """Children by phase, how many repeat an earlier one, and the confirmations."""
    everything = list(trials)
    listed = children(everything)
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
        confirmations=_confirmations(everything),
    )


def _confirmations(trials: Iterable[Trial]) -> Confirmations:
    phases = Counter(trial.phase for trial in trials if trial.confirm_of is not None)
    return Confirmations(
        under_way=phases[Phase.PENDING] + phases[Phase.RUNNING],
        succeeded=phases[Phase.SUCCEEDED],
        failed=phases[Phase.FAILED],
        stopped=phases[Phase.STOPPED],
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

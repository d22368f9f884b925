"""Running figures of a search: counts and the best children, at the cost of what has changed."""

from bisect import insort
from collections import Counter
from collections.abc import Iterable
from typing import Literal

from archsearch.api.status import BEST, BestTrial, Counts
from archsearch.engine.leaderboard import counted
from archsearch.engine.model import Phase, Trial
from archsearch.engine.running import trial_name

Place = Literal["pending", "running", "succeeded", "failed", "stopped", "uncounted"]


class Scores:
    """Counts and best children of a ledger; :meth:`take` whatever was put into it, as often as it changes."""

    def __init__(self, search: str, trials: Iterable[Trial] = ()) -> None:
        self._search = search
        self._places: dict[int, Place] = {}
        self._counts: Counter[Place] = Counter()
        self._reused = 0
        self._top: list[Trial] = []
        self._best: tuple[BestTrial, ...] = ()
        self.take(trials)

    def take(self, trials: Iterable[Trial]) -> None:
        """Take in new and changed trials."""
        listed = False
        for trial in trials:
            self._count(trial)
            listed |= self._list(trial)
        if listed:
            self._best = tuple(self._told(trial) for trial in self._top)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def running(self) -> int:
        """Children that have an attempt."""
        return self._counts["running"]

    @property
    def best(self) -> tuple[BestTrial, ...]:
        """The 25 best distinct children, as :func:`archsearch.engine.leaderboard.top` ranks them."""
        return self._best

    def counts(self, *, ended: bool) -> Counts:
        """Children by where they stand; they add up to all of them.

        Those of a reproducible search that have a result and no observation number wait for earlier children, and
        once the search has ``ended`` they are no part of it: their results count as little as their timing.
        """
        waiting = self._counts["uncounted"]
        return Counts(
            pending=self._counts["pending"] + (0 if ended else waiting),
            running=self._counts["running"],
            succeeded=self._counts["succeeded"],
            failed=self._counts["failed"],
            stopped=self._counts["stopped"] + (waiting if ended else 0),
            reused=self._reused,
        )

    def _count(self, trial: Trial) -> None:
        old, new = self._places.get(trial.index), _place(trial)
        if old is None:
            self._reused += trial.reuse_of is not None
        else:
            self._counts[old] -= 1
        self._places[trial.index] = new
        self._counts[new] += 1

    def _list(self, trial: Trial) -> bool:
        """Put ``trial`` among the best if it belongs there. Ranks never fall: whoever drops out has no way back."""
        if trial.reward is None or not counted(trial):
            return False
        full = len(self._top) == BEST
        if full and _rank(trial) >= _rank(self._top[-1]):
            return False
        like = next((known for known in self._top if known.genotype == trial.genotype), None)
        if like is not None:
            if _rank(like) <= _rank(trial):
                return False
            self._top.remove(like)
        insort(self._top, trial, key=_rank)
        del self._top[BEST:]
        return True

    def _told(self, trial: Trial) -> BestTrial:
        assert trial.reward is not None
        name = trial_name(self._search, trial.index)
        return BestTrial(trial=name, index=trial.index, reward=trial.reward, metrics=dict(trial.metrics))


def _rank(trial: Trial) -> tuple[float, int]:
    assert trial.reward is not None
    return (-trial.reward, trial.index)


def _place(trial: Trial) -> Place:
    match trial.phase:
        case Phase.PENDING:
            return "pending"
        case Phase.RUNNING:
            return "running"
        case Phase.STOPPED:
            return "stopped"
        case Phase.SUCCEEDED:
            return "succeeded" if counted(trial) else "uncounted"
        case Phase.FAILED:
            return "failed" if counted(trial) else "uncounted"

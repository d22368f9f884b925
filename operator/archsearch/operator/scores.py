"""Running figures of a search: counts, the best children and the Pareto set, at the cost of what has changed."""

from bisect import insort
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from archsearch.api import Objective
from archsearch.api.status import BEST, BestTrial, Counts
from archsearch.engine.judging import confirmed
from archsearch.engine.leaderboard import counted, eligible, rank, top
from archsearch.engine.model import Confirmed, Phase, Trial
from archsearch.engine.pareto import Front
from archsearch.engine.running import trial_name

Place = Literal["pending", "running", "succeeded", "failed", "stopped", "uncounted"]


@dataclass(frozen=True)
class Load:
    """Trials that are not over, confirmations among them."""

    pending: int
    running: int


class Scores:
    """Counts and best children of a ledger; :meth:`take` whatever was put into it, as often as it changes."""

    def __init__(self, search: str, trials: Iterable[Trial] = (), *, objective: Objective | None = None) -> None:
        self._search = search
        self._objective = objective or Objective()
        self._places: dict[int, Place] = {}
        self._counts: Counter[Place] = Counter()
        self._reused = 0
        self._known: dict[int, Trial] = {}
        self._repeats: dict[int, Phase] = {}
        """Confirmations by where they stand."""
        self._top: list[Trial] = []
        """The best by the children's own rewards."""
        self._best: tuple[BestTrial, ...] = ()
        self._front = Front(self._objective, size=BEST)
        self._pareto: tuple[BestTrial, ...] = ()
        self.take(trials)

    def take(self, trials: Iterable[Trial]) -> None:
        """Take in new and changed trials."""
        changed, listed = tuple(trials), False
        for trial in changed:
            self._known[trial.index] = trial
            self._count(trial)
            listed |= trial.confirm_of is not None or self._list(trial)
            # Means may be lower than rewards that were better than it: it can be the best and not be listed.
            listed |= bool(self._repeats) and eligible(self._objective, trial)
        judged: tuple[Trial, ...] = ()
        if listed and self._repeats:
            ledger = [self._known[index] for index in sorted(self._known)]
            judged = tuple(confirmed(ledger).values())
            self._best = tuple(self._told(trial) for trial in top(ledger, BEST, self._objective))
        elif listed:
            self._best = tuple(self._told(trial) for trial in self._top)
        if self._front.take((*changed, *judged)):
            self._pareto = tuple(self._told(trial) for trial in self._front.members)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def running(self) -> int:
        """Trials that have an attempt, confirmations among them."""
        return self._counts["running"] + self._in(Phase.RUNNING)

    @property
    def confirming(self) -> bool:
        """Whether the best are being trained once more, and no child is under way."""
        under_way = self._in(Phase.PENDING, Phase.RUNNING)
        return under_way > 0 and not self._counts["pending"] and not self._counts["running"]

    def _in(self, *phases: Phase) -> int:
        return sum(phase in phases for phase in self._repeats.values())

    @property
    def best(self) -> tuple[BestTrial, ...]:
        """The 25 best distinct children, as :func:`archsearch.engine.leaderboard.top` ranks them."""
        return self._best

    @property
    def pareto(self) -> tuple[BestTrial, ...]:
        """The 25 children of the Pareto set with the highest rewards (:mod:`archsearch.engine.pareto`)."""
        return self._pareto

    def counts(self, *, ended: bool) -> Counts:
        """Children by where they stand; they add up to all of them. Confirmations are counted apart.

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
            confirming=self._in(Phase.PENDING, Phase.RUNNING),
            confirmed=self._in(Phase.SUCCEEDED),
            unconfirmed=self._in(Phase.FAILED, Phase.STOPPED),
        )

    def load(self, *, ended: bool) -> Load:
        """What holds slots or waits for one."""
        return Load(pending=self.counts(ended=ended).pending + self._in(Phase.PENDING), running=self.running)

    def _count(self, trial: Trial) -> None:
        if trial.confirm_of is not None:
            self._repeats[trial.index] = trial.phase
            return
        old, new = self._places.get(trial.index), _place(trial)
        if old is None:
            self._reused += trial.reuse_of is not None
        else:
            self._counts[old] -= 1
        self._places[trial.index] = new
        self._counts[new] += 1

    def _list(self, trial: Trial) -> bool:
        """Put ``trial`` among the best if it belongs there. Ranks never fall: whoever drops out has no way back."""
        if not eligible(self._objective, trial):
            return False
        full = len(self._top) == BEST
        if full and rank(trial) >= rank(self._top[-1]):
            return False
        like = next((known for known in self._top if known.network == trial.network), None)
        if like is not None:
            if rank(like) <= rank(trial):
                return False
            self._top.remove(like)
        insort(self._top, trial, key=rank)
        del self._top[BEST:]
        return True

    def _told(self, trial: Trial) -> BestTrial:
        assert trial.reward is not None
        name = trial_name(self._search, trial.index)
        again = trial if isinstance(trial, Confirmed) else None
        return BestTrial(
            trial=name,
            index=trial.index,
            reward=trial.reward,
            metrics=dict(trial.metrics),
            confirmed_by=None if again is None else again.confirmed_by,
            rewards=None if again is None else again.rewards,
        )


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

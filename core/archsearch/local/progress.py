"""How far a search is, for whoever shows it."""

from collections import deque
from dataclasses import dataclass
from typing import Protocol

from archsearch.api import Objective
from archsearch.engine.leaderboard import eligible, rank
from archsearch.engine.model import Phase, Trial

WINDOW = 20
"""Children whose rewards the moving mean covers."""


@dataclass(frozen=True)
class Snapshot:
    """A search at one moment."""

    done: int
    """Children that are over."""
    maximum: int
    running: int
    """Trials that run, confirmations among them."""
    failed: int
    reused: int
    best: Trial | None
    latest: Trial | None
    """The child that ended last."""
    moving_mean: float | None
    """Mean reward of the last 20 children that have one, in the order in which they were numbered."""
    entropy: float | None
    """Of the policy, in nats per decision."""
    elapsed: float
    """Seconds that the search has been active, over all runs."""
    left: float | None
    """Seconds that the rest will take at this run's pace; None until it can be told."""
    confirmed: int = 0
    """Confirmations that are over."""
    confirmations: int = 0
    """Confirmations there are; 0: it has not come to them."""


class Progress(Protocol):
    """Shows a search as it goes."""

    def update(self, snapshot: Snapshot) -> None:
        """Something has changed."""
        ...

    def say(self, text: str) -> None:
        """Tell something once."""
        ...


class Silent:
    """Shows nothing."""

    def update(self, snapshot: Snapshot) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""


class Scoreboard:
    """Running figures of a search; taking a change in costs as much as what changed."""

    def __init__(self, maximum: int, objective: Objective | None = None, confirm: int = 0) -> None:
        self._maximum = maximum
        self._confirm = confirm
        self._repeats: dict[int, Phase] = {}
        self._objective = objective or Objective()
        self._phases: dict[int, Phase] = {}
        self._counts = dict.fromkeys(Phase, 0)
        self._reused = 0
        self._rewards: deque[float] = deque(maxlen=WINDOW)
        self._numbered = -1
        self._best: Trial | None = None
        self._latest: Trial | None = None
        self._done_before: int | None = None

    def take(self, trials: tuple[Trial, ...]) -> None:
        """Take in new and changed trials."""
        for trial in sorted(trials, key=_order):
            self._count(trial)
            if trial.observation is not None and trial.observation > self._numbered:
                self._numbered = trial.observation
                if eligible(self._objective, trial):
                    self._best = trial if self._best is None else min(self._best, trial, key=rank)
                if trial.reward is not None:
                    self._rewards.append(trial.reward)

    def _count(self, trial: Trial) -> None:
        if trial.confirm_of is not None:
            self._repeats[trial.index] = trial.phase
            return
        old = self._phases.get(trial.index)
        if old is not None:
            self._counts[old] -= 1
        self._phases[trial.index] = trial.phase
        self._counts[trial.phase] += 1
        if trial.phase.terminal and (old is None or not old.terminal):
            self._latest = trial
            self._reused += trial.reuse_of is not None

    def begin(self) -> None:
        """This run begins here: its pace tells how long the rest takes."""
        self._done_before = self._done + self._confirmed

    @property
    def _confirmed(self) -> int:
        return sum(phase.terminal for phase in self._repeats.values())

    @property
    def _done(self) -> int:
        return self._counts[Phase.SUCCEEDED] + self._counts[Phase.FAILED] + self._counts[Phase.STOPPED]

    def snapshot(self, *, entropy: float | None, elapsed: float, busy: float) -> Snapshot:
        """The figures now; ``elapsed`` is in seconds over all runs, ``busy`` since this run's first start."""
        done = self._done
        confirmed, repeats = self._confirmed, len(self._repeats)
        fresh = done + confirmed - (self._done_before or 0)
        pace = busy / fresh if fresh else None
        left = max(0, self._maximum - done) + max(self._confirm, repeats) - confirmed
        return Snapshot(
            done=done,
            maximum=self._maximum,
            running=self._counts[Phase.RUNNING] + list(self._repeats.values()).count(Phase.RUNNING),
            failed=self._counts[Phase.FAILED],
            reused=self._reused,
            best=self._best,
            latest=self._latest,
            moving_mean=sum(self._rewards) / len(self._rewards) if self._rewards else None,
            entropy=entropy,
            elapsed=elapsed,
            left=None if pace is None else pace * left,
            confirmed=confirmed,
            confirmations=repeats,
        )


def _order(trial: Trial) -> tuple[bool, int]:
    return (trial.observation is None, trial.index if trial.observation is None else trial.observation)

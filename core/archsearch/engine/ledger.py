"""The ledger in memory: every trial of a search, indexed so that a pass costs as much as what is active."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from archsearch.api import Objective
from archsearch.controller_contract import Ask, Observation, Tell
from archsearch.engine.model import Phase, Trial
from archsearch.engine.networks import Canonical, Networks
from archsearch.engine.rewards import excused, sought, taught_of, within_limits
from archsearch.space.base import Genotype


class LedgerError(Exception):
    """A write that the ledger's rules forbid: a bug of the writer, nothing was written."""


@dataclass(frozen=True)
class Tally:
    """Sums over the trials that have an observation number: what stopping rules look at.

    Only numbered trials count, so that a reproducible search ends at the same child however trials were timed.
    """

    succeeded: int = 0
    failed: int = 0
    """Failed trials, without those that took a failure over from an equal child."""
    best: Trial | None = None
    """Best by the metric that is sought, among those within the limits of ``objective.also``; of equals the lowest
    index. Where further metrics count, a child with a worse metric may have the higher reward."""
    shared_fault: Trial | None = None
    """The last trial whose error every child shares."""
    objective: Objective = field(default_factory=Objective)
    """What is sought."""

    def with_trial(self, trial: Trial) -> "Tally":
        """The sums with one more numbered trial."""
        if trial.phase is Phase.SUCCEEDED:
            best = self._better(trial) if within_limits(self.objective, trial.metrics) else self.best
            return replace(self, succeeded=self.succeeded + 1, best=best)
        fault = trial if trial.shared_fault else self.shared_fault
        return replace(self, failed=self.failed + (trial.reuse_of is None), shared_fault=fault)

    def _better(self, trial: Trial) -> Trial:
        if self.best is None:
            return trial
        new, known = (sought(self.objective, one.metrics) for one in (trial, self.best))
        return trial if (new, -trial.index) > (known, -self.best.index) else self.best


class Ledger:
    """Every trial of one search by its index, and the order in which rewards are taught."""

    def __init__(self, trials: Iterable[Trial] = (), *, objective: Objective | None = None) -> None:
        """Take the trials in.

        Args:
            trials: those stored so far, in any order.
            objective: what is sought; it says what a failed child teaches. Left out: nothing is.

        Raises:
            LedgerError: an index or an observation number is missing or stands twice.
        """
        self._objective = objective or Objective()
        self._trials: list[Trial] = []
        self._active: dict[int, Trial] = {}
        self._unnumbered: dict[int, Trial] = {}
        self._asked: list[int] = []
        """Indices of the children, in the order of asks: all but the confirmations."""
        self._networks = Networks()
        self._observed: list[int] = []
        self._stopped: list[int] = []
        """Places of the stopped children."""
        self._tally = Tally(objective=self._objective)
        self._trailing_duplicates = 0
        self._settled = 0
        loaded = sorted(trials, key=lambda trial: trial.index)
        for trial in loaded:
            self._append(trial)
        numbered = [trial for trial in loaded if trial.observation is not None]
        for trial in sorted(numbered, key=lambda trial: trial.observation or 0):
            self._number(trial)
        self._settle()

    def put(self, trials: Iterable[Trial]) -> None:
        """Take in new values of trials that are new or have changed, in order.

        Raises:
            LedgerError: an index is skipped, a terminal trial changes, or an observation number is not the next.
        """
        for trial in trials:
            if trial.index < len(self._trials):
                self._change(trial)
            else:
                self._append(trial)
            if trial.observation is not None and trial.observation >= len(self._observed):
                self._number(trial)
        self._settle()

    def _append(self, trial: Trial) -> None:
        if trial.index != len(self._trials):
            raise LedgerError(f"trial {trial.index} cannot follow {len(self._trials) - 1}: indices have no gaps")
        if trial.confirm_of is None:
            self._append_child(trial)
        else:
            self._check_confirmation(trial)
        self._trials.append(trial)
        self._place(trial)

    def _append_child(self, trial: Trial) -> None:
        if trial.place != len(self._asked):
            raise LedgerError(f"trial {trial.index} has place {trial.place} among the asks; due is {len(self._asked)}")
        if trial.reuse_of is not None and not self._is_child(trial.reuse_of):
            raise LedgerError(f"trial {trial.index} reuses {trial.reuse_of}, which is no child before it")
        self._asked.append(trial.index)
        self._networks.add(trial)
        self._trailing_duplicates = 0 if trial.duplicate_of is None else self._trailing_duplicates + 1

    def _check_confirmation(self, trial: Trial) -> None:
        child = trial.confirm_of
        if child is None or not self._is_child(child):
            raise LedgerError(f"trial {trial.index} confirms {child}, which is no child before it")
        if trial.reuse_of is not None or trial.duplicate_of is not None or trial.observation is not None:
            raise LedgerError(f"trial {trial.index} is a confirmation: it takes nothing over and is never taught")
        if self._trials[child].genotype != trial.genotype:
            raise LedgerError(f"trial {trial.index} confirms child {child} and has another genotype")

    def _is_child(self, index: int) -> bool:
        return 0 <= index < len(self._trials) and self._trials[index].confirm_of is None

    def _change(self, trial: Trial) -> None:
        old = self._trials[trial.index]
        if old.phase.terminal and replace(old, observation=trial.observation) != trial:
            raise LedgerError(f"trial {trial.index} is {old.phase.value} and cannot change")
        if old.observation is not None and old.observation != trial.observation:
            raise LedgerError(f"trial {trial.index} has observation {old.observation}, which cannot change")
        if old.genotype != trial.genotype:
            raise LedgerError(f"the genotype of trial {trial.index} cannot change")
        if old.confirm_of != trial.confirm_of:
            raise LedgerError(f"trial {trial.index} confirms {old.confirm_of}, which cannot change")
        self._trials[trial.index] = trial
        self._place(trial)

    def _place(self, trial: Trial) -> None:
        self._active.pop(trial.index, None)
        self._unnumbered.pop(trial.index, None)
        if not trial.phase.terminal:
            self._active[trial.index] = trial
        elif trial.confirm_of is not None:
            return  # it is over, and has nothing to teach
        elif trial.phase is Phase.STOPPED:
            self._stopped.insert(bisect_left(self._stopped, trial.place), trial.place)
        elif trial.observation is None:
            self._unnumbered[trial.index] = trial

    def _number(self, trial: Trial) -> None:
        if trial.observation != len(self._observed):
            raise LedgerError(f"observation {trial.observation} is not the next, which is {len(self._observed)}")
        if trial.confirm_of is not None or not trial.phase.terminal or trial.phase is Phase.STOPPED:
            raise LedgerError(f"trial {trial.index} is {trial.phase.value}: it has nothing to teach")
        self._observed.append(trial.index)
        self._tally = self._tally.with_trial(trial)

    def _settle(self) -> None:
        while self._settled < len(self._asked) and self._is_settled(self._trials[self._asked[self._settled]]):
            self._settled += 1

    @staticmethod
    def _is_settled(trial: Trial) -> bool:
        return trial.observation is not None or trial.phase is Phase.STOPPED

    def __len__(self) -> int:
        return len(self._trials)

    def __getitem__(self, index: int) -> Trial:
        return self._trials[index]

    def __iter__(self) -> Iterator[Trial]:
        return iter(self._trials)

    @property
    def asked(self) -> int:
        """Children, without confirmations: the place of the next one in the order of asks."""
        return len(self._asked)

    def index_of(self, place: int) -> int:
        """Index of the child at ``place`` in the order of asks."""
        return self._asked[place]

    @property
    def active(self) -> tuple[Trial, ...]:
        """Trials that are not terminal, by index."""
        return tuple(self._active[index] for index in sorted(self._active))

    @property
    def unnumbered(self) -> tuple[Trial, ...]:
        """Children that have ended and wait for their observation number (reproducible searches), by index."""
        return tuple(self._unnumbered[index] for index in sorted(self._unnumbered))

    @property
    def taught(self) -> int:
        """Observation numbers given so far."""
        return len(self._observed)

    @property
    def tally(self) -> Tally:
        """Sums over the numbered trials."""
        return self._tally

    @property
    def settled(self) -> int:
        """Places of the longest prefix in which every child has its observation number, or was stopped."""
        return self._settled

    @property
    def trailing_duplicates(self) -> int:
        """Children at the end of the order of asks that all repeat an earlier network."""
        return self._trailing_duplicates

    @property
    def distinct(self) -> int:
        """Different networks sampled so far."""
        return len(self._networks)

    def first_of(self, genotype: Genotype, canonical: Canonical) -> int | None:
        """Lowest index of a child with the same network; always give the same ``canonical``."""
        return self._networks.first_of(genotype, canonical)

    def stopped_below(self, place: int) -> int:
        """Number of stopped children asked for before ``place``."""
        return bisect_left(self._stopped, place)

    def tells(self, first: int, end: int) -> tuple[Observation, ...]:
        """Observations ``first`` up to but without ``end``."""
        return tuple(self._tell(number) for number in range(first, min(end, len(self._observed))))

    def _tell(self, number: int) -> Observation:
        trial = self._trials[self._observed[number]]
        # Whose fault a failure was is known of the child that was trained, not of those that took its result over.
        trained = trial if trial.reuse_of is None else self._trials[trial.reuse_of]
        return Observation(
            number=number,
            index=trial.place,
            genotype=trial.genotype,
            reward=taught_of(self._objective, trained),
            excused=excused(trained),
        )

    def log(self, *, complete: bool = False) -> tuple[Ask | Tell, ...]:
        """Asks and tells in the order in which the controller met them; confirmations are none of its business.

        Tells after the last ask are left out (they are due by Teach; a reproducible search must not be taught more
        than its next ask allows) unless ``complete``, which an audit wants.
        """
        entries: list[Ask | Tell] = []
        told = 0
        for trial in (self._trials[index] for index in self._asked):
            entries.extend(Tell(observation=observation) for observation in self.tells(told, trial.policy_version))
            told = max(told, trial.policy_version)
            entries.append(Ask(index=trial.place, genotype=trial.genotype, policy_version=trial.policy_version))
        if complete:
            entries.extend(Tell(observation=observation) for observation in self.tells(told, self.taught))
        return tuple(entries)

"""The Pareto set of a search with further metrics: children that no other beats in all that counts."""

from bisect import insort
from collections.abc import Iterable

from archsearch.api import Objective
from archsearch.engine.judging import confirmed
from archsearch.engine.leaderboard import eligible, rank
from archsearch.engine.model import Trial
from archsearch.engine.rewards import sought

SIZE = 25
"""Children of the set that are kept, the highest rewards first."""
Values = tuple[float, ...]


def values(objective: Objective, trial: Trial) -> Values:
    """What counts of a trial, each turned so that more is better: the metric that is sought, then each of ``also``."""
    further = (trial.metrics[also.metric] * (-1 if also.weight < 0 else 1) for also in objective.also)
    return (sought(objective, trial.metrics), *further)


def dominates(one: Values, other: Values) -> bool:
    """Whether ``one`` is nowhere worse than ``other``, and somewhere better."""
    return one != other and all(mine >= theirs for mine, theirs in zip(one, other, strict=True))


def front(trials: Iterable[Trial], objective: Objective, size: int = SIZE) -> tuple[Trial, ...]:
    """The Pareto set of ``trials``, at most ``size`` of them; empty where no further metric counts.

    Those that are confirmed are judged by the means over both trainings.
    """
    listed = tuple(trials)
    return Front(objective, (*listed, *confirmed(listed).values()), size=size).members


class Front:
    """The Pareto set of a growing ledger: a child that is taken in costs as much as the set, not as the ledger.

    A network stands in it once, with its best measurement, as on the leaderboard; children beyond a limit do not. Of
    more than ``size`` members those with the highest rewards are kept. None of them is beaten by one that was left out:
    a reward never falls where nothing that counts gets worse, so whoever beats a member has no lower reward. (Of
    confirmed children, whose rewards are means as their metrics are, this holds but nearly: among more than ``size`` a
    beaten one may stay.) Means of confirmations are kept until newer ones come, also while those are being trained.
    """

    def __init__(self, objective: Objective, trials: Iterable[Trial] = (), *, size: int = SIZE) -> None:
        if size < 1:
            raise ValueError(f"size is {size}; allowed: from 1")
        self._objective = objective
        self._size = size
        self._measured: dict[int, Trial] = {}
        """Best measurement of each network."""
        self._members: list[_Member] = []
        self._left_out = False
        """Whether some child was put aside only because there was no room."""
        for trial in trials:
            self._measure(trial)
        self._rebuild()

    @property
    def members(self) -> tuple[Trial, ...]:
        """The set, highest reward first."""
        return tuple(member.trial for member in self._members)

    def take(self, trials: Iterable[Trial]) -> bool:
        """Take in new and changed trials; whether the set may have changed."""
        before = [member.trial for member in self._members]
        for trial in trials:
            replaced = self._measured.get(trial.network)
            if not self._measure(trial):
                continue
            if replaced is not None and any(member.trial is replaced for member in self._members):
                self._rebuild()  # whom it kept out may come in now
            else:
                self._enter(_Member(self._objective, trial))
        return before != [member.trial for member in self._members]

    def _measure(self, trial: Trial) -> bool:
        """Note a trial; whether it is the best measurement of its network so far."""
        if not self._objective.also or not eligible(self._objective, trial):
            return False
        known = self._measured.get(trial.network)
        if known == trial or (known is not None and known.index != trial.index and rank(known) <= rank(trial)):
            return False  # of one child the newer value counts: its confirmation is in it
        self._measured[trial.network] = trial
        return True

    def _enter(self, new: "_Member") -> None:
        self._insert(new)
        if len(self._members) > self._size:
            self._members.pop()
            self._left_out = True
        elif self._left_out and len(self._members) < self._size:
            self._rebuild()

    def _insert(self, new: "_Member") -> None:
        if not any(dominates(member.values, new.values) for member in self._members):
            self._members = [member for member in self._members if not dominates(new.values, member.values)]
            insort(self._members, new)

    def _rebuild(self) -> None:
        """Find the set anew, the best rewards first, so that whoever has come in stays."""
        self._members, self._left_out = [], False
        for member in sorted(_Member(self._objective, trial) for trial in self._measured.values()):
            if len(self._members) == self._size:
                self._left_out = True
                return
            self._insert(member)


class _Member:
    """A child with what counts of it; sorted by reward, and of equals the one first that may beat the other."""

    def __init__(self, objective: Objective, trial: Trial) -> None:
        assert trial.reward is not None
        self.trial = trial
        self.values = values(objective, trial)
        self._key = (-trial.reward, tuple(-value for value in self.values), trial.index)

    def __lt__(self, other: "_Member") -> bool:
        return self._key < other._key

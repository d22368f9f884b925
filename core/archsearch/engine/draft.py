"""A plan in the making: the ledger as it will be once the plan's trials are written, without touching the ledger."""

from collections.abc import Iterator
from dataclasses import replace

from archsearch.engine.ledger import Ledger, Tally
from archsearch.engine.model import Phase, Trial
from archsearch.engine.networks import Canonical, Networks
from archsearch.space.base import Genotype


class Draft:
    """The ledger overlaid with the new and changed trials of this pass; costs as much as what changed."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._changed: dict[int, Trial] = {}
        self._new_children: list[int] = []
        self._new_networks = Networks()
        self._length = len(ledger)
        self.taught: int = ledger.taught
        self.tally: Tally = ledger.tally
        self.settled: int = ledger.settled
        self.trailing_duplicates: int = ledger.trailing_duplicates

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Trial:
        return self._changed[index] if index in self._changed else self._ledger[index]

    def __iter__(self) -> Iterator[Trial]:
        return (self[index] for index in range(self._length))

    @property
    def asked(self) -> int:
        """Children recorded, without confirmations: the place of the next one in the order of asks."""
        return self._ledger.asked + len(self._new_children)

    @property
    def active(self) -> list[Trial]:
        """Trials that are not terminal, by index."""
        old = [self[trial.index] for trial in self._ledger.active]
        new = [trial for index, trial in self._changed.items() if index >= len(self._ledger)]
        return [trial for trial in old + sorted(new, key=lambda trial: trial.index) if not trial.phase.terminal]

    @property
    def unnumbered(self) -> list[Trial]:
        """Children that have ended, are not stopped, and have no observation number yet, by index."""
        indices = {trial.index for trial in self._ledger.unnumbered} | set(self._changed)
        trials = [trial for index in sorted(indices) if (trial := self[index]).confirm_of is None]
        return [t for t in trials if t.phase in (Phase.SUCCEEDED, Phase.FAILED) and t.observation is None]

    @property
    def distinct(self) -> int:
        """Different networks sampled so far."""
        return self._ledger.distinct + len(self._new_networks)

    def first_of(self, genotype: Genotype, canonical: Canonical) -> int | None:
        """Lowest index of a child with the same network."""
        known = self._ledger.first_of(genotype, canonical)
        return self._new_networks.first_of(genotype, canonical) if known is None else known

    def add(self, trial: Trial) -> None:
        """Record a new trial; its index is the length of the draft."""
        assert trial.index == self._length
        if trial.confirm_of is None:
            self._new_children.append(trial.index)
            self._new_networks.add(trial)
            self.trailing_duplicates = 0 if trial.duplicate_of is None else self.trailing_duplicates + 1
        self._changed[trial.index] = trial
        self._length += 1

    def change(self, trial: Trial) -> None:
        """Give a trial a new value."""
        self._changed[trial.index] = trial

    def number(self, index: int) -> None:
        """Give an ended trial the next observation number."""
        trial = replace(self[index], observation=self.taught)
        self._changed[index] = trial
        self.taught += 1
        self.tally = self.tally.with_trial(trial)

    def settle(self) -> None:
        """Advance the settled prefix over children that are numbered or stopped."""
        while self.settled < self.asked:
            trial = self._child(self.settled)
            if trial.observation is None and trial.phase is not Phase.STOPPED:
                return
            self.settled += 1

    def _child(self, place: int) -> Trial:
        old = self._ledger.asked
        return self[self._ledger.index_of(place) if place < old else self._new_children[place - old]]

    def stopped_below(self, place: int) -> int:
        """Number of stopped children asked for before ``place``."""
        changed = [t for t in self._changed.values() if t.confirm_of is None and t.phase is Phase.STOPPED]
        fresh = sum(t.place < place and not self._was_stopped(t.index) for t in changed)
        return self._ledger.stopped_below(place) + fresh

    def _was_stopped(self, index: int) -> bool:
        return index < len(self._ledger) and self._ledger[index].phase is Phase.STOPPED

    @property
    def changes(self) -> tuple[Trial, ...]:
        """Trials to write, by index; numbers given in one pass ascend with it, so a ledger can take them in order."""
        new_or_changed = [
            trial
            for index, trial in self._changed.items()
            if index >= len(self._ledger) or trial != self._ledger[index]
        ]
        return tuple(sorted(new_or_changed, key=lambda trial: trial.index))

"""A plan in the making: the ledger as it will be once the plan's trials are written, without touching the ledger."""

from dataclasses import replace

from archsearch.engine.ledger import Ledger, Tally
from archsearch.engine.model import Phase, Trial
from archsearch.space.base import Genotype


class Draft:
    """The ledger overlaid with the new and changed trials of this pass; costs as much as what changed."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._changed: dict[int, Trial] = {}
        self._new_first: dict[Genotype, int] = {}
        self._length = len(ledger)
        self.taught: int = ledger.taught
        self.tally: Tally = ledger.tally
        self.settled: int = ledger.settled
        self.trailing_duplicates: int = ledger.trailing_duplicates

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Trial:
        return self._changed[index] if index in self._changed else self._ledger[index]

    @property
    def active(self) -> list[Trial]:
        """Trials that are not terminal, by index."""
        old = [self[trial.index] for trial in self._ledger.active]
        new = [trial for index, trial in self._changed.items() if index >= len(self._ledger)]
        return [trial for trial in old + sorted(new, key=lambda trial: trial.index) if not trial.phase.terminal]

    @property
    def unnumbered(self) -> list[Trial]:
        """Trials that have ended, are not stopped, and have no observation number yet, by index."""
        indices = {trial.index for trial in self._ledger.unnumbered} | set(self._changed)
        trials = [self[index] for index in sorted(indices)]
        return [t for t in trials if t.phase in (Phase.SUCCEEDED, Phase.FAILED) and t.observation is None]

    @property
    def distinct(self) -> int:
        """Different genotypes sampled so far."""
        return self._ledger.distinct + len(self._new_first)

    def first_with(self, genotype: Genotype) -> int | None:
        """Lowest index with this genotype."""
        known = self._ledger.first_with(genotype)
        return self._new_first.get(genotype) if known is None else known

    def add(self, trial: Trial) -> None:
        """Record a new trial; its index is the length of the draft."""
        assert trial.index == self._length
        if self.first_with(trial.genotype) is None:
            self._new_first[trial.genotype] = trial.index
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
        """Advance the settled prefix over trials that are numbered or stopped."""
        while self.settled < self._length:
            trial = self[self.settled]
            if trial.observation is None and trial.phase is not Phase.STOPPED:
                return
            self.settled += 1

    def stopped_below(self, index: int) -> int:
        """Number of stopped trials with a lower index."""
        below = self._ledger.stopped_below(index)
        return below + sum(
            1 for i, t in self._changed.items() if i < index and t.phase is Phase.STOPPED and not self._was_stopped(i)
        )

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

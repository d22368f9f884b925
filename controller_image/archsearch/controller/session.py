"""One search as the controller sees it: a strategy, the log folded into it, and answers that can be given again."""

import logging
from collections.abc import Callable, Sequence

from archsearch.controller.fold import Fold, Refused
from archsearch.controller.strategy import Sampled, Strategy
from archsearch.controller_contract import (
    Ask,
    Health,
    Mismatch,
    Observation,
    PolicyState,
    Proposal,
    Tell,
)
from archsearch.space.base import Genotype, Space

log = logging.getLogger(__name__)


class Session:
    """Propose, observe, replay and describe; knows nothing of HTTP. Not to be entered by two threads at once.

    :meth:`health` alone may be called at any time from any thread.
    """

    def __init__(self, make: Callable[[], Strategy], space: Space) -> None:
        """``make`` gives the strategy before any ask or tell."""
        self._make = make
        self._space = space
        self._fold = Fold(make(), space)
        self._broken: str | None = None

    def propose(self, index: int, version: int | None = None) -> Proposal:
        """Child ``index``: the next one, or one that was asked for before, answered alike.

        Raises:
            Refused: 409, it is not the next one, or not exactly ``version`` observations have been taught; 422, the
                strategy cannot give one.
        """
        self._check_whole()
        fold = self._fold
        if index < len(fold.asks):
            return self._again(index)
        if index > len(fold.asks):
            raise Refused(
                409, "AskOutOfOrder", f"index is {index}; the next child is {len(fold.asks)}: asks follow the index"
            )
        if version is not None and version != len(fold.tells):
            raise Refused(
                409, "VersionDiffers", f"version is {version}; {len(fold.tells)} observations have been taught"
            )
        sampled = self._draw(fold, index)
        proposal = Proposal(
            index=index,
            genotype=sampled.genotype,
            policy_version=len(fold.tells),
            log_probability=sampled.log_probability,
        )
        self._change(lambda: fold.ask(Ask(index=index, genotype=sampled.genotype, policy_version=len(fold.tells))))
        fold.log_probabilities[index] = sampled.log_probability
        return proposal

    def observe(self, observations: Sequence[Observation]) -> PolicyState:
        """Teach the observations that are new; the ones taught before must be the same.

        All are checked before any is taught. Raises:
            Refused: 409, they leave a gap, differ from what was taught, or are of children that were not proposed so.
        """
        self._check_whole()
        fresh = self._fold.check_tells(observations)
        for observation in fresh:
            self._change(lambda taught=observation: self._fold.tell(taught))  # type: ignore[misc]
        return self._state(self._fold)

    def replay(self, entries: Sequence[Ask | Tell], verify: bool = False) -> PolicyState:
        """Forget everything and fold ``entries``; if they are refused, all stays as it was.

        ``verify``: derive each ask anew and list those that differ. Raises:
            Refused: 400, an entry does not follow from those before it.
        """
        fold = Fold(self._make(), self._space)
        mismatches: list[Mismatch] = []
        for position, entry in enumerate(entries):
            try:
                if isinstance(entry, Tell):
                    fold.check_tells([entry.observation], again=False)
                    fold.tell(entry.observation)
                    continue
                fold.check_ask(entry)
            except Refused as refused:
                raise Refused(400, "BadLog", f"log[{position}]: {refused.message}") from refused
            if verify:
                mismatches.extend(_compare(entry, fold.strategy.propose(entry.index).genotype))
            fold.ask(entry)
        self._fold, self._broken = fold, None
        return self._state(fold).model_copy(update={"mismatches": tuple(mismatches) if verify else None})

    def policy(self) -> PolicyState:
        """The policy as it stands, with the decision distributions of the next child's stage."""
        self._check_whole()
        stage = self._space.stage(len(self._fold.asks))
        decisions = self._fold.strategy.decisions(stage)
        return self._state(self._fold).model_copy(update={"decisions": decisions})

    def health(self) -> Health:
        """Counts, as of the last call that has ended."""
        fold = self._fold
        return Health(version=len(fold.tells), asked=len(fold.asks))

    def _again(self, index: int) -> Proposal:
        fold = self._fold
        ask = fold.asks[index]
        if index not in fold.log_probabilities:
            # Known from a replay only: stand where the policy stood then, and look.
            past = Fold(self._make(), self._space)
            for entry in fold.until(index):
                past.tell(entry.observation) if isinstance(entry, Tell) else past.ask(entry)
            fold.log_probabilities[index] = past.strategy.log_probability(index, ask.genotype)
        return Proposal(
            index=index,
            genotype=ask.genotype,
            policy_version=ask.policy_version,
            log_probability=fold.log_probabilities[index],
        )

    def _draw(self, fold: Fold, index: int) -> Sampled:
        try:
            return fold.strategy.propose(index)
        except Exception as error:
            log.exception("no proposal for child %d", index)
            message = f"no proposal for child {index}: {type(error).__name__}: {error}"
            raise Refused(422, "ProposalFailed", message) from error

    def _change(self, change: Callable[[], None]) -> None:
        try:
            change()
        except Exception as error:
            # The strategy may have stopped halfway: only a replay makes its state the ledger's again.
            self._broken = f"{type(error).__name__}: {error}"
            raise

    def _check_whole(self) -> None:
        if self._broken is not None:
            raise Refused(409, "StateLost", f"the strategy failed while it learned ({self._broken}); replay the ledger")

    def _state(self, fold: Fold) -> PolicyState:
        summary = fold.strategy.summary()
        return PolicyState(
            strategy=fold.strategy.name,
            version=len(fold.tells),
            asked=len(fold.asks),
            hash=fold.strategy.hash(),
            entropy=summary.entropy,
            baseline=summary.baseline,
        )


def _compare(ask: Ask, derived: Genotype) -> list[Mismatch]:
    if derived == ask.genotype:
        return []
    return [Mismatch(index=ask.index, logged=ask.genotype, derived=derived)]

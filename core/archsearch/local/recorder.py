"""What passes find out and decide, written in one transaction each, and told once."""

from collections.abc import Callable

from archsearch.controller_contract import PolicyState
from archsearch.engine.divergence import divergences
from archsearch.engine.ledger import Ledger
from archsearch.engine.model import Plan
from archsearch.local.controller import Controller
from archsearch.local.progress import Progress, Scoreboard
from archsearch.local.store import Store, outcome_columns
from archsearch.local.writing import kinds_of


class Recorder:
    """Keeps the ledger on disk, the one in memory and the running figures in step."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        board: Scoreboard,
        controller: Controller,
        progress: Progress,
        active_seconds: Callable[[], float],
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._board = board
        self._controller = controller
        self._progress = progress
        self._active_seconds = active_seconds
        self._told = set(store.warnings())
        self.entropy: float | None = None
        """Of the policy's newest state, in nats per decision."""

    def write(self, plan: Plan) -> None:
        """One transaction for everything that this pass has found out and decided; none where that is nothing."""
        states = self._new_states()
        warnings = [text for text in plan.warnings if text not in self._told]
        warnings += self._diverged()
        kinds = kinds_of(plan, self._ledger) + (["policy"] if states else [])
        if not kinds and not warnings:
            return
        self._store.write(
            kinds=kinds,
            trials=plan.trials,
            policy=states,
            warnings=warnings,
            active_seconds=self._active_seconds(),
            search=None if plan.outcome is None else outcome_columns(plan.outcome),
        )
        self._ledger.put(plan.trials)
        self._board.take(plan.trials)
        for text in warnings:
            self._told.add(text)
            self._progress.say(text)

    async def keep_last_policy(self) -> None:
        """Keep the policy that the ledger amounts to: taught everything, and asked for nothing beyond it.

        Raises:
            ProcessFailedError: it cannot be derived.
        """
        states = self._store.policy()
        if states and states[-1].decisions is not None and self._is_whole(states[-1]):
            return
        state = await self._controller.last_state()
        if state is None or not self._is_whole(state):
            self._progress.say("replaying the ledger to keep the policy as it ended")
            state = await self._controller.derive(self._ledger)
        self.entropy = state.entropy
        self._store.write(kinds=("policy",), policy=(state,), active_seconds=self._active_seconds())

    def _is_whole(self, state: PolicyState) -> bool:
        return state.version == self._ledger.taught and state.asked == self._ledger.asked

    def _new_states(self) -> list[PolicyState]:
        states, self._controller.caller.states = self._controller.caller.states, []
        if states:
            self.entropy = states[-1].entropy
        return states

    def _diverged(self) -> list[str]:
        replayed, self._controller.caller.replayed = self._controller.caller.replayed, []
        texts = divergences(replayed, self._store.policy()) if replayed else []
        return [text for text in texts if text not in self._told]

"""What a pass writes, and what it finds when a replay ends: pure functions of plain data."""

from collections.abc import Sequence

from archsearch.controller_contract import PolicyState
from archsearch.engine.ledger import Ledger
from archsearch.engine.model import Plan


def kinds_of(plan: Plan, ledger: Ledger) -> list[str]:
    """What a plan's transaction writes, as the crash points name it."""
    new = any(trial.index >= len(ledger) for trial in plan.trials)
    old = [(ledger[trial.index], trial) for trial in plan.trials if trial.index < len(ledger)]
    kinds = {
        "propose": new,
        "start": bool(plan.starts),
        "end": any(trial.phase.terminal and not before.phase.terminal for before, trial in old),
        "number": any(trial.observation != before.observation for before, trial in old),
        "outcome": plan.outcome is not None,
    }
    named = [kind for kind, there in kinds.items() if there]
    return named or (["end"] if plan.trials else [])


def divergences(replayed: Sequence[PolicyState], stored: Sequence[PolicyState]) -> list[str]:
    """Warnings where a replay did not end in the state that was stored: on another kind of CPU, say."""
    kept = {(state.version, state.asked): state.hash for state in stored}
    texts = []
    for state in replayed:
        known = kept.get((state.version, state.asked))
        if known is not None and known != state.hash:
            texts.append(
                f"PolicyDiverged: replaying {state.version} observations gives policy {state.hash[:12]}, not "
                f"{known[:12]} as before (another kind of CPU, another torch?); the search goes on from its ledger"
            )
    return texts

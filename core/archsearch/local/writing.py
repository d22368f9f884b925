"""What a pass writes, as the crash points name it."""

from archsearch.engine.ledger import Ledger
from archsearch.engine.model import Plan


def kinds_of(plan: Plan, ledger: Ledger) -> list[str]:
    """What a plan's transaction writes, as the crash points name it."""
    new = [trial.confirm_of is not None for trial in plan.trials if trial.index >= len(ledger)]
    old = [(ledger[trial.index], trial) for trial in plan.trials if trial.index < len(ledger)]
    kinds = {
        "propose": not all(new),
        "confirm": any(new),
        "start": bool(plan.starts),
        "end": any(trial.phase.terminal and not before.phase.terminal for before, trial in old),
        "number": any(trial.observation != before.observation for before, trial in old),
        "outcome": plan.outcome is not None,
    }
    named = [kind for kind, there in kinds.items() if there]
    return named or (["end"] if plan.trials else [])

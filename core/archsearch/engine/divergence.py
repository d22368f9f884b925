"""Whether a replay of the ledger ended in the policy that was known before."""

from collections.abc import Sequence

from archsearch.controller_contract import PolicyState


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

"""Going on with a search that is there: what has ended it, what another command changes, what else has changed."""

from collections.abc import Iterable, Mapping

from archsearch.engine.model import Outcome, Result, Trial
from archsearch.local.store import Header

_REMEDIES = {
    "MaxTrialsReached": "raise spec.trials.max to go on with it",
    "TooManyFailures": "mend what makes children fail and raise spec.trials.maxFailed to go on with it",
    "DeadlineReached": "raise spec.trials.deadline to go on with it",
    "PolicyCollapsed": "raise spec.trials.maxConsecutiveDuplicates to go on with it",
}
_ANEW = "remove the folder (or give another with --out) to start anew"


def how_to_go_on(outcome: Outcome) -> str:
    """What a person can do with a search that has ended, in a sentence."""
    remedy = _REMEDIES.get(outcome.reason)
    what = _ANEW if remedy is None else f"{remedy}, or {_ANEW}"
    return f"this search has ended already ({outcome.reason}: {outcome.message}); {what}"


def forgiven(header: Header, trials: Iterable[Trial]) -> int | None:
    """How many observations the shared-fault rule no longer looks at once this search is reopened.

    None: it was not a fault that every child shares that ended it. The fault has been mended, or the first child after
    it will say so again.
    """
    outcome = header.outcome
    if outcome is None or outcome.result is not Result.FAILED:
        return None
    numbers, at_fault = 0, False
    for trial in trials:
        if trial.observation is not None:
            numbers += 1
            fresh = trial.observation >= header.forgiven
            at_fault |= fresh and trial.shared_fault and (trial.reason or "SharedFault") == outcome.reason
    return numbers if at_fault else None


def reopened(outcome: Outcome, observations: int) -> str:
    """What is told when a search that a shared fault had ended goes on."""
    return (
        f"this search had failed after {observations} children ({outcome.reason}: {outcome.message}); it goes on with "
        "the next children, in the belief that this has been mended; those that failed stay failed"
    )


def other_versions(stored: Mapping[str, str], present: Mapping[str, str]) -> str | None:
    """A warning where a search goes on with other versions than it began with; None where they are the same."""
    changes = [
        f"{name} {present.get(name, 'none')} (it began with {version})"
        for name, version in sorted(stored.items())
        if present.get(name) != version
    ]
    if not changes:
        return None
    return f"this search goes on with {', '.join(changes)}: rewards and the policy may no longer compare bit for bit"

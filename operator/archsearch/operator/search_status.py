"""The status of a search after a pass: a pure function of what is known."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from archsearch.api import ArchitectureSearch
from archsearch.api.conditions import Condition, ConditionType
from archsearch.api.status import PolicyStatus, Resolved, SearchStatus
from archsearch.controller_contract import PolicyState
from archsearch.engine.model import Outcome, Result
from archsearch.operator.acceptance import Refused
from archsearch.operator.conditions import Wanted, false, find, holds, true, update
from archsearch.operator.problems import Problem
from archsearch.operator.progressing import Activity, progressing
from archsearch.operator.scores import Scores
from archsearch.operator.status_json import patch_of, read_status
from archsearch.operator.times import rfc3339_seconds
from archsearch.report_parsing import printable, shorten

__all__ = ["View", "outcome_of", "patch_of", "read_status", "refused_status", "status_of"]

WARNINGS = 32
"""Warnings that are kept; the oldest give way."""
_LONGEST_WARNING = 4096
_BEFORE = "until this is mended the search goes on by its manifest before"


@dataclass(frozen=True)
class View:
    """Everything that the status of an accepted search follows from."""

    search: ArchitectureSearch
    generation: int
    """metadata.generation of the manifest that ``search`` was read from."""
    previous: SearchStatus
    scores: Scores
    """Figures of the ledger, this pass's plan taken in."""
    resolved: Resolved
    now: datetime
    running: int = 0
    """Trial containers that run."""
    controller_up: bool = False
    """Whether the controller has answered."""
    policy: PolicyState | None = None
    """The newest state of the policy; None: none is known since the operator began, and what was written stays."""
    problems: Sequence[Problem] = ()
    """What keeps pods from running."""
    outcome: Outcome | None = None
    gpu_seconds: float = 0.0
    active_seconds: float = 0.0
    forgiven: int = 0
    warnings: tuple[str, ...] = ()
    """Of this pass; those told before may be among them."""
    diverged: str | None = None
    """What a replay gave otherwise than the ledger has it; "": the last replay agreed; None: there was none."""
    refused: Refused | None = None
    """Why an edit of the manifest is refused; the search goes on by the one before."""


def status_of(view: View) -> SearchStatus:
    """The status after this pass. The same view gives the same status, whenever it is looked at."""
    ended = view.outcome is not None
    counts = view.scores.counts(ended=ended)
    over = counts.succeeded + counts.failed + counts.stopped
    best = view.scores.best
    started = view.previous.start_time or rfc3339_seconds(view.now)
    return SearchStatus(
        observed_generation=view.generation,
        conditions=update(view.previous.conditions, _conditions(view), view.now, generation=view.generation),
        progress=f"{over}/{max(view.search.spec.trials.max, len(view.scores))}",
        counts=counts,
        best=best,
        best_reward=best[0].reward if best else None,
        pareto=view.scores.pareto,
        policy=view.previous.policy if view.policy is None else _policy(view.policy),
        resolved=view.resolved,
        gpu_seconds=round(view.gpu_seconds, 3),
        active_seconds=round(view.active_seconds, 3),
        forgiven=view.forgiven,
        start_time=started,
        completion_time=(view.previous.completion_time or rfc3339_seconds(view.now)) if ended else None,
        warnings=_warnings(view.previous.warnings, view.warnings),
    )


def refused_status(previous: SearchStatus, refused: Refused, generation: int, now: datetime) -> SearchStatus:
    """The status of a search that cannot run as it is: what it has achieved stays, and so does how it ended."""
    wanted = [
        false(ConditionType.READY, refused.reason, refused.message),
        false(ConditionType.PROGRESSING, refused.reason, "nothing goes on; condition Ready says why"),
    ]
    others = (ConditionType.SUSPENDED, ConditionType.SUCCEEDED, ConditionType.FAILED)
    absent = [kind for kind in others if find(previous.conditions, kind) is None]
    wanted += [false(kind, refused.reason, "the search has not been accepted") for kind in absent]
    conditions = update(previous.conditions, wanted, now, generation=generation)
    return previous.model_copy(update={"conditions": conditions, "observed_generation": generation})


def outcome_of(status: SearchStatus) -> Outcome | None:
    """How the search of ``status`` has ended; None: it has not."""
    for kind, result in ((ConditionType.SUCCEEDED, Result.SUCCEEDED), (ConditionType.FAILED, Result.FAILED)):
        found = find(status.conditions, kind)
        if found is not None and holds((found,), kind):
            return Outcome(result, found.reason, found.message)
    return None


def judged_at(status: SearchStatus) -> int | None:
    """Generation of the manifest by which the search of ``status`` has ended; None: it has not."""
    kinds = (ConditionType.SUCCEEDED, ConditionType.FAILED)
    held = (found for kind in kinds if (found := find(status.conditions, kind)) is not None and holds((found,), kind))
    return next((found.observed_generation for found in held), None)


def _conditions(view: View) -> tuple[Wanted, ...]:
    return (
        _ready(view.refused),
        progressing(
            view.search.spec,
            Activity(
                len(view.scores),
                view.scores.running,
                view.running,
                view.controller_up,
                confirming=view.scores.confirming,
            ),
            view.problems,
            view.outcome,
        ),
        _suspended(view),
        *_ends(view.outcome),
        _diverged(view.previous.conditions, view.diverged),
    )


def _ready(refused: Refused | None) -> Wanted:
    if refused is None:
        return true(ConditionType.READY, "Accepted", "the manifest is accepted")
    return false(ConditionType.READY, refused.reason, f"{refused.message}\n{_BEFORE}")


def _suspended(view: View) -> Wanted:
    kind = ConditionType.SUSPENDED
    if view.outcome is not None:
        return false(kind, "Ended", "the search has ended")
    if not view.search.spec.suspend:
        return false(kind, "NotSuspended", "spec.suspend is false")
    if view.scores.running:
        return false(kind, "Suspending", "running children are being stopped")
    return true(kind, "Suspended", "spec.suspend is true and nothing runs")


def _ends(outcome: Outcome | None) -> tuple[Wanted, Wanted]:
    """Exactly one of the two is True once the search has ended; before, none is."""
    succeeded, failed = ConditionType.SUCCEEDED, ConditionType.FAILED
    if outcome is None:
        text = "the search has not ended"
        return false(succeeded, "NotEnded", text), false(failed, "NotEnded", text)
    if outcome.result is Result.SUCCEEDED:
        return true(succeeded, outcome.reason, outcome.message), false(failed, "Succeeded", "the search has ended well")
    return false(succeeded, "Failed", "the search has failed"), true(failed, outcome.reason, outcome.message)


def _diverged(existing: Sequence[Condition], diverged: str | None) -> Wanted:
    kind = ConditionType.POLICY_DIVERGED
    if diverged:
        return true(kind, "ReplayDiffers", diverged)
    known = find(existing, kind)
    if diverged is None and known is not None:
        return Wanted(kind, known.status, known.reason, known.message)
    return false(kind, "ReplayAgrees", "the policy is the one that the ledger gives")


def _policy(state: PolicyState) -> PolicyStatus:
    return PolicyStatus(
        strategy=shorten(state.strategy, 63),
        version=state.version,
        asked=state.asked,
        hash=shorten(state.hash, 128),
        entropy=state.entropy,
        baseline=state.baseline,
    )


def _warnings(told: Sequence[str], new: Iterable[str]) -> tuple[str, ...]:
    bounded = (shorten(printable(text), _LONGEST_WARNING) for text in new)
    return tuple(dict.fromkeys((*told, *bounded)))[-WARNINGS:]

"""A search as plain data for programs: camelCase names, nothing that is unknown, times in RFC 3339."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archsearch.cli.summary import failures
from archsearch.controller_contract import PolicyState
from archsearch.engine import leaderboard, pareto
from archsearch.engine.model import Confirmed, Trial
from archsearch.engine.record import HumanBaseline, SearchRecord
from archsearch.engine.running import trial_name

if TYPE_CHECKING:
    from archsearch.local.audit import Audit


def trial_view(record: SearchRecord, trial: Trial, *, architecture: bool = False) -> dict[str, Any]:
    """One child."""
    return _known(
        {
            "index": trial.index,
            "name": trial_name(record.manifest.metadata.name, trial.index),
            "phase": trial.phase.value,
            "reward": trial.reward,
            "metrics": dict(trial.metrics),
            "observation": trial.observation,
            "genotype": list(trial.genotype),
            "architecture": trial.architecture if architecture else None,
            "sampledBy": {"policyVersion": trial.policy_version, "logProbability": trial.log_probability},
            "duplicateOf": trial.duplicate_of,
            "reuseOf": trial.reuse_of,
            "confirmOf": trial.confirm_of,
            "confirmedBy": trial.confirmed_by if isinstance(trial, Confirmed) else None,
            "rewards": list(trial.rewards) if isinstance(trial, Confirmed) else None,
            "attempts": trial.attempts,
            "failures": trial.failures,
            "reason": trial.reason,
            "message": trial.message,
            "created": _time(trial.created),
            "startTime": _time(trial.started),
            "completionTime": _time(trial.completed),
            "seconds": round(trial.seconds, 3),
        }
    )


def search_view(
    record: SearchRecord, pid: int | None = None, *, page: Path | None = None, told: tuple[str, str] | None = None
) -> dict[str, Any]:
    """The search as a whole; ``pid`` is that of the run that is active, ``page`` where its report is, if written.

    ``told`` is its state and a detail of that, where its backend knows more than the record says.
    """
    stands, detail = told or (state(record, pid), "")
    counts = leaderboard.counts(record.trials)
    objective = record.manifest.spec.objective
    best, unbeaten = leaderboard.top(record.trials, 1, objective), pareto.front(record.trials, objective)
    return _known(
        {
            "name": record.manifest.metadata.name,
            "state": stands,
            "detail": detail or None,
            "pid": pid,
            "outcome": None if record.outcome is None else _outcome(record),
            "objective": record.manifest.spec.objective.model_dump(mode="json", exclude_none=True),
            "strategy": record.strategy.model_dump(mode="json", exclude_none=True),
            "maximum": record.manifest.spec.trials.max,
            "counts": {
                "pending": counts.pending,
                "running": counts.running,
                "succeeded": counts.succeeded,
                "failed": counts.failed,
                "stopped": counts.stopped,
                "reused": counts.reused,
                "duplicates": counts.duplicates,
            },
            "confirmations": _confirmations(counts.confirmations) if counts.confirmations.total else None,
            "failures": failures(record),
            "best": trial_view(record, best[0]) if best else None,
            "pareto": [trial_view(record, trial) for trial in unbeaten] if objective.also else None,
            "human": None if record.human is None else _human(record.human),
            "policy": _policy(record.policy[-1]) if record.policy else None,
            "startTime": _time(record.started),
            "activeSeconds": round(record.active_seconds, 3),
            "trialSeconds": round(sum(trial.seconds for trial in record.trials), 3),
            "warnings": list(record.warnings),
            "report": str(page.resolve()) if page is not None and page.is_file() else None,
            "versions": dict(record.versions),
        }
    )


def _confirmations(confirmations: leaderboard.Confirmations) -> dict[str, int]:
    """Further trainings of the best children by where they stand."""
    return {
        "underWay": confirmations.under_way,
        "succeeded": confirmations.succeeded,
        "failed": confirmations.failed,
        "stopped": confirmations.stopped,
    }


def audit_view(record: SearchRecord, audit: "Audit", changed: Mapping[str, tuple[str, str | None]]) -> dict[str, Any]:
    """What an audit found; ``changed`` are versions then and now."""
    return _known(
        {
            "name": record.manifest.metadata.name,
            "agrees": audit.agrees,
            "children": audit.children,
            "observations": audit.observations,
            "mismatches": [
                {"index": m.index, "logged": list(m.logged), "derived": list(m.derived)} for m in audit.mismatches
            ],
            "derivedHash": audit.derived_hash,
            "storedHash": audit.stored_hash,
            "changedVersions": {name: _known({"then": then, "now": now}) for name, (then, now) in changed.items()},
        }
    )


def state(record: SearchRecord, pid: int | None) -> str:
    """Running, Suspended, Unfinished, Succeeded or Failed."""
    if record.outcome is not None:
        return record.outcome.result.value
    if pid is not None:
        return "Running"
    return "Suspended" if record.manifest.spec.suspend else "Unfinished"


def _outcome(record: SearchRecord) -> dict[str, str]:
    assert record.outcome is not None
    return {
        "result": record.outcome.result.value,
        "reason": record.outcome.reason,
        "message": record.outcome.message,
    }


def _human(human: HumanBaseline) -> dict[str, Any]:
    return _known(
        {
            "metrics": dict(human.metrics),
            "seconds": round(human.seconds, 3),
            "reason": human.reason,
            "architecture": human.architecture,
        }
    )


def _policy(policy: PolicyState) -> dict[str, Any]:
    return policy.model_dump(mode="json", exclude_none=True, exclude={"decisions", "mismatches"})


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds")


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}

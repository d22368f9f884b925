"""A search, a child and an audit in a few lines for people."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from archsearch.api.objective import Also
from archsearch.api.oneof import OneOf
from archsearch.cli.tables import count, duration, flat, note, number, test_metrics
from archsearch.engine import leaderboard, pareto
from archsearch.engine.model import Confirmed, Phase, Trial
from archsearch.engine.record import SearchRecord

_LISTED = 10
"""Children of the Pareto set whose numbers are told."""


def search_lines(record: SearchRecord, state: str, page: Path | None) -> list[str]:
    """The search as a whole; ``page`` is where its report is, if there is one."""
    lines = [f"{record.manifest.metadata.name}: {state}{_why(record)}"]
    lines += [f"  objective   {_objective(record)}", f"  strategy    {_chosen(record.strategy)}"]
    lines += [f"  children    {_children(record)}", *_confirmations(record), *_results(record)]
    if record.policy:
        policy = record.policy[-1]
        entropy = "" if policy.entropy is None else f", entropy {number(policy.entropy)}"
        lines.append(f"  policy      version {policy.version}, {policy.hash[:12]}{entropy}")
    trained = sum(trial.seconds for trial in record.trials)
    lines.append(f"  time        {duration(record.active_seconds)} active, {duration(trained)} of training")
    lines += [f"  warning     {flat(text)}" for text in record.warnings]
    return [*lines, f"  report      {page}"] if page is not None and page.is_file() else lines


def child_lines(record: SearchRecord, trial: Trial) -> list[str]:
    """One child, without its architecture."""
    told = note(trial)
    lines = [f"child {trial.index}: {trial.phase.value}" + (f" ({told})" if told else "")]
    drawn = f"policy version {trial.policy_version}, log-probability {number(trial.log_probability)}"
    lines.append(f"  sampled by  {drawn}")
    if trial.reward is not None:
        lines.append(f"  reward      {number(trial.reward)}")
    lines += [f"  {name:<11} {count(value)}" for name, value in sorted(trial.metrics.items())]
    lines.append(f"  attempts    {trial.attempts}, {duration(trial.seconds)} in all")
    return lines


def of_maximum(ended: int, sampled: int, maximum: int) -> str:
    """How many children have ended, of how many; the maximum can be lowered below what has been sampled."""
    return f"{ended} of {maximum}" if sampled <= maximum else f"{ended} of {sampled} sampled (maximum now {maximum})"


def _why(record: SearchRecord) -> str:
    return "" if record.outcome is None else f" ({record.outcome.reason}: {flat(record.outcome.message)})"


def _objective(record: SearchRecord) -> str:
    objective = record.manifest.spec.objective
    target = "" if objective.target is None else f", target {number(objective.target)}"
    told = f"{objective.direction.value} {objective.metric}{target}; reward: {_chosen(objective.transform)}"
    return told + "".join(f"; {_further(also)}" for also in objective.also)


def _further(also: Also) -> str:
    """A further metric that counts."""
    better = "less" if also.weight < 0 else "more"
    limit = "" if also.limit is None else f", limit {count(also.limit)}"
    held = f"target {count(also.target)} ({also.constraint.value}), weight {number(also.weight)}{limit}"
    return f"{better} {also.metric}: {held}"


def _chosen(one: OneOf) -> str:
    """The one of its fields that is set, with its settings."""
    ((kind, settings),) = one.model_dump(mode="json", exclude_none=True).items()
    told = ", ".join(f"{name} {json.dumps(value).strip(chr(34))}" for name, value in settings.items())
    return f"{kind} ({told})" if told else kind


def failures(record: SearchRecord) -> dict[str, int]:
    """How many children failed for each reason, the commonest first."""
    children = leaderboard.children(record.trials)
    reasons = Counter(trial.reason or "Unknown" for trial in children if trial.phase is Phase.FAILED)
    return dict(reasons.most_common())


def _children(record: SearchRecord) -> str:
    counts = leaderboard.counts(record.trials)
    ended = counts.succeeded + counts.failed + counts.stopped
    reused = f" ({counts.reused_succeeded} reused)" if counts.reused_succeeded else ""
    reasons = ", ".join(f"{reason} {many}" for reason, many in failures(record).items())
    several = [
        (counts.succeeded, f"succeeded{reused}"),
        (counts.failed, f"failed ({reasons})"),
        (counts.stopped, "stopped"),
        (counts.running, "running"),
        (counts.pending, "pending"),
    ]
    told = ", ".join(f"{many} {what}" for many, what in several if many)
    listed = of_maximum(ended, counts.total, record.manifest.spec.trials.max)
    return f"{listed}: {told}" if told else listed


def _confirmations(record: SearchRecord) -> list[str]:
    """How the further trainings of the best stand, where there are any."""
    found = leaderboard.counts(record.trials).confirmations
    several = [
        (found.succeeded, "succeeded"),
        (found.failed, "failed"),
        (found.stopped, "stopped"),
        (found.under_way, "under way"),
    ]
    told = ", ".join(f"{many} {what}" for many, what in several if many)
    return [f"  confirmed   {told}"] if told else []


def _results(record: SearchRecord) -> list[str]:
    """The best child and the human baseline."""
    lines = []
    best = leaderboard.top(record.trials, 1, record.manifest.spec.objective)
    if best:
        mean = ", the mean of two trainings" if isinstance(best[0], Confirmed) else ""
        lines.append(f"  best        child {best[0].index}: {_measured(record, best[0].metrics)}{mean}")
    unbeaten = pareto.front(record.trials, record.manifest.spec.objective)
    if unbeaten:
        told = ", ".join(str(trial.index) for trial in unbeaten[:_LISTED])
        more = f" and {len(unbeaten) - _LISTED} more" if len(unbeaten) > _LISTED else ""
        lines.append(f"  pareto      {'children' if len(unbeaten) > 1 else 'child'} {told}{more}")
    if record.human is not None:
        reason = record.human.reason
        lines.append(f"  human       {_measured(record, record.human.metrics) if reason is None else flat(reason)}")
    return lines


def _measured(record: SearchRecord, metrics: Mapping[str, float]) -> str:
    """The objective's metric, what was measured on the test part, and the size, in words."""
    metric = record.manifest.spec.objective.metric
    tests = [name for name in test_metrics(metric, [metrics]) if name != metric]
    told = [f"{metric} {number(metrics[metric])}" + (" on validation" if tests else "")] if metric in metrics else []
    told += [f"{name} {number(metrics[name])} on test" for name in tests]
    further = (also.metric for also in record.manifest.spec.objective.also)
    counts = [name for name in dict.fromkeys((*further, "parameters")) if name in metrics]
    told += [f"{count(metrics[name])} {name}" for name in counts]
    return ", ".join(told) or "no metrics"

"""Tables and summaries for people."""

from collections.abc import Iterable, Mapping

from rich.table import Table

from archsearch.engine import leaderboard
from archsearch.engine.model import Trial
from archsearch.engine.record import SearchRecord
from archsearch.local.audit import Audit


def number(value: float | None) -> str:
    """A number with as many digits as say something; a dash where there is none."""
    return "-" if value is None else f"{value:.5g}"


def duration(seconds: float | None) -> str:
    """A length of time: 4 ms, 0.4 s, 12 s, 1:05, 2:03:04; a dash where unknown."""
    if seconds is None:
        return "-"
    if seconds < 0.095:
        return f"{1000 * seconds:.0f} ms" if seconds else "0 s"
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def measured(record: SearchRecord, metrics: Mapping[str, float]) -> str:
    """The objective's metric and what was measured on the test part, in words."""
    metric = record.manifest.spec.objective.metric
    names = [metric, *_test_metrics(metric, [metrics])]
    shown = [f"{name} {number(metrics[name])}" for name in dict.fromkeys(names) if name in metrics]
    return ", ".join(shown) or "no metrics"


def trials_table(record: SearchRecord, trials: Iterable[Trial]) -> Table:
    """Children, one a row."""
    listed = list(trials)
    metric = record.manifest.spec.objective.metric
    tests = [name for name in _test_metrics(metric, [trial.metrics for trial in listed]) if name != metric]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("child", "phase", "reward", metric, *tests, "taught", "attempts", "time", "note"):
        told = name in ("phase", "note")
        table.add_column(name, justify="left" if told else "right", no_wrap=name != "note", overflow="fold")
    for trial in listed:
        table.add_row(
            str(trial.index),
            trial.phase.value,
            number(trial.reward),
            number(trial.metrics.get(metric)),
            *(number(trial.metrics.get(name)) for name in tests),
            "-" if trial.observation is None else str(trial.observation),
            str(trial.attempts),
            duration(trial.seconds),
            _note(trial),
        )
    return table


def summary(record: SearchRecord, state: str) -> list[str]:
    """A search in a few lines."""
    counts = leaderboard.counts(record.trials)
    ended = counts.succeeded + counts.failed + counts.stopped
    lines = [f"{record.manifest.metadata.name}: {state}" + _why(record)]
    more = [
        (counts.running, "running"),
        (counts.pending, "pending"),
        (counts.failed, "failed"),
        (counts.reused, "reused"),
    ]
    told = "".join(f", {count} {what}" for count, what in more if count)
    lines.append(f"  children    {of_maximum(ended, counts.total, record.manifest.spec.trials.max)}{told}")
    lines += result_lines(record)
    if record.policy:
        policy = record.policy[-1]
        entropy = "" if policy.entropy is None else f", entropy {number(policy.entropy)}"
        lines.append(f"  policy      {policy.strategy}, version {policy.version}, {policy.hash[:12]}{entropy}")
    trained = sum(trial.seconds for trial in record.trials)
    lines.append(f"  time        {duration(record.active_seconds)} active, {duration(trained)} of training")
    lines += [f"  warning     {text}" for text in record.warnings]
    return lines


def of_maximum(ended: int, sampled: int, maximum: int) -> str:
    """How many children have ended, of how many; the maximum can be lowered below what has been sampled."""
    return f"{ended} of {maximum}" if sampled <= maximum else f"{ended} of {sampled} sampled (maximum now {maximum})"


def result_lines(record: SearchRecord) -> list[str]:
    """The best child and the human baseline."""
    lines = []
    best = leaderboard.top(record.trials, 1)
    if best:
        lines.append(f"  best        child {best[0].index}: {measured(record, best[0].metrics)}")
    if record.human is not None:
        told = measured(record, record.human.metrics) if record.human.reason is None else record.human.reason
        lines.append(f"  human       {told}")
    return lines


def child_lines(record: SearchRecord, trial: Trial) -> list[str]:
    """One child in a few lines, without its architecture."""
    drawn = f"policy version {trial.policy_version}, log-probability {number(trial.log_probability)}"
    lines = [f"child {trial.index}: {trial.phase.value}" + (f" ({_note(trial)})" if _note(trial) else "")]
    lines.append(f"  sampled by  {drawn}")
    if trial.reward is not None:
        lines.append(f"  reward      {number(trial.reward)}")
    lines += [f"  {name:<11} {number(value)}" for name, value in sorted(trial.metrics.items())]
    lines.append(f"  attempts    {trial.attempts}, {duration(trial.seconds)} in all")
    return lines


def audit_lines(audit: Audit) -> list[str]:
    """What an audit found."""
    lines = [f"{audit.children} children and {audit.observations} observations derived anew"]
    lines += [
        f"child {found.index} differs: the ledger has {list(found.logged)}, derived {list(found.derived)}"
        for found in audit.mismatches[:20]
    ]
    if len(audit.mismatches) > 20:
        lines.append(f"... and {len(audit.mismatches) - 20} more")
    if audit.stored_hash is None:
        lines.append(f"policy {audit.derived_hash}; none of the same moment was kept to compare with")
    elif audit.stored_hash == audit.derived_hash:
        lines.append(f"policy {audit.derived_hash}, as it was kept")
    else:
        lines.append(f"policy differs: kept {audit.stored_hash}, derived {audit.derived_hash}")
    lines.append("the ledger is what the policy did" if audit.agrees else "the ledger is NOT what the policy did")
    return lines


def _why(record: SearchRecord) -> str:
    return "" if record.outcome is None else f" ({record.outcome.reason}: {record.outcome.message})"


def _note(trial: Trial) -> str:
    parts = []
    if trial.reuse_of is not None:
        parts.append(f"reuses {trial.reuse_of}")
    elif trial.duplicate_of is not None:
        parts.append(f"again {trial.duplicate_of}")
    if trial.reason is not None:
        parts.append(f"{trial.reason}: {trial.message}" if trial.message else trial.reason)
    return "; ".join(parts)


def _test_metrics(metric: str, several: Iterable[Mapping[str, float]]) -> list[str]:
    """Names of what was measured on the test part: the objective's own where it is there, or else all."""
    names = {name for metrics in several for name in metrics if name.lower().startswith("test")}
    own = f"test{metric}".lower()
    return [name for name in names if name.lower() == own] or sorted(names)

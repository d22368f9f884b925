"""Tables for people, and how figures are written in them."""

from collections.abc import Iterable, Mapping, Sequence

from rich.table import Table

from archsearch.engine.model import Confirmed, Trial
from archsearch.engine.record import SearchRecord
from archsearch.report_parsing import printable

NOTE_WIDTH = 12
"""Least columns of a note, however narrow the terminal."""


def number(value: float | None) -> str:
    """A number with as many digits as say something; a dash where there is none."""
    return "-" if value is None else f"{value:.5g}"


def count(value: float | None) -> str:
    """A number that may be a count: whole ones in full, thousands apart."""
    whole = value is not None and float(value).is_integer() and abs(value) < 1e15
    return f"{int(value):,}" if value is not None and whole else number(value)


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


def flat(text: str) -> str:
    """``text`` on one line, with nothing that harms a terminal."""
    return " ".join(printable(text).split())


def trials_table(record: SearchRecord, trials: Iterable[Trial], *, size: bool = False) -> Table:
    """Children, one a row; ``size``: with the number of parameters. Columns that would say nothing are left out."""
    listed = list(trials)
    metric = record.manifest.spec.objective.metric
    tests = [name for name in test_metrics(metric, [trial.metrics for trial in listed]) if name != metric]
    columns: dict[str, list[str]] = {
        "child": [str(trial.index) for trial in listed],
        "phase": [trial.phase.value for trial in listed],
        "reward": [number(trial.reward) for trial in listed],
    }
    columns |= {name: [number(trial.metrics.get(name)) for trial in listed] for name in (metric, *tests)}
    further = [also.metric for also in record.manifest.spec.objective.also]
    columns |= {name: [count(trial.metrics.get(name)) for trial in listed] for name in further}
    if size and any("parameters" in trial.metrics for trial in listed):
        columns["parameters"] = [count(trial.metrics.get("parameters")) for trial in listed]
    if any(trial.attempts > 1 for trial in listed):
        columns["attempts"] = [str(trial.attempts) for trial in listed]
    columns["time"] = [duration(trial.seconds) for trial in listed]
    notes = [note(trial) for trial in listed]
    columns |= {"note": notes} if any(notes) else {}
    return _table(columns)


def _table(columns: Mapping[str, Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        if name == "note":
            table.add_column(name, overflow="fold", min_width=NOTE_WIDTH)
        else:
            table.add_column(name, justify="left" if name == "phase" else "right", no_wrap=True)
    for row in zip(*columns.values(), strict=True):
        table.add_row(*row)
    return table


def note(trial: Trial) -> str:
    """What else there is to say of a child: whose result it has, why it failed."""
    parts = []
    if trial.reuse_of is not None:
        parts.append(f"reuses {trial.reuse_of}")
    elif trial.duplicate_of is not None:
        parts.append(f"again {trial.duplicate_of}")
    if trial.confirm_of is not None:
        parts.append(f"confirms {trial.confirm_of}")
    if isinstance(trial, Confirmed):
        parts.append(f"mean of {' and '.join(number(reward) for reward in trial.rewards)} ({trial.confirmed_by})")
    if trial.reason is not None:
        parts.append(f"{trial.reason}: {flat(trial.message)}" if trial.message else trial.reason)
    return "; ".join(parts)


def test_metrics(metric: str, several: Iterable[Mapping[str, float]]) -> list[str]:
    """Names of what was measured on the test part: the objective's own where it is there, or else all."""
    names = {name for metrics in several for name in metrics if name.lower().startswith("test")}
    own = f"test{metric}".lower()
    return [name for name in names if name.lower() == own] or sorted(names)

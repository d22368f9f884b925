"""Numbers as people read them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from archsearch.engine.record import SearchRecord


@dataclass(frozen=True)
class Scale:
    """How the values of one metric are written: fractions of 1 that are accuracies or errors as per cent."""

    percent: bool = False

    def text(self, value: float | None) -> str:
        """``value`` as it stands in the page; an en dash where there is none."""
        if value is None:
            return "–"
        return f"{100 * value:.2f} %" if self.percent else number(value)

    def change(self, first: float, last: float) -> str:
        """From one value to another, in short."""
        return f"{100 * first:.1f} → {100 * last:.1f} %" if self.percent else f"{first:.4g} → {last:.4g}"

    def difference(self, value: float) -> str:
        """The size of a difference, without its sign."""
        return f"{100 * abs(value):.2f} percentage points" if self.percent else number(abs(value))


def scale_of(metric: str, values: Iterable[float | None]) -> Scale:
    """The scale of a metric with these values."""
    known = [value for value in values if value is not None]
    named = any(word in metric.lower() for word in ("accuracy", "error"))
    return Scale(percent=named and bool(known) and all(0 <= value <= 1 for value in known))


def number(value: float) -> str:
    """``value`` with five significant digits; whole numbers in full, thousands apart."""
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.1f}" if 1e4 <= abs(value) < 1e15 else f"{value:.5g}"


def duration(seconds: float) -> str:
    """A length of time: 85 ms, 3.2 s, 4 min 05 s, 2 h 07 min, 3 d 04 h."""
    if seconds < 0.9995:
        return f"{1000 * seconds:.0f} ms" if seconds else "0 s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, smaller_size, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // smaller_size:02d} {smaller}"
    return f"{whole} s"


def moment(time: datetime) -> str:
    """A moment in UTC; one without a zone is taken for UTC."""
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def elapsed(start: datetime, end: datetime) -> float:
    """Seconds from ``start`` to ``end``, at least 0; moments without a zone are taken for UTC."""
    first, last = (time if time.tzinfo else time.replace(tzinfo=UTC) for time in (start, end))
    return max(0.0, (last - first).total_seconds())


def plural(count: int, one: str, many: str | None = None) -> str:
    """``1 child``, ``1,200 children``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def metric_values(record: SearchRecord, metric: str) -> list[float]:
    """Every value of ``metric`` in the search, the human baseline's last."""
    sources = [trial.metrics for trial in record.trials] + ([record.human.metrics] if record.human else [])
    return [metrics[metric] for metrics in sources if metric in metrics]


def metric_scale(record: SearchRecord, metric: str) -> Scale:
    """The scale of ``metric`` over the whole search."""
    return scale_of(metric, metric_values(record, metric))


def test_metric(record: SearchRecord) -> str | None:
    """The metric that measures on the test part what the objective measures: testAccuracy or test_accuracy, say."""
    objective = record.manifest.spec.objective.metric
    base = _plain(objective)
    for prefix in ("validation", "valid", "val"):
        base = base.removeprefix(prefix)
    names = {name for trial in record.trials for name in trial.metrics}
    names |= set(record.human.metrics) if record.human else set()
    return next((name for name in sorted(names - {objective}) if _plain(name) in (f"test{base}", f"{base}test")), None)


test_metric.__test__ = False  # type: ignore[attr-defined]  # pytest: not a test


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()

"""A comparison as plain data for programs: camelCase names, nothing that is unknown."""

from typing import Any

from archsearch.bench.compare.comparison import Comparison, Row, Versus
from archsearch.bench.compare.course import RANKS
from archsearch.bench.stats import Interval

NAMES = ("best", "top5", "top25")
"""For each of RANKS."""


def data(comparison: Comparison) -> dict[str, Any]:
    """Everything that the page says, rewards as they are."""
    return {
        "objective": comparison.contenders[0].manifest.spec.objective.model_dump(mode="json", exclude_none=True),
        "children": comparison.children,
        "searches": [
            {
                "label": one.label,
                "strategy": one.runs[0].record.strategy.model_dump(mode="json", exclude_none=True),
                "runs": [
                    {"seed": run.seed, "children": course.children, "folder": str(run.folder)}
                    for run, course in zip(one.runs, courses, strict=True)
                ],
            }
            for one, courses in zip(comparison.contenders, comparison.courses, strict=True)
        ],
        "checkpoints": [_row(row) for row in comparison.rows],
        "differences": [_versus(versus) for versus in comparison.versus],
        "notes": list(comparison.notes),
    }


def _row(row: Row) -> dict[str, Any]:
    means = {name: _interval(mean) for name, mean in zip(NAMES, row.means, strict=True)}
    fields = {"label": row.label, "children": row.children, "seeds": row.seeds, **means, "test": _interval(row.test)}
    counts = {"duplicates": row.duplicates, "failed": row.failed, "seconds": round(row.seconds, 3)}
    return {name: value for name, value in (fields | counts).items() if value is not None}


def _versus(versus: Versus) -> dict[str, Any]:
    found = versus.difference
    fields = {
        "one": versus.one,
        "other": versus.other,
        "of": NAMES[RANKS.index(versus.rank)],
        "children": versus.children,
        "difference": _interval(found.interval),
        "p": found.p,
        "paired": found.paired,
        "seeds": list(found.seeds),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _interval(found: Interval | None) -> dict[str, float] | None:
    return None if found is None else {"mean": found.mean, "low": found.low, "high": found.high}

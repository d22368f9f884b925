"""docs/metrics.md lists every metric, with its type, its labels and its meaning, and no other."""

import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.metrics import MetricWrapperBase

from archsearch.operator.metrics import Metrics

ROW = re.compile(r"^\| `(?P<name>archsearch_\w+)` \| (?P<type>\w+) \| (?P<labels>[\w, ]*)\| (?P<help>.+) \|$", re.M)


def documented(page: str) -> dict[str, tuple[str, tuple[str, ...], str]]:
    """Type, labels and meaning by name, as the table has them."""
    rows = {}
    for row in ROW.finditer(page):
        assert row["name"] not in rows, f"{row['name']} is listed twice"
        labels = tuple(label.strip() for label in row["labels"].split(",") if label.strip())
        rows[row["name"]] = (row["type"], labels, row["help"])
    return rows


def declared(metrics: Metrics) -> dict[str, tuple[str, tuple[str, ...], str]]:
    """The same, as the registry has them."""
    rows = {}
    collectors: Any = metrics.registry._collector_to_names
    for collector in collectors:
        if isinstance(collector, MetricWrapperBase):
            (family,) = collector.describe()
            name = f"{family.name}_total" if family.type == "counter" else family.name
            rows[name] = (family.type, tuple(collector._labelnames), family.documentation)
    return rows


def test_the_table_is_what_the_operator_serves(repository: Path) -> None:
    listed = documented((repository / "docs" / "metrics.md").read_text())
    served = declared(Metrics())
    assert listed == served
    assert len(served) == 23


@pytest.mark.parametrize("name", sorted(declared(Metrics())))
def test_names_have_the_prefix_and_end_in_their_unit(name: str) -> None:
    kind, labels, meaning = declared(Metrics())[name]
    assert name.startswith("archsearch_")
    assert name.endswith("_total") == (kind == "counter")
    if kind == "histogram":
        assert name.endswith("_seconds")
    assert set(labels) <= {"namespace", "search", "outcome", "reason", "verb", "resource", "code"}
    assert ("namespace" in labels) == ("search" in labels)
    assert meaning.endswith(".")
    assert len(meaning) <= 80

"""Dashboard and rules speak only of metrics and labels that the operator serves."""

import json
import re
from pathlib import Path

import prometheus
import pytest
from ruamel.yaml import YAML

from archsearch.operator.metrics import Metrics

SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
METRIC = re.compile(r"\barchsearch_\w+")
LABEL = re.compile(r'(\w+) *(?:=~|!~|!=|=) *"')


def series() -> set[str]:
    """Names of all series that the operator can serve."""
    families = [family for family in Metrics().registry.collect() if family.name.startswith("archsearch_")]
    return {family.name + suffix for family in families for suffix in SUFFIXES[family.type]}


def chart(repository: Path, file: str) -> Path:
    return repository / "charts" / "archsearch" / "files" / file


@pytest.fixture
def dashboard(repository: Path) -> dict[str, object]:
    return dict(json.loads(chart(repository, "dashboards/archsearch-search.json").read_text()))


@pytest.fixture
def queries(repository: Path, dashboard: dict[str, object]) -> list[str]:
    rules = YAML(typ="safe").load(chart(repository, "rules/archsearch.yaml"))
    alerts = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    return [one.text for one in prometheus.expressions(dashboard)] + alerts


def test_every_metric_asked_for_is_served(queries: list[str]) -> None:
    asked = {name for query in queries for name in METRIC.findall(query)}
    assert asked <= series()


def test_every_metric_served_is_on_the_dashboard(dashboard: dict[str, object]) -> None:
    shown = {
        re.sub(r"_(bucket|sum|count)$", "", name)
        for one in prometheus.expressions(dashboard)
        for name in METRIC.findall(one.text)
    }
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in series()} <= shown


def test_selectors_name_only_our_labels(queries: list[str]) -> None:
    selected = {label for query in queries for label in LABEL.findall(query)}
    assert selected == {"namespace", "search", "outcome", "code"}


def test_every_panel_says_what_it_shows_and_overlaps_no_other(dashboard: dict[str, object]) -> None:
    panels = dashboard["panels"]
    assert isinstance(panels, list)
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not own & cells, panel["title"]
        assert place["x"] + place["w"] <= 24
        cells |= own
        assert panel["type"] == "row" or (panel["description"] and panel["targets"])
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_the_four_rows_and_the_variables_are_there(dashboard: dict[str, object]) -> None:
    panels, templating = dashboard["panels"], dashboard["templating"]
    assert isinstance(panels, list)
    assert isinstance(templating, dict)
    assert [panel["title"] for panel in panels if panel["type"] == "row"] == [
        "Progress",
        "Learning",
        "Efficiency",
        "Operator",
    ]
    assert [one["name"] for one in templating["list"]] == ["datasource", "namespace", "search", "window"]


def test_every_alert_is_explained(repository: Path) -> None:
    rules = YAML(typ="safe").load(chart(repository, "rules/archsearch.yaml"))
    alerts = [rule for group in rules["groups"] for rule in group["rules"]]
    page = (repository / "docs" / "metrics.md").read_text()
    assert re.findall(r"^\| `(Archsearch\w+)`", page, re.M) == [rule["alert"] for rule in alerts]
    for rule in alerts:
        assert set(rule["annotations"]) == {"summary", "description"}
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["for"]


@pytest.mark.parametrize("text", ["up{a=$b}", "rate(up[$__rate_interval])"])
def test_a_variable_that_is_left_is_noticed(text: str) -> None:
    with pytest.raises(AssertionError, match="a variable is left"):
        prometheus.filled_in(text, {"namespace": "x"})

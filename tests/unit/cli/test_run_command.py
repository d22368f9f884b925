"""archsearch run before it runs: what overrides the manifest, what is refused, and what is shown meanwhile."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from archsearch.api import ArchitectureSearch
from archsearch.cli import main
from archsearch.cli.display import LINE_SECONDS, Bar, Lines, display
from archsearch.cli.run import override
from archsearch.cli.tables import duration, number
from archsearch.local.errors import UsageError
from archsearch.local.progress import Snapshot

MANIFEST = {
    "apiVersion": "archsearch.io/v1alpha1",
    "kind": "ArchitectureSearch",
    "metadata": {"name": "small"},
    "spec": {
        "searchSpace": {"choices": [{"name": "a", "values": [0, 1]}]},
        "trials": {"max": 4, "retries": 1},
        "trial": {"task": {"custom": {}}, "command": ["true"]},
        "seed": 5,
    },
}


def search() -> ArchitectureSearch:
    return ArchitectureSearch.model_validate_json(json.dumps(MANIFEST))


def snapshot(**fields: Any) -> Snapshot:
    values: dict[str, Any] = {
        "done": 1,
        "maximum": 10,
        "running": 2,
        "failed": 0,
        "reused": 0,
        "best": None,
        "latest": None,
        "moving_mean": None,
        "entropy": None,
        "elapsed": 3.0,
        "left": None,
    }
    return Snapshot(**(values | fields))


def test_nothing_given_changes_nothing() -> None:
    assert override(search(), trials=None, parallelism=None, seed=None) == search()


def test_what_is_given_takes_the_place_of_its_field_and_of_no_other() -> None:
    changed = override(search(), trials=9, parallelism=0, seed=0).spec
    assert (changed.trials.max, changed.trials.parallelism, changed.seed) == (9, 0, 0)
    assert (changed.trials.retries, changed.search_space) == (1, search().spec.search_space)


@pytest.mark.parametrize(
    ("given", "field"),
    [({"trials": 0}, "spec.trials.max"), ({"parallelism": -1}, "spec.trials.parallelism"), ({"seed": -1}, "spec.seed")],
)
def test_what_the_manifest_may_not_hold_is_refused_by_its_field(given: dict[str, int], field: str) -> None:
    with pytest.raises(UsageError, match=rf"{field}: .* \(it is -?[01]\)"):
        override(search(), **({"trials": None, "parallelism": None, "seed": None} | given))


def test_a_bad_manifest_is_told_line_by_line_and_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = tmp_path / "search.yaml"
    manifest.write_text(json.dumps(MANIFEST).replace('"seed": 5', '"sead": 5'))
    monkeypatch.setattr("sys.argv", ["archsearch", "run", str(manifest), "--out", str(tmp_path / "run")])
    with pytest.raises(SystemExit, match="2"):
        main()
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"{manifest}:1:" in printed.err
    assert "sead" in printed.err
    assert not (tmp_path / "run").exists()


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_plain_lines_are_rate_limited_but_the_last_is_always_printed() -> None:
    text, clock = io.StringIO(), Clock()
    lines = Lines(Console(file=text, width=200), "accuracy", clock=clock)
    lines.update(snapshot(done=1))
    lines.update(snapshot(done=2))
    clock.now += LINE_SECONDS
    lines.update(snapshot(done=2))
    lines.update(snapshot(done=10))
    lines.update(snapshot(done=10))
    assert [line.split()[0] for line in text.getvalue().splitlines()] == ["1/10", "2/10", "10/10"]


def test_a_plain_line_tells_what_is_known() -> None:
    text = io.StringIO()
    lines = Lines(Console(file=text, width=200), "accuracy", clock=Clock())
    lines.update(snapshot(failed=1, reused=2, moving_mean=0.123456, entropy=1.5, elapsed=3661.0, left=61.0))
    assert text.getvalue() == (
        "1/10 children, 2 running, 1 failed, 2 reused, mean reward of the last 20 0.12346, entropy 1.50, "
        "1:01:01 elapsed, 1:01 left\n"
    )


def test_quiet_prints_only_what_is_said() -> None:
    text = io.StringIO()
    lines = Lines(Console(file=text, width=200), "accuracy", quiet=True, clock=Clock())
    lines.update(snapshot())
    lines.say("[bold]careful")
    assert text.getvalue() == "[bold]careful\n"


def test_a_terminal_gets_a_bar_and_everything_else_lines() -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=160)
    assert isinstance(display(terminal, "small", "accuracy", quiet=False), Bar)
    assert isinstance(display(terminal, "small", "accuracy", quiet=True), Lines)
    assert isinstance(display(Console(file=io.StringIO()), "small", "accuracy", quiet=False), Lines)


def test_the_bar_shows_children_and_figures() -> None:
    text = io.StringIO()
    with Bar(Console(file=text, force_terminal=True, width=200), "small", "accuracy") as bar:
        bar.update(snapshot(done=4, entropy=1.25))
        bar.say("careful")
    shown = text.getvalue()
    assert "4/10" in shown
    assert "entropy 1.25" in shown
    assert "careful" in shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.4, "0:00"), (59.6, "1:00"), (3599, "59:59"), (3600, "1:00:00"), (None, "-")]
)
def test_durations_are_shown_as_clocks_do(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(("value", "shown"), [(0.123456789, "0.12346"), (12345678.0, "1.2346e+07"), (None, "-")])
def test_numbers_have_the_digits_that_say_something(value: float | None, shown: str) -> None:
    assert number(value) == shown

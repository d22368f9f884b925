"""archsearch run before it runs: what overrides the manifest, what is refused, and what is shown meanwhile."""

import io
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from archsearch.api import ArchitectureSearch
from archsearch.cli import main
from archsearch.cli.display import LINE_SECONDS, Bar, Lines, display
from archsearch.cli.overriding import override
from archsearch.cli.summary import of_maximum
from archsearch.cli.tables import count, duration, number
from archsearch.engine.model import Trial
from archsearch.local.errors import LocalError, UsageError
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
    ("arguments", "told"),
    [
        (("--trials", "0"), "--trials: spec.trials.max: 0 is not allowed; needs an integer from 1 to 1000000"),
        (("--trials", "9" * 30), f"--trials: spec.trials.max: {'9' * 30} is not allowed; needs an integer from 1"),
        (("--parallelism", "-1"), "--parallelism: spec.trials.parallelism: -1 is not allowed; needs an integer from 0"),
        (("--seed", "-1"), "--seed: spec.seed: -1 is not allowed; needs an integer from 0 to 2147483647"),
    ],
)
def test_a_flag_is_judged_as_its_field_is(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    told: str,
) -> None:
    (tmp_path / "search.yaml").write_text(json.dumps(MANIFEST))
    out = tmp_path / "run"
    monkeypatch.setattr("sys.argv", ["archsearch", "run", str(tmp_path / "search.yaml"), "--out", str(out), *arguments])
    with pytest.raises(SystemExit, match="2"):
        main()
    printed = capsys.readouterr()
    assert printed.err.startswith(f"archsearch: {told}")
    assert (printed.out, out.exists()) == ("", False)


def test_flags_are_all_judged_and_each_mistake_is_a_line() -> None:
    with pytest.raises(UsageError) as refused:
        override(search(), trials=0, parallelism=2, seed=-1)
    assert [line.split(":")[0] for line in str(refused.value).splitlines()] == ["--trials", "--seed"]


def test_a_flag_obeys_the_rules_that_span_fields() -> None:
    manifest = json.loads(json.dumps(MANIFEST))
    manifest["spec"]["trials"]["reproducible"] = True
    reproducible = ArchitectureSearch.model_validate_json(json.dumps(manifest))
    with pytest.raises(UsageError) as refused:
        override(reproducible, trials=None, parallelism=0, seed=None)
    assert str(refused.value).startswith("--parallelism: spec.trials.parallelism: 0 is not allowed where reproducible")


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


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What searches were started with; none of them runs."""
    calls: list[dict[str, Any]] = []

    async def note(search: ArchitectureSearch, folder: Path, **given: Any) -> None:
        calls.append({"search": search, "folder": folder, **given})
        raise LocalError("not run")

    monkeypatch.setattr("archsearch.cli.running.run_search", note)
    return calls


def start(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", ["archsearch", "run", *arguments])
    with pytest.raises(SystemExit, match="1"):
        main()


TEXT = "# kept as it was written\n" + json.dumps(MANIFEST) + "\n"


def test_a_manifest_from_a_pipe_is_read_once_and_kept_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[dict[str, Any]]
) -> None:
    monkeypatch.chdir(tmp_path)
    pipe = tmp_path / "elsewhere" / "pipe"
    pipe.parent.mkdir()
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        pool.submit(pipe.write_text, TEXT)
        start(monkeypatch, str(pipe))
    assert (started[0]["search"], started[0]["source"], started[0]["base"]) == (search(), TEXT, tmp_path)


def test_a_manifest_from_standard_input_starts_paths_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[dict[str, Any]]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbf" + TEXT.encode())))
    start(monkeypatch, "-")
    assert (started[0]["search"], started[0]["source"], started[0]["base"]) == (search(), TEXT, tmp_path)


def test_a_manifest_in_a_file_starts_paths_from_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: list[dict[str, Any]]
) -> None:
    (tmp_path / "search.yaml").write_text(TEXT)
    start(monkeypatch, str(tmp_path / "search.yaml"))
    start(monkeypatch, str(tmp_path / "search.yaml"), "--trials", "9")
    assert [(call["source"], call["base"]) for call in started] == [(TEXT, tmp_path), (None, tmp_path)]


def test_a_standard_input_that_is_closed_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", None)
    monkeypatch.setattr("sys.argv", ["archsearch", "run", "-"])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert capsys.readouterr().err == "<stdin>: standard input cannot be read: it is closed\n"


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
    lines.update(snapshot(done=10, running=0))
    lines.update(snapshot(done=10, running=0))
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
    assert isinstance(display(terminal, search(), quiet=False), Bar)
    assert isinstance(display(terminal, search(), quiet=True), Lines)
    assert isinstance(display(Console(file=io.StringIO()), search(), quiet=False), Lines)


def drawn(width: int, name: str, shown: Snapshot, deadline: float | None = None) -> list[str]:
    """The lines that the bar leaves on a terminal of so many columns."""
    text = io.StringIO()
    with Bar(
        Console(file=text, force_terminal=True, width=width, color_system=None), name, "accuracy", deadline
    ) as bar:
        bar.update(shown)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.getvalue()).replace("\r", "\n")
    frames = [line.rstrip() for line in plain.split("\n")]
    last = max(place for place, line in enumerate(frames) if "elapsed" in line)
    return [line for line in frames[last:] if line]


FULL = {
    "done": 112,
    "maximum": 300,
    "failed": 3,
    "reused": 14,
    "best": Trial(
        index=107,
        genotype=(0,),
        architecture={"kind": "choices"},
        policy_version=0,
        log_probability=-1.0,
        created=datetime(2026, 1, 1, tzinfo=UTC),
        metrics={"accuracy": 0.934563},
    ),
    "moving_mean": 0.91234,
    "entropy": 1.234,
    "elapsed": 3723.0,
    "left": 7384.0,
}


@pytest.mark.parametrize("width", [50, 60, 80, 120, 200])
@pytest.mark.parametrize("name", ["small", "n" * 46])
def test_the_bar_shows_every_figure_on_any_terminal(width: int, name: str) -> None:
    lines = drawn(width, name, snapshot(**FULL))
    assert max(map(len, lines)) <= width
    assert lines[0].split()[1].startswith(name[:3])
    assert "━" in lines[0]
    assert lines[0].endswith("112/300 1:02:03 elapsed · 2:03:04 left")
    assert " ".join(line.strip() for line in lines[1:]) == (
        "2 running · 3 failed · 14 reused · best accuracy 0.93456 (child 107) · "
        "mean reward of the last 20 0.91234 · entropy 1.23"
    )


def test_time_left_is_never_more_than_the_deadline_leaves() -> None:
    assert drawn(80, "small", snapshot(**FULL), deadline=3783.0)[0].endswith("1:02:03 elapsed · 1:00 left")
    assert drawn(80, "small", snapshot(**FULL), deadline=3000.0)[0].endswith("1:02:03 elapsed · 0 s left")
    assert drawn(80, "small", snapshot(**FULL), deadline=1e9)[0].endswith("1:02:03 elapsed · 2:03:04 left")


def test_the_manifests_deadline_bounds_the_time_left() -> None:
    manifest = json.loads(json.dumps(MANIFEST))
    manifest["spec"]["trials"]["deadline"] = "1m"
    text = io.StringIO()
    limited = ArchitectureSearch.model_validate_json(json.dumps(manifest))
    display(Console(file=text, width=200), limited, quiet=False).update(snapshot(elapsed=48.0, left=100.0))
    assert text.getvalue().endswith("48 s elapsed, 12 s left\n")


def test_a_maximum_lowered_below_what_was_sampled_is_not_exceeded() -> None:
    assert "20/20" in drawn(80, "small", snapshot(done=20, maximum=3, running=0))[0]
    assert of_maximum(20, 20, 3) == "20 of 20 sampled (maximum now 3)"
    assert of_maximum(2, 3, 3) == "2 of 3"


def test_the_bar_leaves_what_is_said_above_it() -> None:
    text = io.StringIO()
    with Bar(Console(file=text, force_terminal=True, width=200), "small", "accuracy") as bar:
        bar.update(snapshot(done=4, entropy=1.25))
        bar.say("[bold]careful :x:")
    assert "[bold]careful :x:" in text.getvalue()


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "0 s"),
        (0.004, "4 ms"),
        (0.4, "0.4 s"),
        (9.96, "10 s"),
        (12.3, "12 s"),
        (59.6, "1:00"),
        (65, "1:05"),
        (3599, "59:59"),
        (7384, "2:03:04"),
        (None, "-"),
    ],
)
def test_durations_are_shown_as_people_say_them(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(("value", "shown"), [(0.123456789, "0.12346"), (12345678.0, "1.2346e+07"), (None, "-")])
def test_numbers_have_the_digits_that_say_something(value: float | None, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(12345678.0, "12,345,678"), (0.5, "0.5"), (None, "-")])
def test_counts_are_written_in_full(value: float | None, shown: str) -> None:
    assert count(value) == shown

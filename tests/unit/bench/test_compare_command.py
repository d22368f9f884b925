"""``archsearch compare`` as a person uses it: manifests that are run, folders that are there, and what is refused."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner, Result

from archsearch.api import ArchitectureSearch
from archsearch.bench.compare.contenders import Run
from archsearch.bench.compare.searching import Manifest, describe, plan
from archsearch.bench.errors import BenchError
from archsearch.cli.app import assemble
from archsearch.engine.model import Outcome, Phase, Trial
from archsearch.engine.model import Result as Ending
from archsearch.local.errors import FolderError, LocalError, ManifestChangedError, UsageError
from archsearch.local.folder import Folder
from archsearch.local.record import load_record
from archsearch.local.store import Store, outcome_columns
from archsearch.manifest.errors import InvalidManifestError

ROOT = Path(__file__).resolve().parents[3]
START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def compare(*arguments: str | Path) -> Result:
    return CliRunner().invoke(assemble(), ["compare", *map(str, arguments)], catch_exceptions=True)


def answer(*arguments: str | Path) -> dict[str, Any]:
    result = compare(*arguments, "-o", "json")
    assert result.exit_code == 0, (result.output, result.exception)
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def document(name: str = "one", **spec: Any) -> dict[str, Any]:
    whole = {
        "objective": {"metric": "val_accuracy"},
        "searchSpace": {"choices": [{"name": f"d{n}", "values": list("abcd")} for n in range(3)]},
        "strategy": {"random": {}},
        "trials": {"max": 8, "parallelism": 1},
        "trial": {"task": {"tabular": {"table": "table.csv"}}},
        "seed": 4,
        **spec,
    }
    return {
        "apiVersion": "archsearch.io/v1alpha1", "kind": "ArchitectureSearch", "metadata": {"name": name}, "spec": whole,
    }  # fmt: skip


@pytest.fixture
def manifests(tmp_path: Path) -> list[Path]:
    """Two manifests on a table of 64 networks."""
    lines = ["net,val_accuracy,test_accuracy"]
    for cell in product("abcd", repeat=3):
        score = 50 + sum("abcd".index(letter) * weight for letter, weight in zip(cell, (1, 2, 3), strict=True))
        lines.append(f"{''.join(cell)},{score},{score - 1}")
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    found = []
    for name in ("random", "reinforce"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(json.dumps(document(name, strategy={name: {}})))
        found.append(path)
    return found


Made = Callable[..., Path]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Makes the folder of a search whose children had these rewards."""

    def make(
        folder: str,
        rewards: Sequence[float | None],
        *,
        ended: Ending | None = Ending.SUCCEEDED,
        reason: str = "MaxTrialsReached",
        name: str = "one",
        confirmed: int = 0,
        **spec: Any,
    ) -> Path:
        manifest = ArchitectureSearch.model_validate_json(json.dumps(document(name, **spec)))
        path = tmp_path / folder
        path.mkdir(parents=True)
        with Store.create(Folder(path).ledger, manifest, manifest.spec.strategy.resolved(), START, {}) as store:
            outcome = None if ended is None else Outcome(ended, reason, "as it says")
            trials = [_trial(index, reward) for index, reward in enumerate(rewards)]
            again = [replace(one, index=len(trials) + one.index, observation=None) for one in trials[:confirmed]]
            trials += [replace(one, confirm_of=at, reward=99.0) for at, one in enumerate(again)]
            store.write(kinds=(), trials=trials, search=outcome_columns(outcome))
        return path

    return make


def _trial(index: int, reward: float | None) -> Trial:
    tokens = (index // 16 % 4, index // 4 % 4, index % 4)
    metrics = {} if reward is None else {"val_accuracy": reward, "test_accuracy": reward - 1}
    return Trial(
        index, tokens, {}, 0, 0.0, START, reward=reward, observation=index, seconds=2.0, metrics=metrics, attempts=1,
        phase=Phase.FAILED if reward is None else Phase.SUCCEEDED, completed=START + timedelta(seconds=2),
    )  # fmt: skip


def test_manifests_are_run_with_every_seed_and_the_same_command_goes_on(manifests: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = answer(*manifests, "--seeds", "2", "--trials", "6", "--at-once", "2", "--out", out)
    assert [one["label"] for one in found["searches"]] == ["random", "reinforce"]
    assert [[run["seed"] for run in one["runs"]] for one in found["searches"]] == [[4, 5], [4, 5]]
    assert found["children"] == 6
    record = load_record(out / "reinforce" / "seed-5")
    assert (record.manifest.spec.seed, len(record.trials)) == (5, 6)
    best = [max(t.reward or 0.0 for t in load_record(out / "random" / f"seed-{seed}").trials) for seed in (4, 5)]
    assert found["checkpoints"][0]["best"]["mean"] == pytest.approx(sum(best) / 2)
    assert found["checkpoints"][0]["test"]["mean"] == pytest.approx(sum(best) / 2 - 1)
    again = answer(*manifests, "--seeds", "3", "--trials", "6", "--out", out)
    assert [len(one["runs"]) for one in again["searches"]] == [3, 3]
    assert load_record(out / "reinforce" / "seed-5") == record
    read = answer(out / "random", out / "reinforce", "--out", tmp_path / "second")
    assert (read["checkpoints"], read["differences"]) == (again["checkpoints"], again["differences"])


def test_page_picture_and_numbers_are_written(made: Made, tmp_path: Path) -> None:
    one, two = made("a", [1.0, 2.0, 3.0]), made("b", [1.0, None, 5.0], strategy={"reinforce": {}}, name="two")
    found = answer(one, two, "--out", tmp_path / "out")
    page = Path(found["page"]).read_text()
    assert Path(found["picture"]).read_bytes().startswith(b"\x89PNG")
    numbers = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert numbers == {name: value for name, value in found.items() if name not in ("page", "picture")}
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=\"(?!#)", page)
    drawn = re.findall(r"<text[^>]*>([^<]*)</text>", page)
    assert {"best so far", "mean of the top 5", "mean of the top 25", "one", "two", "children asked for"} <= set(drawn)
    assert "two has the best child: 5.00" in page


def test_the_table_has_what_was_found(made: Made, tmp_path: Path) -> None:
    found = answer(made("a", [1.0, None, 3.0, 2.0, 5.0, 4.0]), made("b", [6.0] * 6, seed=5), "--out", tmp_path / "o")
    (row,) = found["checkpoints"]
    assert (row["label"], row["seeds"], row["children"]) == ("one", 2, 6)
    assert row["best"]["mean"] == 5.5
    assert row["top5"]["mean"] == (3.0 + 6.0) / 2
    assert row["test"]["mean"] == 4.5
    assert (row["failed"], row["duplicates"], row["seconds"]) == (0.5, 0.0, 12.0)
    assert "top25" not in row
    assert found["differences"] == []


def test_folders_that_differ_in_their_seed_alone_are_one_search(made: Made, tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        made(f"all/seed-{seed}", [float(seed)], seed=seed)
    other = made("other", [2.0], seed=1, name="another", strategy={"reinforce": {}})
    found = answer(tmp_path / "all", other, "--out", tmp_path / "out")
    assert [[run["seed"] for run in one["runs"]] for one in found["searches"]] == [[1, 2, 3], [1]]
    (note, *_) = found["notes"]
    assert note == "Not all have as many seeds: one has 3, another has 1."
    difference = next(each for each in found["differences"] if each["of"] == "best")
    assert (difference["one"], difference["other"]) == ("another", "one")
    assert difference["difference"]["mean"] == 0.0
    assert "p" not in difference


def test_names_that_are_alike_are_told_apart_by_strategy_or_folder(made: Made, tmp_path: Path) -> None:
    one, two = made("a", [1.0]), made("b", [1.0], strategy={"reinforce": {}})
    labels = [each["label"] for each in answer(one, two, "--out", tmp_path / "out")["searches"]]
    assert labels == ["one, random", "one, reinforce"]
    three = made("c", [1.0], trials={"max": 9, "parallelism": 1})
    labels = [each["label"] for each in answer(one, three, "--out", tmp_path / "out")["searches"]]
    assert labels == [f"one ({one})", f"one ({three})"]


def test_one_seed_has_no_band_and_says_so(made: Made, tmp_path: Path) -> None:
    one, two = made("a", [1.0, 2.0]), made("b", [1.0, 3.0], strategy={"reinforce": {}}, name="two")
    result = compare(one, two, "--out", tmp_path / "out")
    assert "one and two: one seed only, so there is no band and no p" in result.stdout
    assert "one seed cannot tell whether that is more than luck" in result.stdout
    page = (tmp_path / "out" / "compare.html").read_text()
    assert "bands are" not in page


def test_all_are_compared_up_to_the_fewest_children_unless_a_search_has_found_all_it_will(
    made: Made, tmp_path: Path
) -> None:
    short, long = made("a", [1.0, 2.0]), made("b", [1.0, 2.0, 9.0], name="two", strategy={"reinforce": {}})
    found = answer(short, long, "--out", tmp_path / "out")
    assert found["children"] == 2
    assert "two goes on to 3 children; all are compared up to 2." in found["notes"]
    early = made("c", [5.0], reason="PolicyCollapsed", name="three", strategy={"ppo": {}})
    found = answer(early, long, "--out", tmp_path / "out")
    assert found["children"] == 3
    assert [row["best"]["mean"] for row in found["checkpoints"]] == [5.0, 9.0]
    assert any("three: 1 search of 1 ended before 3 children (PolicyCollapsed)" in note for note in found["notes"])


def refusal(result: Result) -> str:
    assert isinstance(result.exception, LocalError), result.output
    assert result.exception.exit_code == 2
    return str(result.exception)


OTHERS: list[tuple[str, dict[str, Any], str]] = [
    ("metric", {"objective": {"metric": "test_accuracy"}}, 'spec.objective.metric is "val_accuracy" in the one and'),
    ("target", {"objective": {"metric": "val_accuracy", "target": 9}}, "spec.objective.target is left out in the one"),
    ("table", {"trial": {"task": {"tabular": {"table": "other.csv"}}}}, "spec.trial.task.tabular.table"),
    ("command", {"trial": {"task": {"custom": {}}, "command": ["x"]}}, "spec.trial"),
]


@pytest.mark.parametrize(("spec", "says"), [row[1:] for row in OTHERS], ids=[row[0] for row in OTHERS])
def test_searches_that_measure_something_else_are_refused_by_field(made: Made, spec: dict[str, Any], says: str) -> None:
    text = refusal(compare(made("a", [1.0]), made("b", [1.0], **spec)))
    assert "cannot be compared, their rewards do not measure the same" in text
    assert says in text


def test_manifests_that_measure_something_else_are_refused_before_anything_runs(
    manifests: list[Path], tmp_path: Path
) -> None:
    manifests[1].write_text(json.dumps(document("reinforce", objective={"metric": "val_accuracy", "target": 60.0})))
    assert "spec.objective.target" in refusal(compare(*manifests, "--out", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_two_manifests_of_one_name_are_refused(manifests: list[Path], tmp_path: Path) -> None:
    manifests[1].write_text(json.dumps(document("random", strategy={"reinforce": {}})))
    assert "are both named 'random'" in refusal(compare(*manifests, "--out", tmp_path / "out"))


def test_an_unfinished_and_a_failed_search_and_a_seed_that_stands_twice_are_refused(made: Made, tmp_path: Path) -> None:
    text = refusal(compare(made("a", [1.0, 2.0], ended=None)))
    assert "has not ended: 2 of 8 children are done; go on with it" in text
    text = refusal(compare(made("b", [1.0], ended=Ending.FAILED, reason="TooManyFailures")))
    assert "failed, so there is nothing to compare: TooManyFailures" in text
    text = refusal(compare(made("c", [1.0]), made("d", [2.0])))
    assert "are the same search with the same seed, 4" in text
    (tmp_path / "empty").mkdir()
    assert "is not the folder of a search, nor does it hold any" in refusal(compare(tmp_path / "empty"))


def test_confirmations_are_no_children_in_what_is_told(made: Made, tmp_path: Path) -> None:
    text = refusal(compare(made("a", [1.0, 2.0], ended=None, confirmed=2)))
    assert "has not ended: 2 of 8 children are done" in text
    limited = {"metric": "val_accuracy", "also": [{"metric": "test_accuracy", "target": 1, "weight": -1, "limit": 1}]}
    folder = made("b", [2.0, 9.0, None], confirmed=1, objective=limited)
    run = Run(load_record(folder), folder)
    (planned,) = plan([Manifest(run.record.manifest, "one.yaml", tmp_path)], 1, tmp_path / "out")
    told = describe(planned, run)
    assert told == "one, seed 4: 3 children in 0.0 s, best 50.5"


@pytest.mark.parametrize("flag", ["--seeds", "--trials", "--parallelism"])
def test_flags_of_runs_are_refused_where_nothing_is_run(made: Made, flag: str) -> None:
    result = compare(made("a", [1.0]), flag, "2")
    assert isinstance(result.exception, UsageError)
    assert str(result.exception).startswith(f"{flag}: only folders are given")


def test_an_edited_manifest_does_not_go_on_with_another_search(manifests: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    answer(manifests[0], "--seeds", "1", "--trials", "2", "--out", out)
    manifests[0].write_text(json.dumps(document("random", strategy={"reinforce": {}})))
    result = compare(manifests[0], "--seeds", "1", "--trials", "2", "--out", out)
    assert isinstance(result.exception, ManifestChangedError)


def test_what_is_no_search_is_told_so(tmp_path: Path) -> None:
    assert isinstance(compare(tmp_path / "absent.yaml").exception, InvalidManifestError)
    (tmp_path / "ledger").mkdir()
    Folder(tmp_path / "ledger").ledger.write_text("no ledger")
    assert isinstance(compare(tmp_path / "ledger").exception, FolderError)


def test_a_seed_beyond_the_largest_is_refused(manifests: list[Path], tmp_path: Path) -> None:
    manifests[0].write_text(json.dumps(document("random", seed=2**31 - 1)))
    result = compare(manifests[0], "--seeds", "2", "--out", tmp_path / "out")
    assert isinstance(result.exception, BenchError)
    assert "leaves no room for --seeds" in str(result.exception)


def test_every_flag_is_on_its_page_and_no_other() -> None:
    command = typer.main.get_command(assemble()).commands["compare"]  # type: ignore[attr-defined]
    flags = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
    page = (ROOT / "docs" / "comparing.md").read_text()
    assert set(re.findall(r"`(--[a-z-]+)", page)) == flags

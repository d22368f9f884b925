"""The benchmark as a person runs it: real searches on a small table, a real controller, a real ledger."""

import json
import math
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from archsearch.api import Strategy
from archsearch.bench.errors import BenchError
from archsearch.bench.sample_efficiency import Benchmark, manifest
from archsearch.bench.table import read_table
from archsearch.cli.app import assemble
from archsearch.local.errors import ManifestChangedError
from archsearch.local.folder import Folder
from archsearch.local.record import load_record
from archsearch.local.store import Store

APART = ["difference_mean", "difference_low", "difference_high"]
KEYS = ["strategy", "children", "seeds", "regret_mean", "regret_std", "test_mean", "test_std", *APART]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """64 networks of three decisions; more of the later letters is better, on the test part a little less."""
    path = tmp_path / "table.csv"
    lines = ["net,val_accuracy,test_accuracy"]
    for cell in product("abcd", repeat=3):
        score = 50 + 4 * sum("abcd".index(letter) * weight for letter, weight in zip(cell, (1, 2, 3), strict=True)) / 3
        lines.append(f"{''.join(cell)},{score:.3f},{score - 1:.3f}")
    path.write_text("\n".join(lines) + "\n")
    return path


def bench(*arguments: str) -> Result:
    return CliRunner().invoke(assemble(), ["bench", "sample-efficiency", *arguments])


def test_a_real_run_gives_a_row_for_each_strategy_and_checkpoint(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "kept"
    arguments = ("--table", str(table), "--strategy", "random,reinforce", "--children", "27", "--seeds", "1")
    result = bench(*arguments, "--first-seed", "5001", "--in-flight", "2", "--out", str(out), "-o", "json")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert [(row["strategy"], row["children"]) for row in rows] == [
        ("random", 25),
        ("random", 27),
        ("reinforce", 25),
        ("reinforce", 27),
    ]
    for row in rows:
        assert list(row) == KEYS
        assert row["seeds"] == 1
        assert row["regret_std"] == row["test_std"] == 0
        assert math.isclose(row["test_mean"], 74 - row["regret_mean"] - 1)
    for row, first in zip(rows[2:], rows[:2], strict=True):
        assert [first[key] for key in APART] == [None, None, None]
        for key in APART:  # one seed: the interval is a point
            assert math.isclose(row[key], row["regret_mean"] - first["regret_mean"], abs_tol=1e-9)
    assert "duplicates a search" in result.stderr
    record = load_record(out / "reinforce" / "seed-5001")
    # Two in flight: child i was drawn when exactly the rewards of 0 .. i - 2 had been taught.
    assert [trial.policy_version for trial in record.trials] == [max(0, index - 1) for index in range(27)]
    best = max(trial.reward for trial in record.trials if trial.reward is not None)
    assert math.isclose(rows[-1]["regret_mean"], 74 - best)
    again = bench(*arguments, "--first-seed", "5001", "--in-flight", "2", "--out", str(out), "-o", "json")
    assert json.loads(again.stdout) == rows


@pytest.mark.parametrize(
    ("header", "join", "flags"),
    [
        ("first,second,third", ",", ("--decisions", "3")),
        ("net", "|", ("--separator", "|")),
    ],
)
def test_options_of_many_characters_give_the_figures_of_one(
    tmp_path: Path, header: str, join: str, flags: tuple[str, ...]
) -> None:
    words = {"a": "avg_pool", "b": "conv 3x3", "c": "none", "d": "skip"}  # in the same order as the letters
    short, long = [["net,accuracy"], [f"{header},accuracy"]]
    for cell in product("abcd", repeat=3):
        score = sum("abcd".index(letter) * weight for letter, weight in zip(cell, (1, 2, 3), strict=True))
        short.append(f"{''.join(cell)},{score}")
        long.append(f"{join.join(words[letter] for letter in cell)},{score}")
    found = []
    for lines, more in ((short, ()), (long, flags)):
        path = tmp_path / f"{len(found)}.csv"
        path.write_text("\n".join(lines) + "\n")
        arguments = ("--strategy", "localSearch", "--children", "25", "--seeds", "1", "--first-seed", "5003")
        result = bench("--table", str(path), "--metric", "accuracy", *arguments, *more, "-o", "json")
        assert result.exit_code == 0, result.output
        found.append(json.loads(result.stdout))
    assert found[0] == found[1]
    assert found[0][0]["test_mean"] is None


def test_eight_in_flight_are_drawn_after_exactly_the_tells_that_they_may_see(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "kept"
    arguments = ("--strategy", "default", "--children", "20", "--seeds", "1", "--in-flight", "8", "--out", str(out))
    assert bench("--table", str(table), *arguments).exit_code == 0
    record = load_record(out / "default" / "seed-0")
    assert [trial.policy_version for trial in record.trials] == [max(0, index - 7) for index in range(20)]
    assert record.manifest.spec.strategy.resolved() == Strategy().resolved()


def test_a_kept_folder_of_another_default_is_refused_by_field(table: Path, tmp_path: Path) -> None:
    benchmark = Benchmark(read_table(table), {"default": Strategy()}, children=5, seeds=range(1))
    asked = manifest(benchmark, Strategy(), 0, table)
    plain = asked.model_copy(update={"spec": asked.spec.model_copy(update={"strategy": Strategy()})})
    folder = Folder(tmp_path / "kept" / "default" / "seed-0")
    folder.root.mkdir(parents=True)
    former = Strategy.model_validate({"reinforce": {}}).resolved()
    Store.create(folder.ledger, plain, former, datetime(2026, 1, 1, tzinfo=UTC), {}).close()
    kept = str(tmp_path / "kept")
    result = bench("--table", str(table), "--strategy", "default", "--children", "5", "--seeds", "1", "--out", kept)
    assert isinstance(result.exception, ManifestChangedError)
    assert "spec.strategy" in str(result.exception)
    assert load_record(folder.root).trials == ()


def test_forked_children_give_the_same_figures_as_calls(table: Path) -> None:
    arguments = ("--table", str(table), "--strategy", "random", "--children", "5", "--seeds", "1", "-o", "json")
    called = bench(*arguments, "--first-seed", "5002")
    forked = bench(*arguments, "--first-seed", "5002", "--forked", "1")
    assert forked.exit_code == 0, forked.output
    assert json.loads(forked.stdout) == json.loads(called.stdout)


def test_networks_that_the_table_lacks_are_failed_children_and_no_end(tmp_path: Path) -> None:
    path = tmp_path / "sparse.csv"
    path.write_text("net,val_accuracy,test_accuracy\n" + "".join(f"{n}{n},{n},{n}\n" for n in range(5)))
    result = bench("--table", str(path), "--strategy", "random", "--children", "25", "--seeds", "1")
    assert result.exit_code == 0, result.output
    head, row, told = result.stdout.splitlines()
    names = ["strategy", "children", "seeds", "regret", "±", "std", "test", "±", "std", "minus", "random"]
    assert head.split() == names
    strategy, children, seeds, regret, _, test, _, apart = row.split()
    assert apart == "-"
    assert (strategy, children, seeds) == ("random", "25", "1")
    assert float(regret) in range(5)
    assert float(test) == 4 - float(regret)
    assert "mean reward of the last 12 children minus the first 12" in told
    assert "95 % interval" in told


@pytest.mark.parametrize(
    "arguments",
    [
        ("--children", "0"),
        ("--seeds", "0"),
        ("--first-seed", "-1"),
        ("--in-flight", "0"),
        ("--forked", "3", "--seeds", "2"),
        ("--decisions", "0"),
        ("--separator", ""),
        ("--separator", "|", "--decisions", "2"),
        ("-o", "xml"),
    ],
)
def test_flags_out_of_range_are_wrong_usage(table: Path, arguments: tuple[str, ...]) -> None:
    result = bench("--table", str(table), *arguments)
    assert result.exit_code == 2
    assert arguments[0] in result.stderr


def test_a_bad_table_or_strategy_stops_before_any_search(table: Path, tmp_path: Path) -> None:
    for arguments in (("--table", str(tmp_path / "absent.csv")), ("--table", str(table), "--strategy", "best")):
        result = bench(*arguments)
        assert isinstance(result.exception, BenchError)
        assert result.exception.exit_code == 2


def test_the_manifest_never_ends_a_search_early_and_spells_every_option(table: Path) -> None:
    benchmark = Benchmark(read_table(table), {"random": Strategy()}, children=9, seeds=range(3, 4), in_flight=4)
    spec = manifest(benchmark, Strategy(), 3, table).spec
    assert spec.search_space.choices is not None
    assert [choice.values for choice in spec.search_space.choices] == [("a", "b", "c", "d")] * 3
    assert (spec.trials.max, spec.trials.parallelism, spec.trials.reproducible, spec.seed) == (9, 4, True, 3)
    assert spec.trials.max_consecutive_duplicates == spec.trials.max_failed == 1_000_000
    assert spec.objective.metric == "val_accuracy"

"""trials, show, best and audit on a folder: what they print for people and for programs, and what they refuse."""

import contextlib
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from archsearch.api import ArchitectureSearch
from archsearch.cli import main
from archsearch.cli.auditing import audit_lines, changed_versions, genotype
from archsearch.cli.output import plain_console
from archsearch.cli.tables import trials_table
from archsearch.controller_contract import Mismatch, PolicyState
from archsearch.engine.model import Outcome, Phase, Result, Trial
from archsearch.engine.record import HumanBaseline
from archsearch.local.audit import Audit
from archsearch.local.record import load_record
from archsearch.local.store import Store, outcome_columns

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MANIFEST = {
    "apiVersion": "archsearch.io/v1alpha1",
    "kind": "ArchitectureSearch",
    "metadata": {"name": "small"},
    "spec": {
        "searchSpace": {"choices": [{"name": "a", "values": [0, 1]}, {"name": "b", "values": [0, 1]}]},
        "strategy": {"reinforce": {}},
        "trials": {"max": 4},
        "trial": {"task": {"custom": {}}, "command": ["true"]},
    },
}

REASON = {"reason": "ExitCode", "message": "[red]3 :x:\n\x1b[31mred"}
METRICS = {"accuracy": 0.75, "testAccuracy": 0.7, "parameters": 1234567.0}


def trial(index: int, genotype: tuple[int, int], **fields: Any) -> Trial:
    return Trial(
        index=index,
        genotype=genotype,
        architecture={"kind": "choices", "values": {"a": genotype[0], "b": genotype[1]}},
        policy_version=0,
        log_probability=-1.5,
        created=NOW,
        **fields,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A search that has ended: two children succeeded, one failed, one reuses the first."""
    search = ArchitectureSearch.model_validate_json(json.dumps(MANIFEST))
    good = {"phase": Phase.SUCCEEDED, "attempts": 1, "seconds": 61.0, "completed": NOW + timedelta(seconds=61)}
    children = (
        trial(0, (0, 1), reward=0.5, metrics={"accuracy": 0.5, "testAccuracy": 0.4}, observation=0, **good),
        trial(
            1,
            (1, 1),
            phase=Phase.FAILED,
            attempts=3,
            failures=3,
            reason="ExitCode",
            message="[red]3 :x:\n\x1b[31mred",
            observation=1,
        ),
        trial(
            2,
            (1, 0),
            reward=0.75,
            metrics={"accuracy": 0.75, "testAccuracy": 0.7, "parameters": 1234567.0},
            observation=2,
            **good,
        ),
        trial(
            3,
            (0, 1),
            reward=0.5,
            metrics={"accuracy": 0.5},
            observation=3,
            phase=Phase.SUCCEEDED,
            reuse_of=0,
            duplicate_of=0,
        ),
    )
    state = PolicyState(strategy="reinforce", version=4, asked=4, hash="0123456789abcdef", entropy=0.5)
    with Store.create(tmp_path / "ledger.db", search, search.spec.strategy.resolved(), NOW, {"torch": "2"}) as store:
        store.write(kinds=(), trials=children, policy=(state,), warnings=("careful :x:",), active_seconds=125.0)
        store.put_human(HumanBaseline(architecture={"kind": "choices"}, metrics={"accuracy": 0.625}, seconds=60.0))
        ended = Outcome(Result.SUCCEEDED, "MaxTrialsReached", "all 4 children have ended")
        store.write(kinds=(), search=outcome_columns(ended))
        store.finish()
    return tmp_path


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the program in this process; exit code, stdout, stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["archsearch", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), printed.out, printed.err

    return call


def test_trials_lists_every_child_for_people(folder: Path, run: Run) -> None:
    code, out, _ = run("trials", folder)
    header, *rows = out.splitlines()
    assert code == 0
    assert header.split() == [*("child", "phase", "reward", "accuracy", "testAccuracy", "attempts", "time", "note")]
    assert len(rows) == 4
    assert rows[1].rstrip().endswith("ExitCode: [red]3 :x: \ufffd[31mred")
    assert "reuses 0" in rows[3]


def test_trials_lists_only_those_that_failed_where_asked(folder: Path, run: Run) -> None:
    assert [child["index"] for child in json.loads(run("trials", folder, "--failed", "-o", "json")[1])] == [1]


def test_best_tells_people_the_size_and_trials_does_not(folder: Path, run: Run) -> None:
    rows = run("best", folder)[1].splitlines()
    assert "parameters" in rows[0]
    assert "1,234,567" in rows[1]
    assert "parameters" not in run("trials", folder)[1]


def test_columns_that_would_say_nothing_are_left_out(folder: Path) -> None:
    record = load_record(folder)
    names = [column.header for column in trials_table(record, [record.trials[0]]).columns]
    assert names == [
        "child",
        "phase",
        "reward",
        "accuracy",
        "testAccuracy",
        "time",
    ]


def test_a_table_keeps_its_columns_on_a_narrow_terminal(folder: Path) -> None:
    text = io.StringIO()
    record = load_record(folder)
    plain_console(file=text, width=80).print(trials_table(record, record.trials))
    assert text.getvalue().splitlines()[0].split()[-4:] == ["testAccuracy", "attempts", "time", "note"]
    assert "…" not in text.getvalue()
    assert max(map(len, text.getvalue().splitlines())) <= 80


def test_trials_gives_programs_the_same_in_json_and_yaml(folder: Path, run: Run) -> None:
    code, out, err = run("trials", folder, "-o", "json")
    data = json.loads(out)
    assert (code, err) == (0, "")
    assert [child["phase"] for child in data] == ["Succeeded", "Failed", "Succeeded", "Succeeded"]
    assert data[0]["sampledBy"] == {"policyVersion": 0, "logProbability": -1.5}
    assert data[0]["completionTime"] == "2026-01-02T03:05:06.000+00:00"
    assert "reward" not in data[1]
    assert data[3]["reuseOf"] == 0
    _, out, _ = run("trials", folder, "-o", "yaml")
    assert YAML(typ="safe").load(out) == data


def test_best_ranks_distinct_children(folder: Path, run: Run) -> None:
    _, out, _ = run("best", folder, "-o", "json")
    assert [child["index"] for child in json.loads(out)] == [2, 0]
    _, out, _ = run("best", folder, "--count", 1, "-o", "json")
    assert [child["index"] for child in json.loads(out)] == [2]


def test_show_sums_the_search_up(folder: Path, run: Run) -> None:
    _, out, _ = run("show", folder)
    assert out.splitlines()[0] == "small: Succeeded (MaxTrialsReached: all 4 children have ended)"
    for line in (
        "  objective   Maximize accuracy; reward: identity",
        "  strategy    reinforce (preset Fast, hiddenSize 35, layers 2, learningRate 0.015, batchSize 8, "
        "entropyWeight 0.1, baselineDecay 0.9, normaliseRewards true)",
        "  children    4 of 4: 3 succeeded (1 reused), 1 failed (ExitCode 1)",
        "  best        child 2: accuracy 0.75 on validation, testAccuracy 0.7 on test, 1,234,567 parameters",
        "  human       accuracy 0.625",
        "  policy      version 4, 0123456789ab, entropy 0.5",
        "  time        2:05 active, 2:02 of training",
        "  warning     careful :x:",
    ):
        assert line in out.splitlines()
    assert "report" not in out


def test_show_names_the_report_once_it_is_written(folder: Path, run: Run) -> None:
    (folder / "report.html").touch()
    assert run("show", folder)[1].splitlines()[-1] == f"  report      {folder / 'report.html'}"
    assert json.loads(run("show", folder, "-o", "json")[1])["report"] == str(folder / "report.html")


def test_show_gives_programs_everything_but_the_children(folder: Path, run: Run) -> None:
    _, out, _ = run("show", folder, "-o", "json")
    data = json.loads(out)
    assert data["state"] == "Succeeded"
    assert data["counts"] == {
        "pending": 0,
        "running": 0,
        "succeeded": 3,
        "failed": 1,
        "stopped": 0,
        "reused": 1,
        "duplicates": 1,
    }
    assert data["failures"] == {"ExitCode": 1}
    assert data["objective"]["direction"] == "Maximize"
    assert data["best"]["index"] == 2
    assert data["strategy"]["reinforce"]["preset"] == "Fast"
    assert "pid" not in data


def test_show_child_gives_its_architecture(folder: Path, run: Run) -> None:
    _, out, _ = run("show", folder, "--child", 2, "-o", "json")
    assert json.loads(out)["architecture"] == {"kind": "choices", "values": {"a": 1, "b": 0}}
    _, out, _ = run("show", folder, "--child", 1)
    assert out.splitlines()[0] == "child 1: Failed (ExitCode: [red]3 :x: \ufffd[31mred)"


def test_show_child_names_its_log(folder: Path, run: Run) -> None:
    log = folder / "trials" / "1" / "3" / "log.txt"
    assert "log.txt" not in run("show", folder, "--child", 1)[1]
    log.parent.mkdir(parents=True)
    log.touch()
    assert f"  log         {log}" in run("show", folder, "--child", 1)[1].splitlines()


def audited(*mismatches: Mismatch) -> Audit:
    return Audit(children=4, observations=4, mismatches=mismatches, derived_hash="abc", stored_hash="abc")


def test_an_audit_tells_what_was_installed_beside_a_difference() -> None:
    changed = changed_versions({"torch": "2", "numpy": "1", "gone": "3"}, {"torch": "4", "numpy": "1"})
    assert changed == {"torch": ("2", "4"), "gone": ("3", None)}
    lines = audit_lines(audited(Mismatch(index=2, logged=(0, 1, 2), derived=(0, 2, 2))), changed)
    assert lines[1] == "child 2 differs from decision 1 on: the ledger has 012, derived 022"
    assert [line.split(":")[0] for line in lines[3:5]] == ["torch was 2 and is 4", "gone was 3 and is not installed"]


def test_an_audit_that_agrees_does_not_tell_of_versions() -> None:
    assert audit_lines(audited(), {"torch": ("2", "4")})[-2:] == [
        "policy abc, as it was kept",
        "the ledger is what the policy did",
    ]


@pytest.mark.parametrize(
    ("options", "around", "shown"),
    [
        ((), 0, ""),
        ((0, 1, 9), 0, "019"),
        ((0, 10, 2), 0, "0.10.2"),
        ((1,) * 24, 23, "1" * 24),
        ((1,) * 100, 0, "1" * 24 + "…"),
        ((1,) * 50 + (2,) * 50, 50, "…" + "1" * 12 + "2" * 12 + "…"),
        ((1,) * 99 + (2,), 99, "…" + "1" * 23 + "2"),
    ],
)
def test_genotypes_are_short_strings_around_what_differs(options: tuple[int, ...], around: int, shown: str) -> None:
    assert genotype(options, around) == shown


def test_a_child_that_is_not_there_is_refused_with_those_that_are(folder: Path, run: Run) -> None:
    code, out, err = run("show", folder, "--child", 4)
    assert (code, out) == (2, "")
    assert err == "archsearch: --child 4: there is no such child; there are: 0 to 3\n"


@pytest.mark.parametrize("command", ["trials", "show", "best", "audit"])
def test_what_is_no_search_is_refused_in_a_sentence(tmp_path: Path, run: Run, command: str) -> None:
    code, out, err = run(command, tmp_path / "nothing", "-o", "json")
    assert (code, out) == (2, "")
    assert err.startswith(f"archsearch: {tmp_path / 'nothing'} does not exist")
    (tmp_path / "ledger.db").write_bytes(b"x" * 4096)
    code, out, err = run(command, tmp_path)
    assert (code, out) == (2, "")
    assert "not a ledger of archsearch" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments", [("trials",), ("show", ".", "--child", "-1"), ("best", ".", "-o", "xml"), ("fly",)]
)
def test_wrong_usage_exits_with_2(run: Run, arguments: tuple[str, ...]) -> None:
    code, out, _ = run(*arguments)
    assert (code, out) == (2, "")


def test_version_is_printed(run: Run) -> None:
    assert run("--version")[1].startswith("archsearch 0.")


@pytest.mark.parametrize("form", ["text", "json", "yaml"])
def test_a_full_disk_below_stdout_is_no_fault_of_ours(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with contextlib.suppress(OSError), full.open("w") as stdout:
        monkeypatch.setattr("sys.stdout", stdout)
        code, _, err = run("best", folder, "-o", form)
        monkeypatch.undo()
    assert code == 1
    assert err.startswith("archsearch: [Errno 28] No space left on device; free some space there")


def test_a_true_fault_is_told_with_its_traceback(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("archsearch.cli.finding.load_record", broken)
    code, out, err = run("trials", folder)
    assert (code, out) == (1, "")
    assert err.startswith("Traceback")
    assert err.splitlines()[-1].startswith("archsearch: this is a fault of archsearch, not yours (RuntimeError)")


@pytest.fixture
def two_sided(tmp_path: Path) -> Path:
    """A search for which less latency counts too: child 2 is beaten by child 0, child 3 is beyond the limit."""
    also = [{"metric": "latency", "target": 10, "weight": -0.5, "limit": 40}]
    spec = {**MANIFEST["spec"], "objective": {"also": also}}  # type: ignore[dict-item]
    search = ArchitectureSearch.model_validate_json(json.dumps({**MANIFEST, "spec": spec}))
    measured = [(0.8, 10.0, 0.8), (0.9, 40.0, 0.45), (0.7, 11.0, 0.667), (0.99, 41.0, 0.489)]
    children = [
        trial(
            index,
            (index // 2, index % 2),
            phase=Phase.SUCCEEDED,
            metrics={"accuracy": accuracy, "latency": latency},
            reward=reward,
            observation=index,
        )
        for index, (accuracy, latency, reward) in enumerate(measured)
    ]
    with Store.create(tmp_path / "ledger.db", search, search.spec.strategy.resolved(), NOW, {}) as store:
        store.write(kinds=(), trials=children)
    return tmp_path


def test_best_lists_the_pareto_set_where_further_metrics_count(two_sided: Path, run: Run) -> None:
    code, out, _ = run("best", two_sided, "--pareto", "-o", "json")
    assert code == 0
    assert [child["index"] for child in json.loads(out)] == [0, 1]
    lines = run("best", two_sided, "--pareto")[1].splitlines()
    assert lines[0].split() == ["child", "phase", "reward", "accuracy", "latency", "time"]
    assert [line.split()[0] for line in lines[1:]] == ["0", "1"]
    assert len(run("best", two_sided, "--pareto", "--count", "1")[1].splitlines()) == 2
    assert [child["index"] for child in json.loads(run("best", two_sided, "-o", "json")[1])] == [0, 2, 1]


def test_show_tells_what_counts_and_the_pareto_set(two_sided: Path, run: Run) -> None:
    out = run("show", two_sided)[1]
    assert "reward: identity; less latency: target 10 (Soft), weight -0.5, limit 40\n" in out
    assert "  pareto      children 0, 1\n" in out
    assert "  best        child 0: accuracy 0.8, 10 latency\n" in out
    data = json.loads(run("show", two_sided, "-o", "json")[1])
    assert [child["index"] for child in data["pareto"]] == [0, 1]


def test_pareto_is_refused_where_one_metric_alone_counts(folder: Path, run: Run) -> None:
    code, out, err = run("best", folder, "--pareto")
    assert (code, out) == (2, "")
    assert "--pareto: objective.also names no further metric; accuracy alone counts" in err
    assert "pareto" not in json.loads(run("show", folder, "-o", "json")[1])

"""The trial contract, from the environment of a process to the bytes of its report."""

import errno
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from archsearch.report import LIMIT, Report, parse_report
from archsearch.trial import entry

LAYER = {"filterHeight": 3, "filterWidth": 3, "strideHeight": 1, "strideWidth": 1, "filters": 4, "inputs": [0]}
TRIAL: dict[str, object] = {
    "search": "s",
    "trial": "s-000000",
    "index": 0,
    "architecture": {"kind": "choices", "values": {"a": 1}},
    "task": {"tabular": {"table": "table.csv"}},
    "seed": 0,
    "attempt": 1,
}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("cell,accuracy\n1,0.5\n")


def run(trial: object = TRIAL, **environment: str) -> tuple[int, Report]:
    report = Path("report.json").absolute()
    given = {"ARCHSEARCH_TRIAL": json.dumps(trial), "ARCHSEARCH_REPORT": str(report), **environment}
    code = entry.main({name: value for name, value in given.items() if value})
    parsed = parse_report(report.read_bytes())
    assert isinstance(parsed, Report), parsed
    return code, parsed


def test_a_report_is_written_and_the_exit_code_is_zero() -> None:
    code, report = run()
    assert (code, report.metrics, report.error) == (0, {"accuracy": 0.5}, None)
    assert sorted(path.name for path in Path().iterdir()) == ["report.json", "table.csv"]


def test_the_report_tells_when_the_process_started_and_when_it_wrote(tmp_path: Path) -> None:
    target = tmp_path / "timed.json"
    environment = {**os.environ, "ARCHSEARCH_TRIAL": json.dumps(TRIAL), "ARCHSEARCH_REPORT": str(target)}
    before = time.time_ns()
    subprocess.run([sys.executable, "-m", "archsearch.trial"], env=environment, check=True)
    after = time.time_ns()
    report = parse_report(target.read_bytes())
    assert isinstance(report, Report)
    assert report.times is not None
    tick = 1_000_000_000 // os.sysconf("SC_CLK_TCK")  # Linux keeps a process's start in ticks, cut off
    assert before - tick <= report.times.started < report.times.ended <= after


def test_the_input_may_come_by_file() -> None:
    Path("trial.json").write_text(json.dumps(TRIAL))
    code, report = run(ARCHSEARCH_TRIAL="", ARCHSEARCH_TRIAL_FILE="trial.json")
    assert (code, report.error) == (0, None)


@pytest.mark.parametrize(
    ("environment", "reason", "message"),
    [
        ({"ARCHSEARCH_TRIAL": ""}, "TrialInputMissing", "neither"),
        ({"ARCHSEARCH_TRIAL": "", "ARCHSEARCH_TRIAL_FILE": "nowhere.json"}, "TrialInputMissing", "nowhere.json"),
        ({"ARCHSEARCH_TRIAL": "{"}, "TrialInputInvalid", "JSON"),
        ({"ARCHSEARCH_TRIAL": "{}"}, "TrialInputInvalid", "architecture"),
        ({"ARCHSEARCH_TRIAL": json.dumps(TRIAL | {"attempt": 0})}, "TrialInputInvalid", "attempt"),
        ({"ARCHSEARCH_TRIAL": json.dumps(TRIAL | {"task": {"tabluar": {}}})}, "TaskInvalid", "tabluar"),
        ({"ARCHSEARCH_TRIAL": json.dumps(TRIAL | {"task": {"tabular": {"table": "x" * 4000}}})}, "Table", "xxx"),
    ],
)
def test_a_bad_input_is_reported_as_the_searchs_error(environment: dict[str, str], reason: str, message: str) -> None:
    code, report = run(**environment)
    assert code == 0
    assert report.error is not None
    assert report.error.reason.startswith(reason)
    assert report.error.scope == "Search"
    assert message in report.error.message
    assert Path("report.json").stat().st_size <= LIMIT


def test_without_a_place_for_the_report_it_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main({"ARCHSEARCH_TRIAL": json.dumps(TRIAL)}) == 2
    assert "ARCHSEARCH_REPORT" in capsys.readouterr().err


def test_a_report_that_cannot_be_written_is_a_traceback_and_a_bad_exit_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = {"ARCHSEARCH_TRIAL": json.dumps(TRIAL), "ARCHSEARCH_REPORT": "/proc/nowhere/report"}
    assert entry.main(given) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_ordinary_file_is_replaced_whole() -> None:
    target = Path("report.json")
    target.write_text("old and much longer than the new one")
    with target.open() as before:
        entry.write(target, b"new")
        assert before.read() == "old and much longer than the new one"
    assert target.read_bytes() == b"new"


def test_what_is_no_ordinary_file_is_written_in_place() -> None:
    os.mkfifo("pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(Path("pipe").read_bytes()))
    reader.start()
    entry.write(Path("pipe"), b"report")
    reader.join(10)
    assert read == [b"report"]
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)


MOUNTED = """
set -e
touch target
mount --bind mounted target
"$PYTHON" -c 'from pathlib import Path; from archsearch.trial.entry import write; write(Path("target"), b"report")'
"""


def test_a_mount_is_written_in_place() -> None:
    Path("mounted").write_text("what the kubelet made, longer than the report")
    private = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if shutil.which("unshare") is None or subprocess.run([*private, "true"], capture_output=True).returncode:
        pytest.skip("needs unshare(1) and the right to make a mount namespace")
    subprocess.run([*private, "sh", "-c", MOUNTED], env={**os.environ, "PYTHON": sys.executable}, check=True)
    assert Path("mounted").read_bytes() == b"report"
    assert sorted(path.name for path in Path().iterdir()) == ["mounted", "table.csv", "target"]


def test_where_nothing_can_be_renamed_the_report_is_written_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    target = Path("report.json")
    target.write_text("empty")
    monkeypatch.setattr(Path, "replace", busy)
    entry.write(target, b"report")
    assert target.read_bytes() == b"report"
    assert sorted(path.name for path in Path().iterdir()) == ["report.json", "table.csv"]


def test_the_program_as_a_process_trains_reports_and_ends_on_sigterm_at_once(tmp_path: Path) -> None:
    task = {"imageClassification": {"dataset": {"digits": {}}, "epochs": 10_000, "limit": 200}}
    trial = TRIAL | {"architecture": {"kind": "convolutional", "layers": [LAYER], "outputs": [1]}, "task": task}
    environment = {**os.environ, "ARCHSEARCH_TRIAL": json.dumps(trial), "ARCHSEARCH_REPORT": str(tmp_path / "report")}
    with subprocess.Popen(
        [sys.executable, "-m", "archsearch.trial"], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["epoch"] == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == -signal.SIGTERM
    assert not (tmp_path / "report").exists()

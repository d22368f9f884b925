"""The local backend with its real processes: controller, warm process, children, signals, kills, and what is left."""

import asyncio
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest

from archsearch.engine.model import Phase, Result
from archsearch.engine.record import SearchRecord
from archsearch.local.audit import audit
from archsearch.local.controller import Controller
from archsearch.local.errors import FolderError, ManifestChangedError, ProcessFailedError
from archsearch.local.folder import Folder
from archsearch.local.inprocess import InProcessRunner
from archsearch.local.record import is_finished, load_record
from archsearch.local.refusals import MachineError
from archsearch.local.run import Extras, run_search
from archsearch.local.schema import connect
from archsearch.local.warm import WarmRunner
from archsearch.manifest import load
from archsearch.report import ErrorScope, Report, ReportError, TrialInput, render_report

pytestmark = pytest.mark.timeout(300)

ARCHSEARCH = (sys.executable, "-c", "from archsearch.cli import main; main()")
BARE = Extras(human=False, page=False, distributions=False)

DIGITS = """
apiVersion: archsearch.io/v1alpha1
kind: ArchitectureSearch
metadata: {name: digits}
spec:
  searchSpace: {convolutional: {depth: {initial: 2}, filters: [4, 8]}}
  trials: {max: 4, parallelism: 2}
  trial: {task: {imageClassification: {dataset: {digits: {}}, epochs: 1}}}
"""

CHOICES = """
apiVersion: archsearch.io/v1alpha1
kind: ArchitectureSearch
metadata: {name: choices}
spec:
  searchSpace:
    choices: [{name: a, values: [0, 1, 2]}, {name: b, values: [0, 1, 2]}, {name: c, values: [0, 1, 2]}]
  trials: {max: %(max)d, parallelism: 2, maxFailed: 100, retries: 0, duplicates: Retrain}
  trial:
    task: {custom: {seconds: %(seconds)g}}
    command: [%(python)s, child.py]
"""

GOOD = """
import json, os, pathlib, time
given = json.loads(os.environ["ARCHSEARCH_TRIAL"])
time.sleep(given["task"]["custom"]["seconds"])
report = {"version": 1, "metrics": {"accuracy": sum(given["architecture"]["values"].values()) / 6}}
pathlib.Path(os.environ["ARCHSEARCH_REPORT"]).write_text(json.dumps(report))
"""

GATED = GOOD.replace(
    "time.sleep(", 'while given["index"] > 2 and not os.path.exists("gate"): time.sleep(0.05)\ntime.sleep('
)
"""Children after the third wait until the test opens the gate."""

BAD = """
import json, os, pathlib, signal, sys, time
index = json.loads(os.environ["ARCHSEARCH_TRIAL"])["index"]
report = pathlib.Path(os.environ["ARCHSEARCH_REPORT"])
good = '{"version": 1, "metrics": {"accuracy": 0.5}}'
match index:
    case 0: pass
    case 1: report.write_text('{"version": 1, "metrics": {"accuracy": NaN}}')
    case 2: report.write_text(good[:20])
    case 3: report.write_bytes(bytes(range(256)))
    case 4: report.write_text(good.replace("accuracy", "a" * 10_000_000))
    case 5: report.write_text('{"version": 2, "metrics": {}}')
    case 6: report.write_text(good); sys.exit(3)
    case 7: os.kill(os.getpid(), signal.SIGSEGV)
    case 8: os.mkfifo(report)
    case 9: report.write_text('{"version": 1, "metrics": {"speed": 1.0}}')
    case 10: report.mkdir()
    case 11: report.write_text(good); time.sleep(600)
    case _: report.write_text(good)
"""


@pytest.fixture(scope="module")
def machinery(repository: Path) -> Iterator[ModuleType]:
    """tests/bench/kill_and_resume.py."""
    sys.path.insert(0, str(repository / "tests" / "bench"))
    import kill_and_resume

    yield kill_and_resume
    sys.path.pop(0)


def write_choices(folder: Path, child: str, *, children: int = 6, seconds: float = 0.0) -> Path:
    """A manifest of a search over choices whose children run ``child``; its path."""
    folder.mkdir(exist_ok=True)
    (folder / "child.py").write_text(child)
    manifest = folder / "search.yaml"
    manifest.write_text(CHOICES % {"max": children, "seconds": seconds, "python": json.dumps(sys.executable)})
    return manifest


# --- a whole search -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A digits search that the command line ran to its end; its folder, and how the command ended."""
    root = tmp_path_factory.mktemp("digits")
    (root / "search.yaml").write_text(DIGITS)
    command = (*ARCHSEARCH, "run", str(root / "search.yaml"), "--out", str(root / "run"), "-o", "json")
    return root / "run", subprocess.run(command, capture_output=True, text=True, check=False)


Finished = tuple[Path, "subprocess.CompletedProcess[str]"]


def test_a_search_of_real_networks_runs_to_its_end(finished: Finished) -> None:
    folder, done = finished
    assert done.returncode == 0, done.stderr
    record = load_record(folder)
    assert record.outcome is not None
    assert record.outcome.reason == "MaxTrialsReached"
    assert [trial.phase for trial in record.trials] == [Phase.SUCCEEDED] * 4
    assert all(0 < trial.metrics["testAccuracy"] <= 1 for trial in record.trials)
    assert sorted(trial.observation for trial in record.trials if trial.observation is not None) == [0, 1, 2, 3]


def test_stdout_holds_nothing_but_data(finished: Finished) -> None:
    folder, done = finished
    data = json.loads(done.stdout)
    assert data["outcome"]["result"] == "Succeeded"
    assert (
        data["best"]["metrics"]["testAccuracy"]
        == load_record(folder).trials[data["best"]["index"]].metrics["testAccuracy"]
    )


def test_the_folder_holds_what_is_promised(finished: Finished) -> None:
    folder, _ = finished
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    promised = {"search.yaml", "ledger.db", "lock", "controller.json", "controller.log", "warm.log", "report.html"}
    promised |= {f"trials/{i}/1/{name}" for i in range(4) for name in ("log.txt", "report.json", "exit.json")}
    promised |= {f"human/{name}" for name in ("log.txt", "report.json", "exit.json")}
    promised |= {f"best/{name}" for name in ("architecture.json", "trial.json", "search.yaml", "log.txt")}
    assert promised <= there
    assert not {name for name in there if name.endswith((".new", "-wal", "-shm"))}
    assert (folder / "search.yaml").read_text() == DIGITS


def test_best_is_the_child_with_the_highest_reward(finished: Finished) -> None:
    folder, _ = finished
    record = load_record(folder)
    best = json.loads((folder / "best" / "trial.json").read_text())
    assert best["reward"] == max(trial.reward for trial in record.trials if trial.reward is not None)
    assert json.loads((folder / "best" / "architecture.json").read_text()) == record.trials[best["index"]].architecture


def test_the_human_baseline_is_trained_with_the_same_task(finished: Finished) -> None:
    record = load_record(finished[0])
    assert record.human is not None
    assert record.human.reason is None
    assert set(record.human.metrics) == set(record.trials[0].metrics)
    assert record.human.seconds > 0


def test_the_policy_is_kept_over_time_and_at_the_end(finished: Finished) -> None:
    record = load_record(finished[0])
    assert [state.version for state in record.policy] == sorted({state.version for state in record.policy})
    assert (record.policy[-1].version, record.policy[-1].asked) == (4, 4)
    assert record.policy[-1].decisions is not None


async def test_an_audit_derives_every_child_and_the_policy(finished: Finished) -> None:
    found = await audit(load_record(finished[0]))
    assert found.agrees
    assert (found.children, found.observations) == (4, 4)
    assert found.stored_hash == found.derived_hash


def test_an_audit_says_which_child_was_not_the_policys(finished: Finished, tmp_path: Path) -> None:
    shutil.copytree(finished[0], tmp_path / "run")
    record = load_record(tmp_path / "run")
    token = (record.trials[2].genotype[0] + 1) % 4
    with sqlite3.connect(tmp_path / "run" / "ledger.db") as database:
        database.execute("UPDATE trials SET payload = json_set(payload, '$.genotype[0]', ?) WHERE child = 2", (token,))
    database.close()
    command = (*ARCHSEARCH, "audit", str(tmp_path / "run"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "child 2 differs" in done.stdout
    assert "child 0 differs" not in done.stdout


async def test_a_finished_search_starts_no_process_again(finished: Finished) -> None:
    folder, _ = finished
    before = load_record(folder)
    runner = WarmRunner(folder / "unused.log")
    assert await run_search(load(folder / "search.yaml"), folder, base=folder, runner=runner) == before
    assert runner.pid is None


async def test_a_search_of_another_meaning_is_refused_by_the_name_of_the_field(finished: Finished) -> None:
    folder, _ = finished
    other = load(DIGITS.replace("filters: [4, 8]", "filters: [4, 16]") + "  seed: 9\n")
    with pytest.raises(
        ManifestChangedError, match=r"(?s)convolutional\.filters cannot change.*spec\.seed cannot change"
    ):
        await run_search(other, folder)


# --- interrupted, read meanwhile, refused meanwhile ---------------------------------------------------------------


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory, machinery: ModuleType) -> dict[str, Any]:
    """A search that was read, started a second time and interrupted while it ran, and that then went on to its end."""
    root = tmp_path_factory.mktemp("interrupted")
    manifest, folder = write_choices(root, GATED, children=6), root / "run"
    command = (*ARCHSEARCH, "run", str(manifest), "--out", str(folder))
    first = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    machinery.wait_for(lambda: (folder / "ledger.db").exists() and _ended(folder) == 3)
    seen: dict[str, Any] = {"pid": first.pid, "folder": folder}
    with machinery.no_orphans(first):
        seen["second"] = subprocess.run(command, capture_output=True, text=True, check=False)
        listing = subprocess.run((*ARCHSEARCH, "trials", str(folder), "-o", "json"), capture_output=True, check=False)
        seen["listed"] = json.loads(listing.stdout)
        first.send_signal(signal.SIGINT)
        seen["stdout"], seen["stderr"] = first.communicate(timeout=60)
        seen["code"] = first.returncode
    seen["left"] = load_record(folder)
    (root / "gate").write_text("")
    seen["again"] = subprocess.run(command, capture_output=True, text=True, check=False)
    return seen


def _ended(folder: Path) -> int:
    try:
        return sum(trial.phase.terminal for trial in load_record(folder).trials)
    except FolderError:
        return 0


def test_a_second_run_on_the_same_folder_is_refused_with_the_pid_of_the_first(interrupted: dict[str, Any]) -> None:
    second = interrupted["second"]
    assert second.returncode == 2
    assert f"in use by another run (pid {interrupted['pid']})" in second.stderr


def test_trials_can_be_listed_while_they_run(interrupted: dict[str, Any]) -> None:
    phases = [trial["phase"] for trial in interrupted["listed"]]
    assert phases.count("Succeeded") == 3
    assert [trial["index"] for trial in interrupted["listed"]] == list(range(len(phases)))


def test_an_interrupt_ends_the_run_with_130_and_says_how_to_go_on(interrupted: dict[str, Any]) -> None:
    assert interrupted["code"] == 130
    assert "the same command goes on" in interrupted["stdout"]
    left: SearchRecord = interrupted["left"]
    assert left.outcome is None
    assert sum(trial.phase is Phase.SUCCEEDED for trial in left.trials) == 3


def test_the_same_command_goes_on_and_loses_nothing(interrupted: dict[str, Any]) -> None:
    assert interrupted["again"].returncode == 0, interrupted["again"].stderr
    left, record = interrupted["left"], load_record(interrupted["folder"])
    assert len(record.trials) == 6
    assert all(trial.phase is Phase.SUCCEEDED and trial.failures == 0 for trial in record.trials)
    for before in left.trials:
        if before.phase.terminal:
            assert record.trials[before.index] == before
    assert record.active_seconds > left.active_seconds > 0


# --- killed -------------------------------------------------------------------------------------------------------


def test_a_killed_search_ends_as_an_undisturbed_one(tmp_path: Path, machinery: ModuleType) -> None:
    kill = machinery.Kill(tmp_path, 8, 0.15)
    kill.finish(tmp_path / "undisturbed")
    wanted = machinery.fingerprint(tmp_path / "undisturbed")
    machinery.kill_at_points(kill, tmp_path / "points", ("after-start", "before-outcome"))
    assert machinery.fingerprint(tmp_path / "points") == wanted
    done = machinery.kill_at_random(
        kill, tmp_path / "random", random.Random(2), ["child", "warm", "controller", "backend"]
    )
    assert done >= 3
    assert machinery.fingerprint(tmp_path / "random") == wanted


# --- children that misbehave --------------------------------------------------------------------------------------


async def test_bad_reports_fail_their_child_each_for_its_own_reason_and_the_search_goes_on(tmp_path: Path) -> None:
    text = write_choices(tmp_path, BAD, children=14).read_text().replace("  trial:\n", "  trial:\n    deadline: 6s\n")
    record = await run_search(load(text), tmp_path / "run", base=tmp_path, extras=BARE)
    assert record.outcome is not None
    assert (record.outcome.reason, len(record.trials)) == ("MaxTrialsReached", 14)
    failed = [(trial.index, trial.reason) for trial in record.trials if trial.phase is Phase.FAILED]
    assert [index for index, _ in failed] == list(range(12))
    reasons = dict(failed)
    assert (reasons[6], reasons[7], reasons[9]) == ("ExitCode", "Killed", "MetricMissing")
    assert len({reasons[i] for i in range(6)}) == 6
    assert reasons[0] == reasons[8] == reasons[10]
    assert reasons[11] == "DeadlineExceeded"
    assert record.trials[11].message == "it ran longer than spec.trial.deadline (6s)"
    assert [trial.reward for trial in record.trials[12:]] == [0.5, 0.5]


# --- suspended, drained, in process -------------------------------------------------------------------------------


def _in_process(given: TrialInput) -> bytes:
    return render_report(Report(metrics={"accuracy": given.architecture["values"]["a"] / 2}))  # type: ignore[call-overload, index, operator]


class Said:
    """Progress that keeps what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def update(self, snapshot: object) -> None: ...

    def say(self, text: str) -> None:
        self.said.append(text)


async def test_a_suspended_or_drained_search_ends_its_run_and_goes_on_later(tmp_path: Path) -> None:
    text = write_choices(tmp_path, GOOD, children=5).read_text()
    suspended = load(text.replace("  trials: {", "  suspend: true\n  trials: {"))
    drained = load(text.replace("parallelism: 2", "parallelism: 0"))
    for manifest, why in ((suspended, "spec.suspend"), (drained, "spec.trials.parallelism is 0")):
        said = Said()
        runner = InProcessRunner(_in_process)
        record = await run_search(manifest, tmp_path / "run", runner=runner, progress=said, extras=BARE)
        assert (record.outcome, record.trials) == (None, ())
        assert any(why in text for text in said.said)
    record = await run_search(load(text), tmp_path / "run", runner=InProcessRunner(_in_process), extras=BARE)
    assert record.outcome is not None
    assert [trial.reward for trial in record.trials] == [
        trial.architecture["values"]["a"] / 2 for trial in record.trials
    ]
    assert is_finished(tmp_path / "run")
    longer = load(text.replace("max: 5", "max: 7"))
    record = await run_search(longer, tmp_path / "run", runner=InProcessRunner(_in_process), extras=BARE)
    assert len(record.trials) == 7


async def test_a_search_that_a_shared_fault_has_ended_goes_on_once_it_is_mended(tmp_path: Path) -> None:
    mended = tmp_path / "mended"

    def child(given: TrialInput) -> bytes:
        if mended.exists():
            return _in_process(given)
        error = ReportError(reason="DataMissing", message="no such folder", scope=ErrorScope.SEARCH)
        return render_report(Report(metrics={}, error=error))

    manifest = load(write_choices(tmp_path, GOOD, children=6))
    failed = await run_search(manifest, tmp_path / "run", runner=InProcessRunner(child), extras=BARE)
    assert failed.outcome is not None
    assert failed.outcome.reason == "DataMissing"
    still = await run_search(manifest, tmp_path / "run", runner=InProcessRunner(child), extras=BARE)
    assert still.outcome is not None
    assert still.outcome.reason == "DataMissing"
    assert len(still.trials) > len(failed.trials)
    mended.write_text("")
    said = Said()
    record = await run_search(manifest, tmp_path / "run", runner=InProcessRunner(child), progress=said, extras=BARE)
    assert any("goes on with the next children" in text for text in said.said)
    assert record.outcome is not None
    assert (record.outcome.reason, record.outcome.result) == ("MaxTrialsReached", Result.SUCCEEDED)
    assert len(record.trials) == 6
    assert record.trials[: len(still.trials)] == still.trials
    assert all(trial.phase is Phase.SUCCEEDED for trial in record.trials[len(still.trials) :])


async def test_a_search_that_goes_on_with_other_versions_is_told_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = load(write_choices(tmp_path, GOOD, children=2).read_text().replace("parallelism: 2", "parallelism: 0"))
    await run_search(manifest, tmp_path / "run", runner=InProcessRunner(_in_process), extras=BARE)
    monkeypatch.setattr("archsearch.local.run.versions", lambda: {"python": "2.7"})
    for _ in range(2):
        said = Said()
        record = await run_search(
            manifest, tmp_path / "run", runner=InProcessRunner(_in_process), progress=said, extras=BARE
        )
        assert sum("python 2.7 (it began with" in text for text in said.said) == 1
    assert sum("python 2.7 (it began with" in text for text in record.warnings) == 1


async def test_a_disk_that_fills_ends_the_run_by_name_and_the_same_command_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def small(path: Path, *, readonly: bool) -> sqlite3.Connection:
        database = connect(path, readonly=readonly)
        (pages,) = database.execute("PRAGMA page_count").fetchone()
        database.execute(f"PRAGMA max_page_count = {pages + 2}")
        return database

    manifest = load(write_choices(tmp_path, GOOD, children=40))
    (tmp_path / "run").mkdir()
    with monkeypatch.context() as patched:
        patched.setattr("archsearch.local.store.connect", small)
        with pytest.raises(MachineError, match=r"ledger\.db cannot be used.*full; nothing is lost; free some space"):
            await run_search(manifest, tmp_path / "run", runner=InProcessRunner(_in_process), extras=BARE)
    left = load_record(tmp_path / "run")
    assert left.outcome is None
    assert 0 < len(left.trials) < 40
    record = await run_search(manifest, tmp_path / "run", runner=InProcessRunner(_in_process), extras=BARE)
    assert record.outcome is not None
    assert record.outcome.reason == "MaxTrialsReached"
    assert [trial.observation is not None for trial in record.trials] == [True] * 40


# --- processes that cannot be kept alive --------------------------------------------------------------------------

DIES = (sys.executable, "-S", "-c", "import sys; print('it hurts', file=sys.stderr); sys.exit(3)")


async def test_a_warm_process_that_keeps_dying_is_given_up_with_the_end_of_its_log(tmp_path: Path) -> None:
    manifest = write_choices(tmp_path, GOOD)
    runner = WarmRunner(tmp_path / "warm.log", DIES)
    with pytest.raises(ProcessFailedError, match=r"(?s)ended with exit code 3, 5 times in a row.*it hurts"):
        await run_search(load(manifest), tmp_path / "run", base=tmp_path, runner=runner, extras=BARE)


async def test_a_warm_process_that_hangs_before_it_is_ready_is_given_up_too(tmp_path: Path) -> None:
    hangs = (sys.executable, "-S", "-c", "import signal; signal.pause()")
    runner = WarmRunner(tmp_path / "warm.log", hangs, ready_within=0.05)
    with pytest.raises(ProcessFailedError, match=r"(?s)5 times in a row.*not ready within 0.05 s: killed"):
        await run_search(
            load(write_choices(tmp_path, GOOD)), tmp_path / "run", base=tmp_path, runner=runner, extras=BARE
        )


async def test_a_controller_that_keeps_dying_is_given_up_with_the_end_of_its_log(tmp_path: Path) -> None:
    wake = asyncio.Event()
    controller = Controller(tmp_path / "controller.json", tmp_path / "controller.log", wake.set, None, DIES)
    controller.open()
    await asyncio.wait_for(wake.wait(), 60)
    with pytest.raises(ProcessFailedError, match=r"(?s)exit code 3, 5 times in a row.*it hurts"):
        controller.check()
    await controller.close()


async def test_leftovers_without_a_ledger_are_not_taken_for_a_search(tmp_path: Path) -> None:
    manifest = write_choices(tmp_path, GOOD)
    Folder(tmp_path / "run").trials.mkdir(parents=True)
    with pytest.raises(FolderError, match=r"has trials/ but no ledger\.db"):
        await run_search(load(manifest), tmp_path / "run")


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    manifest = write_choices(tmp_path, GOOD)
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError, match="cannot be made"):
        await run_search(load(manifest), tmp_path / "file" / "run")


def test_nothing_of_this_test_run_is_left(tmp_path: Path) -> None:
    rooms = ("archsearch.controller", "archsearch.trial.warm")
    mine = psutil.Process(os.getpid()).children(recursive=True)
    assert not [p for p in mine if any(room in " ".join(p.cmdline()) for room in rooms)]

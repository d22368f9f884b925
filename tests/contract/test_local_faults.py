"""Searches in which something is wrong: children, data, disks, processes that cannot be kept alive."""

import asyncio
import sqlite3
import sys
from pathlib import Path

import pytest
from local_searches import BAD, BARE, GOOD, write_choices

from archsearch.engine.model import Phase, Result
from archsearch.local.controller import Controller
from archsearch.local.errors import FolderError, ProcessFailedError
from archsearch.local.folder import Folder
from archsearch.local.inprocess import InProcessRunner
from archsearch.local.record import is_finished, load_record
from archsearch.local.refusals import MachineError
from archsearch.local.run import run_search
from archsearch.local.schema import connect
from archsearch.local.warm import WarmRunner
from archsearch.manifest import load
from archsearch.report import ErrorScope, Report, ReportError, TrialInput, render_report

pytestmark = pytest.mark.timeout(300)

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

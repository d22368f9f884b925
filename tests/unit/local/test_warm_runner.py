"""The warm process as the backend sees it: whatever it says or lacks, its children are lost or the run ends by name."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from archsearch.local.errors import ProcessFailedError
from archsearch.local.folder import Attempt
from archsearch.local.runner import Ended, Running
from archsearch.local.warm import WarmRunner
from archsearch.report import TrialInput
from archsearch.warm_contract import WARM_ENDED, StartChild

GIVEN = TrialInput(search="s", trial="s-000000", index=0, architecture={}, task={}, seed=0, attempt=1)


def says(program: str) -> tuple[str, ...]:
    """A warm process that runs ``program`` once it has been asked for something."""
    return (sys.executable, "-S", "-c", f"import sys, time; sys.stdin.readline(); {program}")


def request(files: Attempt) -> StartChild:
    return StartChild(
        id="000000-1",
        input=GIVEN,
        report_file=str(files.report),
        exit_file=str(files.exit),
        log=str(files.log),
        folder=str(files.folder),
    )


async def started(tmp_path: Path, program: tuple[str, ...]) -> tuple[WarmRunner, Attempt, asyncio.Event]:
    """A runner that has been asked for one child."""
    files, wake = Attempt(tmp_path), asyncio.Event()
    runner = WarmRunner(tmp_path / "warm.log", program)
    await runner.open(wake.set)
    await runner.start(request(files))
    assert isinstance(runner.status("000000-1", files), Running)
    return runner, files, wake


@pytest.mark.parametrize(
    "program",
    [
        "sys.stdout.write('x' * 200_000 + '\\\\n'); sys.stdout.flush(); time.sleep(60)",
        "print('hello', flush=True); time.sleep(60)",
        "sys.stdout.buffer.write(bytes([255, 10])); sys.stdout.flush(); time.sleep(60)",
    ],
    ids=["endless line", "another language", "no text"],
)
async def test_children_of_a_warm_process_that_talks_nonsense_are_lost_not_waited_for(
    tmp_path: Path, program: str
) -> None:
    runner, files, wake = await started(tmp_path, says(program.replace("\\\\", "\\")))
    await asyncio.wait_for(wake.wait(), 10)
    assert runner.status("000000-1", files) is None
    assert "not an answer of the warm contract" in (tmp_path / "warm.log").read_text()
    await runner.close()


async def test_a_log_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "warm.log").mkdir()
    with pytest.raises(ProcessFailedError, match=r"the process that starts children cannot be started.*warm\.log"):
        await WarmRunner(tmp_path / "warm.log").open(lambda: None)


async def test_a_program_that_is_not_there_is_said(tmp_path: Path) -> None:
    runner = WarmRunner(tmp_path / "warm.log", (str(tmp_path / "nothing"),))
    with pytest.raises(ProcessFailedError, match=r"cannot be started.*nothing"):
        await runner.open(lambda: None)


async def test_a_missing_module_is_said_at_once_with_what_to_install(tmp_path: Path) -> None:
    runner, files, wake = await started(tmp_path, says("import no_such_module_at_all"))
    await asyncio.wait_for(wake.wait(), 10)
    with pytest.raises(ProcessFailedError, match=r"(?s)exit code 1;.*pip install 'archsearch\[controller"):
        await runner.start(request(files))
    await runner.close()


@pytest.mark.parametrize(
    ("exited", "expected"),
    [
        ({"exit_code": -9, "stop_reason": WARM_ENDED}, None),
        ({"exit_code": 0, "stop_reason": WARM_ENDED}, Ended(0, None, 2.0, WARM_ENDED, cpu_seconds=1.5)),
        ({"exit_code": 0}, Ended(0, None, 2.0, None, cpu_seconds=1.5)),
        ({"exit_code": -15, "stop_reason": "Suspended"}, Ended(-15, None, 2.0, "Suspended", cpu_seconds=1.5)),
    ],
)
async def test_an_exit_file_says_how_and_at_what_cost_an_attempt_ended(
    tmp_path: Path, exited: dict[str, object], expected: Ended | None
) -> None:
    files = Attempt(tmp_path)
    files.exit.write_text(json.dumps({"id": "000000-1", "seconds": 2.0, "cpu_seconds": 1.5} | exited))
    assert WarmRunner(tmp_path / "warm.log").status("000000-1", files) == expected

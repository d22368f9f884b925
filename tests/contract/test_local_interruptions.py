"""Searches that are interrupted, killed, read meanwhile: nothing is lost, nothing is left running."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest
from local_searches import ARCHSEARCH, GATED, write_choices

from archsearch.engine.model import Phase
from archsearch.engine.record import SearchRecord
from archsearch.local.errors import FolderError
from archsearch.local.record import load_record

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def machinery(repository: Path) -> Iterator[ModuleType]:
    """tests/bench/kill_and_resume.py."""
    sys.path.insert(0, str(repository / "tests" / "bench"))
    import kill_and_resume

    yield kill_and_resume
    sys.path.pop(0)


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
    machinery.kill_at_points(kill, tmp_path / "points", ("after-start", "after-confirm", "before-outcome"))
    assert machinery.fingerprint(tmp_path / "points") == wanted
    done = machinery.kill_at_random(
        kill, tmp_path / "random", random.Random(2), ["child", "warm", "controller", "backend"]
    )
    assert done >= 3
    assert machinery.fingerprint(tmp_path / "random") == wanted


def test_nothing_of_this_test_run_is_left(tmp_path: Path) -> None:
    rooms = ("archsearch.controller", "archsearch.trial.warm")
    mine = psutil.Process(os.getpid()).children(recursive=True)
    assert not [p for p in mine if any(room in " ".join(p.cmdline()) for room in rooms)]

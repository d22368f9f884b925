"""The folder's lock: one holder, named to whoever else comes, gone with its process."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from archsearch.local.errors import FolderInUseError
from archsearch.local.lock import LOCK, FolderLock, holder

HOLD = (
    "import sys, pathlib; from archsearch.local.lock import FolderLock\n"
    "with FolderLock(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds ``tmp_path``."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_holder_is_refused_and_told_who_holds_it(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    with pytest.raises(FolderInUseError, match=rf"pid {other.pid}\)"), FolderLock(tmp_path):
        pass
    assert holder(tmp_path) == other.pid


def test_the_lock_is_free_once_its_holder_was_killed(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    assert holder(tmp_path) is None
    with FolderLock(tmp_path):
        assert holder(tmp_path) == os.getpid()


def test_the_lock_is_free_after_its_context(tmp_path: Path) -> None:
    for _ in range(2):
        with FolderLock(tmp_path):
            pass
    assert holder(tmp_path) is None


def test_nobody_holds_a_folder_without_a_lock_file(tmp_path: Path) -> None:
    assert holder(tmp_path) is None


def test_whoever_only_looks_does_not_keep_a_run_from_starting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / LOCK).open("w") as looks:
        fcntl.flock(looks, fcntl.LOCK_SH)
        monkeypatch.setattr(time, "sleep", lambda _: fcntl.flock(looks, fcntl.LOCK_UN))
        with FolderLock(tmp_path):
            assert holder(tmp_path) == os.getpid()


def test_a_folder_whose_run_has_ended_is_looked_at_without_a_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FolderLock(tmp_path):
        pass
    monkeypatch.setattr(fcntl, "flock", lambda *_: pytest.fail("locked"))
    assert holder(tmp_path) is None

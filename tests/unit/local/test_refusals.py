"""What the system refuses is told by path, reason and remedy, and is nobody's fault but the system's."""

import errno
import os
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archsearch.api import ArchitectureSearch
from archsearch.engine.model import Start, Trial
from archsearch.engine.record import SearchRecord
from archsearch.local.attempts import Attempts
from archsearch.local.controller_process import write_config
from archsearch.local.errors import FolderError, LocalError
from archsearch.local.finish import write_best
from archsearch.local.folder import Folder
from archsearch.local.inprocess import InProcessRunner
from archsearch.local.lock import LOCK, FolderLock
from archsearch.local.opening import open_store
from archsearch.local.record import load_record
from archsearch.local.refusals import MachineError, refusals
from archsearch.local.run import run_search
from archsearch.local.store import Store
from archsearch.report import TrialInput

MakeSearch = Callable[..., ArchitectureSearch]
MakeTrial = Callable[..., Trial]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free some space there"),
        (errno.EROFS, "give another folder with --out"),
        (errno.EACCES, "give this user the right to write there"),
        (errno.EMFILE, "ulimit -n"),
        (errno.ENOMEM, "free some memory"),
        (errno.EIO, "mend it"),
    ],
)
def test_a_refusal_says_of_what_why_and_what_to_do(number: int, remedy: str) -> None:
    with pytest.raises(MachineError) as raised, refusals("the page cannot be written"):
        raise OSError(number, os.strerror(number), "/some/where")
    told = str(raised.value)
    assert told.startswith("the page cannot be written: ")
    assert os.strerror(number) in told
    assert "/some/where" in told
    assert remedy in told
    assert told.endswith("then the same command goes on")


def test_a_lock_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / LOCK).mkdir()
    with pytest.raises(FolderError, match=r"cannot be locked.*lock.*remove the folder"), FolderLock(tmp_path):
        pass


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc, a file system that nobody can write to")
@pytest.mark.parametrize("place", ["/proc/nothing", "/proc/self", "/proc/self/nothing"])
async def test_a_folder_where_nobody_can_write_is_told(search: MakeSearch, place: str) -> None:
    with pytest.raises(FolderError, match=rf"{place} cannot be|cannot be locked.*with --out"):
        await run_search(search(), Path(place))


def test_a_manifest_that_cannot_be_kept_is_told(search: MakeSearch, tmp_path: Path) -> None:
    (tmp_path / "search.yaml").mkdir()
    with pytest.raises(MachineError, match=r"search\.yaml cannot be kept.*remove the folder"):
        open_store(Folder(tmp_path), search(), NOW)


def test_a_configuration_that_cannot_be_written_is_told(search: MakeSearch, tmp_path: Path) -> None:
    spec = search().spec
    (tmp_path / "controller.json").mkdir()
    with pytest.raises(MachineError, match=r"controller\.json cannot be written"):
        write_config(tmp_path / "controller.json", "small", spec.search_space, spec.strategy.resolved(), 0)


async def test_an_attempt_whose_folder_cannot_be_made_is_told(search: MakeSearch, tmp_path: Path) -> None:
    (tmp_path / "trials").write_text("")
    attempts = Attempts(search(), Folder(tmp_path), tmp_path, InProcessRunner(lambda _: b""))
    given = TrialInput(search="s", trial="s-0", index=0, architecture={}, task={}, seed=0, attempt=1)
    with pytest.raises(MachineError, match=r"cannot be made for attempt 000000-1.*remove the file"):
        await attempts.start(Start(0, 1, given))


def test_a_best_that_cannot_be_written_is_told(search: MakeSearch, trial: MakeTrial, tmp_path: Path) -> None:
    manifest = search()
    record = SearchRecord(manifest, manifest.spec.strategy.resolved(), (trial(0),), (), None, NOW, 0.0)
    with pytest.raises(MachineError, match=r"best cannot be written.*search\.yaml"):
        write_best(record, Folder(tmp_path))


def test_a_full_disk_loses_nothing_and_the_ledger_goes_on(store: Store, tmp_path: Path, trial: MakeTrial) -> None:
    store.write(kinds=(), trials=(trial(0),))
    (pages,) = store._database.execute("PRAGMA page_count").fetchone()
    store._database.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(MachineError, match=r"full; nothing is lost; free some space there, then the same command"):
        store.write(kinds=(), trials=(trial(1, message="x" * 20_000),))
    store._database.execute("PRAGMA max_page_count = 1000000")
    store.write(kinds=(), trials=(trial(1),))
    assert load_record(tmp_path).trials == (trial(0), trial(1))


def test_a_ledger_that_another_program_holds_is_busy_not_damaged(store: Store, trial: MakeTrial) -> None:
    path = store._path
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store._database.execute("PRAGMA busy_timeout = 1")
    with pytest.raises(MachineError, match=r"locked.*end the other program"):
        store.write(kinds=(), trials=(trial(0),))
    other.close()


def test_a_locked_ledger_is_not_read_as_if_it_were_an_archive(
    store: Store, tmp_path: Path, trial: MakeTrial, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(kinds=(), trials=(trial(0),))
    store.close()
    connect = sqlite3.connect
    other = connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, **(k | {"timeout": 0.01})))
    with pytest.raises(LocalError, match=r"locked.*end the other program"):
        load_record(tmp_path)
    other.close()

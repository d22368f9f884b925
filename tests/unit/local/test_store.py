"""The ledger's file: what is written is read back exactly, and whatever is not a whole ledger is refused by name."""

import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from archsearch.api import ArchitectureSearch, Strategy
from archsearch.controller_contract import OptionProbabilities, PolicyState
from archsearch.engine.model import Outcome, Phase, Result, Trial
from archsearch.engine.record import HumanBaseline
from archsearch.local.errors import FolderError, LocalError
from archsearch.local.record import is_finished, load_record
from archsearch.local.store import Store, outcome_columns

Make = Callable[..., Trial]
OUTCOME = Outcome(Result.SUCCEEDED, "MaxTrialsReached", "all 2 children have ended")


def state(version: int, *, detailed: bool = False, digest: str = "ab") -> PolicyState:
    options = OptionProbabilities(decision="a", kind="a", options=(0, 1), probabilities=(0.25, 0.75))
    decisions = (options,) if detailed else None
    return PolicyState(strategy="reinforce", version=version, asked=version, hash=digest, decisions=decisions)


def test_what_was_written_is_read_back_exactly(store: Store, tmp_path: Path, trial: Make) -> None:
    trials = (
        trial(0, message="Ω\n\"'"),
        trial(1, phase=Phase.FAILED, reward=None, metrics={}, reason="ExitCode", shared_fault=True),
        trial(2, phase=Phase.PENDING, reward=None, metrics={}, observation=None, duplicate_of=0, reuse_of=0),
    )
    human = HumanBaseline(architecture={"kind": "choices"}, metrics={"accuracy": 1 / 3}, seconds=1.5)
    store.write(kinds=(), trials=trials, policy=(state(1),), warnings=("first", "second"), active_seconds=12.5)
    store.write(kinds=(), search=outcome_columns(OUTCOME))
    store.put_human(human)
    store.finish()
    record = load_record(tmp_path)
    assert record.trials == trials
    assert record.policy == (state(1),)
    assert record.warnings == ("first", "second")
    assert (record.outcome, record.human, record.active_seconds) == (OUTCOME, human, 12.5)
    assert record.versions == {"python": "3"}
    assert record.strategy == Strategy().resolved()
    assert is_finished(tmp_path)


def test_a_later_value_of_a_trial_takes_the_place_of_the_earlier(store: Store, tmp_path: Path, trial: Make) -> None:
    before = trial(0, phase=Phase.RUNNING, reward=None, metrics={}, observation=None)
    store.write(kinds=(), trials=(before,))
    store.write(kinds=(), trials=(trial(0),))
    assert load_record(tmp_path).trials == (trial(0),)


def test_a_reader_sees_the_ledger_while_a_writer_has_it_open(store: Store, tmp_path: Path, trial: Make) -> None:
    store.write(kinds=(), trials=(trial(0),))
    first = load_record(tmp_path)
    store.write(kinds=(), trials=(trial(1),))
    assert (len(first.trials), len(load_record(tmp_path).trials)) == (1, 2)


def test_one_write_is_all_or_nothing(store: Store, tmp_path: Path, trial: Make) -> None:
    store.write(kinds=(), trials=(trial(0),))
    with pytest.raises(LocalError, match="UNIQUE"):
        store.write(kinds=(), trials=(trial(1), trial(2, observation=0)), warnings=("w",))
    record = load_record(tmp_path)
    assert (record.trials, record.warnings) == ((trial(0),), ())


def test_the_same_observation_number_cannot_be_given_twice(store: Store, trial: Make) -> None:
    with pytest.raises(LocalError, match="observation"):
        store.write(kinds=(), trials=(trial(0), trial(1, observation=0)))


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (state(3), state(3, detailed=True), state(3, detailed=True)),
        (state(3, detailed=True), state(3, digest="cd"), state(3, detailed=True)),
        (state(3), state(3, digest="cd"), state(3, digest="cd")),
        (state(3, detailed=True), state(3, detailed=True, digest="cd"), state(3, detailed=True, digest="cd")),
    ],
)
def test_a_policy_state_never_loses_its_distributions(
    store: Store, tmp_path: Path, first: PolicyState, second: PolicyState, kept: PolicyState
) -> None:
    store.write(kinds=(), policy=(first,))
    store.write(kinds=(), policy=(second,))
    assert load_record(tmp_path).policy == (kept,)


def test_a_warning_is_kept_once(store: Store, tmp_path: Path) -> None:
    store.write(kinds=(), warnings=("a", "b"))
    store.write(kinds=(), warnings=("a",))
    assert load_record(tmp_path).warnings == ("a", "b")


def test_an_edited_manifest_reopens_the_search(
    store: Store, tmp_path: Path, search: Callable[..., ArchitectureSearch]
) -> None:
    store.write(kinds=(), search=outcome_columns(OUTCOME))
    store.finish()
    longer = search(trials={"max": 7})
    store.amend(longer)
    record = load_record(tmp_path)
    assert (record.manifest, record.outcome) == (longer, None)
    assert not is_finished(tmp_path)


def test_a_folder_without_a_ledger_is_not_a_search(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match=r"is not the folder of a search: it has no ledger\.db"):
        load_record(tmp_path)


def test_an_absent_folder_is_said_to_be_absent(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="does not exist"):
        load_record(tmp_path / "nothing")


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError, match="is not a folder"):
        load_record(tmp_path / "file")


@pytest.mark.parametrize(
    "content", [b"", b"not a database" * 100, random.Random(0).randbytes(5000)], ids=["empty", "text", "noise"]
)
@pytest.mark.parametrize("readonly", [True, False])
def test_what_is_no_ledger_is_refused(tmp_path: Path, content: bytes, readonly: bool) -> None:
    (tmp_path / "ledger.db").write_bytes(content)
    with pytest.raises(FolderError, match="not a ledger of archsearch"):
        Store(tmp_path / "ledger.db", readonly=readonly)


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "ledger.db")
    database.execute("CREATE TABLE search (id)")
    database.close()
    with pytest.raises(FolderError, match="of another program"):
        Store(tmp_path / "ledger.db")


def test_a_newer_ledger_is_refused(store: Store, tmp_path: Path) -> None:
    store.close()
    database = sqlite3.connect(tmp_path / "ledger.db")
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(FolderError, match=r"newer archsearch \(ledger version 99"):
        Store(tmp_path / "ledger.db")


def test_a_ledger_from_before_confirmations_is_brought_up_to_date_as_a_run_opens_it(
    store: Store, tmp_path: Path, trial: Make
) -> None:
    store.write(kinds=(), trials=(trial(0),))
    store.close()
    database = sqlite3.connect(tmp_path / "ledger.db")
    database.execute("ALTER TABLE trials DROP COLUMN confirm_of")
    database.execute("UPDATE trials SET payload = json_remove(payload, '$.confirm_of', '$.ask')")
    database.execute("PRAGMA user_version = 1")
    database.commit()
    with Store(tmp_path / "ledger.db", readonly=True) as old:
        assert old.trials() == (trial(0),)
    assert database.execute("PRAGMA user_version").fetchone() == (1,)
    repeat = trial(1, confirm_of=0, observation=None)
    with Store(tmp_path / "ledger.db") as opened:
        opened.write(kinds=(), trials=(repeat,))
        assert opened.trials() == (trial(0), repeat)
    assert database.execute("PRAGMA user_version").fetchone() == (2,)
    assert database.execute("SELECT child FROM trials WHERE confirm_of = 0").fetchall() == [(1,)]
    database.close()


def test_a_truncated_ledger_is_refused(store: Store, tmp_path: Path, trial: Make) -> None:
    store.write(kinds=(), trials=[trial(index, message="x" * 3000) for index in range(50)])
    store.close()
    path = tmp_path / "ledger.db"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(FolderError, match="damaged"):
        Store(path)


def test_a_row_that_is_no_trial_is_named(store: Store, tmp_path: Path, trial: Make) -> None:
    store.write(kinds=(), trials=(trial(0), trial(1)))
    store.close()
    database = sqlite3.connect(tmp_path / "ledger.db")
    database.execute("UPDATE trials SET payload = json_set(payload, '$.phase', 'Dancing') WHERE child = 1")
    database.commit()
    database.close()
    with pytest.raises(FolderError, match="trial 1 cannot be read"):
        load_record(tmp_path)


def test_a_read_only_folder_can_be_read(store: Store, tmp_path: Path, trial: Make) -> None:
    store.write(kinds=(), trials=(trial(0),))
    store.close()
    tmp_path.chmod(0o555)
    try:
        assert load_record(tmp_path).trials == (trial(0),)
    finally:
        tmp_path.chmod(0o755)


def test_a_ledger_that_was_not_completed_is_not_there(tmp_path: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from conftest import make_search, NOW; from pathlib import Path; "
        "from archsearch.local.store import Store; s = make_search(); "
        "Store.create(Path(sys.argv[2]) / 'ledger.db', s, s.spec.strategy.resolved(), NOW, {})"
    )
    here = str(Path(__file__).parent)
    for point, there in (("before-create", False), ("after-create", True)):
        done = subprocess.run(
            [sys.executable, "-c", program, here, str(tmp_path)],
            env=os.environ | {"ARCHSEARCH_CRASH_AT": point},
            check=False,
        )
        assert done.returncode == -9
        assert (tmp_path / "ledger.db").exists() is there
    assert load_record(tmp_path).trials == ()


def test_queries_find_phase_reward_and_observation_in_columns(store: Store, tmp_path: Path, trial: Make) -> None:
    store.write(kinds=(), trials=(replace(trial(0), reward=0.5),))
    database = sqlite3.connect(tmp_path / "ledger.db")
    row = database.execute("SELECT child, phase, reward, observation FROM trials").fetchone()
    database.close()
    assert row == (0, "Succeeded", 0.5, 0)

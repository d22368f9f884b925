"""A whole search by the command line on its real processes: what is left in the folder, and what it says."""

import json
import shutil
import sqlite3
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from local_searches import ARCHSEARCH, BARE, DIGITS, GOOD, write_choices

from archsearch.api import Strategy
from archsearch.engine.model import Phase
from archsearch.local.audit import audit
from archsearch.local.errors import ManifestChangedError
from archsearch.local.folder import Folder
from archsearch.local.record import load_record
from archsearch.local.run import run_search
from archsearch.local.store import Store
from archsearch.local.warm import WarmRunner
from archsearch.manifest import load

pytestmark = pytest.mark.timeout(300)

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


async def test_why_a_search_repeats_itself_is_said_of_the_strategy_that_it_was_begun_with(tmp_path: Path) -> None:
    """A folder of a release whose default was another one: that strategy goes on, and advice is for it."""
    text = write_choices(tmp_path, GOOD, children=60).read_text()
    (tmp_path / "search.yaml").write_text(text.replace("retries: 0", "retries: 0, maxConsecutiveDuplicates: 1"))
    search = load(tmp_path / "search.yaml")
    former = Strategy.model_validate({"reinforce": {}}).resolved()
    (tmp_path / "run").mkdir()
    Store.create(Folder(tmp_path / "run").ledger, search, former, datetime.now(UTC), {}).close()
    record = await run_search(search, tmp_path / "run", base=tmp_path, extras=BARE)
    assert record.outcome is not None
    assert record.strategy == former != search.spec.strategy.resolved()
    assert record.outcome.reason == "PolicyCollapsed"
    assert "entropyWeight" in record.outcome.message

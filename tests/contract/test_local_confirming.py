"""Confirmations on a laptop: whole searches by the command line, whose best child was only lucky."""

import json
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest
from local_searches import ARCHSEARCH, DIGITS, GOOD, write_choices

from archsearch.engine.leaderboard import children
from archsearch.engine.model import Phase
from archsearch.engine.running import confirmation_seed
from archsearch.local.audit import audit
from archsearch.local.record import load_record

pytestmark = pytest.mark.timeout(300)

LUCKY = GOOD.replace("/ 6}", '/ 6 + (0.9 if given["index"] == 2 else 0.0), "seed": given["seed"]}')
"""Child 2 measures far too well once, whatever its network."""


def run(folder: Path, **trials: Any) -> subprocess.CompletedProcess[str]:
    """`archsearch run` of the folder's manifest with these trials."""
    manifest = folder / "search.yaml"
    text = manifest.read_text()
    for name, value in trials.items():
        text = text.replace("duplicates: Retrain", f"duplicates: Retrain, {name}: {value}", 1)
    manifest.write_text(text)
    command = (*ARCHSEARCH, "run", str(manifest), "--out", str(folder / "run"), "-o", "json")
    return subprocess.run(command, capture_output=True, text=True, check=False)


def asked(folder: Path, *command: str) -> Any:
    """What a command says of the folder, as JSON."""
    done = subprocess.run((*ARCHSEARCH, *command, "-o", "json"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def confirmed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A search with a lucky child that confirmed its three best."""
    root = tmp_path_factory.mktemp("confirmed")
    write_choices(root, LUCKY, children=6)
    return root, run(root, confirm=3)


Confirmed = tuple[Path, "subprocess.CompletedProcess[str]"]


def test_the_best_are_trained_once_more_with_fresh_seeds(confirmed: Confirmed) -> None:
    root, done = confirmed
    assert done.returncode == 0, done.stderr
    record = load_record(root / "run")
    repeats = record.trials[6:]
    ranked = sorted(children(record.trials), key=lambda trial: (-(trial.reward or 0), trial.index))
    first = list({trial.network: trial for trial in reversed(ranked)}.values())[::-1][:3]
    assert [trial.confirm_of for trial in repeats] == [trial.index for trial in first]
    assert repeats[0].confirm_of == 2
    assert all(trial.phase is Phase.SUCCEEDED and trial.observation is None for trial in repeats)
    assert [trial.metrics["seed"] for trial in repeats] == [confirmation_seed(0, trial.index) for trial in first]
    assert record.outcome is not None
    assert record.outcome.message == "all 6 children have ended; 3 of the best 3 were confirmed by a second training"


def test_a_lucky_child_is_found_out_and_the_commands_rank_by_the_mean(confirmed: Confirmed) -> None:
    root, done = confirmed
    record, data = load_record(root / "run"), json.loads(done.stdout)
    lucky = record.trials[2]
    again = next(trial for trial in record.trials if trial.confirm_of == 2)
    listed = asked(root, "best", str(root / "run"))
    told = next(child for child in listed if child["index"] == 2)
    assert told["rewards"] == [lucky.reward, again.reward]
    assert told["reward"] == pytest.approx(((lucky.reward or 0) + (again.reward or 0)) / 2)
    assert told["confirmedBy"] == again.index
    assert [child["reward"] for child in listed[:3]] == sorted((child["reward"] for child in listed[:3]), reverse=True)
    assert "confirmedBy" not in listed[3]
    assert data["best"] == {key: value for key, value in listed[0].items() if key != "architecture"}
    assert data["confirmations"] == {"underWay": 0, "succeeded": 3, "failed": 0, "stopped": 0}
    assert data["counts"]["succeeded"] == 6
    assert [child.get("confirmOf") for child in asked(root, "trials", str(root / "run"))][6:] == [
        trial.confirm_of for trial in record.trials[6:]
    ]


def test_best_holds_the_means_and_both_logs(confirmed: Confirmed) -> None:
    root, done = confirmed
    best = json.loads((root / "run" / "best" / "trial.json").read_text())
    assert best["reward"] == json.loads(done.stdout)["best"]["reward"]
    assert len(best["rewards"]) == 2
    assert (root / "run" / "best" / "confirmation.log.txt").is_file()


async def test_an_audit_passes_confirmations_over(confirmed: Confirmed) -> None:
    found = await audit(load_record(confirmed[0] / "run"))
    assert found.agrees
    assert (found.children, found.observations) == (6, 6)
    assert found.stored_hash == found.derived_hash


async def test_a_search_that_has_ended_is_confirmed_later_and_goes_on_with_more_children(tmp_path: Path) -> None:
    write_choices(tmp_path, LUCKY, children=4)
    assert run(tmp_path).returncode == 0
    assert run(tmp_path, confirm=2).returncode == 0
    assert len(load_record(tmp_path / "run").trials) == 6
    manifest = tmp_path / "search.yaml"
    manifest.write_text(manifest.read_text().replace("max: 4", "max: 7"))
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    record = load_record(tmp_path / "run")
    late = children(record.trials[6:])
    assert [(trial.index, trial.place) for trial in late] == [(6, 4), (7, 5), (8, 6)]
    assert json.loads(done.stdout)["counts"]["succeeded"] == 7
    networks = [record.trials[trial.confirm_of].network for trial in record.trials if trial.confirm_of is not None]
    assert len(set(networks)) == len(networks)
    found = await audit(record)
    assert found.agrees
    assert found.children == 7


def test_a_confirmation_that_fails_leaves_its_child_behind_those_that_are_confirmed(tmp_path: Path) -> None:
    failing = 'import os\nif "-000004" in os.environ["ARCHSEARCH_TRIAL"]: raise SystemExit(3)\n' + LUCKY
    write_choices(tmp_path, failing, children=4)
    done = run(tmp_path, confirm=2)
    assert done.returncode == 0, done.stderr
    record = load_record(tmp_path / "run")
    assert [trial.phase for trial in record.trials[4:]] == [Phase.FAILED, Phase.SUCCEEDED]
    best = json.loads(done.stdout)["best"]
    assert best["index"] == record.trials[5].confirm_of
    assert "1 of the best 2 were confirmed" in json.loads(done.stdout)["outcome"]["message"]


def test_real_networks_are_confirmed_before_the_human_baseline_is_trained(tmp_path: Path) -> None:
    (tmp_path / "search.yaml").write_text(DIGITS.replace("max: 4", "max: 2").replace("parallelism: 2", "confirm: 1"))
    command = (*ARCHSEARCH, "run", str(tmp_path / "search.yaml"), "--out", str(tmp_path / "run"), "-o", "json")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    record = load_record(tmp_path / "run")
    repeat = record.trials[2]
    assert repeat.confirm_of is not None
    assert record.human is not None
    assert record.human.reason is None
    best = json.loads(done.stdout)["best"]
    own = record.trials[repeat.confirm_of].metrics
    assert best["metrics"]["accuracy"] == pytest.approx((own["accuracy"] + repeat.metrics["accuracy"]) / 2)
    with sqlite3.connect(tmp_path / "run" / "ledger.db") as database:
        assert database.execute("SELECT child FROM trials WHERE confirm_of IS NOT NULL").fetchall() == [(2,)]
    database.close()

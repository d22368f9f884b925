"""Further metrics and failing children on a laptop: whole searches by the command line, and what they teach."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from local_searches import ARCHSEARCH, GOOD, write_choices

from archsearch.engine.ledger import Ledger
from archsearch.engine.model import Phase
from archsearch.local.audit import audit
from archsearch.local.record import load_record

pytestmark = pytest.mark.timeout(300)

FAILING = GOOD.replace(
    "report = {",
    "values = given['architecture']['values']\nif values['a'] == 0: raise SystemExit(3)\nreport = {",
).replace("/ 6}", '/ 6, "latency": 1.0 + values["b"]}')
"""Children with a = 0 crash; the others report a latency that grows with b."""
LATENCY = "{metric: latency, target: 2, weight: -0.5, limit: 2.5}"


def run(folder: Path, objective: str) -> subprocess.CompletedProcess[str]:
    """`archsearch run` of the folder's manifest with this objective."""
    manifest = folder / "search.yaml"
    manifest.write_text(manifest.read_text().replace("spec:\n", f"spec:\n  objective: {objective}\n", 1))
    command = (*ARCHSEARCH, "run", str(manifest), "--out", str(folder / "run"), "-o", "json")
    return subprocess.run(command, capture_output=True, text=True, check=False)


def asked(folder: Path, *command: str) -> Any:
    done = subprocess.run((*ARCHSEARCH, *command, "-o", "json"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_failed_children_teach_and_the_pareto_set_is_told(tmp_path: Path) -> None:
    write_choices(tmp_path, FAILING, children=14)
    done = run(tmp_path, f"{{also: [{LATENCY}], failure: {{reward: -1.5}}}}")
    assert done.returncode == 0, done.stderr
    record = load_record(tmp_path / "run")
    failed = [trial for trial in record.trials if trial.phase is Phase.FAILED]
    good = [trial for trial in record.trials if trial.phase is Phase.SUCCEEDED]
    assert {trial.architecture["values"]["a"] for trial in failed} == {0}
    assert failed
    for trial in good:
        latency = trial.metrics["latency"]
        assert trial.reward == pytest.approx(trial.metrics["accuracy"] * (latency / 2) ** -0.5)
    # What was taught live is what a controller of its own derives from the ledger: state for state.
    ledger = Ledger(record.trials, objective=record.manifest.spec.objective)
    taught = {tell.index: tell.reward for tell in ledger.tells(0, ledger.taught)}
    assert {taught[trial.index] for trial in failed} == {-1.5}
    found = await audit(record)
    assert found.agrees
    assert found.stored_hash == found.derived_hash
    # Beyond the limit (b = 2) nobody is among the best, and none of the Pareto set is beaten in both.
    unbeaten = asked(tmp_path, "best", str(tmp_path / "run"), "--pareto")
    assert all(child["metrics"]["latency"] <= 2.5 for child in unbeaten)
    pairs = [(child["metrics"]["accuracy"], -child["metrics"]["latency"]) for child in unbeaten]
    within = [(t.metrics["accuracy"], -t.metrics["latency"]) for t in good if t.metrics["latency"] <= 2.5]
    assert pairs
    assert not any(a >= x and b >= y and (a, b) != (x, y) for x, y in pairs for a, b in within)
    best = asked(tmp_path, "best", str(tmp_path / "run"))
    assert best[0]["reward"] == max(t.reward or 0.0 for t in good if t.metrics["latency"] <= 2.5)


def test_a_target_is_reached_within_the_limits_alone_and_a_search_of_none_has_failed(tmp_path: Path) -> None:
    write_choices(tmp_path, FAILING, children=8)
    done = run(tmp_path, "{target: 0.1, also: [{metric: latency, target: 0.5, weight: -0.5, limit: 0.9}]}")
    assert done.returncode == 1
    outcome = json.loads(done.stdout)["outcome"]
    assert (outcome["result"], outcome["reason"]) == ("Failed", "MaxTrialsReached")
    assert "none of those that succeeded is within the limits of objective.also" in outcome["message"]
    assert not (tmp_path / "run" / "best").exists()

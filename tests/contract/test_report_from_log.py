"""``trial.report: {from: Log}``: programs that can only print take part in a search."""

import json
import sys
from pathlib import Path

import pytest

from archsearch.engine.model import Phase
from archsearch.local.run import Extras, run_search
from archsearch.manifest import load

MANIFEST = """
apiVersion: archsearch.io/v1alpha1
kind: ArchitectureSearch
metadata: {name: printed}
spec:
  searchSpace: {choices: [{name: a, values: [0, 1, 2, 3]}]}
  trials: {max: 4, duplicates: Retrain, retries: 0}
  strategy: {random: {}}
  trial:
    task: {custom: {}}
    command: [%s, child.py]
    report: {from: Log}
"""

CHILD = """
import json, os
index = json.loads(os.environ["ARCHSEARCH_TRIAL"])["index"]
print("epoch 1, loss 0.5")
if index == 3:
    raise SystemExit("no report at all")
print(json.dumps({"version": 1, "metrics": {"accuracy": 0.1}}))
print("x" * 200_000 if index == 1 else "one more epoch")
print(json.dumps({"version": 1, "metrics": {"accuracy": 0.25 * index}}))
print("bye")
"""


@pytest.mark.timeout(120)
async def test_the_last_report_that_a_program_prints_counts(tmp_path: Path) -> None:
    (tmp_path / "child.py").write_text(CHILD)
    search = load(MANIFEST % json.dumps(sys.executable))
    extras = Extras(human=False, page=False, distributions=False)
    record = await run_search(search, tmp_path / "run", base=tmp_path, extras=extras)
    told = [(trial.phase, trial.reward, trial.reason) for trial in record.trials]
    assert told == [
        (Phase.SUCCEEDED, 0.0, None),
        (Phase.SUCCEEDED, 0.25, None),
        (Phase.SUCCEEDED, 0.5, None),
        (Phase.FAILED, None, "ExitCode"),
    ]

"""Small searches for the local backend: manifests, and programs that train (or pretend to train) children."""

import json
import sys
from pathlib import Path

from archsearch.local.run import Extras

ARCHSEARCH = (sys.executable, "-c", "from archsearch.cli import main; main()")
BARE = Extras(human=False, page=False, distributions=False)

DIGITS = """
apiVersion: archsearch.io/v1alpha1
kind: ArchitectureSearch
metadata: {name: digits}
spec:
  searchSpace: {convolutional: {depth: {initial: 2}, filters: [4, 8]}}
  trials: {max: 4, parallelism: 2}
  trial: {task: {imageClassification: {dataset: {digits: {}}, epochs: 1}}}
"""

CHOICES = """
apiVersion: archsearch.io/v1alpha1
kind: ArchitectureSearch
metadata: {name: choices}
spec:
  searchSpace:
    choices: [{name: a, values: [0, 1, 2]}, {name: b, values: [0, 1, 2]}, {name: c, values: [0, 1, 2]}]
  trials: {max: %(max)d, parallelism: 2, maxFailed: 100, retries: 0, duplicates: Retrain}
  trial:
    task: {custom: {seconds: %(seconds)g}}
    command: [%(python)s, child.py]
"""

GOOD = """
import json, os, pathlib, time
given = json.loads(os.environ["ARCHSEARCH_TRIAL"])
time.sleep(given["task"]["custom"]["seconds"])
report = {"version": 1, "metrics": {"accuracy": sum(given["architecture"]["values"].values()) / 6}}
pathlib.Path(os.environ["ARCHSEARCH_REPORT"]).write_text(json.dumps(report))
"""

GATED = GOOD.replace(
    "time.sleep(", 'while given["index"] > 2 and not os.path.exists("gate"): time.sleep(0.05)\ntime.sleep('
)
"""Children after the third wait until the test opens the gate."""

BAD = """
import json, os, pathlib, signal, sys, time
index = json.loads(os.environ["ARCHSEARCH_TRIAL"])["index"]
report = pathlib.Path(os.environ["ARCHSEARCH_REPORT"])
good = '{"version": 1, "metrics": {"accuracy": 0.5}}'
match index:
    case 0: pass
    case 1: report.write_text('{"version": 1, "metrics": {"accuracy": NaN}}')
    case 2: report.write_text(good[:20])
    case 3: report.write_bytes(bytes(range(256)))
    case 4: report.write_text(good.replace("accuracy", "a" * 10_000_000))
    case 5: report.write_text('{"version": 2, "metrics": {}}')
    case 6: report.write_text(good); sys.exit(3)
    case 7: os.kill(os.getpid(), signal.SIGSEGV)
    case 8: os.mkfifo(report)
    case 9: report.write_text('{"version": 1, "metrics": {"speed": 1.0}}')
    case 10: report.mkdir()
    case 11: report.write_text(good); time.sleep(600)
    case _: report.write_text(good)
"""


def write_choices(folder: Path, child: str, *, children: int = 6, seconds: float = 0.0) -> Path:
    """A manifest of a search over choices whose children run ``child``; its path."""
    folder.mkdir(exist_ok=True)
    (folder / "child.py").write_text(child)
    manifest = folder / "search.yaml"
    manifest.write_text(CHOICES % {"max": children, "seconds": seconds, "python": json.dumps(sys.executable)})
    return manifest

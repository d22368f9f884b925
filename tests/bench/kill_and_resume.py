"""Kill a reproducible search again and again, go on each time, and compare it with an undisturbed one.

    python tests/bench/kill_and_resume.py --kills 50 --seed 1 [-o json]

Two kinds of kills: at random moments, of the backend, the controller, the warm process or a child; and by crash
points (archsearch.local.crash), once before and once after every kind of durable write. A killed backend must leave no
process behind; what it leaves in the folder must lead to the same children, rewards and policy hash.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from archsearch.local.audit import audit
from archsearch.local.crash import KINDS, VARIABLE
from archsearch.local.record import load_record

VICTIMS = ("backend", "controller", "warm", "child")
POINTS = tuple(f"{when}-{kind}" for kind in KINDS if kind != "human" for when in ("before", "after"))
HUMAN_POINTS = ("before-human", "after-human")
"""Only a task on images has a human baseline."""
DEADLINE = 120.0
"""Seconds in which anything that is waited for must happen."""

# One in four answers our SIGTERM by exit(0), as programs do that end in good order: it has not failed by that.
CHILD = """
    import json, os, pathlib, signal, sys, time
    given = json.loads(os.environ["ARCHSEARCH_TRIAL"])
    if given["index"] % 4 == 0:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    time.sleep(given["task"]["custom"]["seconds"])
    values = given["architecture"]["values"]
    score = sum(values[name] * weight for name, weight in zip("abcd", (0.1, 0.07, 0.05, 0.03), strict=True))
    report = {"version": 1, "metrics": {"accuracy": score + given["seed"] % 100 / 1e4}}
    pathlib.Path(os.environ["ARCHSEARCH_REPORT"]).write_text(json.dumps(report))
"""

MANIFEST = """
    apiVersion: archsearch.io/v1alpha1
    kind: ArchitectureSearch
    metadata: {{name: killed}}
    spec:
      searchSpace:
        choices:
          - {{name: a, values: [0, 1, 2]}}
          - {{name: b, values: [0, 1, 2]}}
          - {{name: c, values: [0, 1, 2]}}
          - {{name: d, values: [0, 1, 2]}}
      trials: {{max: {children}, parallelism: 2, reproducible: true, retries: 100, maxFailed: {max_failed}, confirm: 2}}
      trial:
        task: {{custom: {{seconds: {seconds}}}}}
        command: [{python}, child.py]
      seed: 3
"""


IMAGES = """
    apiVersion: archsearch.io/v1alpha1
    kind: ArchitectureSearch
    metadata: {{name: killed-images}}
    spec:
      searchSpace: {{convolutional: {{depth: {{initial: 2}}, filters: [4, 8]}}}}
      trials: {{max: {children}, parallelism: 2, reproducible: true, maxFailed: {max_failed}}}
      trial: {{task: {{imageClassification: {{dataset: {{digits: {{}}}}, epochs: 1}}}}}}
      seed: 4
"""


class Kill:
    """A search that is killed, and its manifest."""

    def __init__(self, root: Path, children: int, seconds: float = 0.1, manifest: str = MANIFEST) -> None:
        self.root = root
        self.manifest = manifest
        self.children = children
        self.seconds = seconds
        root.mkdir(parents=True, exist_ok=True)
        (root / "child.py").write_text(textwrap.dedent(CHILD))
        self.write_manifest()

    def write_manifest(self, max_failed: int = 10) -> None:
        """Write the manifest; ``max_failed`` may be edited while the search lives."""
        text = textwrap.dedent(self.manifest).format(
            children=self.children, seconds=self.seconds, python=json.dumps(sys.executable), max_failed=max_failed
        )
        (self.root / "search.yaml").write_text(text)

    def start(self, folder: Path, crash_at: str | None = None) -> subprocess.Popen[bytes]:
        """Start ``archsearch run``."""
        environment = {**os.environ} | ({VARIABLE: crash_at} if crash_at else {})
        command = [sys.executable, "-c", "from archsearch.cli import main; main()", "run"]
        with (self.root / "run.out").open("ab") as log:
            return subprocess.Popen(
                [*command, str(self.root / "search.yaml"), "--out", str(folder), "--quiet"],
                env=environment,
                stdout=log,
                stderr=log,
            )

    def finish(self, folder: Path) -> None:
        """Run to the end, undisturbed."""
        code = self.start(folder).wait(DEADLINE)
        assert code == 0, f"exit code {code}: {(self.root / 'run.out').read_text()[-2000:]}"


def fingerprint(folder: Path) -> dict[str, Any]:
    """Everything that must not depend on when the search was killed."""
    record = load_record(folder)
    trials = [
        (t.index, t.genotype, t.policy_version, t.phase.value, t.reward, t.observation, t.reuse_of, t.confirm_of)
        for t in record.trials
    ]
    assert record.outcome is not None
    last = record.policy[-1]
    human = None if record.human is None else {k: v for k, v in record.human.metrics.items() if "ccuracy" in k}
    return {"human": human, "trials": trials, "outcome": record.outcome, "version": last.version, "hash": last.hash}


def kill_at_points(kill: Kill, folder: Path, points: tuple[str, ...]) -> None:
    """Have one search die at each of these points in turn, then end."""
    for point in points:
        if point.endswith("-amend"):
            kill.write_manifest(max_failed=11 if point.startswith("before") else 12)
        backend = kill.start(folder, crash_at=point)
        with no_orphans(backend):
            code = backend.wait(DEADLINE)
        assert code == -signal.SIGKILL, f"{point} was never passed: exit code {code}"
    kill.finish(folder)


def kill_at_random(kill: Kill, folder: Path, rng: random.Random, victims: list[str]) -> int:
    """Kill these victims in turn, at random moments, and go on; the kills done when the search had ended."""
    backend = kill.start(folder)
    done = 0
    for victim in victims:
        time.sleep(rng.uniform(0.0, 1.5))
        found = wait_for(partial(_victim, backend, victim, rng), ended=backend)
        if found is None:
            break
        with no_orphans(backend) if victim == "backend" else _nothing():
            if _kill(found):
                done += 1
            if victim == "backend":
                backend.wait(DEADLINE)
        if victim == "backend":
            backend = kill.start(folder)
    code = backend.wait(DEADLINE)
    assert code == 0, f"exit code {code}: {(kill.root / 'run.out').read_text()[-2000:]}"
    return done


def _victim(backend: subprocess.Popen[bytes], victim: str, rng: random.Random) -> psutil.Process | None:
    try:
        top = psutil.Process(backend.pid)
        if victim == "backend":
            return top
        rooms = {"controller": "archsearch.controller", "warm": "archsearch.trial.warm"}
        named = {name: [p for p in top.children() if room in p.cmdline()] for name, room in rooms.items()}
        if victim in rooms:
            return next(iter(named[victim]), None)
        children = [child for warm in named["warm"] for child in warm.children()]
        return rng.choice(children) if children else None
    except psutil.NoSuchProcess:
        return None


def _kill(process: psutil.Process) -> bool:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return False
    return True


@contextmanager
def no_orphans(backend: subprocess.Popen[bytes]) -> Iterator[None]:
    """Afterwards nothing of what ``backend`` had started may be left."""
    seen: dict[int, psutil.Process] = {}
    watching = True

    def look() -> None:
        try:
            for process in psutil.Process(backend.pid).children(recursive=True):
                seen[process.pid] = process
        except psutil.NoSuchProcess:
            pass

    look()
    original_wait = backend.wait

    def wait(timeout: float | None = None) -> int:
        end = time.monotonic() + (timeout or DEADLINE)
        while watching and backend.poll() is None and time.monotonic() < end:
            look()
            time.sleep(0.02)
        return original_wait(max(0.1, end - time.monotonic()))

    backend.wait = wait  # type: ignore[method-assign]
    yield
    watching = False
    _, alive = psutil.wait_procs(list(seen.values()), timeout=15)
    left = [process for process in alive if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    assert not left, f"left behind by a killed backend: {left}"


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def wait_for(condition: Callable[[], Any], *, ended: subprocess.Popen[bytes] | None = None) -> Any:
    """The first true value of ``condition``; None once ``ended`` has ended."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        if ended is not None and ended.poll() is not None:
            return None
        time.sleep(0.005)
    raise AssertionError("what was waited for did not happen")


def agrees(folder: Path) -> bool:
    """Whether ``archsearch audit`` derives the same children and the same policy from the ledger."""
    return asyncio.run(audit(load_record(folder))).agrees


def main() -> int:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="kills at random moments")
    parser.add_argument("--children", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=0.3, help="what a child costs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="archsearch-kill-") as place:
        result = measure(Path(place), options.kills, options.children, options.seconds, random.Random(options.seed))
    print(json.dumps(result, indent=2) if options.output == "json" else result)
    return 0 if result["equal"] and result["auditsAgree"] else 1


def measure(root: Path, kills: int, children: int, seconds: float, rng: random.Random) -> dict[str, Any]:
    """The whole bench: an undisturbed search, one for the crash points, and one for the random kills.

    Where the search ends before it was killed often enough, another one takes the kills that are left.
    """
    kill = Kill(root, children, seconds)
    kill.finish(root / "undisturbed")
    wanted = fingerprint(root / "undisturbed")
    kill_at_points(kill, root / "points", POINTS)
    kill.write_manifest()
    equal = {"points": fingerprint(root / "points") == wanted}
    audits = [agrees(root / "points")]
    images = Kill(root / "images", 3, manifest=IMAGES)
    images.finish(images.root / "undisturbed")
    kill_at_points(images, images.root / "points", HUMAN_POINTS)
    equal["human"] = fingerprint(images.root / "points") == fingerprint(images.root / "undisturbed")
    done, victims = 0, Counter[str]()
    while done < kills:
        folder = root / f"random{len(equal)}"
        drawn = [rng.choice(VICTIMS) for _ in range(kills - done)]
        killed = kill_at_random(kill, folder, rng, drawn)
        done += killed
        victims.update(drawn[:killed])
        equal[folder.name] = fingerprint(folder) == wanted
        audits.append(agrees(folder))
    return {
        "kills": done,
        "points": len(POINTS) + len(HUMAN_POINTS),
        "victims": dict(victims),
        "searches": len(equal),
        "equal": all(equal.values()),
        "auditsAgree": all(audits),
        "hash": wanted["hash"],
    }


if __name__ == "__main__":
    sys.exit(main())

"""Resident memory of every process of ``archsearch run`` while it searches."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from archsearch.bench.digits import digits
from archsearch.bench.errors import BenchFailedError
from archsearch.bench.processes import Memory, descendants, memory_of
from archsearch.local.opening import as_yaml

RUN = "archsearch run"
CONTROLLER = "controller"
WARM = "warm process"
CHILD = "child, the largest"
_PERIOD = 0.25
"""Seconds between two looks."""


def measure(children: int, told: Callable[[str], None]) -> dict[str, Memory]:
    """The largest memory seen of each kind of process during a search on digits, two children at a time.

    Raises:
        BenchFailedError: the run has failed.
        BenchError: psutil is not installed.
    """
    search = digits("memory", strategy="reinforce", children=children, at_once=2, epochs=10)
    with tempfile.TemporaryDirectory(prefix="archsearch-bench-") as name:
        folder = Path(name)
        manifest = folder / "search.yaml"
        manifest.write_text(as_yaml(search))
        program = "from archsearch.cli import main; main()"
        command = [sys.executable, "-c", program, "run", str(manifest), "--out", str(folder / "out"), "--quiet"]
        told(f"a search of {children} children")
        with (folder / "printed.txt").open("wb") as printed:
            process = subprocess.Popen(command, stdout=printed, stderr=subprocess.STDOUT)
        try:
            most = _watch(process)
        finally:
            process.terminate()
            process.wait()
        if process.returncode != 0:
            text = (folder / "printed.txt").read_text(errors="replace")
            raise BenchFailedError(f"archsearch run ended with exit code {process.returncode}: {text[-2000:]}")
    return most


def _watch(process: subprocess.Popen[bytes]) -> dict[str, Memory]:
    most: dict[str, Memory] = {}
    while process.poll() is None:
        for pid, kind in {process.pid: RUN, **_kinds(process.pid)}.items():
            memory = memory_of(pid)
            if memory is not None and memory.rss > 0:
                most[kind] = memory.most(most.get(kind))
        time.sleep(_PERIOD)
    return {kind: most[kind] for kind in (RUN, CONTROLLER, WARM, CHILD) if kind in most}


def _kinds(pid: int) -> dict[int, str]:
    """What each process below a run is; a child has the warm process's own command line, and it as parent."""
    lines = descendants(pid)
    found = {child: CONTROLLER for child, line in lines.items() if "archsearch.controller" in line}
    warm = [child for child, line in lines.items() if "archsearch.trial.warm" in line]
    # Descendants come parents first.
    return found | {child: WARM if child == warm[0] else CHILD for child in warm}

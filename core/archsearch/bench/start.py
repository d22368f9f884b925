"""How long a child takes from its fork to its first training step, beside a trial program started cold."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from archsearch.bench.digits import digits
from archsearch.bench.errors import BenchFailedError
from archsearch.bench.stats import percentile
from archsearch.engine.model import Trial
from archsearch.local.run import Extras, run_search
from archsearch.report import (
    REPORT_VARIABLE,
    TRIAL_VARIABLE,
    Report,
    TrialInput,
    parse_report,
)

METRIC = "startupSeconds"
"""What the trial program reports: from the fork (or the start of its process) to its first training step."""
_BARE = Extras(human=False, page=False, distributions=False)


@dataclass(frozen=True)
class Starts:
    """Starts of one kind."""

    how: str
    seconds: tuple[float, ...]

    def percentiles(self) -> dict[str, float]:
        """p50, p90 and p99, in milliseconds."""
        return {f"p{percent}_ms": 1000 * percentile(self.seconds, percent) for percent in (50, 90, 99)}


def measure(children: int, cold: int, told: Callable[[str], None]) -> list[Starts]:
    """Children of a real search, one and two at a time; then ``cold`` of them as ``python -m archsearch.trial``.

    Raises:
        BenchFailedError: a child reports no start.
    """
    found = []
    trials: tuple[Trial, ...] = ()
    for at_once in (1, 2):
        told(f"{children} children, {at_once} at a time")
        trials = asyncio.run(_forked(children, at_once))
        found.append(Starts(f"forked, {at_once} at a time", tuple(_start(trial.metrics) for trial in trials)))
    told(f"{cold} cold starts")
    if cold:
        found.append(Starts("cold, python -m archsearch.trial", tuple(_cold(trial) for trial in trials[:cold])))
    return found


async def _forked(children: int, at_once: int) -> tuple[Trial, ...]:
    search = digits("start", strategy="random", children=children, at_once=at_once, epochs=1, threads=1)
    with tempfile.TemporaryDirectory(prefix="archsearch-bench-") as folder:
        record = await run_search(search, Path(folder) / "search", extras=_BARE)
    return record.trials


def _start(metrics: object) -> float:
    seconds = metrics.get(METRIC) if isinstance(metrics, dict) else None
    if seconds is None:
        raise BenchFailedError(f"a child has not reported {METRIC}; it reports: {metrics}")
    return float(seconds)


def _cold(trial: Trial) -> float:
    """The same child by the trial program alone, as a cluster's pod starts it."""
    search = digits("start", strategy="random", children=1, at_once=1, epochs=1)
    given = TrialInput(
        search="start",
        trial=f"start-{trial.index:06d}",
        index=trial.index,
        architecture=dict(trial.architecture),
        task=search.spec.trial.task.model_dump(mode="json", exclude_none=True),
        seed=trial.index,
        attempt=1,
        threads=1,
    )
    with tempfile.TemporaryDirectory(prefix="archsearch-bench-") as folder:
        target = Path(folder) / "report.json"
        environment = {**os.environ, TRIAL_VARIABLE: given.model_dump_json(), REPORT_VARIABLE: str(target)}
        command = [sys.executable, "-m", "archsearch.trial"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        report = parse_report(target.read_bytes() if target.exists() else None)
    if not isinstance(report, Report) or report.error is not None:
        raise BenchFailedError(f"a cold trial gave no result: {report}; it printed: {done.stderr[-2000:]}")
    return _start(report.metrics)

"""How good a child a strategy finds for so many children asked for: whole searches on a table of measured networks."""

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from archsearch.api import ArchitectureSearch, Strategy
from archsearch.bench.curves import Curve
from archsearch.bench.errors import BenchFailedError
from archsearch.bench.table import BenchTable
from archsearch.engine.model import Result
from archsearch.engine.record import SearchRecord
from archsearch.local.cores import cores
from archsearch.local.inprocess import InProcessRunner
from archsearch.local.run import Extras, run_search

_NEVER = 1_000_000
"""Largest bound of the manifest: the search ends when all children have been asked for, and for nothing else."""
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it, with rights for us alone
"""Where Linux has files that live in memory."""
_ROOM = 2**30
"""Bytes that must be free there: a search in the making needs a few MiB, however many searches there are."""
_BARE = Extras(human=False, page=False, distributions=False)


@dataclass(frozen=True)
class Benchmark:
    """What is measured."""

    table: BenchTable
    strategies: dict[str, Strategy]
    """By the names under which they are reported."""
    children: int
    seeds: range
    in_flight: int = 1
    """Child i is drawn when children 0 .. i - in_flight have been taught, exactly."""
    forked: int = 0
    """Searches of each strategy, the first ones, whose children are processes forked by the warm process; the others
    call the task in the backend's own process."""
    out: Path | None = None
    """Where the searches' folders are kept (and gone on with); None: nowhere."""


@dataclass(frozen=True)
class Done:
    """One search has ended."""

    strategy: str
    seed: int
    curve: Curve


def manifest(benchmark: Benchmark, strategy: Strategy, seed: int, table_path: Path) -> ArchitectureSearch:
    """The search that measures ``strategy`` with ``seed``; its children are looked up in ``table_path``."""
    table = benchmark.table
    choices = [{"name": f"decision{n}", "values": values} for n, values in enumerate(table.options, start=1)]
    spec = {
        "objective": {"metric": table.metric, "direction": "Maximize"},
        "searchSpace": {"choices": choices},
        # In full: a folder that was kept is never taken for another default's.
        "strategy": strategy.resolved().model_dump(mode="json", exclude_none=True),
        "trials": {
            "max": benchmark.children,
            "parallelism": benchmark.in_flight,
            # What is in flight is then the same however fast the machine is, and so is every figure.
            "reproducible": True,
            "duplicates": "Reuse",
            "maxFailed": _NEVER,
            "maxConsecutiveDuplicates": _NEVER,
        },
        "trial": {"task": {"tabular": {"table": str(table_path)}}},
        "seed": seed,
    }
    document = {
        "apiVersion": "archsearch.io/v1alpha1",
        "kind": "ArchitectureSearch",
        "metadata": {"name": "sample-efficiency"},
        "spec": spec,
    }
    return ArchitectureSearch.model_validate_json(json.dumps(document))


async def measure(benchmark: Benchmark, told: Callable[[Done], None]) -> dict[str, list[Curve]]:
    """Run every search, as many at a time as there are cores; the curves of each strategy by seed.

    Args:
        benchmark: what is measured.
        told: is called as each search ends.

    Raises:
        LocalError: a search cannot run, or ended otherwise than by having asked for all children.
    """
    jobs = iter([(name, seed) for seed in benchmark.seeds for name in benchmark.strategies])
    found: dict[tuple[str, int], Curve] = {}

    async def work(root: Path, table: Path) -> None:
        for name, seed in jobs:
            found[name, seed] = curve = await _search(benchmark, name, seed, root, table)
            told(Done(name, seed, curve))

    with _folder(benchmark.out) as root:
        table = benchmark.table.placed(root)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(cores()):
                    group.create_task(work(root, table))
        except* Exception as errors:
            first: BaseException = errors
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]
            failure = first
        else:
            return {name: [found[name, seed] for seed in benchmark.seeds] for name in benchmark.strategies}
    raise failure


async def _search(benchmark: Benchmark, name: str, seed: int, root: Path, table: Path) -> Curve:
    forked = seed - benchmark.seeds.start < benchmark.forked
    folder = root / name.replace(":", "-") / f"seed-{seed}"
    search = manifest(benchmark, benchmark.strategies[name], seed, table)
    runner = None if forked else InProcessRunner.of_task("tabular")
    curve = curve_of(await run_search(search, folder, runner=runner, extras=_BARE), benchmark.table)
    if benchmark.out is None:
        await asyncio.to_thread(shutil.rmtree, folder)
    return curve


def curve_of(record: SearchRecord, table: BenchTable) -> Curve:
    """The curve of a search on ``table`` that has ended.

    Raises:
        BenchFailedError: it has failed, or has not ended.
    """
    outcome = record.outcome
    if outcome is None or outcome.result is not Result.SUCCEEDED:
        why = "it has not ended" if outcome is None else f"{outcome.reason}: {outcome.message}"
        raise BenchFailedError(f"a search (seed {record.manifest.spec.seed}) did not succeed: {why}")
    return Curve(
        validation=tuple(trial.metrics.get(table.metric) for trial in record.trials),
        test=tuple(trial.metrics.get(table.test) if table.test else None for trial in record.trials),
        duplicates=sum(trial.duplicate_of is not None for trial in record.trials),
        seconds=record.active_seconds,
    )


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    if out is not None:
        yield out
        return
    with tempfile.TemporaryDirectory(prefix="archsearch-bench-", dir=_in_memory()) as name:
        yield Path(name)


def _in_memory() -> Path | None:
    """Where files live in memory: ledgers that nobody keeps need not wait for a disk at every write."""
    if not os.access(_MEMORY, os.W_OK) or shutil.disk_usage(_MEMORY).free < _ROOM:
        return None
    return _MEMORY

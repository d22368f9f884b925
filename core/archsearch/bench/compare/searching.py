"""The searches that a comparison still lacks: every manifest with every seed, through the local backend."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from archsearch.api import ArchitectureSearch
from archsearch.bench.compare.contenders import Run, refuse_other_aims, refuse_unended
from archsearch.bench.errors import BenchError
from archsearch.engine.leaderboard import children, top
from archsearch.local.inprocess import InProcessRunner
from archsearch.local.run import Extras, run_search
from archsearch.local.runner import Runner

_EXTRAS = Extras(human=False, page=False)
_IN_PROCESS = "tabular"
"""The task whose children are looked up, not trained: called in the backend's own process."""


@dataclass(frozen=True)
class Planned:
    """A search that is to be run, or gone on with."""

    search: ArchitectureSearch
    folder: Path
    base: Path
    """Where relative paths of its manifest start."""
    source: str
    """What errors call the manifest."""


@dataclass(frozen=True)
class Manifest:
    """A manifest to compare."""

    search: ArchitectureSearch
    source: str
    """What errors call it."""
    base: Path
    """Where its relative paths start."""


def plan(manifests: Sequence[Manifest], seeds: int, out: Path) -> list[Planned]:
    """One search for each manifest and seed, seed by seed: whoever looks in between sees all manifests alike.

    Seeds are spec.seed and those that follow it; folders are ``out/<name>/seed-<seed>``.

    Raises:
        BenchError: the manifests do not all seek the same, two have one name, or a seed would be too large.
    """
    if manifests:
        refuse_other_aims((each.source, each.search) for each in manifests)
    by_name: dict[str, str] = {}
    for each in manifests:
        name = each.search.metadata.name
        if name in by_name:
            raise BenchError(
                f"{by_name[name]} and {each.source} are both named {name!r}; the name (metadata.name) tells searches "
                "apart in the figure and in folders: give each its own"
            )
        by_name[name] = each.source
    return [_planned(each, number, out) for number in range(seeds) for each in manifests]


def _planned(manifest: Manifest, number: int, out: Path) -> Planned:
    seed = manifest.search.spec.seed + number
    if seed > 2**31 - 1:
        raise BenchError(f"{manifest.source}: spec.seed {manifest.search.spec.seed} leaves no room for --seeds")
    spec = manifest.search.spec.model_copy(update={"seed": seed})
    folder = out / manifest.search.metadata.name / f"seed-{seed}"
    return Planned(manifest.search.model_copy(update={"spec": spec}), folder, manifest.base, manifest.source)


async def carry_out(
    planned: Sequence[Planned], *, at_once: int, stop: asyncio.Event, told: Callable[[str], None]
) -> list[Run] | None:
    """Run every search, or go on with it, ``at_once`` at a time; None: ``stop`` was set before all had ended.

    Args:
        planned: what is run.
        at_once: searches at the same time; each runs as many children at once as its manifest says.
        stop: set it to have children stopped and the searches end where they are; the same call goes on later.
        told: is told of each search that has ended, and of what its user should know.

    Raises:
        LocalError: a search cannot run, or has failed; the others are stopped, and the same call goes on.
    """
    ended: dict[int, Run] = {}
    waiting = iter(range(len(planned)))

    async def work() -> None:
        for place in waiting:
            run = await _one(planned[place], stop, told)
            if run is None:
                return
            ended[place] = run
            told(f"{len(ended)}/{len(planned)} {describe(planned[place], run)}")

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(at_once, len(planned))):
                group.create_task(work())
    except* Exception as errors:
        failure: BaseException = errors
        while isinstance(failure, BaseExceptionGroup):
            failure = failure.exceptions[0]
    else:
        return None if len(ended) < len(planned) else [ended[place] for place in range(len(planned))]
    raise failure


async def _one(planned: Planned, stop: asyncio.Event, told: Callable[[str], None]) -> Run | None:
    if stop.is_set():
        return None
    record = await run_search(
        planned.search, planned.folder, base=planned.base, runner=_runner(planned.search), stop=stop, extras=_EXTRAS
    )
    if record.outcome is None and not stop.is_set():
        raise BenchError(
            f"{planned.source}: the search waits for an edit (spec.suspend, or spec.trials.parallelism 0); one that "
            "is to be compared has to run"
        )
    if record.outcome is None:
        return None
    run = Run(record, planned.folder)
    refuse_unended(run)
    return run


def _runner(search: ArchitectureSearch) -> Runner | None:
    return InProcessRunner.of_task(_IN_PROCESS) if search.spec.trial.task.kind == _IN_PROCESS else None


def describe(planned: Planned, run: Run) -> str:
    """A search that has ended, in a line: its children, without confirmations, and the reward of its best."""
    record = run.record
    best = next((child.reward for child in top(record.trials, 1, record.manifest.spec.objective)), None)
    reward = "none" if best is None else f"{best:.5g}"
    name, many = planned.search.metadata.name, len(children(record.trials))
    return f"{name}, seed {run.seed}: {many} children in {record.active_seconds:.1f} s, best {reward}"

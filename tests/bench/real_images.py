"""Is the best child of a search better than a random child, and than a network that a person would draw?

    python tests/bench/real_images.py --data FOLDER_WITH_THE_BINARY_LAYOUT_OF_CIFAR_10 --out runs/cifar-excerpt

Runs the search of tests/bench/cifar_excerpt.yaml through the whole product, then trains the best child by validation,
10 children drawn uniformly from the space, and the human baseline anew: the same task, 5 seeds each that the search
never used, as children forked by the same warm process. The differences of test accuracy have Welch intervals. Repeated
with the same --out it goes on where it was. Prints JSON, and keeps it as results.json in the folder.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy import stats

from archsearch import space as spaces
from archsearch.api import ArchitectureSearch
from archsearch.engine.leaderboard import top
from archsearch.engine.record import SearchRecord
from archsearch.local.cores import cores
from archsearch.local.folder import Attempt
from archsearch.local.progress import Snapshot
from archsearch.local.run import run_search
from archsearch.local.runner import Ended, Runner
from archsearch.local.warm import WarmRunner
from archsearch.manifest import load
from archsearch.report import Report, TrialInput, parse_report
from archsearch.space.base import Architecture
from archsearch.space.human import human_baseline
from archsearch.warm_contract import StartChild

MANIFEST = Path(__file__).parent / "cifar_excerpt.yaml"
FIRST_SEED = 1_000_000
"""Seeds of the trainings anew; children of a search have hashes of far larger range as seeds."""
DRAWS = 20_000
"""Seed of the random children: not a seed of any search that is reported."""
AT_ONCE = 2


@dataclass(frozen=True)
class Subject:
    """A network that is trained anew."""

    name: str
    kind: str
    """best, random or human."""
    architecture: Architecture


class Shown:
    """Progress of the search on stderr, a line for each child."""

    def __init__(self) -> None:
        self._done = -1

    def update(self, snapshot: Snapshot) -> None:
        if snapshot.done != self._done:
            self._done = snapshot.done
            best = None if snapshot.best is None else snapshot.best.metrics.get("accuracy")
            tell(f"search: {snapshot.done}/{snapshot.maximum} children, best validation {best}")

    def say(self, text: str) -> None:
        tell(text)


def tell(text: str) -> None:
    print(f"real_images: {text}", file=sys.stderr, flush=True)


def read_search(manifest: Path, data: Path, children: int | None) -> ArchitectureSearch:
    """The manifest with the folder of the data (relative to the working directory) and another number of children."""
    document = load(manifest).model_dump(mode="json", exclude_unset=True)
    task = document["spec"]["trial"]["task"]["imageClassification"]
    task["dataset"]["cifar10"]["folder"] = str(data)
    if children is not None:
        document["spec"]["trials"]["max"] = children
    return ArchitectureSearch.model_validate_json(json.dumps(document))


def subjects(search: ArchitectureSearch, record: SearchRecord, drawn: int) -> list[Subject]:
    """The best child by validation, children drawn uniformly from the space, and the human baseline."""
    best = next(iter(top(record.trials, 1, record.manifest.spec.objective)), None)
    human = human_baseline(search)
    if best is None or human is None:
        raise SystemExit("no child of the search has succeeded" if best is None else "there is no human baseline")
    space = spaces.build(search.spec.search_space)
    draws = random.Random(DRAWS)
    stage = space.stage(best.index)
    found = [Subject("best", "best", best.architecture), Subject("human", "human", human)]
    while len(found) < drawn + 2:
        genotype = space.sample(draws.randrange, stage)
        if space.problem(genotype, stage) is None:
            found.append(Subject(f"random-{len(found) - 2}", "random", space.decode(genotype)))
    return found


class Trainer:
    """Trains networks outside of a search, as children of one warm process."""

    def __init__(self, search: ArchitectureSearch, folder: Path) -> None:
        self._search = search
        self._folder = folder
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._changed = asyncio.Condition()
        self._runner: Runner = WarmRunner(folder / "warm.log")

    async def train_all(self, jobs: Sequence[tuple[Subject, int]]) -> list[dict[str, float]]:
        """The metrics of each job, a network and a seed."""
        await self._runner.open(lambda: asyncio.ensure_future(self._notify()))
        try:
            return list(await asyncio.gather(*(self._train(subject, seed) for subject, seed in jobs)))
        finally:
            await self._runner.close()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _train(self, subject: Subject, seed: int) -> dict[str, float]:
        name = f"{subject.name}-{seed}"
        files = Attempt(self._folder / name)
        async with self._slots:
            ended = self._runner.status(name, files)
            if ended is None:
                files.folder.mkdir(parents=True, exist_ok=True)
                await self._runner.start(self._request(subject, seed, name, files))
                async with self._changed:
                    await self._changed.wait_for(lambda: isinstance(self._runner.status(name, files), Ended | None))
                ended = self._runner.status(name, files)
        report = parse_report(ended.report) if isinstance(ended, Ended) else None
        if not isinstance(report, Report) or report.error is not None:
            raise SystemExit(f"{name} gave no result: {ended}; see {files.log}")
        metrics = dict(report.metrics)
        tell(f"{name}: test accuracy {metrics['testAccuracy']:.4f}, {metrics['trainingSeconds']:.1f} s")
        return metrics

    def _request(self, subject: Subject, seed: int, name: str, files: Attempt) -> StartChild:
        given = TrialInput(
            search=self._search.metadata.name,
            trial=name,
            index=seed,
            architecture=subject.architecture,
            task=self._search.spec.trial.task.model_dump(mode="json", exclude_none=True),
            seed=FIRST_SEED + seed,
            attempt=1,
            threads=self._search.spec.trial.threads or 1,
        )
        return StartChild(
            id=name,
            input=given,
            report_file=str(files.report),
            exit_file=str(files.exit),
            log=str(files.log),
            folder=str(Path.cwd()),
        )


def difference(one: Sequence[float], other: Sequence[float]) -> dict[str, float]:
    """Mean of ``one`` minus mean of ``other`` with its 95 % interval by Welch (unequal variances)."""
    interval = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    return {
        "mean": statistics.fmean(one) - statistics.fmean(other),
        "low": float(interval.low),
        "high": float(interval.high),
    }


def summarise(trained: list[tuple[Subject, dict[str, float]]]) -> dict[str, Any]:
    """The networks with their accuracies, and the differences."""
    networks: dict[str, dict[str, Any]] = {}
    for subject, metrics in trained:
        entry = networks.setdefault(subject.name, {"kind": subject.kind, "architecture": subject.architecture})
        for name in ("testAccuracy", "accuracy", "trainingSeconds"):
            entry.setdefault(name, []).append(metrics[name])
        entry.update({name: metrics[name] for name in ("parameters", "multiplyAdds")})
    means = {name: statistics.fmean(entry["testAccuracy"]) for name, entry in networks.items()}
    best, human = networks["best"]["testAccuracy"], networks["human"]["testAccuracy"]
    drawn = [means[name] for name, entry in networks.items() if entry["kind"] == "random"]
    return {
        "testAccuracy": {"best": means["best"], "randomMean": statistics.fmean(drawn), "human": means["human"]},
        "bestMinusRandom": {
            **difference(best, drawn),
            "how": f"95 % by Welch: {len(best)} seeds of the best child against the means of {len(drawn)} random ones",
        },
        "bestMinusHuman": {
            **difference(best, human),
            "how": f"95 % by Welch: {len(best)} seeds against {len(human)} seeds",
        },
        "networks": networks,
    }


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    """The whole measurement."""
    began = time.monotonic()
    search = read_search(options.manifest, options.data, options.children)
    record = await run_search(search, options.out / "search", progress=Shown())
    if record.outcome is None:
        raise SystemExit("the search has not ended; the same command goes on")
    best = next(iter(top(record.trials, 1, record.manifest.spec.objective)), None)
    assert best is not None
    chosen = subjects(search, record, options.random)
    jobs = [(subject, seed) for seed in range(options.seeds) for subject in chosen]
    metrics = await Trainer(search, options.out / "again").train_all(jobs)
    return {
        "search": {
            "children": len(record.trials),
            "duplicates": sum(trial.duplicate_of is not None for trial in record.trials),
            "failed": sum(trial.reward is None for trial in record.trials),
            "seconds": round(record.active_seconds, 1),
            "bestChild": best.index,
            "bestValidation": best.reward,
            "bestTest": best.metrics.get("testAccuracy"),
        },
        **summarise(list(zip([subject for subject, _ in jobs], metrics, strict=True))),
        "secondsOfThisRun": round(time.monotonic() - began, 1),
        "machine": {"cores": cores(), "childrenAtOnce": AT_ONCE, "torch": record.versions.get("torch")},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with data_batch_*.bin and test_batch.bin")
    parser.add_argument("--out", type=Path, default=Path("runs/cifar-excerpt"), help="folder of search and trainings")
    parser.add_argument("--manifest", type=Path, default=MANIFEST)
    parser.add_argument("--children", type=int, help="in place of the manifest's number")
    parser.add_argument("--random", type=int, default=10, help="children drawn from the space (at least 2)")
    parser.add_argument("--seeds", type=int, default=5, help="trainings anew of each network (at least 2)")
    options = parser.parse_args()
    if options.random < 2 or options.seeds < 2:
        parser.error("--random and --seeds must be at least 2: an interval needs them")
    results = json.dumps(asyncio.run(measure(options)), indent=2)
    (options.out / "results.json").write_text(results + "\n")
    print(results)


if __name__ == "__main__":
    main()

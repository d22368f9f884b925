"""A fast loop over strategies: no engine, no service, no files of a search; what ranking and tuning run on.

    python tests/bench/offline.py --problem table:TABLE.csv additive-0 --strategy random default --seeds 1000:1020
    python tests/bench/offline.py --problem pairwise-1 --strategy 'modelBased{"initial": 20}' tpe --in-flight 8 --jobs 2

One search draws child i when exactly the rewards of children 0 .. i - M have been taught (``--in-flight M``), as the
engine does with ``trials.reproducible`` and parallelism M, and repeats of a network that has been taught take its
result over as ``trials.duplicates: Reuse`` has it. Every child asked for counts. Results are JSON lines, one for each
search; with ``--out FILE`` they are kept, and those that the file has are not run again: seeds pair between strategies.
Seeds from 1000 to 1999 are for development; reported figures use others.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy: searches are run side by side, not threads of one

from making import Problem
from peers import PEERS
from synthetic import problem_of

from archsearch.api import Strategy
from archsearch.bench.strategies import parse_strategies
from archsearch.controller.strategies import make
from archsearch.controller.strategy import Sampled, generator
from archsearch.controller_contract import Observation
from archsearch.space.base import Genotype, Space

MARKS = (25, 50, 100, 200, 300)


class Searcher(Protocol):
    """What a search needs of a strategy or of a peer."""

    def propose(self, index: int) -> Sampled: ...

    def adopt(self, index: int, genotype: Genotype) -> None: ...

    def observe(self, observation: Observation) -> None: ...


Maker = Callable[[Space, int], Searcher]


@dataclass(frozen=True)
class Child:
    """One child asked for."""

    genotype: Genotype
    true: float | None
    """Its reward without noise; None: it fails."""
    seen: float | None
    """What its training gave."""
    duplicate_of: int | None
    """The first child of the same network."""


@dataclass(frozen=True)
class Job:
    """One search to run; ``strategy`` as :func:`maker` reads it."""

    problem: str
    strategy: str
    seed: int
    children: int
    in_flight: int

    @property
    def key(self) -> tuple[str, str, int, int]:
        """Under which a result is kept."""
        return self.problem, self.strategy, self.in_flight, self.seed


def maker(name: str) -> Maker:
    """``random``, ``reinforce:Paper``, ``default``, ``modelBased{JSON of its settings}``, or a peer's name.

    What follows an ``@`` is a mark of the caller's own: it tells results of different code apart.
    """
    text = name.partition("@")[0]
    if text in PEERS:
        return PEERS[text]
    kind, brace, rest = text.partition("{")
    if brace:
        spec = Strategy.model_validate_json(json.dumps({kind: json.loads(brace + rest)}))
    else:
        (spec,) = parse_strategies(text).values()
    return lambda space, seed: make(spec, space, seed)


def search(problem: Problem, make_searcher: Maker, seed: int, children: int, in_flight: int = 1) -> list[Child]:
    """The children of one search, by index."""
    searcher = make_searcher(problem.space, seed)
    found: list[Child] = []
    first: dict[Genotype, int] = {}
    for index in range(children):
        told = index - in_flight
        if told >= 0:
            child = found[told]
            reward = problem.failure if child.seen is None else child.seen
            searcher.observe(Observation(number=told, index=told, genotype=child.genotype, reward=reward))
        genotype = searcher.propose(index).genotype
        searcher.adopt(index, genotype)
        root = first.setdefault(problem.space.canonical(genotype), index)
        found.append(_measured(problem, found, genotype, index, seed, root, told))
    return found


def _measured(
    problem: Problem, found: Sequence[Child], genotype: Genotype, index: int, seed: int, root: int, told: int
) -> Child:
    # As the engine: only a result that has been taught is taken over, a twin in flight is trained beside it.
    if root <= told:
        return Child(genotype, found[root].true, found[root].seen, root)
    true = problem.reward(genotype)
    noise = float(generator(seed, "noise", index).standard_normal()) * problem.noise if problem.noise else 0.0
    return Child(genotype, true, None if true is None else true + noise, None if root == index else root)


def steps(best: float, found: Sequence[Child]) -> list[tuple[int, float]]:
    """(children asked for, regret from there on): of the child that looks best, told without its noise."""
    line: list[tuple[int, float]] = []
    most: float | None = None
    for count, child in enumerate(found, start=1):
        if child.seen is None or child.true is None or (most is not None and child.seen <= most):
            continue
        most = child.seen
        line.append((count, max(0.0, best - child.true)))
    return line


def at(line: Iterable[Sequence[float]], children: int) -> float | None:
    """The regret after ``children`` were asked for; None while none had been measured."""
    regret = None
    for count, value in line:
        if count > children:
            break
        regret = float(value)
    return regret


def run(job: Job) -> dict[str, Any]:
    """One search, as it is kept."""
    problem = _problem(job.problem)
    began = time.perf_counter()
    found = search(problem, maker(job.strategy), job.seed, job.children, job.in_flight)
    taken = time.perf_counter() - began
    silent = [Child(child.genotype, child.true, child.true, child.duplicate_of) for child in found]
    return {
        "problem": job.problem,
        "strategy": job.strategy,
        "in_flight": job.in_flight,
        "seed": job.seed,
        "children": job.children,
        "regret": [(count, round(value, 9)) for count, value in steps(problem.best, found)],
        # What could be had with a perfect choice among the children: differs from the above only under noise.
        "least": [(count, round(value, 9)) for count, value in steps(problem.best, silent)] if problem.noise else None,
        "duplicates": sum(child.duplicate_of is not None for child in found),
        "failed": sum(child.true is None for child in found),
        "ms_per_child": round(1000 * taken / job.children, 3),
    }


_problem = cache(problem_of)


def measure(jobs: Sequence[Job], out: Path | None, workers: int) -> Iterator[dict[str, Any]]:
    """Results of all jobs: those that ``out`` has first, then the others as they end."""
    found = kept(jobs, out)
    yield from found
    have = {_key(line) for line in found}
    for line in _run_all([job for job in jobs if job.key not in have], workers):
        if out is not None:
            with out.open("a") as file:
                file.write(json.dumps(line) + "\n")
        yield line


def kept(jobs: Sequence[Job], out: Path | None) -> list[dict[str, Any]]:
    """Results of the jobs that ``out`` has, in the order of the jobs; a search of more children serves as well."""
    have = {(_key(line), line["children"]): line for line in _read(out)}
    longest = {key: line for (key, _), line in sorted(have.items(), key=lambda item: item[0][1])}
    return [line for job in jobs if (line := longest.get(job.key)) is not None and line["children"] >= job.children]


def _run_all(due: Sequence[Job], workers: int) -> Iterator[dict[str, Any]]:
    if workers == 1:
        yield from map(run, due)
        return
    with ProcessPoolExecutor(workers) as pool:
        for future in as_completed([pool.submit(run, job) for job in due]):
            yield future.result()


def _key(line: dict[str, Any]) -> tuple[str, str, int, int]:
    return line["problem"], line["strategy"], line["in_flight"], line["seed"]


def _read(out: Path | None) -> list[dict[str, Any]]:
    if out is None or not out.exists():
        return []
    return [json.loads(text) for text in out.read_text().splitlines() if text.strip()]


def seeds(text: str) -> range:
    """``1000:1020`` is 1000 to 1019."""
    first, _, end = text.partition(":")
    return range(int(first), int(end)) if end else range(int(first), int(first) + 1)


def labelled(given: argparse.Namespace) -> list[str]:
    """The strategies asked for, with the label where there is one."""
    return [f"{name}@{given.label}" if given.label else name for name in given.strategy]


def arguments(about: str) -> argparse.ArgumentParser:
    """The flags of every script that runs searches."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategy", nargs="+", default=["default"])
    parser.add_argument("--seeds", type=seeds, default=range(1000, 1020), metavar="FIRST:END")
    parser.add_argument("--children", type=int, default=300)
    parser.add_argument("--in-flight", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--label", help="the same as @LABEL behind each strategy")
    parser.add_argument("--out", type=Path, help="JSON lines to keep, and to go on with")
    return parser


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--problem", nargs="+", required=True, help="table:CSV, or FAMILY-NUMBER of synthetic.py")
    given = parser.parse_args()
    jobs = [
        Job(problem, strategy, seed, given.children, given.in_flight)
        for problem in given.problem
        for seed in given.seeds
        for strategy in labelled(given)
    ]
    lines = list(measure(jobs, given.out, given.jobs))
    for problem in given.problem:
        for strategy in labelled(given):
            own = [line for line in lines if (line["problem"], line["strategy"]) == (problem, strategy)]
            print(problem, strategy, _told(own, given.children), flush=True)


def _told(lines: Sequence[dict[str, Any]], children: int) -> str:
    parts = [f"{len(lines)} seeds, regret"]
    for mark in [mark for mark in MARKS if mark < children] + [children]:
        known = [value for line in lines if (value := at(line["regret"], mark)) is not None]
        if known:
            mean = sum(known) / len(known)
            spread = sum((value - mean) ** 2 for value in known) / max(1, len(known) - 1)
            parts.append(f"@{mark}={mean:.3f}±{(spread / len(known)) ** 0.5:.3f}")
    parts.append(f"duplicates={sum(line['duplicates'] for line in lines) / len(lines):.0f}")
    parts.append(f"{sum(line['ms_per_child'] for line in lines) / len(lines):.1f} ms a child")
    return " ".join(parts)


if __name__ == "__main__":
    main()

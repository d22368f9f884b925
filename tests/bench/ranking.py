"""Rank strategies over families of problems: tables of measured networks and synthetic ones of known optimum.

    python tests/bench/ranking.py --strategy default localSearch regularizedEvolution tpe random --seeds 1000:1010 \\
        --instances 0:4 --jobs 2 --out ranking.jsonl --markdown ranking.md
    python tests/bench/ranking.py --family failing bag --table TABLE.csv --strategy default tpe

Regret is divided by what 25 uniform draws leave of it on average: 1 is as good as 25 random children, 0 the optimum.
The first strategy is compared with each other one on the same seeds; intervals are 95 %, percentile bootstrap, seeds
resampled within each problem (the problems stay as they are). Where nothing has been measured yet (all children
failed), the regret is that of the worst network seen among the uniform draws.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from offline import MARKS, Job, arguments, at, kept, labelled, measure, seeds
from synthetic import FAMILIES, problem_of

from archsearch.controller.strategy import generator

Array = NDArray[np.float64]
_DRAWS, _RESAMPLES, _UNIT = 4000, 2000, 25


def scale_of(best: float, rewards: Sequence[float | None]) -> tuple[float, float]:
    """From rewards of uniform draws: the mean regret of 25 of them, and the regret of the worst."""
    measured = [reward for reward in rewards if reward is not None]
    worst = min(measured)
    values = np.array([worst if reward is None else reward for reward in rewards])
    picks = generator(0, "scale").integers(0, len(values), (_RESAMPLES, _UNIT))
    return max(float(best - values[picks].max(axis=1).mean()), 1e-12), max(best - worst, 1e-12)


@cache
def scale(problem: str) -> tuple[float, float]:
    """:func:`scale_of` a problem by its name."""
    found = problem_of(problem)
    draws = generator(0, "uniform")
    stage = found.space.stage(0)
    sample = [found.space.sample(lambda options: int(draws.integers(options)), stage) for _ in range(_DRAWS)]
    return scale_of(found.best, [found.reward(genotype) for genotype in sample])


def curves(
    lines: Sequence[Mapping[str, Any]], problem: str, strategies: Sequence[str], marks: Sequence[int], field: str
) -> Array:
    """Normalised regret by strategy, seed and mark; only seeds that every strategy has."""
    unit, worst = scale(problem)
    known = {(line["strategy"], line["seed"]): line for line in lines if line["problem"] == problem}
    common = sorted({seed for _, seed in known if all((name, seed) in known for name in strategies)})

    def regret(strategy: str, seed: int, mark: int) -> float:
        line = known[strategy, seed]
        value = at(line[field] if line[field] is not None else line["regret"], mark)
        return (worst if value is None else value) / unit

    values = [[[regret(name, seed, mark) for mark in marks] for seed in common] for name in strategies]
    return np.array(values, dtype=float).reshape(len(strategies), len(common), len(marks))


def ranks(values: Array) -> Array:
    """Ranks along the first axis, from 1; equals share the mean of theirs."""
    below = (values[None] < values[:, None]).sum(axis=1)
    equal = (values[None] == values[:, None]).sum(axis=1)
    return np.asarray(below + (equal + 1) / 2)


def difference(one: Sequence[Array], other: Sequence[Array]) -> tuple[float, float, float]:
    """Mean of ``one - other`` over problems (arrays of paired seeds) with its bootstrap interval."""
    pairs = [a - b for a, b in zip(one, other, strict=True) if len(a)]
    draws = generator(0, "bootstrap")
    means = np.stack([pair[draws.integers(0, len(pair), (_RESAMPLES, len(pair)))].mean(axis=1) for pair in pairs])
    low, high = np.percentile(means.mean(axis=0), [2.5, 97.5])
    return float(np.mean([pair.mean() for pair in pairs])), float(low), float(high)


def section(title: str, problems: Sequence[Array], strategies: Sequence[str], marks: Sequence[int]) -> list[str]:
    """A Markdown table: regrets, the mean rank over all marks, and the first strategy minus each."""
    problems = [values for values in problems if values.shape[1]]
    if not problems:
        return [f"### {title}", "", "no seeds that all strategies have", ""]
    means = np.mean([values.mean(axis=1) for values in problems], axis=0)
    rank = np.mean([ranks(values).mean(axis=(1, 2)) for values in problems], axis=0)
    counted = f"{len(problems)} problems, {sum(values.shape[1] for values in problems)} searches each"
    heads = [f"@{mark}" for mark in marks]
    lines = [f"### {title} ({counted})", "", "| strategy | " + " | ".join([*heads, "rank"]) + " |"]
    lines.append("|---|" + "---:|" * (len(marks) + 1))
    for row, name in enumerate(strategies):
        cells = [f"{value:.3f}" for value in means[row]] + [f"{rank[row]:.2f}"]
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    for row, name in enumerate(strategies[1:], start=1):
        cells = []
        for column in range(len(marks)):
            mean, low, high = difference(
                [values[0, :, column] for values in problems], [values[row, :, column] for values in problems]
            )
            mark = "**" if high < 0 or low > 0 else ""
            lone = any(values.shape[1] == 1 for values in problems)  # one seed says nothing of how seeds differ
            cells.append(f"{mean:+.3f}" if lone else f"{mark}{mean:+.3f}{mark} ({low:+.3f} to {high:+.3f})")
        lines.append(f"| `{strategies[0]}` minus `{name}` | " + " | ".join([*cells, ""]) + " |")
    return [*lines, ""]


def report(
    lines: Sequence[Mapping[str, Any]],
    groups: Mapping[str, Sequence[str]],
    strategies: Sequence[str],
    marks: Sequence[int],
) -> str:
    """Every family, all together, and where rewards are noisy also the best that was among the children."""
    out: list[str] = []
    every: list[Array] = []
    for family, problems in groups.items():
        found = [curves(lines, problem, strategies, marks, "regret") for problem in problems]
        every.extend(found)
        out += section(family, found, strategies, marks)
        if any(line["least"] is not None for line in lines if line["problem"] in problems):
            least = [curves(lines, problem, strategies, marks, "least") for problem in problems]
            out += section(f"{family}: best by its reward without noise", least, strategies, marks)
    return "\n".join([*section("all", every, strategies, marks), *out])


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--family", nargs="+", default=list(FAMILIES), choices=list(FAMILIES))
    parser.add_argument("--instances", type=seeds, default=range(4), metavar="FIRST:END")
    parser.add_argument("--table", nargs="*", default=[], metavar="CSV", help="tables of measured networks as well")
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--kept", action="store_true", help="run nothing: report what --out has of all this")
    given = parser.parse_args()
    groups = {Path(table).stem: [f"table:{table}"] for table in given.table}
    groups |= {family: [f"{family}-{number}" for number in given.instances] for family in given.family}
    jobs = [
        Job(problem, strategy, seed, given.children, given.in_flight)
        for seed in given.seeds
        for problems in groups.values()
        for problem in problems
        for strategy in labelled(given)
    ]
    lines = kept(jobs, given.out) if given.kept else list(measure(jobs, given.out, given.jobs))
    marks = [mark for mark in MARKS if mark < given.children] + [given.children]
    text = report(lines, groups, labelled(given), marks)
    if given.markdown is not None:
        given.markdown.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()

"""Long searches on cells: do ``reinforce`` and ``ppo`` climb for 2,000 children, and does nothing collapse?

    python tests/bench/long_run.py --seeds 20 --out /tmp/long.jsonl
    python tests/bench/long_run.py --seeds 20 --out /tmp/long.jsonl '{"ppo": {"steps": 2}}'

The space is ``cell`` of 5 blocks with all operations (40 decisions, 5 x 10^36 genotypes); the reward is made up, of
known optimum 1 (:class:`Reward`). Children are drawn a batch at a time, told in their order. Each search is a line of
``--out``; one that the file has is not run again. The table then gives, for each strategy, the mean over seeds with the
worst seed in brackets, and what a search must keep (:data:`BOUNDS`); exit status 1: some search broke one.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from archsearch.api import SearchSpace, Strategy
from archsearch.api.cells import CellOperation
from archsearch.controller.strategies import make
from archsearch.controller.strategies.recurrent import Recurrent
from archsearch.controller_contract import Observation
from archsearch.space import build
from archsearch.space.base import Architecture, Genotype, Space

MARK = 100
"""Children between two points of a curve."""
TAIL = 500
"""Children at the end that are looked at for collapse."""
DEFAULT = (
    '{"random": {}}',
    '{"reinforce": {"learningRate": 0.005, "entropyWeight": 0.03}}',
    '{"reinforce": {"preset": "Paper"}}',
    '{"ppo": {}}',
)
"""The settings of reinforce are its line for thousands of children: see docs/strategies/reinforce.md."""
BOUNDS = {
    "top25": (0.10, "mean of the best 25 children above that of random with the same seed, at least"),
    "dip": (0.05, "largest fall of the mean reward of 500 children below an earlier such mean, at most"),
    "rise": (0.10, "largest rise of the entropy of 500 children (nats per decision) over the 500 before, at most"),
    "drop": (0.60, "largest fall of the entropy of 100 children below that of the 100 before (nats), at most"),
    "distinct": (0.25, "distinct networks among the last 500 children, at least"),
    "entropy": (0.10, "entropy of the last 500 children (nats per decision), at least"),
}


class Reward:
    """A number in [0, 1] of a network of cells that depends on nothing but the network: never on how it is numbered.

    For each cell, 0.7 times the mean over blocks of ``worth[deep][pair, combination]`` (``pair``: its two operations,
    unordered; ``deep``: whether it reads another block, so that what is good depends on the wiring), plus 0.2 times
    how close its depth is to 3 blocks, plus 0.1 times how close the number of blocks that make its output is to 2; the
    reward is the mean of both cells. A worth is the mean of what either operation is worth alone (uniform in [0, 1])
    plus half of what the two and their combination are worth together (likewise), each table scaled to [0, 1]. So the
    optimum is exactly 1, for cells of depth 3 with 2 outputs whose blocks all have the best of their table.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        draws = np.random.default_rng(20)
        names = [operation.value for operation in CellOperation]
        pairs = list(combinations_with_replacement(sorted(names), 2))
        self._worth: dict[tuple[str, bool], dict[tuple[str, ...], float]] = {}
        for cell in ("normal", "reduction"):
            for deep in (False, True):
                alone = dict(zip(names, draws.uniform(size=len(names)), strict=True))
                raw = {
                    (*pair, how): (alone[pair[0]] + alone[pair[1]]) / 2 + draws.uniform() / 2
                    for pair in pairs
                    for how in ("add", "concat")
                }
                least, most = min(raw.values()), max(raw.values())
                self._worth[cell, deep] = {key: (value - least) / (most - least) for key, value in raw.items()}

    def __call__(self, canonical: Genotype) -> float:
        architecture = self._space.decode(canonical)
        return (self._cell("normal", architecture["normal"]) + self._cell("reduction", architecture["reduction"])) / 2

    def _cell(self, name: str, cell: Any) -> float:
        depth: list[int] = []
        worth = 0.0
        for block in cell["blocks"]:
            depth.append(1 + max((depth[state - 2] for state in block["inputs"] if state > 1), default=0))
            key = (*sorted(block["operations"]), block["combine"])
            worth += self._worth[name, depth[-1] > 1][key]
        near = 1 - abs(max(depth) - 3) / 4
        width = 1 - abs(len(cell["concat"]) - 2) / 4
        return float(0.7 * worth / len(depth) + 0.2 * near + 0.1 * width)

    def optimum(self) -> Architecture:
        """A network of reward 1."""
        wiring = [[0, 1], [0, 0], [2, 3], [4, 1], [4, 0]]
        cells = {}
        for name in ("normal", "reduction"):
            blocks = []
            for inputs in wiring:
                worth = self._worth[name, max(inputs) > 1]
                *operations, combine = max(worth, key=worth.__getitem__)
                blocks.append({"inputs": inputs, "operations": operations, "combine": combine})
            cells[name] = {"blocks": blocks, "concat": [5, 6]}
        return {"kind": "cell", **cells}


def search(text: str, seed: int, children: int) -> dict[str, Any]:
    """Curves and end of one search."""
    space = build(SearchSpace.model_validate({"cell": {}}))
    reward = Reward(space)
    strategy = Strategy.model_validate_json(text)
    policy = make(strategy, space, seed)
    found: list[Genotype] = []
    networks: list[Genotype] = []
    rewards: list[float] = []
    entropies: list[float] = []
    batch = getattr(strategy.resolved().chosen, "batch_size", None) or 20
    while len(found) < children:
        ahead = range(len(found), min(children, len(found) + batch))
        drawn = policy.draw(ahead) if isinstance(policy, Recurrent) else [policy.propose(index) for index in ahead]
        for index, child in zip(ahead, drawn, strict=True):
            policy.adopt(index, child.genotype)
            found.append(child.genotype)
            entropies.append(child.entropy)
            networks.append(space.canonical(child.genotype))
            rewards.append(reward(networks[index]))
        for index in ahead:
            told = Observation(number=index, index=index, genotype=found[index], reward=rewards[index])
            policy.observe(told)
    distinct = dict(zip(networks, rewards, strict=True))
    return {
        "strategy": text,
        "seed": seed,
        "children": children,
        "reward": _marks(rewards),
        "entropy": _marks(entropies),
        "best": max(rewards),
        "top25": float(np.mean(sorted(distinct.values())[-25:])),
        "distinct": len(set(networks[-TAIL:])) / min(TAIL, children),
    }


def _marks(values: Sequence[float]) -> list[float]:
    return [round(float(np.mean(values[at : at + MARK])), 4) for at in range(0, len(values), MARK)]


def measures(row: dict[str, Any], yardstick: float) -> dict[str, float]:
    """What is held against :data:`BOUNDS`; ``yardstick``: top 25 of random."""
    smooth = np.convolve(row["reward"], np.ones(TAIL // MARK) / (TAIL // MARK), mode="valid")
    entropy = np.array(row["entropy"])
    even = entropy[: len(entropy) // (TAIL // MARK) * (TAIL // MARK)].reshape(-1, TAIL // MARK).mean(axis=1)
    return {
        "top25": row["top25"] - yardstick,
        "dip": float((np.maximum.accumulate(smooth) - smooth).max()),
        "rise": float(np.diff(even).max(initial=0.0)),
        "drop": float(-np.diff(entropy).min(initial=0.0)),
        "distinct": row["distinct"],
        "entropy": float(entropy[-TAIL // MARK :].mean()),
    }


def report(rows: list[dict[str, Any]]) -> int:
    """Print a table; how many bounds were broken."""
    random = {row["seed"]: row["top25"] for row in rows if row["strategy"] == DEFAULT[0]}
    broken = 0
    for text in dict.fromkeys(row["strategy"] for row in rows):
        mine = [row for row in rows if row["strategy"] == text]
        print(f"\n{text}, {len(mine)} seeds: best {_spread([row['best'] for row in mine], min)},", end=" ")
        print(f"top 25 {_spread([row['top25'] for row in mine], min)}")
        for curve in ("reward", "entropy"):
            print(f"  {curve:8}", *(f"{value:.2f}" for value in np.mean([row[curve] for row in mine], axis=0)[::2]))
        if text == DEFAULT[0]:
            continue
        held = [measures(row, random[row["seed"]]) for row in mine if row["seed"] in random]
        for name, (bound, meaning) in BOUNDS.items():
            values = [measure[name] for measure in held]
            least = meaning.endswith("at least")
            bad = sum(value < bound if least else value > bound for value in values)
            broken += bad
            worst = _spread(values, min if least else max)
            print(f"  {name:8} {worst}  bound {bound}: {f'BROKEN by {bad}' if bad else 'kept'} ({meaning})")
    return broken


def _spread(values: Sequence[float], worst: Any) -> str:
    return f"{np.mean(values):.3f} ({worst(values):.3f})"


def _read(path: Path | None) -> Iterator[dict[str, Any]]:
    if path is not None and path.exists():
        yield from map(json.loads, path.read_text().splitlines())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--children", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=2000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, help="file of JSON lines that is gone on with")
    parser.add_argument("strategies", nargs="*", default=list(DEFAULT), help="JSON of spec.strategy")
    options = parser.parse_args()
    space = build(SearchSpace.model_validate({"cell": {}}))
    reward = Reward(space)
    assert abs(reward(space.canonical(space.encode(reward.optimum()))) - 1) < 1e-12, (
        "the optimum is not what it is said to be"
    )
    rows = list(_read(options.out))
    done = {(row["strategy"], row["seed"], row["children"]) for row in rows}
    texts = list(dict.fromkeys((DEFAULT[0], *options.strategies)))
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    due = [(text, seed, options.children) for seed in seeds for text in texts]
    with ProcessPoolExecutor(options.jobs) as pool:
        for future in as_completed([pool.submit(search, *task) for task in due if task not in done]):
            rows.append(future.result())
            if options.out is not None:
                with options.out.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    asked = [row for row in rows if (row["strategy"], row["seed"], row["children"]) in due]
    return 1 if report(asked) else 0


if __name__ == "__main__":
    sys.exit(main())

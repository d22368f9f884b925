"""Try settings of strategies on a table of measured networks; the tables in docs/strategies/ come from here.

    python tests/bench/tune_policy.py --table TABLE.csv '{"random": {}}' '{"reinforce": {"batchSize": 1}}'

Seeds start at 1000: reported figures use seeds from 0, and nothing was chosen by looking at those. One line per
settings: mean and standard error over seeds of the validation regret after some numbers of children, how many of the
children had been asked for before, and how much the mean reward of the last sixth exceeds that of the first.
``--delay D``: D children are in flight (child i is drawn when i - D rewards have been told).
``--table convolutional``: 3-layer convolutional networks with skips, under a reward made up for the purpose.
"""

import argparse
import csv
import math
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

import numpy as np

from archsearch.api import Choice, ConvolutionalSpace, Depth, SearchSpace, Strategy
from archsearch.controller.strategies import make
from archsearch.controller.strategies.recurrent import Recurrent
from archsearch.controller.strategy import Sampled
from archsearch.controller.strategy import Strategy as Policy
from archsearch.controller_contract import Observation
from archsearch.space import build
from archsearch.space.base import Genotype, Space

MARKS = (50, 100, 150, 200, 300)
Reward = Callable[[Genotype], float]


def table(path: str) -> tuple[Space, Reward, float]:
    """Space, reward and best reward of a CSV whose first column spells the decisions."""
    with Path(path).open() as file:
        rows = {row["cell"]: float(row["val_accuracy"]) for row in csv.DictReader(file)}
    length = len(next(iter(rows)))
    options = [sorted({cell[place] for cell in rows}) for place in range(length)]
    choices = tuple(Choice(name=f"e{place + 1}", values=tuple(values)) for place, values in enumerate(options))

    def reward(genotype: Genotype) -> float:
        return rows["".join(values[token] for values, token in zip(options, genotype, strict=True))]

    return build(SearchSpace(choices=choices)), reward, max(rows.values())


def convolutional() -> tuple[Space, Reward, float]:
    """3 layers, 3 filter sizes, 3 widths, skips; a made-up accuracy in (0, 1) with interactions and a penalty."""
    settings = ConvolutionalSpace(
        depth=Depth(initial=3), filter_heights=(1, 3, 5), filter_widths=(1, 3, 5), filters=(8, 16, 32)
    )
    space = build(SearchSpace(convolutional=settings))
    stage = space.stage(0)
    count = space.size(stage)
    legal = []
    prefix: tuple[int, ...] = ()
    while (decision := space.next(prefix, stage)) is not None:
        legal.append(decision.legal)
        prefix += (decision.legal[0],)
    draws = np.random.default_rng(7)
    alone = [draws.normal(size=len(tokens)) for tokens in legal]
    pairs = {(a, a + 1): draws.normal(size=(len(legal[a]), len(legal[a + 1]))) for a in range(len(legal) - 1)}

    def reward(genotype: Genotype) -> float:
        score = sum(float(alone[place][token]) for place, token in enumerate(genotype))
        score += sum(float(effect[genotype[a], genotype[b]]) for (a, b), effect in pairs.items())
        return 1 / (1 + math.exp(-score / 4))

    best = max(map(reward, product(*legal)))
    assert math.prod(map(len, legal)) == count
    return space, reward, best


def search(space: Space, reward: Reward, strategy: Strategy, seed: int, children: int, delay: int) -> list[Genotype]:
    """The children of one search, in order."""
    policy = make(strategy, space, seed)
    found: list[Genotype] = []
    drawn: list[Genotype] = []
    for index in range(children + delay):
        if index < children:
            if not drawn:
                # A policy moves when a batch is full: where none is in flight, a batch comes from one policy.
                ahead = range(index, min(children, index + batch(strategy))) if delay == 0 else [index]
                drawn = [child.genotype for child in draw(policy, ahead)]
            found.append(drawn.pop(0))
            policy.adopt(index, found[index])
        told = index - delay
        if told >= 0:
            policy.observe(Observation(number=told, index=told, genotype=found[told], reward=reward(found[told])))
    return found


def batch(strategy: Strategy) -> int:
    """Children between two moves of the policy; 1 where the strategy has none."""
    return getattr(strategy.resolved().chosen, "batch_size", None) or 1


def draw(policy: Policy, indices: Sequence[int]) -> list[Sampled]:
    """Children as the policy stands."""
    if isinstance(policy, Recurrent):
        return policy.draw(indices)
    return [policy.propose(index) for index in indices]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", required=True)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=1000)
    parser.add_argument("--children", type=int, default=300)
    parser.add_argument("--delay", type=int, default=0)
    parser.add_argument("settings", nargs="+", help="JSON of spec.strategy")
    options = parser.parse_args()
    space, reward, best = convolutional() if options.table == "convolutional" else table(options.table)
    for text in options.settings:
        strategy = Strategy.model_validate_json(text)
        regrets, gains, repeats = [], [], []
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            found = search(space, reward, strategy, seed, options.children, options.delay)
            rewards = np.array([reward(child) for child in found])
            regrets.append([best - rewards[:mark].max() for mark in MARKS if mark <= len(rewards)])
            sixth = len(rewards) // 6
            gains.append(rewards[-sixth:].mean() - rewards[:sixth].mean())
            repeats.append(len(found) - len(set(found)))
        mean, error = np.mean(regrets, axis=0), np.std(regrets, axis=0, ddof=1) / math.sqrt(len(regrets))
        print(
            text,
            "regret",
            " ".join(f"@{mark}={m:.3f}±{e:.3f}" for mark, m, e in zip(MARKS, mean, error, strict=False)),
            f"max={np.max([row[-1] for row in regrets]):.2f}",
            f"gain={np.mean(gains):.3f}±{np.std(gains, ddof=1) / math.sqrt(len(gains)):.3f}",
            f"repeats={np.mean(repeats):.0f} (most {max(repeats)})",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""Problems on real spaces of cells: rewards that depend on the network alone, never on how a genotype numbers it."""

from collections.abc import Sequence
from itertools import combinations_with_replacement, product

import numpy as np

from archsearch.api import SearchSpace
from archsearch.api.cells import CellOperation
from archsearch.controller.strategy import generator
from archsearch.space import build
from archsearch.space.base import Architecture, Genotype, Space

Draws = np.random.Generator


class CellReward:
    """A sum over both cells whose largest value can be told, though nothing but the network counts in it.

    For each cell: the mean over its blocks of the worth of (operations, combination), from another table where the
    block reads a block; minus how far the cell's depth is from the depth wanted; minus the number of blocks, after the
    first, that read no block.
    """

    def __init__(self, space: Space, operations: Sequence[str], blocks: int, draws: Draws) -> None:
        self._space = space
        self._blocks = blocks
        keys = [
            (*sorted(pair), how) for pair in combinations_with_replacement(operations, 2) for how in ("add", "concat")
        ]
        self._worth = {
            (cell, deep): dict(zip(keys, draws.uniform(0, 1, len(keys)), strict=True))
            for cell, deep in product(("normal", "reduction"), (False, True))
        }
        self._depth = {cell: int(draws.integers(1, blocks + 1)) for cell in ("normal", "reduction")}
        self._weights = draws.uniform(0.1, 0.4, 2)

    def __call__(self, genotype: Genotype) -> float:
        architecture = self._space.decode(genotype)
        return sum(self._cell(name, architecture[name]) for name in ("normal", "reduction"))

    def _cell(self, name: str, cell: Architecture) -> float:
        depths: list[int] = []
        worth = 0.0
        for block in cell["blocks"]:
            depths.append(1 + max((depths[state - 2] for state in block["inputs"] if state > 1), default=0))
            worth += self._worth[name, depths[-1] > 1][(*sorted(block["operations"]), block["combine"])]
        away = abs(max(depths) - self._depth[name])
        return float(worth / self._blocks - self._weights[0] * away - self._weights[1] * (depths.count(1) - 1))

    def best(self) -> float:
        """The largest sum of any network: at least one block reads no block, and every depth of the others can be had.

        Of each cell with ``shallow`` blocks at depth 1, all hold the best of their tables; the depth wanted is reached
        as far as the other blocks last.
        """
        return sum(max(self._limit(name, shallow) for shallow in range(1, self._blocks + 1)) for name in self._depth)

    def _limit(self, name: str, shallow: int) -> float:
        deep = self._blocks - shallow
        tops = [max(self._worth[name, kind].values()) for kind in (False, True)]
        fewest, most = (1, 1) if deep == 0 else (2, 1 + deep)
        away = max(fewest - self._depth[name], self._depth[name] - most, 0)
        worth = (shallow * tops[0] + deep * tops[1]) / self._blocks
        return float(worth - self._weights[0] * away - self._weights[1] * (shallow - 1))


def cells(number: int) -> tuple[Space, CellReward]:
    """Cells of 2 to 5 blocks with 4 to 9 operations (20 to 50 decisions)."""
    draws = generator(number, "cells")
    blocks, count = ((2, 4), (3, 6), (4, 5), (5, 9))[number % 4]
    chosen = [operation.value for operation in CellOperation][:count]
    space = build(SearchSpace.model_validate({"cell": {"blocks": blocks, "operations": chosen}}, strict=False))
    return space, CellReward(space, chosen, blocks, draws)

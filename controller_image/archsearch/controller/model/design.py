"""The first children: balanced, so that every option of every decision is tried equally often."""

from collections.abc import Sequence

import numpy as np

from archsearch.space.base import Genotype


def balanced(legal: Sequence[Sequence[int]], row: int, draws: Sequence[np.random.Generator]) -> Genotype:
    """Row ``row`` of a design in which each decision goes through its options in random permutations.

    ``legal``: the tokens of each decision; ``draws``: one generator for each decision, made anew for every call, so
    that all rows come from the same permutations. Within each run of as many rows as a decision has options, counted
    from 0, each option comes exactly once.
    """
    return tuple(_token(options, row, stream) for options, stream in zip(legal, draws, strict=True))


def _token(options: Sequence[int], row: int, stream: np.random.Generator) -> int:
    order = stream.permutation(len(options))
    for _ in range(row // len(options)):
        order = stream.permutation(len(options))
    return options[int(order[row % len(options)])]

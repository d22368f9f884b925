"""What a policy prefers at each decision, averaged over its own children."""

from collections.abc import Iterable, Sequence

import numpy as np

from archsearch.controller_contract import OptionProbabilities
from archsearch.space.base import Decision

SAMPLES = 64
"""Children over which decision distributions are averaged."""


def average(children: Iterable[Sequence[tuple[Decision, Sequence[float]]]]) -> tuple[OptionProbabilities, ...]:
    """Mean probability of each option of each decision that any child met, in the order in which they first appear.

    Each child is the list of its decisions with the probabilities of their options; a decision is averaged over the
    children that met it.
    """
    met: dict[str, tuple[Decision, list[Sequence[float]]]] = {}
    for child in children:
        for decision, probabilities in child:
            met.setdefault(decision.name, (decision, []))[1].append(probabilities)
    return tuple(
        OptionProbabilities(
            decision=name,
            kind=decision.kind,
            options=decision.options,
            probabilities=tuple(np.mean(rows, axis=0).tolist()),
        )
        for name, (decision, rows) in met.items()
    )

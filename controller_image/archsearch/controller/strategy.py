"""The seam of every strategy: a fold over the log of asks and tells, and nothing else.

A strategy sees every ask once (:meth:`Strategy.adopt`, in the order of indices) and every tell once
(:meth:`Strategy.observe`, in the order of observation numbers), interleaved as the ledger has them. Whatever it keeps
(parameters, optimiser state, a population, a surrogate model) must follow from that log, its settings, the space and
the seed, so that a fresh process that is given the log stands where this one does, bit for bit. A strategy that
spreads its work over replicas does so behind the same methods: what it folds in must not depend on their timing.
"""

import hashlib
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from archsearch.controller_contract import Observation, OptionProbabilities
from archsearch.space.base import Genotype


@dataclass(frozen=True)
class Sampled:
    """A child as the strategy drew it."""

    genotype: Genotype
    log_probability: float
    """Natural logarithm of the probability of the genotype."""
    entropy: float
    """Entropy of a decision in nats, averaged over the decisions of this child that had more than one option."""


@dataclass(frozen=True)
class Summary:
    """What a strategy says of itself after every call; both follow from its state."""

    entropy: float | None = None
    """Entropy of a decision in nats, averaged over the decisions of recent children."""
    baseline: float | None = None
    """Moving average of rewards, if it has one."""


class Strategy(Protocol):
    """How children are chosen."""

    name: str

    def propose(self, index: int) -> Sampled:
        """Draw child ``index``: a pure function of the state and the index; changes nothing that the hash covers."""
        ...

    def log_probability(self, index: int, genotype: Genotype) -> float:
        """Natural logarithm of the probability that :meth:`propose` draws ``genotype`` as child ``index`` now."""
        ...

    def adopt(self, index: int, genotype: Genotype) -> None:
        """Fold a logged ask: child ``index`` is ``genotype``, whatever this strategy would have drawn."""
        ...

    def observe(self, observation: Observation) -> None:
        """Fold a tell; a reward of None says that the trial failed."""
        ...

    def hash(self) -> str:
        """SHA-256 in hexadecimal over the whole state that was folded."""
        ...

    def summary(self) -> Summary:
        """Entropy and baseline as they stand."""
        ...

    def decisions(self, stage: int) -> tuple[OptionProbabilities, ...]:
        """Probability of each option of each decision in ``stage``, averaged over the policy's own children."""
        ...


def generator(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """A generator of its own for each (seed, purpose, index): no draw depends on the order of calls.

    The 256 bits of the seed are SHA-256 of the three, so that neighbouring seeds and indices share nothing.
    """
    digest = hashlib.sha256(f"archsearch/{purpose}/{seed}/{index}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))

"""``strategy.random``: uniform draws, the yardstick of every other strategy."""

import hashlib
import math

import numpy as np

from archsearch.api import RandomStrategy
from archsearch.controller.distributions import SAMPLES, average
from archsearch.controller.strategy import Sampled, Summary, generator
from archsearch.controller_contract import Observation, OptionProbabilities
from archsearch.space.base import Decision, Genotype, Space, walk


class Random:
    """Every child is drawn uniformly from its stage of the space; its whole state is how many tells it has heard."""

    name = "random"

    def __init__(self, settings: RandomStrategy, space: Space, seed: int) -> None:
        self._space = space
        self._seed = seed
        self._told = 0
        self._stage = space.stage(0)

    def propose(self, index: int) -> Sampled:
        """Draw child ``index`` by its own generator."""
        stage = self._space.stage(index)
        stream = generator(self._seed, "random", index)
        genotype = self._space.sample(lambda options: int(stream.integers(options)), stage)
        log_probability = -math.log(self._space.size(stage))
        return Sampled(genotype, log_probability, self._entropy(genotype, stage))

    def log_probability(self, index: int, genotype: Genotype) -> float:
        """Minus the logarithm of the number of genotypes."""
        return -math.log(self._space.size(self._space.stage(index)))

    def adopt(self, index: int, genotype: Genotype) -> None:
        """Remember how deep children are now, for the summary."""
        self._stage = self._space.stage(index)

    def observe(self, observation: Observation) -> None:
        """Count it."""
        self._told += 1

    def hash(self) -> str:
        """SHA-256 over seed and count."""
        return hashlib.sha256(f"random/{self._seed}/{self._told}".encode()).hexdigest()

    def summary(self) -> Summary:
        """The entropy of a uniform draw from the stage of the last child."""
        stream = generator(self._seed, "summary")
        genotype = self._space.sample(lambda options: int(stream.integers(options)), self._stage)
        return Summary(entropy=self._entropy(genotype, self._stage))

    def decisions(self, stage: int) -> tuple[OptionProbabilities, ...]:
        """Uniform over the legal options (exact where no decision narrows another), averaged over uniform children."""
        streams = [generator(self._seed, "decisions", number) for number in range(SAMPLES)]
        return average(self._uniform(stream, stage) for stream in streams)

    def _uniform(self, stream: np.random.Generator, stage: int) -> list[tuple[Decision, list[float]]]:
        genotype = self._space.sample(lambda options: int(stream.integers(options)), stage)
        return [
            (
                decision,
                [(token in decision.legal) / len(decision.legal) for token in range(len(decision.options))],
            )
            for decision in walk(self._space, genotype, stage)
        ]

    def _entropy(self, genotype: Genotype, stage: int) -> float:
        free = sum(len(decision.legal) > 1 for decision in walk(self._space, genotype, stage))
        return math.log(self._space.size(stage)) / max(free, 1)

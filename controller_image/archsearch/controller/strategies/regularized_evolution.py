"""``strategy.regularizedEvolution``: aging evolution (1802.01548, algorithm 1)."""

import math
from bisect import bisect_left, insort
from collections import deque

from archsearch.api.strategies.evolution import RegularizedEvolutionStrategy
from archsearch.controller.strategies.population import NEVER, Individual, Journal, Layouts, Shares, draw_with, log_sum
from archsearch.controller.strategy import Sampled, Summary, generator
from archsearch.controller_contract import Observation, OptionProbabilities
from archsearch.space.base import Genotype, Space


class RegularizedEvolution:
    """The best of a sample of the population is mutated, the oldest of the population dies.

    The first ``population`` children are drawn uniformly, and further ones as long as none has a reward. Each other
    child has a parent: the best of ``sample`` individuals drawn with replacement (of equal rewards the younger). With
    ``identityProbability`` it is its parent unchanged, otherwise its parent after ``Space.mutate``.

    The population is of rewarded children, in the order in which their rewards were told; where one comes in that is
    more than ``population``, the oldest dies. Children in flight are not in it yet, failed ones never: both leave the
    parents as they are. A parent of an earlier stage of a growing space is extended uniformly before it is mutated.
    """

    name = "regularizedEvolution"

    def __init__(self, settings: RegularizedEvolutionStrategy, space: Space, seed: int) -> None:
        filled = settings.resolved()
        assert filled.population is not None
        assert filled.sample is not None
        assert filled.identity_probability is not None
        self._population = filled.population
        self._sample = filled.sample
        self._identity = filled.identity_probability
        self._space = space
        self._seed = seed
        self._layouts = Layouts(space)
        self._living: deque[Individual] = deque()
        self._ranked: list[Individual] = []
        self._shares = Shares()
        self._stage = space.stage(0)
        self._journal = Journal(f"{self.name} {filled.model_dump_json()} {seed}")

    @property
    def population(self) -> tuple[Individual, ...]:
        """Who is alive, the oldest first."""
        return tuple(self._living)

    def propose(self, index: int) -> Sampled:
        """Draw child ``index``; its parent and its mutation come from a generator of its own."""
        stage = self._space.stage(index)
        draw = draw_with(generator(self._seed, self.name, index))
        if self._founding(index):
            genotype = self._space.sample(draw, stage)
            layout = self._layouts.of(stage)
            return Sampled(genotype, -layout.log_size, layout.uniform_entropy())
        genotype = self._child(self.parent(index).genotype, index, stage)
        return Sampled(genotype, self.log_probability(index, genotype), self._shares.entropy(self._layouts.of(stage)))

    def parent(self, index: int) -> Individual:
        """The parent that child ``index`` would have now. Raises IndexError: nobody is alive."""
        stream = generator(self._seed, f"{self.name}/parent", index)
        # Drawing ranks instead of individuals is the same draw, and its best is its largest.
        return self._ranked[int(stream.integers(max(1, len(self._ranked)), size=self._sample).max())]

    def log_probability(self, index: int, genotype: Genotype) -> float:
        """Exact: over all who may be the parent, and all that may be done to it; NEVER where nobody can lead there."""
        layout = self._layouts.of(self._space.stage(index))
        if self._founding(index):
            return -layout.log_size
        alive = len(self._ranked)
        log_identity = math.log(self._identity) if self._identity > 0 else NEVER
        terms: list[float] = []
        for rank, individual in enumerate(self._ranked):
            mutant = layout.log_mutant(individual.genotype, genotype)
            same = layout.log_extended(individual.genotype, genotype)
            if max(mutant, same) > NEVER:
                chosen = _log_best(rank, alive, self._sample)
                terms += [chosen + math.log1p(-self._identity) + mutant, chosen + log_identity + same]
        return log_sum(terms)

    def adopt(self, index: int, genotype: Genotype) -> None:
        """Nothing: a child in flight is nobody's parent, and nobody dies for it before it has a reward."""

    def observe(self, observation: Observation) -> None:
        """A rewarded child joins the population; the oldest dies where that is one too many."""
        self._journal.enter("told", observation.number, observation.index)
        if observation.reward is None:
            return
        self._stage = self._space.stage(observation.index)
        born = Individual(observation.reward, observation.number, observation.genotype)
        self._living.append(born)
        insort(self._ranked, born)
        self._shares.add(born.genotype)
        self._journal.enter("born", born.reward, *born.genotype)
        if len(self._living) > self._population:
            oldest = self._living.popleft()
            del self._ranked[bisect_left(self._ranked, oldest)]
            self._shares.remove(oldest.genotype)
            self._journal.enter("died", oldest.number)

    def hash(self) -> str:
        """SHA-256 over settings, seed, and every tell, birth and death."""
        return self._journal.hash()

    def summary(self) -> Summary:
        """Entropy of the options' shares among the living."""
        return Summary(entropy=self._shares.entropy(self._layouts.of(self._stage)))

    def decisions(self, stage: int) -> tuple[OptionProbabilities, ...]:
        """The options' shares among the living; uniform where nobody is alive."""
        return self._shares.decisions(self._layouts.of(stage))

    def _founding(self, index: int) -> bool:
        return index < self._population or not self._ranked

    def _child(self, parent: Genotype, index: int, stage: int) -> Genotype:
        stream = generator(self._seed, f"{self.name}/child", index)
        draw = draw_with(stream)
        extended = self._space.extend(parent, stage, draw)
        if stream.random() < self._identity:
            return extended
        mutation = self._space.mutate(extended, stage, draw)
        return extended if mutation is None else mutation.genotype


def _log_best(rank: int, alive: int, sample: int) -> float:
    """Logarithm of the probability that the best of ``sample`` draws with replacement is the one of ``rank``."""
    # (r + 1)^k - r^k over n^k, written so that it neither overflows nor loses its digits.
    upper = sample * math.log((rank + 1) / alive)
    return upper if rank == 0 else upper + math.log(-math.expm1(sample * math.log(rank / (rank + 1))))

"""``strategy.evolution``: large-scale evolution by pairwise tournaments (1703.01041, section 3.1)."""

import math
from bisect import insort

from archsearch.api.strategies.evolution import EvolutionStrategy
from archsearch.controller.strategies.population import Individual, Journal, Layouts, Shares, draw_with, log_sum
from archsearch.controller.strategy import Sampled, Summary, generator
from archsearch.controller_contract import Observation, OptionProbabilities
from archsearch.space.base import Genotype, Space


class Evolution:
    """Of two random individuals the worse dies and the better has a child.

    The first ``population`` children are drawn uniformly, and further ones as long as none has a reward. For each
    other child two of the living are drawn; the better (of equal rewards the younger) is its parent, and its mutation
    is one of those that the space names, each as likely. The worse dies as the child is asked for, as long as
    ``population`` are alive: children in flight are not alive yet, failed ones never, so a failed child's place is
    filled by the next that succeeds. Where more rewards come in than that (many in flight), a further tournament kills
    one for each. A parent of an earlier stage of a growing space is extended uniformly before it is mutated.
    """

    name = "evolution"

    def __init__(self, settings: EvolutionStrategy, space: Space, seed: int) -> None:
        self._population = settings.population
        self._space = space
        self._seed = seed
        self._layouts = Layouts(space)
        self._ranked: list[Individual] = []
        self._shares = Shares()
        self._stage = space.stage(0)
        self._journal = Journal(f"{self.name} {settings.model_dump_json()} {seed}")

    @property
    def population(self) -> tuple[Individual, ...]:
        """Who is alive, the worst first."""
        return tuple(self._ranked)

    def propose(self, index: int) -> Sampled:
        """Draw child ``index``; its tournament and its mutation come from generators of its own."""
        stage = self._space.stage(index)
        draw = draw_with(generator(self._seed, f"{self.name}/child", index))
        layout = self._layouts.of(stage)
        if self._founding(index):
            return Sampled(self._space.sample(draw, stage), -layout.log_size, layout.uniform_entropy())
        parent = self._ranked[self.tournament(index)[1]]
        extended = self._space.extend(parent.genotype, stage, draw)
        mutation = self._space.mutate(extended, stage, draw)
        genotype = extended if mutation is None else mutation.genotype
        return Sampled(genotype, self.log_probability(index, genotype), self._shares.entropy(layout))

    def tournament(self, index: int) -> tuple[int, int]:
        """Ranks of the loser and of the winner for child ``index``; equal where only one is alive."""
        return self._pair(f"{self.name}/tournament", index)

    def log_probability(self, index: int, genotype: Genotype) -> float:
        """Exact: over all who may be the parent, and every mutation; NEVER where nobody can lead there."""
        layout = self._layouts.of(self._space.stage(index))
        if self._founding(index):
            return -layout.log_size
        alive = len(self._ranked)
        if alive == 1:
            return log_sum([layout.log_mutant(self._ranked[0].genotype, genotype)])
        # Of the n (n - 1) / 2 pairs, the one of rank r is the better in r.
        return log_sum(
            math.log(2 * rank / (alive * (alive - 1))) + layout.log_mutant(individual.genotype, genotype)
            for rank, individual in enumerate(self._ranked)
            if rank > 0
        )

    def adopt(self, index: int, genotype: Genotype) -> None:
        """The loser of the tournament of child ``index`` dies, whatever child came of it."""
        if not self._founding(index) and len(self._ranked) >= self._population:
            self._kill(self.tournament(index)[0])

    def observe(self, observation: Observation) -> None:
        """A rewarded child comes alive; where that is one too many, the loser of a further tournament dies."""
        self._journal.enter("told", observation.number, observation.index)
        if observation.reward is None:
            return
        self._stage = self._space.stage(observation.index)
        born = Individual(observation.reward, observation.number, observation.genotype)
        insort(self._ranked, born)
        self._shares.add(born.genotype)
        self._journal.enter("born", born.reward, *born.genotype)
        if len(self._ranked) > self._population:
            self._kill(self._pair(f"{self.name}/crowded", observation.number)[0])

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

    def _pair(self, purpose: str, number: int) -> tuple[int, int]:
        alive = len(self._ranked)
        if alive == 1:
            return 0, 0
        stream = generator(self._seed, purpose, number)
        one, other = int(stream.integers(alive)), int(stream.integers(alive - 1))
        other += other >= one
        return min(one, other), max(one, other)

    def _kill(self, rank: int) -> None:
        dead = self._ranked.pop(rank)
        self._shares.remove(dead.genotype)
        self._journal.enter("died", dead.number)

"""``strategy.modelBased``: a recurrent policy beside a Gaussian process that chooses what is worth a trial."""

import hashlib
import struct

import numpy as np
import torch

from archsearch.api.strategy import ModelBasedStrategy, ReinforceStrategy
from archsearch.controller.model.design import balanced
from archsearch.controller.model.features import Layout
from archsearch.controller.model.memory import Memory
from archsearch.controller.model.proposer import Pending, Proposer
from archsearch.controller.steps import script
from archsearch.controller.strategies.reinforce import Reinforce
from archsearch.controller.strategy import Sampled, Summary, generator
from archsearch.controller_contract import Observation, OptionProbabilities
from archsearch.space.base import Genotype, Space

_LEAST = 2
"""Tells before the model is asked."""


class ModelBased:
    """Children are those that a model of the reward finds most promising; a policy learns from the same rewards.

    The state is what was asked, what was told, and the policy: heavy work (the model) is done when a child is asked
    for, from that state alone, and kept in caches that hold nothing else.
    """

    name = "modelBased"

    def __init__(self, settings: ModelBasedStrategy, space: Space, seed: int) -> None:
        filled = settings.resolved()
        self._identity = filled.model_dump_json()
        self._initial = filled.initial
        self._space = space
        self._seed = seed
        self._policy = Reinforce(ReinforceStrategy(), space, seed)
        self._layout = Layout(space)
        self._memory = Memory()
        self._pending: dict[int, Pending] = {}
        self._asked: set[Genotype] = set()
        self._excused = 0
        """Children told of which nothing is known: they were no balanced ones either."""
        self._proposer = Proposer(space, self._layout, self._memory)
        self._log = hashlib.sha256()

    def propose(self, index: int) -> Sampled:
        """The most promising child in the eyes of the model; the first ones are balanced."""
        stage = self._space.stage(index)
        genotype = self._choose(index, stage)
        with torch.inference_mode():
            child = script(self._space, genotype, stage)
            log_probability, entropy = self._policy.network.evaluate([child])
        free = sum(len(legal) > 1 for group in child.legal for legal in group)
        return Sampled(genotype, min(float(log_probability[0]), 0.0), float(entropy[0]) / max(1, free))

    def log_probability(self, index: int, genotype: Genotype) -> float:
        """Of ``genotype`` under the policy as it stands: what it thinks of the child, not how likely it was chosen."""
        return self._policy.log_probability(index, genotype)

    def adopt(self, index: int, genotype: Genotype) -> None:
        """Remember the child: it is pending until it is told, and its network is not asked for again."""
        network = self._space.canonical(genotype)
        self._asked.add(network)
        self._pending[index] = Pending(network, genotype, self._space.stage(index))
        self._policy.adopt(index, genotype)
        self._log.update(repr(("ask", index, genotype)).encode())

    def observe(self, observation: Observation) -> None:
        """Teach the memory and the policy; a child that failed by itself teaches the memory where children fail, one
        that is excused teaches nothing."""
        self._pending.pop(observation.index, None)
        network = self._space.canonical(observation.genotype)
        self._asked.add(network)
        stage = self._space.stage(observation.index)
        if observation.excused:
            self._excused += 1
        else:
            self._memory.tell(network, observation.genotype, stage, observation.reward)
        self._policy.observe(observation)
        what = "excused" if observation.excused else "tell"
        self._log.update(repr((what, observation.index, observation.genotype, observation.reward)).encode())

    def hash(self) -> str:
        """SHA-256 over settings, seed, every ask and tell, and the policy."""
        digest = hashlib.sha256(self._identity.encode())
        digest.update(struct.pack("<q", self._seed))
        digest.update(self._log.digest())
        digest.update(self._policy.hash().encode())
        return digest.hexdigest()

    def summary(self) -> Summary:
        """The policy's."""
        return self._policy.summary()

    def decisions(self, stage: int) -> tuple[OptionProbabilities, ...]:
        """The policy's."""
        return self._policy.decisions(stage)

    def _choose(self, index: int, stage: int) -> Genotype:
        stream = generator(self._seed, "model", index)
        # Those before this one that are known or in flight: excused ones leave the first ones too few.
        if index - self._excused < self._initial or len(self._memory.tells) < _LEAST:
            return self._fresh(self._first(index, stage), stage, stream)
        ranked = self._proposer.ranked(stage, tuple(self._pending.values()), stream)
        spare: Genotype | None = None
        for child in ranked:
            if child.network not in self._asked:
                return child.genotype
            spare = spare or child.genotype
        if spare is not None and self._proposer.sees_all(stage):
            return spare
        return self._fresh(spare, stage, stream)

    def _first(self, index: int, stage: int) -> Genotype:
        known = self._layout.stage(stage)
        draws = [generator(self._seed, f"design/{decision.name}") for decision in known.decisions]
        return balanced(known.legal, index, draws)

    def _fresh(self, wanted: Genotype | None, stage: int, stream: np.random.Generator) -> Genotype:
        """``wanted`` or, where its network was asked for, a uniform child whose was not, if a few draws find one."""
        if wanted is not None and self._space.canonical(wanted) not in self._asked:
            return wanted
        for _ in range(256):
            genotype = self._space.sample(lambda options: int(stream.integers(options)), stage)
            if self._space.canonical(genotype) not in self._asked:
                return genotype
            wanted = wanted or genotype
        assert wanted is not None
        return wanted

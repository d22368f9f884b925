"""``strategy.ppo``: the recurrent controller of 1707.07012, taught by proximal policy optimisation (1707.06347)."""

import hashlib
import struct
from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor

from archsearch.api.strategy import PpoStrategy
from archsearch.controller.steps import Script
from archsearch.controller.strategies.recurrent import Lesson, Recurrent, alike
from archsearch.controller_contract import Observation
from archsearch.space.base import Genotype, Space

INIT_RANGE = 0.1
"""Weights start uniform in (-0.1, 0.1): 1707.07012, appendix A.1."""

LARGEST_LOG_RATIO = 20.0
"""A decision that has become e^20 times as likely since its child was drawn teaches no more, lest exp() overflow."""


class Ppo(Recurrent):
    """Every ``batchSize`` rewards, ``steps`` steps of Adam along the gradient of

        1/m sum_k (sum_t min(r_kt A_k, clip(r_kt, 1 - clip, 1 + clip) A_k) + entropyWeight H_k)

    (1707.06347, equation 7), where r_kt is the probability of decision t of child k, given the ones before, over what
    it was *when the child was asked for*, and A_k is its advantage.

    That denominator makes r the exact importance ratio of a decision, however many children are in flight: a child
    that was drawn long ago cannot push the policy further than ``clip`` away from the one that drew it. Parameters
    move only when a batch is full, so the children asked for since the last time are evaluated together, right before
    they move: at most one more forward pass for each batch, and nothing to be done at an ask.
    """

    name = "ppo"

    def __init__(self, settings: PpoStrategy, space: Space, seed: int) -> None:
        super().__init__(settings, space, seed, INIT_RANGE)
        filled = settings.resolved()
        assert filled.clip is not None
        assert filled.steps is not None
        self._clip = filled.clip
        self._steps = filled.steps
        self._asked: dict[int, Script] = {}
        """Children asked for since the policy moved last."""
        self._drawn: dict[int, Tensor] = {}
        """Log-probability of each decision, [D], of children asked for before that, when they were asked for."""

    def adopt(self, index: int, genotype: Genotype) -> None:
        """Remember that the child came from the policy as it stands."""
        self._asked[index] = self.spell(index, genotype)

    def observe(self, observation: Observation) -> None:
        """Count the tell; a reward joins the batch, and a full batch moves the policy."""
        index = observation.index
        if observation.reward is None:
            self._asked.pop(index, None)
            self._drawn.pop(index, None)
        elif index not in self._drawn and index not in self._asked:
            self.adopt(index, observation.genotype)
        super().observe(observation)

    def script_of(self, observation: Observation) -> Script:
        """As it was spelt at the ask, where that is still at hand: spelling is a tenth of what a child costs."""
        return self._asked.get(observation.index) or super().script_of(observation)

    def hash(self) -> str:
        """SHA-256 over what the base class covers and what is known of children that have not been taught."""
        digest = hashlib.sha256(super().hash().encode())
        digest.update(repr([(index, child.tokens) for index, child in self._asked.items()]).encode())
        for index, drawn in self._drawn.items():
            digest.update(struct.pack("<q", index))
            digest.update(drawn.numpy().tobytes())
        return digest.hexdigest()

    def teach(self, batch: Mapping[int, Lesson]) -> float:
        """Some steps; the entropies before the first, in nats, added up."""
        self._look(without=batch)
        lessons, drawn = list(batch.values()), [self._drawn.pop(index, None) for index in batch]
        loss, entropy, drawn = self.loss(lessons, drawn)
        self.descend(loss)
        for _ in range(self._steps - 1):
            self.descend(self.loss(lessons, drawn)[0])
        return entropy

    def loss(
        self, batch: Sequence[Lesson], drawn: Sequence[Tensor | None]
    ) -> tuple[Tensor, float, list[Tensor | None]]:
        """Minus the objective whose gradient is the step; the entropy of the batch in nats, added up; and ``drawn``.

        ``drawn``: for each lesson, log-probabilities [D] of its decisions when the child was asked for; None: it was
        asked for from the policy as it stands. What is given back has those filled in.
        """
        loss = torch.zeros(())
        entropy = 0.0
        filled = list(drawn)
        for rows in alike([lesson.script for lesson in batch]):
            now, entropies = self.network.evaluate_decisions([batch[row].script for row in rows])
            before = []
            for row, own in zip(rows, now.detach(), strict=True):
                known = drawn[row]
                before.append(own if known is None else known)
                filled[row] = before[-1]
            ratio = (now - torch.stack(before)).clamp(max=LARGEST_LOG_RATIO).exp()
            advantages = torch.tensor([batch[row].advantage for row in rows]).unsqueeze(1)
            clipped = ratio.clamp(1 - self._clip, 1 + self._clip)
            gains = torch.minimum(ratio * advantages, clipped * advantages)
            loss = loss - (gains + self._entropy_weight * entropies).sum()
            entropy += float(entropies.detach().sum())
        return loss / len(batch), entropy, filled

    def _look(self, without: Collection[int]) -> None:
        """Evaluate the children asked for since the policy moved last, under the policy as it stands.

        Those of the batch to be taught now are left out: the first of its steps evaluates them anyway.
        """
        indices = [index for index in self._asked if index not in without]
        for places in alike([self._asked[index] for index in indices]):
            with torch.no_grad():
                rows, _ = self.network.evaluate_decisions([self._asked[indices[place]] for place in places])
            self._drawn.update(zip((indices[place] for place in places), rows.unbind(), strict=True))
        self._asked = {}

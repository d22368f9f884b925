"""``strategy.ppo``: the recurrent controller of 1707.07012, taught by proximal policy optimisation (1707.06347)."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from archsearch.api.strategy import PpoStrategy
from archsearch.controller.strategies.recurrent import Lesson, Recurrent, alike
from archsearch.space.base import Space

INIT_RANGE = 0.1
"""Weights start uniform in (-0.1, 0.1): 1707.07012, appendix A.1."""

LARGEST_LOG_RATIO = 20.0
"""A decision that has become e^20 times as likely since its batch began teaches no more, lest exp() overflow."""


class Ppo(Recurrent):
    """Every ``batchSize`` rewards, ``steps`` steps of Adam along the gradient of

        1/m sum_k (sum_t min(r_kt A_k, clip(r_kt, 1 - clip, 1 + clip) A_k) + entropyWeight H_k)

    (1707.06347, equation 7), where r_kt is the probability of decision t of child k, given the ones before, over what
    it was before the first of these steps, and A_k is its advantage.

    So the steps of one batch move no decision of its children by more than about ``clip``. The policy that drew a child
    is not asked for: with many in flight, a ratio to it is beyond the clip before the child is told, and most of what
    was paid for would teach nothing (measured, see docs/strategies/ppo.md). Like ``reinforce``, a batch takes its
    children as if they had been drawn when it is taught.
    """

    name = "ppo"

    def __init__(self, settings: PpoStrategy, space: Space, seed: int) -> None:
        super().__init__(settings, space, seed, INIT_RANGE)
        filled = settings.resolved()
        assert filled.clip is not None
        assert filled.steps is not None
        self._clip = filled.clip
        self._steps = filled.steps

    def teach(self, batch: Mapping[int, Lesson]) -> float:
        """Some steps; the entropies before the first, in nats, added up."""
        lessons = list(batch.values())
        loss, entropy, before = self.loss(lessons)
        self.descend(loss)
        for _ in range(self._steps - 1):
            self.descend(self.loss(lessons, before)[0])
        return entropy

    def loss(
        self, batch: Sequence[Lesson], before: Mapping[int, Tensor] | None = None
    ) -> tuple[Tensor, float, Mapping[int, Tensor]]:
        """Minus the objective whose gradient is the step; the entropy of the batch in nats, added up; and ``before``.

        ``before``: for each place in the batch, the log-probabilities [D] of the child's decisions that ratios are
        taken to; left out: those of the policy as it stands, which are given back for the steps to come.
        """
        loss = torch.zeros(())
        entropy = 0.0
        now_by_place: dict[int, Tensor] = {}
        for places in alike([lesson.script for lesson in batch]):
            now, entropies = self.network.evaluate_decisions([batch[place].script for place in places])
            now_by_place.update(zip(places, now.detach().unbind(), strict=True))
            start = torch.stack([(before or now_by_place)[place] for place in places])
            ratio = (now - start).clamp(max=LARGEST_LOG_RATIO).exp()
            advantages = torch.tensor([batch[place].advantage for place in places]).unsqueeze(1)
            clipped = ratio.clamp(1 - self._clip, 1 + self._clip)
            gains = torch.minimum(ratio * advantages, clipped * advantages)
            loss = loss - (gains + self._entropy_weight * entropies).sum()
            entropy += float(entropies.detach().sum())
        return loss / len(batch), entropy, before or now_by_place

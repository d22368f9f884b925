"""``strategy.reinforce``: the recurrent controller of 1611.01578, taught by REINFORCE (its section 3.2)."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from archsearch.controller.strategies.recurrent import Lesson, Recurrent, alike


class Reinforce(Recurrent):
    """Every ``batchSize`` rewards, one step of Adam along

        1/m sum_k (advantage_k grad log P(child_k) + entropyWeight grad H_k)

    where P and H are those of the children that were evaluated, under the parameters of the moment of the step, and
    H_k adds up the entropies of the decisions of child k, given the ones before.
    """

    name = "reinforce"

    def teach(self, batch: Mapping[int, Lesson]) -> float:
        """One step; the entropies before it, in nats, added up."""
        loss, entropy = self.loss(list(batch.values()))
        self.descend(loss)
        return entropy

    def loss(self, batch: Sequence[Lesson]) -> tuple[Tensor, float]:
        """Minus the objective whose gradient is the step; and the entropy of the batch in nats, added up."""
        loss = torch.zeros(())
        entropy = 0.0
        for rows in alike([lesson.script for lesson in batch]):
            log_probabilities, entropies = self.network.evaluate([batch[row].script for row in rows])
            advantages = torch.tensor([batch[row].advantage for row in rows])
            loss = loss - (advantages * log_probabilities + self._entropy_weight * entropies).sum()
            entropy += float(entropies.detach().sum())
        return loss / len(batch), entropy

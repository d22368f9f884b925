"""``strategy.reinforce``: the recurrent controller of 1611.01578, taught by REINFORCE (its section 3.2)."""

import hashlib
import struct
from dataclasses import dataclass

import torch
from torch import Tensor

from archsearch.api import ReinforceStrategy
from archsearch.controller.adam import Adam
from archsearch.controller.baseline import Baseline
from archsearch.controller.distributions import SAMPLES, average
from archsearch.controller.policy import PolicyNetwork
from archsearch.controller.sampling import sample
from archsearch.controller.steps import Script, is_step, script
from archsearch.controller.strategy import Sampled, Summary, generator
from archsearch.controller_contract import Observation, OptionProbabilities
from archsearch.space.base import Genotype, Space, walk


@dataclass(frozen=True)
class Lesson:
    """A rewarded child that waits for its batch to be full."""

    script: Script
    advantage: float


class Reinforce:
    """Samples from the policy network; every ``batchSize`` rewards, one step of Adam along

        1/m sum_k (advantage_k grad log P(child_k) + entropyWeight grad H_k)

    where P and H are those of the children that were evaluated, under the parameters of the moment of the step, and
    H_k adds up the entropies of the decisions of child k, given the ones before. Failed trials are told and counted,
    but teach nothing: they say something of the trial and nothing certain of the child.
    """

    name = "reinforce"

    def __init__(self, settings: ReinforceStrategy, space: Space, seed: int) -> None:
        filled = settings.resolved()
        assert filled.hidden_size is not None
        assert filled.layers is not None
        assert filled.learning_rate is not None
        assert filled.batch_size is not None
        assert filled.entropy_weight is not None
        assert filled.baseline_decay is not None
        # The fold must not depend on how many cores the machine has.
        torch.set_num_threads(1)
        self._identity = filled.model_dump_json()
        self._space = space
        self._seed = seed
        self._batch = filled.batch_size
        self._entropy_weight = filled.entropy_weight
        weights = int(generator(seed, "weights").integers(2**62))
        self.network = PolicyNetwork(_kinds(space, seed), filled.hidden_size, filled.layers, weights)
        self._optimiser = Adam(self.network.parameters(), filled.learning_rate)
        self.baseline = Baseline(filled.baseline_decay, bool(filled.normalise_rewards))
        self._pending: list[Lesson] = []
        self._told = 0
        self._entropy: float | None = None

    def propose(self, index: int) -> Sampled:
        """Draw child ``index`` by its own generator from the policy as it stands."""
        stream = generator(self._seed, "propose", index)
        drawn = sample(self.network, self._space, self._space.stage(index), [stream])[0]
        return Sampled(drawn.genotype, drawn.log_probability, drawn.mean_entropy)

    def log_probability(self, index: int, genotype: Genotype) -> float:
        """Of ``genotype`` under the policy as it stands."""
        with torch.inference_mode():
            value, _ = self.network.evaluate([self._script(index, genotype)])
        return float(value[0])

    def adopt(self, index: int, genotype: Genotype) -> None:
        """Nothing: asks leave this policy as it is."""

    def observe(self, observation: Observation) -> None:
        """Count the tell; a reward joins the batch, and a full batch moves the policy."""
        self._told += 1
        if observation.reward is None:
            return
        advantage = self.baseline.advantage(observation.reward)
        self._pending.append(Lesson(self._script(observation.index, observation.genotype), advantage))
        if len(self._pending) == self._batch:
            self._learn(self._pending)
            self._pending = []

    def hash(self) -> str:
        """SHA-256 over settings, parameters, Adam's state, averages, pending batch and count."""
        digest = hashlib.sha256(self._identity.encode())
        digest.update(struct.pack("<qq", self._seed, self._told))
        for parameter in self.network.parameters():
            digest.update(parameter.detach().numpy().tobytes())
        for steps, mean, square in self._optimiser.state():
            digest.update(struct.pack("<q", steps))
            digest.update(mean.numpy().tobytes())
            digest.update(square.numpy().tobytes())
        averages = (self.baseline.total, self.baseline.weight, self.baseline.spread_total, self.baseline.spread_weight)
        digest.update(struct.pack("<5d", *averages, -1.0 if self._entropy is None else self._entropy))
        digest.update(repr([(lesson.script.tokens, lesson.advantage) for lesson in self._pending]).encode())
        return digest.hexdigest()

    def summary(self) -> Summary:
        """Entropy of the children of the last batch, as the policy stood before it learned from them."""
        return Summary(entropy=self._entropy, baseline=self.baseline.value)

    def decisions(self, stage: int) -> tuple[OptionProbabilities, ...]:
        """Averaged over children drawn by generators of their own: always the same for the same state."""
        streams = [generator(self._seed, "decisions", number) for number in range(SAMPLES)]
        return average(child.choices for child in sample(self.network, self._space, stage, streams))

    def _script(self, index: int, genotype: Genotype) -> Script:
        return script(self._space, genotype, self._space.stage(index))

    def _learn(self, batch: list[Lesson]) -> None:
        self._optimiser.zero_grad()
        loss, entropy = self.loss(batch)
        if loss.requires_grad:
            torch.autograd.backward(loss)
            self._optimiser.step()
        decisions = sum(_free(lesson.script) for lesson in batch)
        self._entropy = entropy / max(1, decisions)

    def loss(self, batch: list[Lesson]) -> tuple[Tensor, float]:
        """Minus the objective whose gradient is the step; and the entropy of the batch in nats, added up."""
        shapes: dict[object, list[Lesson]] = {}
        for lesson in batch:
            shapes.setdefault(lesson.script.steps, []).append(lesson)
        loss = torch.zeros(())
        entropy = 0.0
        for lessons in shapes.values():
            log_probabilities, entropies = self.network.evaluate([lesson.script for lesson in lessons])
            advantages = torch.tensor([lesson.advantage for lesson in lessons])
            loss = loss - (advantages * log_probabilities + self._entropy_weight * entropies).sum()
            entropy += float(entropies.detach().sum())
        return loss / len(batch), entropy


def _free(child: Script) -> int:
    return sum(len(legal) > 1 for group in child.legal for legal in group)


def _kinds(space: Space, seed: int) -> dict[str, int]:
    """How many options each kind of decision has, in the order in which kinds first appear.

    Children are drawn from the first and from the last stage; a kind that shows in none of them has no softmax, and a
    proposal that meets it fails with its name.
    """
    kinds: dict[str, int] = {}
    stream = generator(seed, "kinds")
    for stage in dict.fromkeys((space.stage(0), space.stage(2**62))):
        for _ in range(16):
            genotype = space.sample(lambda options: int(stream.integers(options)), stage)
            for decision in walk(space, genotype, stage):
                if decision.anchor is None and is_step(decision):
                    _agree(kinds, decision.kind, len(decision.options))
    return kinds


def _agree(kinds: dict[str, int], kind: str, options: int) -> None:
    if kinds.setdefault(kind, options) != options:
        raise ValueError(
            f"decisions of kind {kind!r} have {kinds[kind]} and {options} options; decisions of one kind share one "
            "softmax and must have as many options"
        )

"""What strategies share that teach the recurrent policy network: drawing, baseline, batches, Adam, the hash."""

import hashlib
import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from archsearch.api import ReinforceStrategy
from archsearch.api.strategy import PpoStrategy
from archsearch.controller.adam import Adam
from archsearch.controller.baseline import Baseline
from archsearch.controller.distributions import SAMPLES, average
from archsearch.controller.policy import INIT_RANGE, PolicyNetwork
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


class Recurrent(ABC):
    """Samples from the policy network; every ``batchSize`` rewards it is taught by :meth:`teach`, a subclass's own.

    Failed trials are told and counted, but teach nothing: they say something of the trial and nothing certain of the
    child.
    """

    def __init__(
        self, settings: ReinforceStrategy | PpoStrategy, space: Space, seed: int, spread: float = INIT_RANGE
    ) -> None:
        """``spread``: weights start uniform in (-spread, spread)."""
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
        self.network = PolicyNetwork(kinds(space, seed), filled.hidden_size, filled.layers, weights, spread)
        self._optimiser = Adam(self.network.parameters(), filled.learning_rate)
        self.baseline = Baseline(filled.baseline_decay, bool(filled.normalise_rewards))
        self._pending: dict[int, Lesson] = {}
        self._told = 0
        self._entropy: float | None = None

    @abstractmethod
    def teach(self, batch: Mapping[int, Lesson]) -> float:
        """Move the policy by the lessons of children, by index; the entropies before, in nats, added up."""

    def propose(self, index: int) -> Sampled:
        """Draw child ``index`` by its own generator from the policy as it stands."""
        return self.draw([index])[0]

    def draw(self, indices: Sequence[int]) -> list[Sampled]:
        """Children of one stage, each as :meth:`propose` draws it up to rounding, at far less cost than one by one."""
        streams = [generator(self._seed, "propose", index) for index in indices]
        stage = self._space.stage(indices[0])
        children = sample(self.network, self._space, stage, streams)
        return [Sampled(child.genotype, child.log_probability, child.mean_entropy) for child in children]

    def log_probability(self, index: int, genotype: Genotype) -> float:
        """Of ``genotype`` under the policy as it stands."""
        with torch.inference_mode():
            value, _ = self.network.evaluate([self.spell(index, genotype)])
        return float(value[0])

    def adopt(self, index: int, genotype: Genotype) -> None:  # noqa: B027 - nothing is what it does
        """Nothing: asks leave the policy as it is."""

    def observe(self, observation: Observation) -> None:
        """Count the tell; a reward joins the batch, and a full batch moves the policy."""
        self._told += 1
        if observation.reward is None:
            return
        advantage = self.baseline.advantage(observation.reward)
        spelt = self.spell(observation.index, observation.genotype)
        self._pending[observation.index] = Lesson(spelt, advantage)
        if len(self._pending) == self._batch:
            entropy = self.teach(self._pending)
            decisions = sum(_free(lesson.script) for lesson in self._pending.values())
            self._entropy = entropy / max(1, decisions)
            self._pending = {}

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
        digest.update(repr([(lesson.script.tokens, lesson.advantage) for lesson in self._pending.values()]).encode())
        return digest.hexdigest()

    def summary(self) -> Summary:
        """Entropy of the children of the last batch, as the policy stood before it learned from them."""
        return Summary(entropy=self._entropy, baseline=self.baseline.value)

    def decisions(self, stage: int) -> tuple[OptionProbabilities, ...]:
        """Averaged over children drawn by generators of their own: always the same for the same state."""
        streams = [generator(self._seed, "decisions", number) for number in range(SAMPLES)]
        return average(child.choices for child in sample(self.network, self._space, stage, streams))

    def spell(self, index: int, genotype: Genotype) -> Script:
        """Child ``index`` in steps of the policy."""
        return script(self._space, genotype, self._space.stage(index))

    def descend(self, loss: Tensor) -> None:
        """One step of Adam against the gradient of ``loss``; none where nothing can be learned."""
        if loss.requires_grad:
            self._optimiser.zero_grad()
            torch.autograd.backward(loss)
            self._optimiser.step()


def alike(scripts: Sequence[Script]) -> list[list[int]]:
    """Places of children of equal steps, which the network evaluates together."""
    shapes: dict[object, list[int]] = {}
    for place, child in enumerate(scripts):
        shapes.setdefault(child.steps, []).append(place)
    return list(shapes.values())


def kinds(space: Space, seed: int) -> dict[str, int]:
    """How many options each kind of decision has, in the order in which kinds first appear.

    Children are drawn from the first and from the last stage; a kind that shows in none of them has no softmax, and a
    proposal that meets it fails with its name. Raises ValueError: decisions of one kind differ in their options.
    """
    counts: dict[str, int] = {}
    stream = generator(seed, "kinds")
    for stage in dict.fromkeys((space.stage(0), space.stage(2**62))):
        for _ in range(16):
            genotype = space.sample(lambda options: int(stream.integers(options)), stage)
            for decision in walk(space, genotype, stage):
                if decision.anchor is None and is_step(decision):
                    _agree(counts, decision.kind, len(decision.options))
    return counts


def _free(child: Script) -> int:
    return sum(len(legal) > 1 for group in child.legal for legal in group)


def _agree(counts: dict[str, int], kind: str, options: int) -> None:
    if counts.setdefault(kind, options) != options:
        raise ValueError(
            f"decisions of kind {kind!r} have {counts[kind]} and {options} options; decisions of one kind share one "
            "softmax and must have as many options"
        )

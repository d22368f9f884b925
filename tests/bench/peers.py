"""Public methods to compare with, behind the two calls that a search needs; none of them is part of the product.

``tpe``: Optuna's tree-structured Parzen estimator at its defaults; it needs ``uv pip install optuna``.
``plainReinforce``: REINFORCE on independent softmaxes, Adam 0.1, a moving-average baseline of decay 0.9.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsearch.controller.strategy import Sampled, generator
from archsearch.controller_contract import Observation
from archsearch.space.base import Decision, Genotype, Space

Logits = list[NDArray[np.float64]]


def decisions_of(space: Space) -> list[Decision]:
    """The decisions of a space that does not grow and in which no option narrows another."""
    found: list[Decision] = []
    prefix: Genotype = ()
    while (decision := space.next(prefix, space.stage(0))) is not None:
        found.append(decision)
        prefix = (*prefix, decision.legal[0])
    return found


class Tpe:
    """Optuna's default sampler, one categorical parameter for each decision; a failed child is a failed trial."""

    def __init__(self, space: Space, seed: int) -> None:
        try:
            import optuna
        except ImportError as error:
            raise SystemExit("the peer tpe needs Optuna in this environment: uv pip install optuna") from error
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._decisions = decisions_of(space)
        self._failed = optuna.trial.TrialState.FAIL
        self._study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
        self._trials: list[Any] = []

    def propose(self, index: int) -> Sampled:
        trial = self._study.ask()
        self._trials.append(trial)
        genotype = tuple(trial.suggest_categorical(one.name, one.legal) for one in self._decisions)
        return Sampled(genotype, 0.0, 0.0)

    def adopt(self, index: int, genotype: Genotype) -> None:
        assert len(self._trials) == index + 1

    def observe(self, observation: Observation) -> None:
        trial = self._trials[observation.index]
        if observation.reward is None:
            self._study.tell(trial, state=self._failed)
        else:
            self._study.tell(trial, observation.reward)


class PlainReinforce:
    """One softmax for each decision; a step of Adam on each reward; a failed child teaches nothing."""

    _RATE, _DECAY, _FIRST, _SECOND, _TINY = 0.1, 0.9, 0.9, 0.999, 1e-8

    def __init__(self, space: Space, seed: int) -> None:
        self._legal = [decision.legal for decision in decisions_of(space)]
        self._seed = seed
        self._logits: Logits = [np.zeros(len(legal)) for legal in self._legal]
        self._mean: Logits = [np.zeros(len(legal)) for legal in self._legal]
        self._square: Logits = [np.zeros(len(legal)) for legal in self._legal]
        self._baseline: float | None = None
        self._updates = 0

    def propose(self, index: int) -> Sampled:
        draws = generator(self._seed, "plain reinforce", index)
        pairs = zip(self._legal, self._logits, strict=True)
        genotype = tuple(legal[int(draws.choice(len(legal), p=_softmax(logits)))] for legal, logits in pairs)
        return Sampled(genotype, 0.0, 0.0)

    def adopt(self, index: int, genotype: Genotype) -> None:
        pass

    def observe(self, observation: Observation) -> None:
        reward = observation.reward
        if reward is None:
            return
        advantage = 0.0 if self._baseline is None else reward - self._baseline
        self._baseline = reward if self._baseline is None else self._baseline + (1 - self._DECAY) * advantage
        self._updates += 1
        for place, token in enumerate(observation.genotype):
            chosen = np.array([legal == token for legal in self._legal[place]], dtype=float)
            self._step(place, advantage * (chosen - _softmax(self._logits[place])))

    def _step(self, place: int, gradient: NDArray[np.float64]) -> None:
        mean, square = self._mean[place], self._square[place]
        mean += (1 - self._FIRST) * (gradient - mean)
        square += (1 - self._SECOND) * (gradient**2 - square)
        corrected = mean / (1 - self._FIRST**self._updates)
        scale = np.sqrt(square / (1 - self._SECOND**self._updates)) + self._TINY
        self._logits[place] = self._logits[place] + self._RATE * corrected / scale


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum())


PEERS = {"tpe": Tpe, "plainReinforce": PlainReinforce}

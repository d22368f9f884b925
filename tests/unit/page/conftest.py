"""Whole searches, made up but of real parts: spaces sample, decode and draw; rewards follow from what was drawn."""

import json
import math
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from archsearch.api import ArchitectureSearch, Strategy
from archsearch.controller_contract import OptionProbabilities, PolicyState
from archsearch.engine.model import Outcome, Phase, Result, Trial
from archsearch.engine.record import HumanBaseline, SearchRecord
from archsearch.engine.rewards import reward_of
from archsearch.page import render
from archsearch.space import Genotype, Space, build, human_baseline, walk

START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
DIGITS = {"imageClassification": {"dataset": {"digits": {}}, "epochs": 3}}
OPERATIONS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
CHOICES = {"choices": [{"name": f"edge{n}", "values": OPERATIONS} for n in range(1, 7)]}
CONVOLUTIONAL = {"convolutional": {"depth": {"initial": 6}, "strides": [1, 2]}}
DEEP = {"convolutional": {"depth": {"initial": 11, "final": 15, "every": 40, "step": 2}, "strides": [1, 2, 3]}}
REINFORCE = {"reinforce": {"learningRate": 0.005, "batchSize": 8, "hiddenSize": 35, "layers": 2}}


def manifest(space: dict[str, Any], **spec: Any) -> ArchitectureSearch:
    task = DIGITS if "convolutional" in space else {"tabular": {"table": "nasbench201_cifar10.csv"}}
    whole = {"searchSpace": space, "trial": {"task": task}, "trials": {"max": 300, "parallelism": 2}, "seed": 7, **spec}
    return ArchitectureSearch.model_validate_json(_json({"metadata": {"name": "digits-search"}, "spec": whole}))


def _json(fields: dict[str, Any]) -> str:
    return json.dumps({"apiVersion": "archsearch.io/v1alpha1", "kind": "ArchitectureSearch", **fields})


def make_record(
    space: dict[str, Any] = CONVOLUTIONAL,
    children: int = 60,
    *,
    seed: int = 1,
    strategy: dict[str, Any] = REINFORCE,
    every: int = 4,
    **spec: Any,
) -> SearchRecord:
    """A search that gets better: children drift towards the last option of every decision."""
    search = manifest(space, strategy=strategy, **spec)
    drawn = _Drawn(search, random.Random(seed))
    trials = tuple(drawn.trial(index, children) for index in range(children))
    policy = tuple(drawn.policy(version, children) for version in range(0, children + 1, every))
    if "random" in strategy:
        policy = tuple(_without_policy(state) for state in policy)
    network = human_baseline(search)
    measured = {"accuracy": 0.958, "loss": 0.14, "testAccuracy": 0.9519, "parameters": 65_514.0}
    return SearchRecord(
        manifest=search,
        strategy=Strategy.model_validate_json(json.dumps(strategy)),
        trials=trials,
        policy=policy,
        outcome=Outcome(Result.SUCCEEDED, "MaxTrialsReached", f"all {children} children of trials.max are done"),
        started=START,
        active_seconds=children * 1.7,
        human=HumanBaseline(network, measured, 4.2) if network else None,
        warnings=("9 of the last 10 children were duplicates: the policy is collapsing.",) if children > 40 else (),
        versions={"archsearch": "0.1.0", "torch": "2.15.0", "python": "3.11.9", "platform": "Linux x86_64"},
    )


def _without_policy(state: PolicyState) -> PolicyState:
    return PolicyState(strategy="random", version=state.version, asked=state.asked, hash=state.hash)


class _Drawn:
    def __init__(self, search: ArchitectureSearch, random: random.Random) -> None:
        self.search, self.random = search, random
        self.space: Space = build(search.spec.search_space)
        self.seen: dict[Genotype, Trial] = {}

    def _weights(self, options: int, progress: float) -> list[float]:
        raw = [math.exp(2.2 * progress * place) for place in range(options)]
        return [weight / sum(raw) for weight in raw]

    def _sample(self, index: int, progress: float) -> Genotype:
        tokens: list[int] = []
        stage = self.space.stage(index)
        while (decision := self.space.next(tokens, stage)) is not None:
            strength = 0.2 * progress if decision.anchor else progress
            weights = self._weights(len(decision.legal), strength)
            tokens.append(self.random.choices(decision.legal, weights)[0])
        return tuple(tokens)

    def trial(self, index: int, children: int) -> Trial:
        progress = index / max(children, 2)
        genotype = self._sample(index, progress)
        created = START + timedelta(seconds=1.6 * index)
        original = self.seen.get(genotype)
        base = Trial(
            index, genotype, self.space.decode(genotype), max(0, index - 2), -1.1 * len(genotype), created,
            duplicate_of=original.index if original else None, started=created, attempts=1,
            completed=created + timedelta(seconds=3), seconds=2.4 + self.random.random(),
        )  # fmt: skip
        if original is not None and original.phase is Phase.SUCCEEDED:
            base = replace(base, reuse_of=original.index, seconds=0.0, attempts=0, started=None)
            return replace(
                base, phase=Phase.SUCCEEDED, reward=original.reward, metrics=original.metrics, observation=index
            )
        if index % 29 == 17:
            message = "loss became NaN in epoch 2 of 3 <script>alert('x')</script>; lower learningRate"
            return replace(base, phase=Phase.FAILED, reason="TrainingDiverged", message=message, observation=index)
        trial = self._succeed(base)
        self.seen.setdefault(genotype, trial)
        return trial

    def _succeed(self, base: Trial) -> Trial:
        share = sum(base.genotype) / (len(base.genotype) * 2.0)
        accuracy = round(0.82 + 0.13 * min(1.0, share) + self.random.gauss(0, 0.012), 4)
        if self.random.random() < 0.03:
            accuracy = 0.1
        accuracy = min(accuracy, 0.99)
        metrics = {
            "accuracy": accuracy,
            "loss": round(1.2 * (1 - accuracy), 4),
            "testAccuracy": accuracy - 0.011,
            "parameters": 1000.0 * (3 + sum(base.genotype)),
        }
        if self.search.spec.search_space.kind == "choices":
            metrics = {"val_accuracy": 100 * accuracy, "test_accuracy": 100 * accuracy - 0.7}
        metrics.setdefault(self.search.spec.objective.metric, 5.0 + 200 * (1 - accuracy))
        reward = reward_of(self.search.spec.objective, metrics)
        assert isinstance(reward, float)
        return replace(base, phase=Phase.SUCCEEDED, reward=reward, metrics=metrics, observation=base.index)

    def policy(self, version: int, children: int) -> PolicyState:
        progress = version / max(children, 2)
        stage = self.space.stage(max(0, version - 1))
        genotype = self.space.sample(lambda options: self.random.randrange(options), stage)
        decisions = tuple(
            OptionProbabilities(
                decision=each.name, kind=each.kind, options=each.options,
                probabilities=tuple(self._weights(len(each.options), progress * (0.3 + 0.7 * self.random.random()))),
            )
            for each in walk(self.space, genotype, stage)
        )  # fmt: skip
        return PolicyState(
            strategy="reinforce", version=version, asked=version + 2, hash="ab" * 32, decisions=decisions,
            entropy=0.97 * (1 - 0.5 * progress), baseline=0.85 + 0.1 * progress if version else None,
        )  # fmt: skip


@pytest.fixture(scope="session")
def convolutional_record() -> SearchRecord:
    return make_record()


@pytest.fixture(scope="session")
def choices_record() -> SearchRecord:
    return make_record(CHOICES, 80, objective={"metric": "val_accuracy"})


@pytest.fixture(scope="session")
def convolutional_html(convolutional_record: SearchRecord) -> str:
    return render(convolutional_record)


@pytest.fixture(scope="session")
def choices_html(choices_record: SearchRecord) -> str:
    return render(choices_record)


@pytest.fixture(scope="session")
def record_maker() -> Callable[..., SearchRecord]:
    return make_record

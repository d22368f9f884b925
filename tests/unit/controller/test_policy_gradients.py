"""The gradient that reinforce and ppo follow is that of the expected reward, on spaces that can be enumerated."""

import math
from collections.abc import Callable, Iterator
from typing import cast

import numpy as np
import pytest
import torch

from archsearch.api import Choice, ConvolutionalSpace, Depth, ReinforceStrategy, SearchSpace
from archsearch.api.strategy import PpoStrategy
from archsearch.controller.strategies.ppo import Ppo
from archsearch.controller.strategies.recurrent import Lesson
from archsearch.controller.strategies.reinforce import Reinforce
from archsearch.space import Anchor, Decision, Genotype, Space, build
from archsearch.space.product import ProductSpace

Taught = Reinforce | Ppo


@pytest.fixture(autouse=True)
def _double_precision() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


class Narrowed(ProductSpace):
    """Two kinds of decision, options of which some positions may not take all, and skips of which one is forced."""

    kind = "narrowed"

    def __init__(self) -> None:
        operations = ("a", "b", "c")
        decisions = [
            Decision("op1", "op", operations, (0, 1, 2)),
            Decision("input1", "input", (0, 1, 2), (0, 1)),
            Decision("op2", "op", operations, (0, 2)),
            Decision("only", "input", (0, 1, 2), (1,)),
            Decision("skip0", "skip", (False, True), (0, 1), Anchor(2, 0)),
            Decision("skip1", "skip", (False, True), (1,), Anchor(2, 1)),
            Decision("input2", "input", (0, 1, 2), (0, 1, 2)),
        ]
        super().__init__(decisions, {0: len(decisions)})

    def stage(self, index: int) -> int:
        return 0


def _choices() -> Space:
    listed = tuple(Choice(name=name, values=tuple(range(count))) for name, count in (("a", 3), ("b", 2), ("c", 4)))
    return build(SearchSpace(choices=listed))


def _skips() -> Space:
    settings = ConvolutionalSpace(depth=Depth(initial=3), filter_heights=(1, 3), filter_widths=(3,), filters=(4, 8))
    return build(SearchSpace(convolutional=settings))


SPACES: dict[str, Callable[[], Space]] = {
    "choices": _choices,
    "skips": _skips,
    "narrowed": lambda: cast(Space, Narrowed()),
}
everywhere = pytest.mark.parametrize("space", [make() for make in SPACES.values()], ids=list(SPACES))
either = pytest.mark.parametrize("name", ["reinforce", "ppo"])


def children(space: Space) -> list[Genotype]:
    growing: list[Genotype] = [()]
    while (decision := space.next(growing[0], space.stage(0))) is not None:
        growing = [(*prefix, token) for prefix in growing for token in decision.legal]
    return growing


def policy(name: str, space: Space) -> Taught:
    """A policy away from uniform, in double precision, without entropy bonus."""
    strategy: Taught
    if name == "ppo":
        strategy = Ppo(PpoStrategy(hidden_size=6, layers=2, entropy_weight=0.0), space, 3)
    else:
        strategy = Reinforce(ReinforceStrategy(hidden_size=6, layers=2, entropy_weight=0.0), space, 3)
    strategy.network.double()
    draws = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in strategy.network.parameters():
            parameter.uniform_(-0.7, 0.7, generator=draws)
    return strategy


def rewards(space: Space) -> np.ndarray:
    """Some reward of every child, with interactions."""
    return np.random.default_rng(5).normal(size=len(children(space))) + 2.0


def probabilities(strategy: Taught, space: Space) -> torch.Tensor:
    """Of every child, with a gradient."""
    scripts = [strategy.spell(0, child) for child in children(space)]
    return strategy.network.evaluate(scripts)[0].exp()


def slopes(strategy: Taught) -> torch.Tensor:
    found = [
        torch.zeros_like(parameter).flatten() if parameter.grad is None else parameter.grad.flatten()
        for parameter in strategy.network.parameters()
    ]
    return torch.cat(found)


def expected_step(strategy: Taught, space: Space, advantages: np.ndarray) -> torch.Tensor:
    """The direction of a step, averaged exactly over the children that the policy may draw.

    A batch holds every child once and counts it with its probability; a loss divides by the size of its batch.
    """
    weights = probabilities(strategy, space).detach().numpy() * len(advantages)
    lessons = [
        Lesson(strategy.spell(0, child), float(weight * advantage))
        for child, weight, advantage in zip(children(space), weights, advantages, strict=True)
    ]
    strategy.network.zero_grad()
    torch.autograd.backward(strategy.loss(lessons)[0])
    return -slopes(strategy)


def expected_reward(strategy: Taught, space: Space, values: np.ndarray) -> float:
    with torch.no_grad():
        return float((probabilities(strategy, space) * torch.tensor(values)).sum())


def shift(strategy: Taught, direction: torch.Tensor, by: float) -> None:
    start = 0
    with torch.no_grad():
        for parameter in strategy.network.parameters():
            part = direction[start : start + parameter.numel()]
            parameter.add_(part.view_as(parameter), alpha=by)
            start += parameter.numel()


@either
@everywhere
def test_the_expected_step_is_the_gradient_of_the_expected_reward_by_finite_differences(
    name: str, space: Space
) -> None:
    strategy, values = policy(name, space), rewards(space)
    found = expected_step(strategy, space, values)
    assert float(found.norm()) > 0.01
    places = torch.Generator().manual_seed(6)
    directions = [found / found.norm()]
    directions += [torch.randn(len(found), generator=places) for _ in range(5)]
    largest = found.abs().topk(10).indices
    directions += [torch.eye(len(found))[place] for place in largest]
    step = 1e-5
    for direction in directions:
        shift(strategy, direction, step)
        above = expected_reward(strategy, space, values)
        shift(strategy, direction, -2 * step)
        below = expected_reward(strategy, space, values)
        shift(strategy, direction, step)
        assert float(found @ direction) == pytest.approx((above - below) / (2 * step), rel=1e-5, abs=1e-8)


@everywhere
def test_on_policy_ppo_and_reinforce_take_the_same_step(space: Space) -> None:
    values = rewards(space)
    steps = [expected_step(policy(name, space), space, values) for name in ("reinforce", "ppo")]
    assert torch.allclose(steps[0], steps[1], rtol=1e-9, atol=1e-12)


@either
@everywhere
def test_a_baseline_changes_no_expected_step(name: str, space: Space) -> None:
    strategy, values = policy(name, space), rewards(space)
    assert torch.allclose(
        expected_step(strategy, space, values), expected_step(strategy, space, values - 1.7), rtol=1e-7, atol=1e-10
    )


@everywhere
def test_the_enumerated_children_are_the_whole_distribution(space: Space) -> None:
    strategy = policy("ppo", space)
    assert len(children(space)) == space.size()
    assert math.isclose(float(probabilities(strategy, space).detach().sum()), 1.0, abs_tol=1e-12)

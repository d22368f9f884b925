"""REINFORCE: whose gradient it is, when it is taken, and that it is the one that one computes by hand."""

from typing import Any, cast

import numpy as np
import pytest
import torch

from archsearch.api import Choice, ConvolutionalSpace, Depth, ReinforceStrategy, SearchSpace
from archsearch.controller.steps import script
from archsearch.controller.strategies.recurrent import Lesson
from archsearch.controller.strategies.reinforce import Reinforce
from archsearch.controller_contract import Observation
from archsearch.space import Decision, Genotype, Space, build
from archsearch.space.product import ProductSpace


def choices(**counts: int) -> Space:
    listed = tuple(Choice(name=name, values=tuple(range(count))) for name, count in counts.items())
    return build(SearchSpace(choices=listed))


def bandit(options: int = 3) -> Space:
    return choices(a=options)


def layers(depth: Depth, heights: tuple[int, ...] = (3,)) -> Space:
    settings = ConvolutionalSpace(depth=depth, filter_heights=heights, filter_widths=(3,), filters=(4, 8))
    return build(SearchSpace(convolutional=settings))


def policy(space: Space, seed: int = 1, **settings: Any) -> Reinforce:
    return Reinforce(ReinforceStrategy(**settings), space, seed)


def tell(strategy: Reinforce, number: int, genotype: Genotype, reward: float | None) -> None:
    strategy.observe(Observation(number=number, index=number, genotype=genotype, reward=reward))


def bias(strategy: Reinforce) -> torch.nn.Parameter:
    return dict(strategy.network.named_parameters())["heads.0.bias"]


def parameters(strategy: Reinforce) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in strategy.network.parameters()]


def softmax(strategy: Reinforce, space: Space) -> Any:
    """Probabilities of the options of a single decision."""
    options = len(strategy.decisions(0)[0].probabilities)
    return np.exp([strategy.log_probability(0, (token,)) for token in range(options)])


def gradient(strategy: Reinforce, space: Space, batch: list[tuple[Genotype, float]]) -> Any:
    lessons = [Lesson(script(space, genotype, 0), advantage) for genotype, advantage in batch]
    strategy.network.zero_grad()
    torch.autograd.backward(strategy.loss(lessons)[0])
    assert bias(strategy).grad is not None
    return bias(strategy).grad


def test_the_gradient_is_the_one_computed_by_hand() -> None:
    space = bandit(3)
    strategy = policy(space, entropy_weight=0.0)
    p = softmax(strategy, space)
    batch: list[tuple[Genotype, float]] = [((2,), 1.5), ((0,), -0.5), ((2,), 0.25)]
    # d log p(token) / d bias_a = [a == token] - p_a; the loss is minus the mean of advantage times log p.
    expected = -sum(advantage * (np.eye(3)[genotype[0]] - p) for genotype, advantage in batch) / 3
    assert gradient(strategy, space, batch).numpy() == pytest.approx(expected, abs=1e-6)


def test_the_entropy_bonus_adds_the_entropys_gradient_and_pulls_towards_uniform() -> None:
    space = bandit(3)
    strategy = policy(space, entropy_weight=2.0)
    with torch.no_grad():
        bias(strategy).copy_(torch.tensor([1.0, 0.0, -1.0]))
    p = softmax(strategy, space)
    entropy = -(p * np.log(p)).sum()
    # d H / d bias_a = -p_a (log p_a + H)
    expected = -2.0 * -p * (np.log(p) + entropy)
    found = gradient(strategy, space, [((0,), 0.0)])
    assert found.numpy() == pytest.approx(expected, abs=1e-5)
    assert found[0] > 0 > found[2]  # a step downhill takes from the likely option and gives to the unlikely one


def test_the_gradient_of_a_whole_child_with_skips_is_that_of_finite_differences() -> None:
    space = layers(Depth(initial=3), heights=(1, 3))
    strategy = policy(space, hidden_size=5, entropy_weight=0.3)
    strategy.network.double()
    torch.set_default_dtype(torch.float64)
    try:
        genotypes = [strategy.propose(index).genotype for index in range(3)]
        advantages = (1.0, -2.0, 0.5)
        lessons = [Lesson(script(space, child, 3), value) for child, value in zip(genotypes, advantages, strict=True)]
        strategy.network.zero_grad()
        torch.autograd.backward(strategy.loss(lessons)[0])
        for name, parameter in strategy.network.named_parameters():
            flat, slope = parameter.detach().view(-1), parameter.grad
            assert slope is not None, name
            place = int(slope.abs().argmax())
            step = 1e-5
            flat[place] += step
            above = strategy.loss(lessons)[0].item()
            flat[place] -= 2 * step
            below = strategy.loss(lessons)[0].item()
            flat[place] += step
            assert float(slope.view(-1)[place]) == pytest.approx((above - below) / (2 * step), rel=1e-4, abs=1e-9), name
    finally:
        torch.set_default_dtype(torch.float32)


def test_credit_goes_to_the_child_that_was_evaluated_not_to_the_one_that_would_be_drawn() -> None:
    space = bandit(3)
    strategy = policy(space, batch_size=2, learning_rate=0.05, normalise_rewards=False, baseline_decay=0.0)
    before = softmax(strategy, space)
    tell(strategy, 0, (1,), 0.0)
    tell(strategy, 1, (2,), 1.0)  # advantage 1 over the baseline 0
    after = softmax(strategy, space)
    assert after[2] > before[2]
    assert after[0] < before[0]
    assert after[1] < before[1]


def test_the_first_step_of_adam_moves_each_weight_by_the_learning_rate_against_its_gradient() -> None:
    space = bandit(3)
    strategy = policy(space, batch_size=2, learning_rate=0.01, normalise_rewards=False, baseline_decay=0.0)
    before = bias(strategy).detach().clone()
    slope = gradient(strategy, space, [((0,), 0.0), ((1,), 3.0)]).clone()
    tell(strategy, 0, (0,), 2.0)
    tell(strategy, 1, (1,), 5.0)
    assert torch.allclose(bias(strategy).detach() - before, -0.01 * slope.sign(), atol=1e-5)


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_the_policy_moves_when_m_rewards_have_been_told_and_not_before(batch: int) -> None:
    space = choices(a=3, b=2)
    strategy = policy(space, batch_size=batch, entropy_weight=0.0)
    for number in range(3 * batch):
        before = parameters(strategy)
        tell(strategy, number, (number % 3, number % 2), float(number))
        moved = any(not torch.equal(a, b) for a, b in zip(before, parameters(strategy), strict=True))
        # The very first reward is its own baseline: with m = 1 its step is no step.
        assert moved == ((number + 1) % batch == 0 and number > 0)


def test_failed_trials_are_told_but_fill_no_batch_and_move_no_baseline() -> None:
    space = bandit(3)
    strategy = policy(space, batch_size=2)
    tell(strategy, 0, (0,), 1.0)
    before, value, hashed = parameters(strategy), strategy.baseline.value, strategy.hash()
    tell(strategy, 1, (1,), None)
    assert all(torch.equal(a, b) for a, b in zip(before, parameters(strategy), strict=True))
    assert strategy.baseline.value == value
    assert strategy.hash() != hashed
    tell(strategy, 2, (2,), 5.0)
    assert any(not torch.equal(a, b) for a, b in zip(before, parameters(strategy), strict=True))


def test_children_of_different_depths_share_a_batch() -> None:
    space = layers(Depth(initial=2, final=3, every=2, step=1))
    strategy = policy(space, batch_size=4)
    children = [strategy.propose(index).genotype for index in range(4)]
    assert [len(child) for child in children] == [11, 11, 18, 18]
    lessons = [Lesson(script(space, child, 2 if n < 2 else 3), float(n)) for n, child in enumerate(children)]
    whole = strategy.loss(lessons)[0].item()
    assert whole == pytest.approx(sum(strategy.loss([lesson])[0].item() for lesson in lessons) / 4, rel=1e-5)
    before = parameters(strategy)
    for number, child in enumerate(children):
        tell(strategy, number, child, float(number))
    assert any(not torch.equal(a, b) for a, b in zip(before, parameters(strategy), strict=True))


@pytest.mark.parametrize("scale", [2.0**-7, 64.0, -1.0])
def test_with_normalised_rewards_the_unit_of_the_reward_changes_nothing_but_its_sign_does(scale: float) -> None:
    space = choices(a=4, b=4)
    plain, scaled = policy(space), policy(space)
    same = True
    for number in range(60):
        child = plain.propose(number).genotype
        same = same and child == scaled.propose(number).genotype
        reward = float(child[0] - child[1])
        tell(plain, number, child, reward)
        tell(scaled, number, child, reward * scale)
    assert same == (scale > 0)


def test_it_learns_which_of_two_decisions_matter_and_how() -> None:
    space = choices(a=4, b=4)
    strategy = policy(space)
    for number in range(200):
        child = strategy.propose(number).genotype
        tell(strategy, number, child, 0.9 if child[0] == 2 else 0.5 + 0.01 * child[1])
    first, _ = strategy.decisions(0)
    assert first.probabilities[2] > 0.8
    assert (strategy.summary().baseline or 0) > 0.7


def test_a_space_without_any_choice_is_borne() -> None:
    space = bandit(1)
    strategy = policy(space, batch_size=1)
    assert strategy.propose(0).genotype == (0,)
    assert strategy.propose(0).log_probability == 0.0
    tell(strategy, 0, (0,), 1.0)
    tell(strategy, 1, (0,), 2.0)
    assert strategy.log_probability(2, (0,)) == 0.0
    assert strategy.summary().entropy == 0.0


def test_kinds_that_disagree_on_their_options_are_refused_by_name() -> None:
    class Odd(ProductSpace):
        kind = "odd"

        def stage(self, index: int) -> int:
            return 0

    decisions = [Decision("first", "a", (1, 2, 3), (0, 1, 2)), Decision("second", "a", (1, 2), (0, 1))]
    with pytest.raises(ValueError, match="kind 'a' have 3 and 2 options"):
        policy(cast(Space, Odd(decisions, {0: 2})))

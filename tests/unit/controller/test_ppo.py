"""PPO: the clipped objective, its old probabilities, and its several steps, against a computation by hand."""

from typing import Any

import numpy as np
import pytest
import torch

from archsearch.api import Choice, ConvolutionalSpace, Depth, ReinforceStrategy, SearchSpace
from archsearch.api.strategies.ppo import PPO_PRESETS, PpoPreset, PpoStrategy
from archsearch.controller.adam import DECAYS, EPSILON
from archsearch.controller.strategies.ppo import INIT_RANGE, Ppo
from archsearch.controller.strategies.recurrent import Lesson
from archsearch.controller.strategies.reinforce import Reinforce
from archsearch.controller_contract import Observation
from archsearch.space import Genotype, Space, build


def bandit(options: int = 3, decisions: int = 1) -> Space:
    listed = tuple(Choice(name=f"c{number}", values=tuple(range(options))) for number in range(decisions))
    return build(SearchSpace(choices=listed))


def policy(space: Space, **settings: Any) -> Ppo:
    return Ppo(PpoStrategy(**settings), space, 1)


def tell(strategy: Ppo, number: int, genotype: Genotype, reward: float | None) -> None:
    strategy.observe(Observation(number=number, index=number, genotype=genotype, reward=reward))


def softmax(strategy: Ppo) -> Any:
    """Probabilities of the options of a single decision."""
    options = len(strategy.decisions(0)[0].probabilities)
    return np.exp([strategy.log_probability(0, (token,)) for token in range(options)])


def bias(strategy: Ppo, head: int = 0) -> torch.nn.Parameter:
    return dict(strategy.network.named_parameters())[f"heads.{head}.bias"]


def slope(strategy: Ppo, genotype: Genotype, advantage: float, ratios: list[float], head: int = 0) -> Any:
    """Gradient at the bias of a decision, of a child whose decisions have become ``ratios`` times as likely."""
    script = strategy.spell(0, genotype)
    with torch.no_grad():
        now, _ = strategy.network.evaluate_decisions([script])
    drawn = now[0] - torch.tensor(ratios).log()
    strategy.network.zero_grad()
    torch.autograd.backward(strategy.loss([Lesson(script, advantage)], {0: drawn})[0])
    found = bias(strategy, head).grad
    assert found is not None
    return found.numpy()


@pytest.mark.parametrize(
    ("ratio", "advantage", "teaches"),
    [
        (1.0, 1.0, True),
        (1.19, 1.0, True),
        (1.21, 1.0, False),  # made likely enough
        (5.0, 1.0, False),
        (0.5, 1.0, True),  # a good child that has become unlikely is brought back
        (1.0, -1.0, True),
        (0.81, -1.0, True),
        (0.79, -1.0, False),  # made unlikely enough
        (0.1, -1.0, False),
        (5.0, -1.0, True),  # a bad child that has become likely is driven out
    ],
)
def test_a_ratio_beyond_the_clip_stops_the_gradient_on_the_side_that_the_advantage_pulls_to(
    ratio: float, advantage: float, teaches: bool
) -> None:
    strategy = policy(bandit(), entropy_weight=0.0, clip=0.2)
    p = softmax(strategy)
    # d r / d bias_a = r ([a == token] - p_a); the loss is minus r A where the clip lets it through.
    expected = -ratio * advantage * (np.eye(3)[1] - p) if teaches else np.zeros(3)
    assert slope(strategy, (1,), advantage, [ratio]) == pytest.approx(expected, abs=1e-5)


def test_every_decision_has_a_ratio_of_its_own() -> None:
    strategy = policy(bandit(decisions=2), entropy_weight=0.0, clip=0.2)
    genotype = (2, 0)
    assert abs(slope(strategy, genotype, 1.0, [1.0, 5.0], head=0)).max() > 0.1
    assert abs(slope(strategy, genotype, 1.0, [1.0, 5.0], head=1)).max() == 0.0
    assert abs(slope(strategy, genotype, 1.0, [5.0, 1.0], head=1)).max() > 0.1


def test_a_ratio_that_would_overflow_gives_finite_numbers() -> None:
    strategy = policy(bandit(), entropy_weight=0.1)
    script = strategy.spell(0, (1,))
    loss, *_ = strategy.loss([Lesson(script, -1e9)], {0: torch.tensor([-1000.0])})
    torch.autograd.backward(loss)
    assert torch.isfinite(loss)
    assert all(
        parameter.grad is None or torch.isfinite(parameter.grad).all() for parameter in strategy.network.parameters()
    )


def by_hand(
    logits: Any, batch: list[tuple[int, float, Any]], steps: int, rate: float, clip: float, bonus: float
) -> Any:
    """Adam on the logits of one softmax: children are (token, advantage, probabilities when asked for)."""
    mean, square = np.zeros_like(logits), np.zeros_like(logits)
    for step in range(1, steps + 1):
        p = np.exp(logits) / np.exp(logits).sum()
        entropy = -(p * np.log(p)).sum()
        uphill = np.zeros_like(logits)
        for token, advantage, asked in batch:
            ratio = p[token] / asked[token]
            held = ratio > 1 + clip if advantage > 0 else ratio < 1 - clip
            if not held:
                uphill += advantage * ratio * (np.eye(len(p))[token] - p)
            uphill += bonus * -p * (np.log(p) + entropy)
        slope = -uphill / len(batch)
        mean = DECAYS[0] * mean + (1 - DECAYS[0]) * slope
        square = DECAYS[1] * square + (1 - DECAYS[1]) * slope**2
        corrected = mean / (1 - DECAYS[0] ** step)
        logits = logits - rate * corrected / (np.sqrt(square / (1 - DECAYS[1] ** step)) + EPSILON)
    return logits


@pytest.mark.parametrize("bonus", [0.0, 0.3])
def test_the_steps_of_one_batch_are_the_ones_computed_by_hand(bonus: float) -> None:
    strategy = policy(
        bandit(), batch_size=3, steps=6, learning_rate=0.1, clip=0.2, entropy_weight=bonus, baseline_decay=0.0
    )
    start = np.array([0.5, 0.0, -0.3])
    with torch.no_grad():  # with all other weights 0 the hidden state is 0, and only this bias is ever moved
        for parameter in strategy.network.parameters():
            parameter.zero_()
        bias(strategy).copy_(torch.tensor(start))
    p = np.exp(start) / np.exp(start).sum()
    for index, token in enumerate((0, 1, 2)):
        strategy.adopt(index, (token,))
    for number, (token, reward) in enumerate([(0, 1.0), (1, 0.4), (2, 0.9)]):
        tell(strategy, number, (token,), reward)
    # With decay 0 the baseline is the reward before; the first reward is its own.
    batch = [(0, 0.0, p), (1, -0.6, p), (2, 0.5, p)]
    expected = by_hand(start, batch, steps=6, rate=0.1, clip=0.2, bonus=bonus)
    assert bias(strategy).detach().numpy() == pytest.approx(expected, abs=1e-5)
    unclipped = by_hand(start, batch, steps=6, rate=0.1, clip=100, bonus=bonus)
    assert abs(expected - unclipped).max() > 1e-3  # so the clip was felt


def test_a_child_that_was_asked_for_long_ago_teaches_as_one_of_today() -> None:
    one, other = (policy(bandit(), batch_size=2, steps=3, learning_rate=0.1) for _ in range(2))
    for number, token in enumerate((0, 1, 2, 1, 0, 2)):
        one.adopt(number, (token,))
    for number, token in enumerate((0, 1, 2, 1, 0, 2)):
        other.adopt(number, (token,))
        for strategy in (one, other):
            tell(strategy, number, (token,), float(token))
    assert one.hash() == other.hash()


def test_the_first_step_of_a_batch_is_that_of_reinforce() -> None:
    space = bandit(decisions=2)
    settings: dict[str, Any] = {"hidden_size": 5, "layers": 1, "entropy_weight": 0.1}
    ours = policy(space, **settings)
    theirs = Reinforce(ReinforceStrategy(**settings), space, 1)
    theirs.network.load_state_dict(ours.network.state_dict())
    lessons = [Lesson(ours.spell(0, child), advantage) for child, advantage in (((0, 1), 1.5), ((2, 2), -0.5))]
    found = []
    strategies: tuple[Ppo | Reinforce, ...] = (ours, theirs)
    for strategy in strategies:
        torch.autograd.backward(strategy.loss(lessons)[0])
        slopes = [parameter.grad for parameter in strategy.network.parameters()]
        found.append(torch.cat([slope.flatten() for slope in slopes if slope is not None]))
    assert torch.allclose(found[0], found[1], atol=1e-6)


def test_failed_trials_are_told_but_fill_no_batch_and_move_no_baseline() -> None:
    strategy = policy(bandit(), batch_size=2)
    tell(strategy, 0, (0,), 1.0)
    before, value, hashed = bias(strategy).detach().clone(), strategy.baseline.value, strategy.hash()
    tell(strategy, 1, (1,), None)
    assert torch.equal(before, bias(strategy))
    assert strategy.baseline.value == value
    assert strategy.hash() != hashed


def test_children_of_different_depths_share_a_batch() -> None:
    settings = ConvolutionalSpace(
        depth=Depth(initial=2, final=3, every=2, step=1), filter_heights=(3,), filter_widths=(3,), filters=(4, 8)
    )
    strategy = policy(build(SearchSpace(convolutional=settings)), batch_size=3, preset=PpoPreset.FAST)
    children = [strategy.propose(index).genotype for index in range(6)]
    for index, child in enumerate(children):
        strategy.adopt(index, child)
    hashes = []
    for number in (5, 0, 3, 2, 4, 1):
        tell(strategy, number, children[number], float(number))
        hashes.append(strategy.hash())
    assert len(set(hashes)) == 6
    assert all(torch.isfinite(parameter).all() for parameter in strategy.network.parameters())


def test_it_learns_which_of_two_decisions_matter_and_how() -> None:
    strategy = policy(bandit(4, decisions=2), preset=PpoPreset.FAST)
    for number in range(200):
        child = strategy.propose(number).genotype
        strategy.adopt(number, child)
        tell(strategy, number, child, 0.9 if child[0] == 2 else 0.5 + 0.01 * child[1])
    first, _ = strategy.decisions(0)
    assert first.probabilities[2] > 0.8


def test_every_preset_fills_in_every_field() -> None:
    fields = set(PpoStrategy.model_fields) - {"preset"}
    for preset in PpoPreset:
        resolved = PpoStrategy(preset=preset).resolved()
        assert {name: getattr(resolved, name) for name in fields} == dict(PPO_PRESETS[preset])
        assert PpoStrategy(preset=preset, steps=7).resolved().steps == 7


def test_the_papers_preset_is_what_nasnets_appendix_says() -> None:
    paper = PpoStrategy().resolved()
    assert paper.preset is PpoPreset.PAPER
    assert (paper.hidden_size, paper.layers, paper.learning_rate, paper.batch_size) == (100, 1, 3.5e-4, 20)
    assert (paper.entropy_weight, paper.baseline_decay, INIT_RANGE) == (1e-5, 0.95, 0.1)
    weights = torch.cat([parameter.detach().flatten() for parameter in policy(bandit()).network.parameters()])
    assert 0.099 < float(weights.abs().max()) <= 0.1

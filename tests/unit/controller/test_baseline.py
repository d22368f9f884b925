"""The moving averages that turn rewards into advantages."""

import math

import pytest

from archsearch.controller.baseline import LARGEST, OUTLIER, Baseline


def test_the_first_reward_has_no_advantage_and_becomes_the_baseline() -> None:
    baseline = Baseline(decay=0.95, normalise=False)
    assert baseline.value is None
    assert baseline.advantage(91.5) == 0.0
    assert baseline.value == pytest.approx(91.5)


def test_the_advantage_is_over_the_average_before_the_reward() -> None:
    baseline = Baseline(decay=0.5, normalise=False)
    # After n rewards the weights of reward k are 0.5 ** (n - k) * 0.5, divided by their sum.
    assert [baseline.advantage(reward) for reward in (8.0, 2.0, 5.0)] == pytest.approx([0.0, -6.0, 5 - 10 / 2.5 * 1])
    assert baseline.value == pytest.approx((0.125 * 8 + 0.25 * 2 + 0.5 * 5) / 0.875)


def test_two_rewards_weigh_nearly_alike_at_first_and_old_ones_fade_later() -> None:
    baseline = Baseline(decay=0.95, normalise=False)
    baseline.advantage(0.0)
    baseline.advantage(1.0)
    assert baseline.value == pytest.approx(1 / 1.95)
    for _ in range(200):
        baseline.advantage(1.0)
    assert baseline.value == pytest.approx(1.0, abs=1e-4)


def test_no_decay_makes_the_last_reward_the_baseline() -> None:
    baseline = Baseline(decay=0.0, normalise=False)
    assert [baseline.advantage(reward) for reward in (3.0, 5.0, 4.0)] == [0.0, 2.0, -1.0]


def test_normalised_advantages_are_in_units_of_the_running_mean_distance() -> None:
    baseline = Baseline(decay=0.0, normalise=True)
    # With decay 0 the running mean distance is the distance itself: every advantage is 1, -1 or 0.
    assert [baseline.advantage(reward) for reward in (3.0, 5.0, 4.0, 4.0)] == [0.0, 1.0, -1.0, 0.0]
    slow = Baseline(decay=0.5, normalise=True)
    slow.advantage(10.0)
    slow.advantage(14.0)
    average = (0.25 * 10 + 0.5 * 14) / 0.75
    distance = 13.5 - average
    spread = (0.25 * 4 + 0.5 * abs(distance)) / 0.75
    assert slow.advantage(13.5) == pytest.approx(distance / spread)
    assert 0 < distance / spread < 1


def test_an_outlier_counts_as_one_mean_distance_when_normalised_and_in_full_when_not() -> None:
    rewards = [90.0, 92.0, 91.0, 10.0, 91.0, 99.0]
    held, full = Baseline(0.9, True), Baseline(0.9, False)
    normalised = [held.advantage(reward) for reward in rewards]
    assert normalised[3] == -OUTLIER
    assert max(map(abs, normalised)) <= OUTLIER
    assert full.advantage(90.0) == 0
    assert full.advantage(10.0) == -80


@pytest.mark.parametrize("scale", [1e-3, 0.01, 64.0, 1e6])
def test_normalised_advantages_do_not_depend_on_the_unit_of_the_reward(scale: float) -> None:
    rewards = [91.2, 10.0, 88.7, 91.2, 93.4]
    one, other = Baseline(0.9, True), Baseline(0.9, True)
    plain = [one.advantage(reward) for reward in rewards]
    assert [other.advantage(reward * scale) for reward in rewards] == pytest.approx(plain)


@pytest.mark.parametrize("normalise", [True, False])
def test_wild_rewards_give_finite_bounded_advantages(normalise: bool) -> None:
    baseline = Baseline(0.9, normalise)
    for reward in (0.0, 1e308, -1e308, 1.7e308, -1.7e308, 0.0, 1e-308, 5.0):
        advantage = baseline.advantage(reward)
        assert math.isfinite(advantage)
        assert abs(advantage) <= LARGEST


@pytest.mark.parametrize("normalise", [True, False])
def test_equal_rewards_have_no_advantage(normalise: bool) -> None:
    baseline = Baseline(0.5, normalise)
    assert [baseline.advantage(0.5) for _ in range(5)] == [0.0] * 5

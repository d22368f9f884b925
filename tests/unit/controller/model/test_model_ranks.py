"""Rewards become normal scores of their ranks."""

from statistics import NormalDist

import numpy as np
import pytest

from archsearch.controller.model.ranks import scores

QUANTILE = NormalDist().inv_cdf


def test_a_score_is_the_quantile_of_the_middle_of_its_rank() -> None:
    found = scores([10.0, 30.0, 20.0])
    assert found == pytest.approx([QUANTILE(1 / 6), QUANTILE(5 / 6), QUANTILE(3 / 6)])


def test_equal_rewards_share_the_mean_of_their_ranks() -> None:
    found = scores([1.0, 5.0, 5.0, 9.0])
    assert found == pytest.approx([QUANTILE(0.5 / 4), 0.0, 0.0, QUANTILE(3.5 / 4)])


def test_failures_rank_below_every_reward_and_alike() -> None:
    found = scores([None, -1e308, None, 1e308])
    assert found == pytest.approx([QUANTILE(1 / 4), QUANTILE(2.5 / 4), QUANTILE(1 / 4), QUANTILE(3.5 / 4)])


def test_the_unit_of_rewards_does_not_matter() -> None:
    rewards = np.random.default_rng(1).standard_normal(50)
    np.testing.assert_array_equal(scores(rewards), scores(1e6 * np.exp(rewards)))


def test_nothing_told_gives_no_scores_and_one_reward_is_average() -> None:
    assert scores([]).shape == (0,)
    assert scores([7.0]) == pytest.approx([0.0])

"""What the model sees is bounded, and a function of the first so many tells."""

import numpy as np
import pytest

from archsearch.controller.model.memory import Memory, chosen, epoch


def test_networks_told_twice_are_averaged_and_failures_count_only_where_nothing_else_was_told() -> None:
    memory = Memory()
    for network, reward in [((0,), 1.0), ((1,), None), ((0,), 4.0), ((2,), None), ((2,), 5.0)]:
        memory.tell(network, network, 0, reward)
    assert memory.rewards(5).tolist() == [2.5, -np.inf, 5.0]
    assert memory.rewards(2).tolist() == [1.0, -np.inf]
    assert memory.rewards(0).tolist() == []
    assert (1,) in memory
    assert (3,) not in memory


def test_huge_rewards_do_not_overflow() -> None:
    memory = Memory()
    for _ in range(3):
        memory.tell((0,), (0,), 0, 1.7e308)
    assert memory.rewards(3) == pytest.approx([1.7e308])


def test_few_networks_are_all_seen_and_of_many_the_best_the_latest_and_some_of_the_rest() -> None:
    rewards = np.random.default_rng(1).permutation(1000).astype(float)
    assert chosen(rewards[:40], 40).tolist() == list(range(40))
    seen = chosen(rewards, 40)
    assert len(seen) == len(set(seen.tolist())) == 40
    assert seen.tolist() == sorted(seen)
    assert set(range(990, 1000)) <= set(seen.tolist())
    best = np.argsort(-rewards[:990])[:20]
    assert set(best.tolist()) <= set(seen.tolist())


def test_epochs_start_at_fixed_counts_ever_further_apart() -> None:
    starts = sorted({epoch(tells) for tells in range(3000)})
    gaps = np.diff(starts)
    assert starts[0] == 0
    assert gaps[0] == 4
    assert gaps.max() == gaps[-1] == 32
    assert bool((np.diff(gaps) >= 0).all())
    for tells in (0, 3, 4, 57, 318, 320, 1999):
        assert epoch(tells) == max(start for start in starts if start <= tells)

"""What modelBased asks for follows from what was told and what is in flight, and from nothing else."""

import math
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from archsearch.api import Choice, SearchSpace
from archsearch.api.space import ConvolutionalSpace, Depth
from archsearch.api.strategy import ModelBasedStrategy
from archsearch.controller.strategies.model_based import ModelBased
from archsearch.controller_contract import Observation
from archsearch.space import build
from archsearch.space.base import Genotype, Space

Reward = Callable[[Genotype], float | None]


def choices(counts: Sequence[int]) -> Space:
    names = enumerate(counts)
    return build(
        SearchSpace(choices=tuple(Choice(name=f"d{n}", values=tuple("abcdefghi"[:count])) for n, count in names))
    )


def strategy_of(space: Space, seed: int = 5, initial: int = 10) -> ModelBased:
    return ModelBased(ModelBasedStrategy(initial=initial), space, seed)


def search(strategy: ModelBased, reward: Reward, children: int, in_flight: int = 1) -> list[Genotype]:
    """Child i is drawn when children 0 .. i - in_flight were told."""
    asked: list[Genotype] = []
    for index in range(children):
        if (told := index - in_flight) >= 0:
            tell(strategy, told, asked[told], reward(asked[told]))
        asked.append(strategy.propose(index).genotype)
        strategy.adopt(index, asked[-1])
    return asked


def tell(strategy: ModelBased, index: int, genotype: Genotype, reward: float | None) -> None:
    strategy.observe(Observation(number=index, index=index, genotype=genotype, reward=reward))


def excuse(strategy: ModelBased, index: int, genotype: Genotype) -> None:
    strategy.observe(Observation(number=index, index=index, genotype=genotype, excused=True))


def additive(genotype: Genotype) -> float:
    return sum(math.sin(3 * place + 2 * token) for place, token in enumerate(genotype))


@pytest.mark.parametrize(("counts", "in_flight", "gap"), [((4,) * 6, 1, 0.3), ((4,) * 6, 8, 0.3), ((3,) * 20, 8, 4.0)])
def test_it_climbs_an_additive_reward(counts: tuple[int, ...], in_flight: int, gap: float) -> None:
    best = sum(max(math.sin(3 * place + 2 * token) for token in range(count)) for place, count in enumerate(counts))
    asked = search(strategy_of(choices(counts)), additive, 50, in_flight)
    rewards = list(map(additive, asked))
    assert max(rewards) > best - gap > max(rewards[:10])


def test_the_first_children_try_every_option_equally_often_also_while_none_is_told() -> None:
    asked = search(strategy_of(choices((5, 5, 5, 3, 2)), initial=30), additive, 30, in_flight=40)
    for place, count in enumerate((5, 5, 5, 3, 2)):
        seen = Counter(genotype[place] for genotype in asked)
        assert len(seen) == count
        assert max(seen.values()) - min(seen.values()) <= 2  # a network that came twice is replaced


@pytest.mark.parametrize("in_flight", [1, 8, 200])
def test_no_network_is_asked_for_twice_while_others_are_left_and_an_exhausted_space_still_answers(
    in_flight: int,
) -> None:
    space = choices((3, 2, 4))
    asked = search(strategy_of(space), additive, 30, in_flight)
    assert len(set(asked[:24])) == 24
    assert set(asked[24:]) <= set(asked[:24])


def test_hundreds_in_flight_are_all_different() -> None:
    space = choices((3,) * 12)
    strategy = strategy_of(space)
    asked = search(strategy, additive, 20)
    for index in range(20, 120):
        asked.append(strategy.propose(index).genotype)
        strategy.adopt(index, asked[-1])
    assert len(set(asked)) == 120


def test_a_pending_child_changes_what_is_asked_for_next() -> None:
    space = choices((4,) * 5)
    one, other = strategy_of(space), strategy_of(space)
    for strategy in (one, other):
        asked = search(strategy, additive, 30)
        tell(strategy, 29, asked[29], additive(asked[29]))
    favourite = one.propose(30).genotype
    other.adopt(30, favourite)
    assert other.propose(30).genotype != favourite
    assert one.propose(30).genotype == favourite


def test_it_keeps_away_from_where_children_fail() -> None:
    def reward(genotype: Genotype) -> float | None:
        return None if genotype[0] != 1 or genotype[3] == 2 else additive(genotype)

    asked = search(strategy_of(choices((4,) * 6)), reward, 60)
    failed = [reward(genotype) is None for genotype in asked]
    assert sum(failed[:10]) >= 6
    assert sum(failed[30:]) <= 15  # of uniform children 24 fail


def test_children_that_are_excused_teach_nothing_and_leave_as_many_balanced_ones_to_come() -> None:
    space = choices((4,) * 6)
    strategy, counted = strategy_of(space), 16
    asked = []
    for index in range(counted):
        asked.append(strategy.propose(index).genotype)
        strategy.adopt(index, asked[-1])
        excuse(strategy, index, asked[-1])
    for index in range(counted, counted + 50):
        asked.append(strategy.propose(index).genotype)
        strategy.adopt(index, asked[-1])
        tell(strategy, index, asked[-1], additive(asked[-1]))
    assert len(set(asked)) == len(asked)
    for place in range(6):  # rows 16 to 25 of the balanced design
        assert max(Counter(genotype[place] for genotype in asked[16:26]).values()) <= 4
    best = sum(max(math.sin(3 * place + 2 * token) for token in range(4)) for place in range(6))
    assert max(map(additive, asked[16:])) > best - 0.3


def test_a_late_excused_child_changes_nothing_but_that_it_is_not_pending() -> None:
    space = choices((4,) * 5)
    strategy = strategy_of(space)
    asked = search(strategy, additive, 30)
    before = strategy.hash()
    excuse(strategy, 29, asked[29])
    assert strategy.hash() != before
    assert strategy.propose(30).genotype not in asked


def test_where_every_child_fails_it_goes_on_asking_for_new_ones() -> None:
    asked = search(strategy_of(choices((3,) * 5)), lambda genotype: None, 40)
    assert len(set(asked)) == 40


@pytest.mark.parametrize("reward", [1e308, -1e308, 0.0])
def test_equal_rewards_teach_nothing_and_break_nothing(reward: float) -> None:
    asked = search(strategy_of(choices((3,) * 5)), lambda genotype: reward, 40)
    assert len(set(asked)) == 40


def test_a_space_that_grows_is_searched_stage_by_stage_with_what_was_learned_before() -> None:
    settings = ConvolutionalSpace(
        depth=Depth(initial=2, final=4, every=12, step=1),
        filter_heights=(1, 3),
        filter_widths=(1, 3),
        filters=(4, 8),
        skip_connections=True,
    )
    space = build(SearchSpace(convolutional=settings))
    asked = search(strategy_of(space), lambda genotype: float(genotype[0] + genotype[1] + len(genotype)), 40)
    assert all(space.problem(genotype, space.stage(index)) is None for index, genotype in enumerate(asked))
    assert len({len(genotype) for genotype in asked}) == 3
    assert sum(genotype[:2] == (1, 1) for genotype in asked[24:]) > 10


def test_one_option_everywhere_is_a_space_of_one_child() -> None:
    assert search(strategy_of(choices((1, 1))), additive, 15) == [(0, 0)] * 15


def test_when_somebody_asked_does_not_matter_only_what_was_told() -> None:
    space = choices((4,) * 5)
    live, late = strategy_of(space), strategy_of(space)
    asked = search(live, additive, 61)
    for index, genotype in enumerate(asked):
        late.adopt(index, genotype)
    for index, genotype in enumerate(asked[:-1]):
        tell(late, index, genotype, additive(genotype))
    # The log is another (all asks came first), the memory and what is pending are the same.
    assert late.propose(61).genotype == live.propose(61).genotype
    assert late.hash() != live.hash()


def test_the_policy_learns_from_the_same_rewards() -> None:
    space = choices((4,) * 4)
    strategy = strategy_of(space)
    before = strategy.decisions(0)
    search(strategy, lambda genotype: float(genotype[0] == 2), 120)
    after = strategy.decisions(0)
    assert after[0].probabilities[2] > before[0].probabilities[2] + 0.1
    assert strategy.summary().baseline is not None

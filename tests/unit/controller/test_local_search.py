"""Local search: when a climb moves, ends and starts anew, and that no network is asked for twice."""

import math
from itertools import product

import pytest
from folding import add, choices, growing, run, tell

from archsearch.api import SearchSpace
from archsearch.api.cells import CellOperation, CellSpace
from archsearch.api.strategies.local_search import LocalSearchStrategy, Step
from archsearch.controller.strategies.local_search import LocalSearch
from archsearch.controller.strategies.population import NEVER, Layout
from archsearch.space import Genotype, Space, build

NEIGHBOURS = [(0, 1), (0, 2), (1, 0), (2, 0)]
"""Of (0, 0) where two decisions have three options each."""


def strategy(space: Space, step: Step = Step.FIRST, seed: int = 1) -> LocalSearch:
    return LocalSearch(LocalSearchStrategy(step=step), space, seed)


def started(step: Step = Step.FIRST, reward: float = 5.0, seed: int = 1) -> LocalSearch:
    """A climb that stands at (0, 0) among 3 x 3 networks."""
    search = strategy(choices(3, 3), step, seed)
    add(search, 0, (0, 0), reward)
    return search


def place(search: LocalSearch, climb: int = 0) -> Genotype:
    return search.climbs[climb].genotype


def drawn(search: LocalSearch, index: int) -> set[Genotype]:
    """What may come next: every genotype that has a probability."""
    return {child for child in product(range(3), repeat=2) if search.log_probability(index, child) > NEVER}


def ask(search: LocalSearch, index: int) -> Genotype:
    child = search.propose(index).genotype
    search.adopt(index, child)
    return child


def test_children_are_the_neighbours_of_the_place_in_a_random_order() -> None:
    orders = set()
    for seed in range(60):
        search = started(seed=seed)
        order = []
        for index in range(1, 5):
            assert drawn(search, index) == {search.propose(index).genotype}
            assert search.propose(index).log_probability == 0
            order.append(ask(search, index))
        assert sorted(order) == NEIGHBOURS
        orders.add(tuple(order))
    assert {order[0] for order in orders} == set(NEIGHBOURS)
    assert len(orders) > 12


def test_first_moves_to_a_better_neighbour_as_soon_as_it_is_told() -> None:
    search = started()
    asked = {(0, 0)}
    for index in range(1, 5):
        assert place(search) == (0, 0)
        child = ask(search, index)
        asked.add(child)
        tell(search, index, child, 6.0 if child == (2, 0) else 4.0)
        if child == (2, 0):
            break
    assert place(search) == (2, 0)
    assert search.propose(9).genotype in {(1, 0), (2, 1), (2, 2)} - asked


def test_best_moves_to_the_best_neighbour_when_all_are_told() -> None:
    search = started(Step.BEST)
    rewards = dict(zip(NEIGHBOURS, [6.0, 8.0, 7.0, 1.0], strict=True))
    for index in range(1, 5):
        assert place(search) == (0, 0)
        child = ask(search, index)
        tell(search, index, child, rewards[child])
    assert place(search) == (0, 2)


@pytest.mark.parametrize("step", Step)
def test_equal_is_not_better_and_failed_is_worse_than_any(step: Step) -> None:
    search = started(step, reward=-1e300)
    for index in range(1, 5):
        tell(search, index, ask(search, index), -1e300 if index % 2 else None)
    assert search.climbs == ()


@pytest.mark.parametrize("step", Step)
def test_at_a_local_optimum_a_random_unknown_child_starts_anew(step: Step) -> None:
    search = started(step)
    for index in range(1, 5):
        tell(search, index, ask(search, index), 1.0)
    unknown = {(1, 1), (1, 2), (2, 1), (2, 2)}
    assert drawn(search, 5) == unknown
    assert {search.propose(index).genotype for index in range(5, 80)} == unknown
    assert search.log_probability(5, (1, 1)) == pytest.approx(-math.log(4))


def test_what_is_known_is_used_and_not_asked_for_again() -> None:
    search = strategy(choices(2, 2))
    rewards = {(0, 0): 5.0, (0, 1): 1.0, (1, 0): 2.0}
    add(search, 0, (0, 0), 5.0)
    for index in (1, 2):
        child = ask(search, index)
        tell(search, index, child, rewards[child])
    assert search.climbs == ()
    # From (1, 1) the known (1, 0) leads on to the known (0, 0), whose neighbours are known: the same end, at no cost.
    add(search, 3, (1, 1), 1.5)
    assert search.climbs == ()
    assert [entry.probabilities for entry in search.decisions(0)] == [(1, 0), (1, 0)]


def test_when_all_neighbours_are_out_a_further_climb_starts_and_does_not_wait() -> None:
    search = started()
    children = [ask(search, index) for index in range(1, 5)]
    assert drawn(search, 5) == {(1, 1), (1, 2), (2, 1), (2, 2)}
    search.adopt(5, (2, 2))
    assert len(search.climbs) == 2
    tell(search, 5, (2, 2), 1.0, number=1)
    assert search.propose(6).genotype in {(2, 1), (1, 2)}
    # The first climb goes on as soon as it has somewhere to go.
    tell(search, 1, children[0], 7.0, number=2)
    assert place(search) == children[0]
    further = search.propose(6).genotype
    assert choices(3, 3).distance(further, children[0]) == 1
    assert further not in NEIGHBOURS


def test_of_several_climbs_the_one_that_stands_best_goes_first() -> None:
    for seed in range(20):
        search = strategy(choices(5, 5), seed=seed)
        places = [(0, 0), (2, 2), (4, 4)]
        for index, child in enumerate(places):
            search.adopt(index, child)
        for index, reward in enumerate([1.0, 3.0, 2.0]):
            tell(search, index, places[index], reward)
        assert choices(5, 5).distance(search.propose(3).genotype, (2, 2)) == 1


def test_a_better_child_of_a_former_place_moves_the_climb_too() -> None:
    search = started()
    children = [ask(search, index) for index in range(1, 5)]
    tell(search, 1, children[0], 6.0)
    assert place(search) == children[0]
    tell(search, 2, children[1], 5.5)
    assert place(search) == children[0]
    tell(search, 3, children[2], 9.0)
    assert place(search) == children[2]


def test_a_child_that_is_no_neighbour_that_comes_next_starts_a_climb_of_its_own() -> None:
    search = started()
    search.adopt(1, (2, 2))
    assert [climb.genotype for climb in search.climbs] == [(0, 0), (2, 2)]
    tell(search, 1, (2, 2), 9.0)
    assert choices(3, 3).distance(search.propose(2).genotype, (2, 2)) == 1


def test_a_failed_start_is_given_up() -> None:
    search = strategy(choices(3, 3))
    add(search, 0, (0, 0), None)
    assert search.climbs == ()
    assert len(drawn(search, 1)) == 8


@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("flying", [1, 8, 800])
def test_no_network_is_asked_for_twice_before_all_were(step: Step, flying: int) -> None:
    rewards = {child: float(sum(child) % 4) if sum(child) % 3 else None for child in product(range(3), repeat=3)}
    found = run(strategy(choices(3, 3, 3), step), rewards, 40, flying)
    assert sorted(found[:27]) == sorted(rewards)
    assert set(found[27:]) <= set(rewards)


def test_no_network_is_asked_for_by_another_genotype_either() -> None:
    cells = CellSpace(blocks=1, operations=(CellOperation.IDENTITY, CellOperation.CONV_3X3))
    space = build(SearchSpace(cell=cells))
    networks = {space.canonical(child) for child in product(*(d.legal for d in Layout(space, 0).decisions))}
    assert len(networks) < space.size(0)
    search = strategy(space)
    found: list[Genotype] = []
    for index in range(len(networks)):
        found.append(search.propose(index).genotype)
        add(search, index, found[-1], float(sum(found[-1])))
    assert {space.canonical(child) for child in found} == networks


@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("flying", [1, 8])
def test_the_optimum_of_a_smooth_reward_is_found(step: Step, flying: int) -> None:
    rewards = {child: float(sum(child)) for child in product(range(3), repeat=7)}
    found = run(strategy(choices(*[3] * 7), step), rewards, 130, flying)
    assert (2,) * 7 in found


def test_a_new_stage_starts_at_the_best_child_extended_and_then_anywhere() -> None:
    space = growing(4)
    search = strategy(space)
    best: tuple[float, Genotype] = (-1.0, ())
    for index in range(4):
        child = search.propose(index).genotype
        reward = float(index % 3)
        best = max(best, (reward, child))
        add(search, index, child, reward)
    children = {search.propose(index).genotype for index in range(4, 8)}
    assert {child[: len(best[1])] for child in children} == {best[1]}
    every = product(*(decision.legal for decision in Layout(space, 2).decisions))
    assert math.fsum(math.exp(search.log_probability(4, child)) for child in every) == pytest.approx(1)
    search.adopt(4, search.propose(4).genotype)
    assert [climb.reward for climb in search.climbs] == [None]
    # It is out: the next one starts elsewhere, uniformly.
    assert search.propose(5).log_probability == pytest.approx(-math.log(space.size(2) - 1))


def test_a_child_of_the_stage_before_that_is_told_late_counts_for_the_next_stage() -> None:
    space = growing(2)
    search = strategy(space)
    children = [search.propose(0).genotype]
    search.adopt(0, children[0])
    children.append(search.propose(1).genotype)
    search.adopt(1, children[1])
    search.adopt(2, search.propose(2).genotype)
    tell(search, 1, children[1], 3.0, number=0)
    assert [climb.reward for climb in search.climbs] == [None]
    search.adopt(3, search.propose(3).genotype)
    assert search.propose(4).genotype[:5] == children[1]


def test_climbs_look_around_only_when_it_is_their_turn() -> None:
    search = strategy(choices(*[4] * 6))
    starts = [search.propose(index).genotype for index in range(40)]
    for index, child in enumerate(starts):
        search.adopt(index, child)
    for index, child in enumerate(starts):
        tell(search, index, child, float(-index))
    assert sum(climb.left is not None for climb in search.climbs) == 1


def test_the_hash_covers_where_climbs_stand() -> None:
    hashes = set()
    for reward in (6.0, math.nextafter(6.0, 7.0)):
        search = started()
        tell(search, 1, ask(search, 1), reward)
        hashes.add(search.hash())
    assert len(hashes) == 2


def test_decisions_are_shares_of_ends_and_places() -> None:
    search = started()
    assert [entry.probabilities for entry in search.decisions(0)] == [(1, 0, 0), (1, 0, 0)]
    for index in range(1, 5):
        tell(search, index, ask(search, index), 1.0)
    add(search, 5, (2, 2), 3.0)
    assert [entry.probabilities for entry in search.decisions(0)] == [(0.5, 0, 0.5), (0.5, 0, 0.5)]
    assert search.summary().entropy == pytest.approx(math.log(2))

"""What strategies that keep networks share: how likely a mutant is, shares of options, the journal, uniform draws."""

import math
from collections import Counter
from itertools import product

import pytest
from folding import choices, growing

from archsearch.api import SearchSpace
from archsearch.api.cells import CellOperation, CellSpace
from archsearch.controller.strategies.fresh import Fresh
from archsearch.controller.strategies.population import (
    NEVER,
    Journal,
    Layout,
    Layouts,
    Shares,
    digest,
    draw_with,
    log_sum,
)
from archsearch.controller.strategy import generator
from archsearch.space import Genotype, Space, build


def every_child(space: Space, stage: int) -> list[Genotype]:
    return list(product(*(decision.legal for decision in Layout(space, stage).decisions)))


@pytest.mark.parametrize("parent_stage", [1, 2, 3])
def test_mutants_of_a_parent_of_any_stage_have_probabilities_that_add_up_to_one(parent_stage: int) -> None:
    space = growing(1)
    layout = Layout(space, 3)
    parent = space.sample(draw_with(generator(1, "parent")), parent_stage)
    children = every_child(space, 3)
    assert len(children) == space.size(3) == 1728
    assert math.fsum(math.exp(layout.log_mutant(parent, child)) for child in children) == pytest.approx(1)
    assert math.fsum(math.exp(layout.log_extended(parent, child)) for child in children) == pytest.approx(1)


@pytest.mark.parametrize("parent_stage", [1, 2])
def test_mutants_are_as_frequent_as_told(parent_stage: int) -> None:
    space = growing(1)
    layout = Layout(space, 2)
    parent = space.sample(draw_with(generator(1, "parent")), parent_stage)
    draws = 3000
    seen: Counter[Genotype] = Counter()
    for number in range(draws):
        draw = draw_with(generator(2, "mutant", number))
        mutation = space.mutate(space.extend(parent, 2, draw), 2, draw)
        assert mutation is not None
        seen[mutation.genotype] += 1
    for child in every_child(space, 2):
        probability = math.exp(layout.log_mutant(parent, child))
        deviation = math.sqrt(draws * probability * (1 - probability))
        assert abs(seen[child] - draws * probability) <= 4.5 * deviation


def test_a_mutation_whose_places_depend_on_the_child_is_as_frequent_as_told() -> None:
    space = growing(1)
    layout = Layout(space, 3)
    free = [decision for decision in layout.decisions if len(decision.legal) > 1]
    assert sum(decision.anchor is not None for decision in free) == 3
    for skips in ((0, 0, 0), (1, 0, 0), (1, 1, 0), (1, 1, 1)):
        left = iter(skips)
        parent = tuple(next(left) if decision.anchor else decision.legal[0] for decision in layout.decisions)
        draws = 1500
        seen: Counter[Genotype] = Counter()
        for number in range(draws):
            mutation = space.mutate(parent, 3, draw_with(generator(7, "skips", number)))
            assert mutation is not None
            seen[mutation.genotype] += 1
        for mutation in space.neighbours(parent, 3):
            probability = math.exp(layout.log_mutant(parent, mutation.genotype))
            deviation = math.sqrt(draws * probability * (1 - probability))
            assert abs(seen[mutation.genotype] - draws * probability) <= 4.5 * deviation
        assert math.fsum(
            math.exp(layout.log_mutant(parent, mutation.genotype)) for mutation in space.neighbours(parent, 3)
        ) == pytest.approx(1)


def test_mutants_of_a_cell_have_probabilities_that_add_up_to_one() -> None:
    cells = CellSpace(blocks=1, operations=(CellOperation.IDENTITY, CellOperation.CONV_3X3))
    space = build(SearchSpace(cell=cells))
    layout = Layout(space, 0)
    parent = space.sample(draw_with(generator(3, "parent")), 0)
    total = math.fsum(math.exp(layout.log_mutant(parent, child)) for child in every_child(space, 0))
    assert total == pytest.approx(1)


def test_two_edits_are_never_one_mutation_and_nothing_to_change_leaves_the_child() -> None:
    assert Layout(choices(2, 2), 0).log_mutant((0, 0), (1, 1)) == NEVER
    assert Layout(choices(2, 2), 0).log_mutant((0, 0), (0, 0)) == NEVER
    assert Layout(choices(1), 0).log_mutant((0,), (0,)) == 0


def test_shares_follow_who_comes_and_goes_and_are_uniform_where_nobody_has_decided() -> None:
    layout = Layout(choices(2, 4), 0)
    shares = Shares()
    assert [entry.probabilities for entry in shares.decisions(layout)] == [(0.5, 0.5), (0.25,) * 4]
    assert shares.entropy(layout) == pytest.approx((math.log(2) + math.log(4)) / 2) == layout.uniform_entropy()
    shares.add((0, 1))
    shares.add((0, 3))
    shares.add((1, 3))
    assert [entry.probabilities for entry in shares.decisions(layout)] == [(2 / 3, 1 / 3), (0, 1 / 3, 0, 2 / 3)]
    shares.remove((1, 3))
    shares.remove((0, 1))
    assert [entry.probabilities for entry in shares.decisions(layout)] == [(1, 0), (0, 0, 0, 1)]
    assert shares.entropy(layout) == 0


def test_a_genotype_of_an_earlier_stage_counts_where_it_reaches() -> None:
    space = growing(1)
    shares = Shares()
    child = space.sample(lambda options: 0, 1)
    shares.add(child)
    found = shares.decisions(Layout(space, 2))
    assert all(max(entry.probabilities) == 1 for entry in found[: len(child)])
    added = [entry for entry in found[len(child) :] if len(entry.options) > 1]
    assert len(added) == 3  # filter height, filters, and whether the first layer is read
    assert all(max(entry.probabilities) == 1 / len(entry.options) for entry in added)


def test_a_journal_tells_every_order_and_every_bit_of_a_float_apart() -> None:
    entries: list[list[tuple[str, float]]] = [
        [("told", 0.1), ("died", 0.2)],
        [("died", 0.2), ("told", 0.1)],
        [("told", 0.1)],
        [("told", math.nextafter(0.1, 1)), ("died", 0.2)],
    ]
    hashes = set()
    for listed in entries:
        journal = Journal("seed 1")
        for event, value in listed:
            journal.enter(event, value)
        hashes.add(journal.hash())
    assert len(hashes) == len(entries)
    assert Journal("seed 1").hash() != Journal("seed 2").hash()


def test_digests_tell_tokens_and_lengths_apart() -> None:
    assert len({digest(genotype) for genotype in ((), (0,), (0, 0), (1, 0), (0, 1), (256,))}) == 6


def test_sums_of_logarithms_neither_overflow_nor_pass_one() -> None:
    assert log_sum([]) == log_sum([NEVER, NEVER + math.log(0.5)]) == NEVER
    assert log_sum([math.log(0.25), NEVER, math.log(0.5)]) == pytest.approx(math.log(0.75))
    assert log_sum([-2000.0, -2000.0]) == pytest.approx(-2000 + math.log(2))
    assert log_sum([math.log(0.5)] * 2 + [-40.0]) <= 0


def fresh(space: Space) -> Fresh:
    return Fresh(space, Layouts(space))


def test_the_last_unknown_networks_are_found_and_then_any_is_drawn() -> None:
    space = choices(2, 3)
    drawing = fresh(space)
    known: dict[bytes, None] = {}
    found = []
    for number in range(6):
        genotype = drawing.draw(known, 0, draw_with(generator(4, "fresh", number)))
        found.append(genotype)
        known[drawing.key(genotype)] = None
    assert sorted(found) == every_child(space, 0)
    assert drawing.draw(known, 0, draw_with(generator(4, "fresh", 6))) in found
    assert [drawing.log_probability(count, 0) for count in (0, 4, 6)] == [-math.log(6), -math.log(2), -math.log(6)]


def test_a_single_unknown_network_of_thousands_is_found() -> None:
    space = choices(10, 10, 10)
    drawing = fresh(space)
    known = dict.fromkeys(drawing.key(child) for child in every_child(space, 0) if child != (7, 7, 7))
    assert drawing.draw(known, 0, draw_with(generator(5, "fresh"))) == (7, 7, 7)


def test_a_network_is_known_by_whichever_genotype_it_was_asked_for() -> None:
    cells = CellSpace(blocks=1, operations=(CellOperation.IDENTITY, CellOperation.CONV_3X3))
    space = build(SearchSpace(cell=cells))
    drawing = fresh(space)
    classes = {space.canonical(child) for child in every_child(space, 0)}
    assert len(classes) < space.size(0)
    known: dict[bytes, None] = {}
    found = set()
    for number in range(len(classes)):
        genotype = drawing.draw(known, 0, draw_with(generator(6, "fresh", number)))
        known[drawing.key(genotype)] = None
        found.add(space.canonical(genotype))
    assert found == classes

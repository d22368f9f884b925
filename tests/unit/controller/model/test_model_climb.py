"""Climbing looks at each neighbour as if it were scored anew, and ends where no single change helps."""

import numpy as np
import pytest
import torch

from archsearch.api import Choice, SearchSpace
from archsearch.controller.model.acquisition import Aim
from archsearch.controller.model.climb import Function, Slopes, climb
from archsearch.controller.model.features import Layout
from archsearch.controller.model.gp import Posterior
from archsearch.controller.model.kernel import Hyper
from archsearch.controller.model.paths import Path
from archsearch.controller.model.search import candidates, drawn, highest, mutants, neighbours
from archsearch.space import build


def layout_of(counts: tuple[int, ...]) -> Layout:
    choices = tuple(Choice(name=f"d{n}", values=tuple("abcdefghi"[:count])) for n, count in enumerate(counts))
    return Layout(build(SearchSpace(choices=choices)))


def function_of(layout: Layout, thompson: bool, seed: int) -> Function:
    stream = np.random.default_rng(seed)
    stage = layout.stage(0)
    points = layout.encode_tokens(drawn(stage, 20, stream), stage)
    relevance = torch.from_numpy(stream.uniform(0.1, 1.0, len(layout.names)))
    hyper = Hyper(0.7, 0.4 if points.counts.shape[1] else 0.0, 0.05, relevance, 0.6)
    owner = torch.from_numpy(layout.owner)
    posterior = Posterior.given(hyper, owner, points, torch.from_numpy(stream.standard_normal(20)))
    if not thompson:
        return Function(posterior, posterior.weights)
    path = Path.draw(hyper, layout, points.counts.shape[1], stream)
    errors = torch.from_numpy(stream.standard_normal(20))
    return Function(posterior, posterior.update_of(path(points), errors), path)


@pytest.mark.parametrize("thompson", [True, False])
@pytest.mark.parametrize("counts", [(3, 3, 4, 4, 2), (3, 4, 5)])
def test_a_neighbour_is_worth_what_it_is_worth_alone(counts: tuple[int, ...], thompson: bool) -> None:
    layout = layout_of(counts)
    stage = layout.stage(0)
    function = function_of(layout, thompson, 1)
    tokens = drawn(stage, 3, np.random.default_rng(2))
    slopes = Slopes(layout, stage, function)
    seen = slopes.around(tokens)
    for place, legal in enumerate(stage.legal):
        for number, token in enumerate(legal):
            changed = tokens.copy()
            changed[:, place] = token
            direct = function(layout.encode_tokens(changed, stage))
            torch.testing.assert_close(seen[:, place, number], direct, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("thompson", [True, False])
def test_single_precision_ranks_neighbours_alike(thompson: bool) -> None:
    layout = layout_of((3, 3, 4, 4, 2))
    stage = layout.stage(0)
    function = function_of(layout, thompson, 1)
    tokens = drawn(stage, 3, np.random.default_rng(2))
    exact, quick = (Slopes(layout, stage, function, precise=precise).around(tokens) for precise in (True, False))
    torch.testing.assert_close(quick.double(), exact, rtol=1e-4, atol=1e-4)


def test_the_highest_neighbours_are_those_of_the_highest_values() -> None:
    layout = layout_of((9,) * 40)
    stage = layout.stage(0)
    function = function_of(layout, True, 5)
    child = drawn(stage, 1, np.random.default_rng(6))[0]
    every = neighbours(stage, child)
    values = function(layout.encode_tokens(every, stage))
    found = highest(Slopes(layout, stage, function), stage, child)
    expected = every[torch.argsort(values, descending=True)[:256].numpy()]
    assert {tuple(row) for row in found.tolist()} == {tuple(row) for row in expected.tolist()}
    small = layout_of((3, 1, 2))
    few = highest(Slopes(small, small.stage(0), function_of(small, False, 7)), small.stage(0), np.array([1, 0, 0]))
    assert {tuple(row) for row in few.tolist()} == {(0, 0, 0), (2, 0, 0), (1, 0, 1)}


@pytest.mark.parametrize("thompson", [True, False])
def test_a_wide_stage_has_its_candidates_without_the_features_of_all_its_neighbours(thompson: bool) -> None:
    choices = tuple(Choice(name=f"d{n}", values=tuple(range(30 * n, 30 * n + 30))) for n in range(80))
    layout = Layout(build(SearchSpace(choices=choices)))
    stage = layout.stage(0)
    posterior = function_of(layout, False, 8).posterior
    aim = Aim(posterior, 1.0, thompson, np.random.default_rng(9))
    tokens, values = candidates(layout, stage, aim, drawn(stage, 2, np.random.default_rng(10)))
    assert len(tokens) == len(values) <= 64 + 128 + 2 + 2 + 256
    assert float(values[-258:].max()) >= float(values[:-258].max())


@pytest.mark.parametrize("thompson", [True, False])
def test_the_end_of_a_climb_is_no_worse_than_any_neighbour(thompson: bool) -> None:
    layout = layout_of((3, 3, 4, 4, 2))
    stage = layout.stage(0)
    function = function_of(layout, thompson, 3)
    start = drawn(stage, 4, np.random.default_rng(4))
    reached = climb(Slopes(layout, stage, function), start, 50)
    before, after = (function(layout.encode_tokens(tokens, stage)) for tokens in (start, reached))
    assert bool((after >= before).all())
    assert bool((after > before).any())
    for child, height in zip(reached, after, strict=True):
        around = function(layout.encode_tokens(neighbours(stage, child), stage))
        assert float(around.max()) <= float(height) + 1e-8


def test_a_climb_is_as_long_as_it_may_be() -> None:
    layout = layout_of((3, 3, 4, 4, 2))
    stage = layout.stage(0)
    start = drawn(stage, 6, np.random.default_rng(6))
    reached = climb(Slopes(layout, stage, function_of(layout, True, 7)), start, 1)
    assert bool(((reached != start).sum(axis=1) <= 1).all())


def test_mutants_are_one_to_three_edits_away_and_legal() -> None:
    layout = layout_of((3, 3, 1, 4, 4, 2))
    stage = layout.stage(0)
    parent = drawn(stage, 1, np.random.default_rng(8))
    children = mutants(stage, parent, 500, np.random.default_rng(9))
    away = (children != parent).sum(axis=1)
    assert set(away.tolist()) <= {0, 1, 2, 3}  # the same place twice may undo an edit
    assert (away > 0).mean() > 0.9
    for place, legal in enumerate(stage.legal):
        assert set(children[:, place].tolist()) == set(legal)


def test_neighbours_are_all_children_one_edit_away() -> None:
    layout = layout_of((3, 2))
    stage = layout.stage(0)
    found = neighbours(stage, np.array([1, 0]))
    assert sorted(map(tuple, found.tolist())) == [(0, 0), (1, 1), (2, 0)]

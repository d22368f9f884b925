"""Climbing looks at each neighbour as if it were scored anew, and ends where no single change helps."""

import numpy as np
import pytest
import torch

from archsearch.api import Choice, SearchSpace
from archsearch.controller.model.climb import Function, Slopes, climb
from archsearch.controller.model.features import Layout
from archsearch.controller.model.gp import Posterior
from archsearch.controller.model.kernel import Hyper
from archsearch.controller.model.paths import Path
from archsearch.controller.model.search import drawn, mutants, neighbours
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

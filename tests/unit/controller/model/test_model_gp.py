"""The posterior is that of the textbook, whichever way it is computed."""

import numpy as np
import pytest
import torch
from torch import Tensor

from archsearch.api import Choice, SearchSpace
from archsearch.controller.model.acquisition import Aim, expected_improvement
from archsearch.controller.model.features import Layout, Points
from archsearch.controller.model.fit import JITTER, Data, Vector, density_of, groups_of, most_probable
from archsearch.controller.model.gp import Posterior
from archsearch.controller.model.grid import Grid, Rows
from archsearch.controller.model.kernel import Hyper, covariance
from archsearch.controller.model.paths import Path
from archsearch.controller.model.search import drawn
from archsearch.space import build

COUNTS = (3, 3, 4, 2)


def layout_of(counts: tuple[int, ...]) -> Layout:
    choices = tuple(Choice(name=f"d{n}", values=tuple("abcdefghi"[:count])) for n, count in enumerate(counts))
    return Layout(build(SearchSpace(choices=choices)))


def hyper_of(layout: Layout, seed: int) -> Hyper:
    stream = np.random.default_rng(seed)
    return Hyper(0.8, 0.5, 0.1, torch.from_numpy(stream.uniform(0.1, 1.5, len(layout.names))), 0.7)


def given(layout: Layout, number: int, seed: int) -> tuple[Points, Tensor, Grid]:
    grid = Grid(layout, layout.stage(0))
    stream = np.random.default_rng(seed)
    rows = torch.from_numpy(stream.choice(len(grid.tokens), number, replace=False))
    return grid.points.take(rows), torch.from_numpy(stream.standard_normal(number)), grid


def test_covariance_counts_differences_and_options_one_by_one() -> None:
    layout = layout_of(COUNTS)
    hyper, stage = hyper_of(layout, 1), layout.stage(0)
    one, other = np.array([[0, 1, 2, 0]]), np.array([[1, 1, 3, 0]])
    found = covariance(
        hyper, torch.from_numpy(layout.owner), layout.encode_tokens(one, stage), layout.encode_tokens(other, stage)
    )
    # d0 and d2 differ; d0 and d1 share their options: counts (1, 1, 0) and (0, 2, 0), unit sqrt(2 * 2 * (1 - 1/3)).
    product = 0.8 * float(torch.exp(-hyper.relevance[0] - hyper.relevance[2]))
    bag = 0.5 * np.exp(-0.7 * (1 + 1) / (2 * 2 * (1 - 1 / 3)))
    assert float(found) == pytest.approx(product + bag, rel=1e-12)


def test_mean_and_variance_are_those_of_the_direct_inverse() -> None:
    layout = layout_of(COUNTS)
    hyper, owner = hyper_of(layout, 2), torch.from_numpy(layout.owner)
    points, scores, grid = given(layout, 25, 3)
    posterior = Posterior.given(hyper, owner, points, scores)
    cross = covariance(hyper, owner, grid.points, points)
    eye = torch.eye(25, dtype=torch.float64)
    inverse = torch.linalg.inv(covariance(hyper, owner, points, points) + (hyper.noise + JITTER) * eye)
    torch.testing.assert_close(posterior.mean(cross), cross @ inverse @ scores)
    torch.testing.assert_close(posterior.variance(cross), hyper.variance - ((cross @ inverse) * cross).sum(1))


def test_believing_keeps_the_mean_and_shrinks_the_doubt() -> None:
    layout = layout_of(COUNTS)
    points, scores, grid = given(layout, 20, 4)
    before = Posterior.given(hyper_of(layout, 4), torch.from_numpy(layout.owner), points, scores)
    after = before.believing(grid.points.take([5, 40]))
    wide, wider = before.covariance(grid.points), after.covariance(grid.points)
    torch.testing.assert_close(after.mean(wider), before.mean(wide), atol=1e-6, rtol=1e-6)
    assert bool((after.variance(wider) <= before.variance(wide) + 1e-9).all())
    assert float(after.variance(wider)[5]) < 0.5 * float(before.variance(wide)[5])
    assert before.believing(grid.points.take([])) is before


def test_rows_one_after_another_are_the_covariance_and_the_same_bits_whenever_they_were_asked_for() -> None:
    layout = layout_of(COUNTS)
    hyper, owner = hyper_of(layout, 5), torch.from_numpy(layout.owner)
    points, _, grid = given(layout, 70, 6)
    often, once = Rows(hyper, owner, grid), Rows(hyper, owner, grid)
    for count in (1, 3, 40, 64, 70):
        seen = often.upto(points.take(range(count)))
    at_once = once.upto(points)
    assert torch.equal(seen, at_once)
    torch.testing.assert_close(at_once, covariance(hyper, owner, points, grid.points))


def test_improvement_over_the_grid_is_exact_where_it_matters() -> None:
    layout = layout_of(COUNTS)
    points, scores, grid = given(layout, 30, 7)
    posterior = Posterior.given(hyper_of(layout, 7), torch.from_numpy(layout.owner), points, scores)
    cross = posterior.covariance(grid.points)
    exact = expected_improvement(posterior.mean(cross), posterior.variance(cross), 0.3)
    torch.testing.assert_close(
        grid.value(Aim(posterior, 0.3, False, np.random.default_rng(0)), cross.T.contiguous()), exact
    )


@pytest.mark.parametrize("data_elsewhere", [False, True])
def test_draws_over_the_grid_have_the_posteriors_mean_and_variance(data_elsewhere: bool) -> None:
    layout = layout_of(COUNTS)
    points, scores, grid = given(layout, 12, 8)
    if data_elsewhere:  # a decision that is absent: of another stage, so that the grid does not hold the datum
        chosen = points.chosen.clone()
        start = layout.starts["d3"]
        chosen[0, start : start + 3] = torch.tensor([1.0, 0.0, 0.0])
        points = Points(chosen, chosen @ layout.bags)
    posterior = Posterior.given(hyper_of(layout, 8), torch.from_numpy(layout.owner), points, scores)
    cross = posterior.covariance(grid.points)
    stream = np.random.default_rng(9)
    draws = torch.stack([grid.value(Aim(posterior, 0.0, True, stream), cross.T.contiguous()) for _ in range(800)])
    assert float((draws.mean(0) - posterior.mean(cross)).abs().max()) < 0.16
    assert float((draws.var(0) / posterior.variance(cross) - 1).abs().mean()) < 0.1


def test_a_path_has_the_priors_covariance() -> None:
    layout = layout_of(COUNTS)
    hyper, owner = hyper_of(layout, 10), torch.from_numpy(layout.owner)
    points, _, _ = given(layout, 8, 11)
    stream = np.random.default_rng(12)
    draws = torch.stack([Path.draw(hyper, layout, points.counts.shape[1], stream)(points) for _ in range(2000)])
    found = draws.T @ draws / len(draws)
    assert float((found - covariance(hyper, owner, points, points)).abs().max()) < 0.12


def data_of(layout: Layout, number: int, seed: int) -> Data:
    points, _, _ = given(layout, number, seed)
    # Only the third decision matters, and which option it is.
    start = layout.starts["d2"]
    scores = points.chosen[:, start : start + 5] @ torch.tensor([0.0, -1.5, -0.5, 0.5, 1.5]).double()
    return Data(points, scores, torch.from_numpy(layout.owner))


def test_the_gradient_of_the_fit_agrees_with_finite_differences() -> None:
    layout = layout_of(COUNTS)
    data = data_of(layout, 15, 13)
    density = density_of(data)
    stream = np.random.default_rng(14)
    theta: Vector = stream.normal(-1, 0.5, 5 + len(layout.names))
    _, gradient = density(theta)
    for place in range(len(theta)):
        step = np.zeros(len(theta))
        step[place] = 1e-5
        slope = (density(theta + step)[0] - density(theta - step)[0]) / 2e-5
        assert gradient[place] == pytest.approx(slope, abs=1e-5)


def test_up_to_96_decisions_have_relevances_of_their_own_more_share_48_by_kind_and_place() -> None:
    assert groups_of(["one"] * 96) is None
    kinds = ["height", "width", "skip", "skip"] * 100
    groups = groups_of(kinds)
    assert groups is not None
    assert set(groups.tolist()) == set(range(48))
    assert np.bincount(groups).max() - np.bincount(groups).min() <= 1
    assert not set(groups[0::4]) & set(groups[1::4])
    assert bool((np.diff(groups[0::4]) >= 0).all())


def test_the_gradient_of_a_fit_with_shared_relevances_agrees_with_finite_differences() -> None:
    layout = layout_of((2,) * 100)
    stage, stream = layout.stage(0), np.random.default_rng(21)
    points = layout.encode_tokens(drawn(stage, 12, stream), stage)
    groups = groups_of(layout.kinds)
    data = Data(points, torch.from_numpy(stream.standard_normal(12)), torch.from_numpy(layout.owner), groups)
    density = density_of(data)
    theta: Vector = stream.normal(-2, 0.5, 5 + 48)
    _, gradient = density(theta)
    for place in (0, 1, 2, 3, 4, 5, 20, 52):
        step = np.zeros(len(theta))
        step[place] = 1e-5
        slope = (density(theta + step)[0] - density(theta - step)[0]) / 2e-5
        assert gradient[place] == pytest.approx(slope, abs=1e-5)
    assert len(most_probable(data).relevance) == 100


def test_the_fit_finds_which_decision_matters() -> None:
    layout = layout_of(COUNTS)
    relevance = most_probable(data_of(layout, 40, 15)).relevance
    assert float(relevance[2]) > 2 * float(relevance[[0, 1, 3]].max())

"""Small stages: every child is scored."""

import itertools

import numpy as np
import torch
from torch import Tensor

from archsearch.controller.model.acquisition import Aim, expected_improvement
from archsearch.controller.model.climb import Tokens
from archsearch.controller.model.features import Layout, Points, Stage
from archsearch.controller.model.kernel import Hyper, covariance
from archsearch.controller.model.paths import Path, bag_draw, grid_draw
from archsearch.space.base import Genotype

LARGEST = 20_000
"""Stages of at most so many children are scored as a whole."""
_SHORTLIST = 512
"""Children whose expected improvement is computed exactly."""
_DISTINCT = 400
"""Counts are drawn exactly where there are at most so many distinct ones."""


def is_small(stage: Stage) -> bool:
    """Whether every child of ``stage`` can be scored."""
    size = 1
    for tokens in stage.legal:
        size *= len(tokens)
        if size > LARGEST:
            return False
    return True


class Grid:
    """Every child of a small stage, in the order of ``itertools.product`` of the legal tokens."""

    def __init__(self, layout: Layout, stage: Stage) -> None:
        self._layout, self._stage = layout, stage
        self._networks: dict[int, Genotype] = {}
        self.tokens: Tokens = np.array(list(itertools.product(*stage.legal)), dtype=np.int64)
        self.points: Points = layout.encode_tokens(self.tokens, stage)
        distinct, place = np.unique(self.points.counts.numpy(), axis=0, return_inverse=True)
        self._counts, self._count_of = torch.from_numpy(distinct), torch.from_numpy(place.reshape(-1))
        self._place = self._places()

    def network(self, row: int, genotype: Genotype) -> Genotype:
        """Canonical form of child number ``row``, which is ``genotype``; derived once."""
        if row not in self._networks:
            self._networks[row] = self._layout.network(genotype)
        return self._networks[row]

    def value(self, aim: Aim, cross: Tensor) -> Tensor:
        """[children] how promising each is; ``cross``: [data, children] covariances."""
        return self._draw(aim, cross) if aim.thompson else self._improvement(aim, cross)

    def _draw(self, aim: Aim, cross: Tensor) -> Tensor:
        posterior = aim.posterior
        places = (posterior.points.chosen @ self._place).round().long()
        if bool((places < 0).any()):
            # Data of other stages: the prior must be drawn where the grid does not reach.
            path = Path.draw(posterior.hyper, self._layout, self.points.counts.shape[1], aim.stream)
            prior, at_data = path(self.points), path(posterior.points)
        else:
            prior = self._prior(posterior.hyper, aim.stream)
            at_data = prior[places]
        return prior + aim.update_of(at_data) @ cross

    def _prior(self, hyper: Hyper, stream: np.random.Generator) -> Tensor:
        prior = grid_draw(hyper, self._layout, self._stage, stream)
        if hyper.bag == 0:
            return prior
        if len(self._counts) <= _DISTINCT:
            return prior + bag_draw(hyper, self._counts, stream)[self._count_of]
        waves = Path.draw(hyper, self._layout, self.points.counts.shape[1], stream)
        return prior + waves.bag(self._counts)[self._count_of]

    def _places(self) -> Tensor:
        """[columns] what each column adds to the number of a child; far below zero where no child of the stage has
        it."""
        weights = np.full(self._layout.columns, -1e9)
        stride = 1
        absent = dict(self._layout.starts)
        for decision in reversed(self._stage.decisions):
            start = absent.pop(decision.name)
            for number, token in enumerate(decision.legal):
                weights[start + 1 + token] = number * stride
            stride *= len(decision.legal)
        weights[list(absent.values())] = 0
        return torch.from_numpy(weights)

    def _improvement(self, aim: Aim, cross: Tensor) -> Tensor:
        """Exact for the most promising; the others are passed over.

        A child's variance is at most what its nearest datum alone leaves; the expected improvement at that variance
        bounds the real one.
        """
        mean = aim.posterior.weights @ cross
        variance = aim.posterior.hyper.variance
        nearest = cross.max(dim=0).values
        bound = variance - nearest**2 / (variance + aim.posterior.hyper.noise)
        bounds = expected_improvement(mean, bound.clamp_(min=1e-10), aim.best)
        shortlist = torch.topk(bounds, min(_SHORTLIST, len(bounds))).indices
        result = torch.full_like(bounds, -torch.inf)
        result[shortlist] = aim.improvement(cross[:, shortlist].T)
        return result


class Rows:
    """Covariances [data, children] of a growing list of data with every child, one datum after another."""

    def __init__(self, hyper: Hyper, owner: Tensor, grid: Grid) -> None:
        self._hyper, self._owner, self._grid = hyper, owner, grid
        self._block = torch.empty((64, len(grid.points)), dtype=torch.float64)
        self._filled = 0

    def upto(self, points: Points) -> Tensor:
        """Those of ``points``, of which the first ones were asked for before."""
        if len(points) > len(self._block):
            larger = torch.empty((2 * len(points), self._block.shape[1]), dtype=torch.float64)
            larger[: self._filled] = self._block[: self._filled]
            self._block = larger
        while self._filled < len(points):
            datum = points.take([self._filled])
            self._block[self._filled] = covariance(self._hyper, self._owner, datum, self._grid.points)[0]
            self._filled += 1
        return self._block[: len(points)]

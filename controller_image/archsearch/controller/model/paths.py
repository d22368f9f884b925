"""Draws of whole functions from the prior, for Thompson sampling."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from archsearch.controller.model.features import Layout, Points, Stage
from archsearch.controller.model.kernel import Hyper

SIGNS = 384
"""Random features of the product term."""
WAVES = 128
"""Random features of the bag term."""


@dataclass(frozen=True)
class Path:
    """A function drawn approximately from the prior, cheap at any child.

    Product term: a feature picks each decision with probability 1 - exp(-w_i) and multiplies random signs of the chosen
    options of those it picked; the expected product of a feature at two children is prod_i (exp(-w_i) + (1 - exp(-w_i))
    [x_i = x'_i]), which is the kernel. Bag term: random Fourier features (Rahimi and Recht 2007).
    """

    negative: Tensor
    """[columns, SIGNS] 1 where the option's sign is minus; float32, in which sums of them are exact."""
    product_weights: Tensor
    frequencies: Tensor
    """[bags, WAVES]"""
    phases: Tensor
    bag_weights: Tensor

    @classmethod
    def draw(cls, hyper: Hyper, layout: Layout, bags: int, stream: np.random.Generator) -> "Path":
        """A function of variance ``hyper.variance``."""
        picked = stream.random((len(layout.names), SIGNS)) < 1 - np.exp(-hyper.relevance.numpy())[:, None]
        negative = np.empty((layout.columns, SIGNS), dtype=np.float32)
        for first in range(0, layout.columns, 512):  # in parts, for wide spaces: what is drawn is the same
            owners = layout.owner[first : first + 512]
            negative[first : first + 512] = (stream.random((len(owners), SIGNS)) < 0.5) & picked[owners]
        return cls(
            torch.from_numpy(negative),
            torch.from_numpy(stream.standard_normal(SIGNS) * (hyper.product / SIGNS) ** 0.5),
            torch.from_numpy(stream.standard_normal((bags, WAVES)) * (2 * hyper.spread) ** 0.5),
            torch.from_numpy(stream.uniform(0, 2 * np.pi, WAVES)),
            torch.from_numpy(stream.standard_normal(WAVES) * (2 * hyper.bag / WAVES) ** 0.5),
        )

    def __call__(self, points: Points) -> Tensor:
        """[n] its values."""
        values: Tensor = self.signs(points) @ self.product_weights + self.bag(points.counts)
        return values

    def signs(self, points: Points) -> Tensor:
        """[n, SIGNS] features of the product term: 1 or -1."""
        features: Tensor = 1 - 2 * torch.remainder(points.chosen.float() @ self.negative, 2).double()
        return features

    def waves(self, counts: Tensor) -> Tensor:
        """[n, WAVES] features of the bag term before their real part is taken, of counts [n, bags]."""
        angles = counts @ self.frequencies + self.phases
        return torch.polar(torch.ones_like(angles), angles)

    def bag(self, counts: Tensor) -> Tensor:
        """[n] the bag term alone, of counts [n, bags]."""
        values: Tensor = torch.cos(counts @ self.frequencies + self.phases) @ self.bag_weights
        return values


def grid_draw(hyper: Hyper, layout: Layout, stage: Stage, stream: np.random.Generator) -> Tensor:
    """[children of the stage] an exact draw from the prior of the product term at every child of a stage,
    in the order of ``itertools.product``.

    The covariance there is a Kronecker product, so its factor is applied one decision at a time.
    """
    sizes = [len(decision.legal) for decision in stage.decisions]
    values = stream.standard_normal(sizes)
    for place, decision in enumerate(stage.decisions):
        relevance = float(hyper.relevance[layout.places[decision.name]])
        alike = np.full((sizes[place], sizes[place]), np.exp(-relevance))
        np.fill_diagonal(alike, 1.0 + 1e-9)
        values = np.moveaxis(np.tensordot(np.linalg.cholesky(alike), values, axes=(1, place)), 0, place)
    drawn: Tensor = torch.from_numpy(np.ascontiguousarray(values).reshape(-1)) * hyper.product**0.5
    return drawn


def bag_draw(hyper: Hyper, counts: Tensor, stream: np.random.Generator) -> Tensor:
    """[b] an exact draw from the prior of the bag term at distinct ``counts`` [b, bags]."""
    squares = (counts**2).sum(1)
    distance = (squares[:, None] + squares[None, :] - 2 * counts @ counts.T).clamp_(min=0.0)
    alike = torch.exp(-hyper.spread * distance)
    alike.diagonal().add_(1e-6)
    normal = torch.from_numpy(stream.standard_normal(len(counts)))
    drawn: Tensor = torch.linalg.cholesky(alike) @ normal * hyper.bag**0.5
    return drawn

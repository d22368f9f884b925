"""Parameters of the kernel from data: the most probable ones, by BFGS on the marginal likelihood and a prior."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from archsearch.controller.model.features import Points
from archsearch.controller.model.kernel import Hyper, bag_distance, product_term

JITTER = 1e-6
"""Added to the noise, so that a covariance can be factored."""

Vector = NDArray[np.float64]
Density = Callable[[Vector], tuple[float, Vector]]

_SHARED = 5
"""log product, log bag, log noise, log spread, log relevance of all decisions; then that of each, relative."""

_MEANS = (np.log(0.7), np.log(0.3), np.log(0.05), np.log(0.5))
_TOTAL = 1.8
"""A priori, the relevances add up to this: two children that differ everywhere have covariance s exp(-1.8)."""
_DEVIATIONS = (1.0, 1.0, 1.0, 1.0, 1.0)
_OWN_DEVIATION = 0.7
_STEPS = 25
_HALVINGS = 6


@dataclass(frozen=True)
class Data:
    """What the model is fitted to."""

    points: Points
    scores: Tensor
    """[n]"""
    owner: Tensor
    """[columns] the decision of each column."""


def most_probable(data: Data) -> Hyper:
    """The parameters of the largest posterior density; a pure function of ``data``."""
    prior = _Prior(data)
    found = _minimise(density_of(data), prior.mean, prior.deviation * prior.free)
    return hyper(found, prior.bagged)


def density_of(data: Data) -> Density:
    """Minus the logarithm of the posterior density (up to a constant) of the logarithms of the parameters, and its
    gradient."""
    prior = _Prior(data)
    return lambda theta: _density(theta, data, prior)


def hyper(theta: Vector, bagged: bool) -> Hyper:
    """Parameters from their logarithms."""
    first = np.exp(theta[:_SHARED])
    relevance = torch.from_numpy(np.exp(theta[_SHARED - 1] + theta[_SHARED:]))
    return Hyper(float(first[0]), float(first[1]) if bagged else 0.0, float(first[2]), relevance, float(first[3]))


class _Prior:
    """Independent normals over the logarithms."""

    def __init__(self, data: Data) -> None:
        decisions = int(data.owner.max()) + 1 if len(data.owner) else 0
        self.bagged = data.points.counts.shape[1] > 0
        total = np.log(_TOTAL / max(decisions, 1))
        self.mean = np.concatenate([_MEANS, [total], np.zeros(decisions)])
        self.deviation = np.concatenate([_DEVIATIONS, np.full(decisions, _OWN_DEVIATION)])
        self.free = np.ones(len(self.mean))
        if not self.bagged:
            self.free[[1, 3]] = 0.0


def _density(theta: Vector, data: Data, prior: _Prior) -> tuple[float, Vector]:
    now = hyper(theta, prior.bagged)
    product = product_term(now, data.owner, data.points, data.points)
    distance = bag_distance(data.points, data.points) if prior.bagged else None
    bag = None if distance is None else now.bag * torch.exp(-now.spread * distance)
    total = product if bag is None else product + bag
    noisy = total + (now.noise + JITTER) * torch.eye(len(total), dtype=torch.float64)
    factor, failed = torch.linalg.cholesky_ex(noisy)
    if int(failed):
        return np.inf, np.zeros_like(theta)
    inverse = torch.cholesky_inverse(factor)
    weights = inverse @ data.scores
    value = 0.5 * float(data.scores @ weights) + float(factor.diagonal().log().sum())
    slope = inverse - torch.outer(weights, weights)  # d value = tr(slope dK) / 2
    gradient = np.zeros_like(theta)
    inner = slope * product
    whole = float(inner.sum())
    gradient[0] = 0.5 * whole
    gradient[2] = 0.5 * now.noise * float(slope.diagonal().sum())
    same = ((inner @ data.points.chosen) * data.points.chosen).sum(0).numpy()
    differ = whole - np.bincount(data.owner.numpy(), weights=same, minlength=len(theta) - _SHARED)
    gradient[_SHARED:] = -0.5 * now.relevance.numpy() * differ
    gradient[_SHARED - 1] = gradient[_SHARED:].sum()
    if bag is not None and distance is not None:
        outer = slope * bag
        gradient[1] = 0.5 * float(outer.sum())
        gradient[3] = -0.5 * now.spread * float((outer * distance).sum())
    away = (theta - prior.mean) / prior.deviation
    return value + 0.5 * float(away @ away), (gradient + away / prior.deviation) * prior.free


def _minimise(density: Density, start: Vector, scale: Vector) -> Vector:
    """BFGS with halved steps; ``scale``: how far each parameter is expected to go."""
    theta = start.copy()
    value, gradient = density(theta)
    curvature = np.diag(0.3 * scale**2)
    for _ in range(_STEPS):
        direction = np.clip(-curvature @ gradient, -1.0, 1.0)
        descent = float(gradient @ direction)
        if descent > -1e-4:
            break
        size = 1.0
        for _ in range(_HALVINGS):
            candidate = theta + size * direction
            after, slope = density(candidate)
            if after < value + 1e-4 * size * descent:
                break
            size *= 0.4
        else:
            break
        moved, turned = candidate - theta, slope - gradient
        if (bend := float(moved @ turned)) > 1e-10:
            left = np.eye(len(theta)) - np.outer(moved, turned) / bend
            curvature = left @ curvature @ left.T + np.outer(moved, moved) / bend
        gained, theta, value, gradient = value - after, candidate, after, slope
        if gained < 1e-3:
            break
    return theta

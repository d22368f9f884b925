"""Parameters of the kernel from data: the most probable ones, by BFGS on the marginal likelihood and a prior."""

from collections.abc import Callable, Sequence
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
Groups = NDArray[np.int64]
Density = Callable[[Vector], tuple[float, Vector]]

_SHARED = 5
"""log product, log bag, log noise, log spread, log relevance of all decisions; then that of each, relative."""

_MEANS = (np.log(0.7), np.log(0.3), np.log(0.05), np.log(0.5))
_TOTAL = 1.8
"""A priori, the relevances add up to this: two children that differ everywhere have covariance s exp(-1.8)."""
_DEVIATIONS = (1.0, 1.0, 1.0, 1.0, 1.0)
_OWN_DEVIATION = 0.7
_OWN = 96
"""Most decisions of which each has a relevance of its own; of more, neighbours of one kind share theirs."""
_GROUPS = 48
"""Relevances that are shared by more decisions."""
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
    groups: Groups | None = None
    """[decisions] whose relevance each has, from 0; None: its own."""


def groups_of(kinds: Sequence[str]) -> Groups | None:
    """Which decisions share a relevance, from the kind of each; None: none do.

    Those of one kind, in their order, are put behind those of another and all cut into as many equal parts as there are
    relevances: a fit's parameters, and so its cost, are bounded however many decisions there are.
    """
    if len(kinds) <= _OWN:
        return None
    numbers = {kind: number for number, kind in enumerate(dict.fromkeys(kinds))}
    order = np.argsort([numbers[kind] for kind in kinds], kind="stable")
    groups = np.empty(len(kinds), dtype=np.int64)
    groups[order] = np.arange(len(kinds)) * _GROUPS // len(kinds)
    return groups


def most_probable(data: Data) -> Hyper:
    """The parameters of the largest posterior density; a pure function of ``data``."""
    prior = _Prior(data)
    found = _minimise(density_of(data), prior.mean, prior.deviation * prior.free)
    return prior.hyper(found)


def density_of(data: Data) -> Density:
    """Minus the logarithm of the posterior density (up to a constant) of the logarithms of the parameters, and its
    gradient."""
    prior = _Prior(data)
    return lambda theta: _density(theta, data, prior)


class _Prior:
    """Independent normals over the logarithms; and the first term, which differs in how relevances are shared."""

    def __init__(self, data: Data) -> None:
        decisions = int(data.owner.max()) + 1 if len(data.owner) else 0
        self.bagged = data.points.counts.shape[1] > 0
        total = np.log(_TOTAL / max(decisions, 1))
        self.groups = data.groups
        relevances = decisions if self.groups is None else _GROUPS
        self.mean = np.concatenate([_MEANS, [total], np.zeros(relevances)])
        self.deviation = np.concatenate([_DEVIATIONS, np.full(relevances, _OWN_DEVIATION)])
        self.free = np.ones(len(self.mean))
        if not self.bagged:
            self.free[[1, 3]] = 0.0
        self._data = data
        self._differ = None if self.groups is None else _differing(data, self.groups)

    def hyper(self, theta: Vector) -> Hyper:
        """Parameters from their logarithms."""
        first = np.exp(theta[:_SHARED])
        own = theta[_SHARED:] if self.groups is None else theta[_SHARED:][self.groups]
        relevance = torch.from_numpy(np.exp(theta[_SHARED - 1] + own))
        bag = float(first[1]) if self.bagged else 0.0
        return Hyper(float(first[0]), bag, float(first[2]), relevance, float(first[3]))

    def product(self, now: Hyper, theta: Vector) -> Tensor:
        """[n, n] the first term of the covariance of the data."""
        if self._differ is None:
            return product_term(now, self._data.owner, self._data.points, self._data.points)
        shared = torch.from_numpy(np.exp(theta[_SHARED - 1] + theta[_SHARED:]))
        total = len(self._data.points)
        return (-(shared @ self._differ)).exp_().mul_(now.product).reshape(total, total)

    def turned(self, now: Hyper, theta: Vector, inner: Tensor, whole: float) -> Vector:
        """[relevances] what the logarithm of each does to the sum of ``inner`` [n, n], a multiple of the first term
        whose sum is ``whole``."""
        if self._differ is not None:
            shared = np.exp(theta[_SHARED - 1] + theta[_SHARED:])
            grouped: Vector = -shared * (self._differ @ inner.reshape(-1)).numpy()
            return grouped
        chosen, owner = self._data.points.chosen, self._data.owner.numpy()
        same = ((inner @ chosen) * chosen).sum(0).numpy()
        differ = whole - np.bincount(owner, weights=same, minlength=len(theta) - _SHARED)
        own: Vector = -now.relevance.numpy() * differ
        return own


def _differing(data: Data, groups: Groups) -> Tensor:
    """[groups, n * n] in how many decisions of each group two children differ."""
    of_column = torch.from_numpy(groups)[data.owner]
    sizes = np.bincount(groups, minlength=_GROUPS)
    differ = torch.empty((_GROUPS, len(data.points) ** 2), dtype=torch.float64)
    for group, size in enumerate(sizes.tolist()):
        chosen = data.points.chosen[:, of_column == group]
        differ[group] = size - (chosen @ chosen.T).reshape(-1)
    return differ


def _density(theta: Vector, data: Data, prior: _Prior) -> tuple[float, Vector]:
    now = prior.hyper(theta)
    product = prior.product(now, theta)
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
    gradient[_SHARED:] = 0.5 * prior.turned(now, theta, inner, whole)
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

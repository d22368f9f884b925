"""How promising a child is: expected improvement, or a draw from the posterior."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from archsearch.controller.model.gp import Posterior


@dataclass(frozen=True)
class Aim:
    """What the next child is chosen by."""

    posterior: Posterior
    best: float
    """The highest mean of any child that was asked for."""
    thompson: bool
    """By a draw from the posterior (Thompson 1933); otherwise by expected improvement over ``best``."""
    stream: np.random.Generator

    def improvement(self, cross: Tensor) -> Tensor:
        """[n] expected improvement of children of these covariances with the data [n, data]."""
        return expected_improvement(self.posterior.mean(cross), self.posterior.variance(cross), self.best)

    def update_of(self, drawn: Tensor) -> Tensor:
        """[data] weights that turn a draw from the prior into one from the posterior; ``drawn``: its values at the
        data."""
        errors = torch.from_numpy(self.stream.standard_normal(len(drawn)))
        return self.posterior.update_of(drawn, errors)


def expected_improvement(mean: Tensor, variance: Tensor, best: float) -> Tensor:
    """[n] the expected excess over ``best`` of normals of these means and variances (Jones et al. 1998, equation 15).

    Below six deviations, where it vanishes in floating point, a negative number that still ranks them.
    """
    deviation = variance.sqrt()
    ahead = (mean - best) / deviation
    density = torch.exp(-0.5 * ahead**2) / math.sqrt(2 * math.pi)
    below = 0.5 * torch.erfc(-ahead / math.sqrt(2))
    return torch.where(ahead < -6, ahead, deviation * (ahead * below + density))

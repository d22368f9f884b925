"""How promising a child is: expected improvement."""

import math

import torch
from torch import Tensor


def expected_improvement(mean: Tensor, variance: Tensor, best: float) -> Tensor:
    """[n] the expected excess over ``best`` of normals of these means and variances (Jones et al. 1998, equation 15).

    Below six deviations, where it vanishes in floating point, a negative number that still ranks them.
    """
    deviation = variance.sqrt()
    ahead = (mean - best) / deviation
    density = torch.exp(-0.5 * ahead**2) / math.sqrt(2 * math.pi)
    below = 0.5 * torch.erfc(-ahead / math.sqrt(2))
    return torch.where(ahead < -6, ahead, deviation * (ahead * below + density))

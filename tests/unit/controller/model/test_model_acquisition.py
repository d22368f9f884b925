"""Expected improvement is the integral it stands for."""

import math

import numpy as np
import pytest
import torch

from archsearch.controller.model.acquisition import expected_improvement


@pytest.mark.parametrize(("mean", "deviation", "best"), [(0.0, 1.0, 0.0), (1.2, 0.3, 1.0), (-1.0, 0.7, 1.5)])
def test_it_is_the_integral_of_what_lies_above_the_best(mean: float, deviation: float, best: float) -> None:
    values = np.linspace(mean - 12 * deviation, mean + 12 * deviation, 400_001)
    density = np.exp(-0.5 * ((values - mean) / deviation) ** 2) / (deviation * math.sqrt(2 * math.pi))
    integral = float(np.sum(np.maximum(values - best, 0) * density) * (values[1] - values[0]))
    found = expected_improvement(torch.tensor([mean]).double(), torch.tensor([deviation**2]).double(), best)
    assert float(found) == pytest.approx(integral, rel=1e-5)


def test_far_below_the_best_it_still_ranks() -> None:
    means = torch.tensor([-100.0, -50.0, -10.0, -5.0, 0.0, 1.0]).double()
    found = expected_improvement(means, torch.ones(6).double(), 0.0)
    assert bool((found[1:] > found[:-1]).all())
    assert bool(torch.isfinite(found).all())

"""Adam as algorithm 1 of 1412.6980 has it, written out in numpy."""

from typing import Any

import numpy as np
import pytest
import torch

from archsearch.controller.adam import Adam


def algorithm_1(start: Any, slopes: list[Any], rate: float) -> Any:
    value, mean, square = start, np.zeros_like(start), np.zeros_like(start)
    for t, slope in enumerate(slopes, start=1):
        mean = 0.9 * mean + 0.1 * slope
        square = 0.999 * square + 0.001 * slope**2
        value = value - rate * (mean / (1 - 0.9**t)) / (np.sqrt(square / (1 - 0.999**t)) + 1e-8)
    return value


def test_it_takes_the_papers_steps_and_counts_only_those_for_which_there_is_a_gradient() -> None:
    draws = np.random.default_rng(1)
    starts = [draws.normal(size=(3, 4)), draws.normal(size=5)]
    parameters = [torch.nn.Parameter(torch.tensor(start, dtype=torch.float32)) for start in starts]
    adam = Adam(parameters, 0.02)
    slopes: list[list[Any]] = [[], []]
    for step in range(20):
        adam.zero_grad()
        for place in range(2 if step % 3 else 1):
            slope = draws.normal(size=starts[place].shape) * 10.0 ** (step % 5 - 2)
            slopes[place].append(slope)
            parameters[place].grad = torch.tensor(slope, dtype=torch.float32)
        adam.step()
    for parameter, start, given in zip(parameters, starts, slopes, strict=True):
        assert parameter.detach().numpy() == pytest.approx(algorithm_1(start, given, 0.02), rel=1e-5, abs=1e-6)
    assert [steps for steps, _, _ in adam.state()] == [20, 13]


def test_a_gradient_of_zero_moves_nothing() -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.grad = torch.zeros(2)
    Adam([parameter], 0.1).step()
    assert parameter.tolist() == [1, 1]

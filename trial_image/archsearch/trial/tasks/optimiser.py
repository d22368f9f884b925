"""Stochastic gradient descent with Nesterov momentum, and its one-cycle schedule."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

_WARM_UP = 0.25
"""Share of the steps in which the rate rises."""


class Nesterov:
    """SGD with Nesterov momentum and an L2 penalty on weights, as ``torch.optim.SGD(nesterov=True)`` computes it.

    Not torch.optim: making its first optimiser imports torch._dynamo, which takes seconds of every fresh process and
    hundreds of megabytes (measured in docs/tasks.md); these are the same few fused operations.
    """

    def __init__(self, network: nn.Module, momentum: float, weight_decay: float) -> None:
        """Biases and the scales of batch normalisation (one-dimensional parameters) bear no penalty."""
        decayed: list[Tensor] = [parameter for parameter in network.parameters() if parameter.dim() > 1]
        others: list[Tensor] = [parameter for parameter in network.parameters() if parameter.dim() <= 1]
        self.groups = [
            (parameters, [torch.zeros_like(parameter) for parameter in parameters], penalty)
            for parameters, penalty in ((decayed, weight_decay), (others, 0.0))
        ]
        self.momentum = momentum

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Follow the gradients with step size ``rate`` and forget them."""
        for parameters, buffers, penalty in self.groups:
            gradients = [_gradient(parameter) for parameter in parameters]
            if penalty:
                torch._foreach_add_(gradients, parameters, alpha=penalty)
            torch._foreach_mul_(buffers, self.momentum)
            torch._foreach_add_(buffers, gradients)
            torch._foreach_add_(gradients, buffers, alpha=self.momentum)
            torch._foreach_add_(parameters, gradients, alpha=-rate)
            _forget(parameters)


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None, "every parameter of a network takes part in its loss"
    return parameter.grad


def _forget(parameters: Sequence[Tensor]) -> None:
    for parameter in parameters:
        parameter.grad = None


def rate_at(step: int, steps: int, peak: float) -> float:
    """Step size of ``step`` (from 0) of ``steps``: rises linearly to ``peak``, then falls linearly towards 0.

    One cycle (1708.07120) with straight flanks, as airbench (2404.00498) has it. Never 0.
    """
    summit = max(1, round(steps * _WARM_UP))
    if step < summit:
        return peak * (step + 1) / summit
    return peak * (steps - step) / (steps - summit + 1)

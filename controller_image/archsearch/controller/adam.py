"""Adam (1412.6980, algorithm 1), with its whole state in the open: it is part of what the hash of a policy covers.

``torch.optim.Adam`` takes the same steps, but brings the compiler of torch along: 4 s of start-up and 150 MiB for every
controller, measured on torch 2.15.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

DECAYS = (0.9, 0.999)
EPSILON = 1e-8


class Adam:
    """Moves parameters against their gradients; one without a gradient stays as it is, and so do its moments."""

    def __init__(self, parameters: Iterable[nn.Parameter], learning_rate: float) -> None:
        self._parameters = list(parameters)
        self._learning_rate = learning_rate
        self._steps = [0] * len(self._parameters)
        self._means = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._squares = [torch.zeros_like(parameter) for parameter in self._parameters]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """One step along the gradients."""
        for place, parameter in enumerate(self._parameters):
            if parameter.grad is None:
                continue
            self._steps[place] += 1
            mean, square = self._means[place], self._squares[place]
            mean.lerp_(parameter.grad, 1 - DECAYS[0])
            square.mul_(DECAYS[1]).addcmul_(parameter.grad, parameter.grad, value=1 - DECAYS[1])
            first, second = (1 - decay ** self._steps[place] for decay in DECAYS)
            spread = (square.sqrt() / second**0.5).add_(EPSILON)
            parameter.addcdiv_(mean, spread, value=-self._learning_rate / first)

    def state(self) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Steps taken, mean and mean square of the gradient, for each parameter in turn."""
        yield from zip(self._steps, self._means, self._squares, strict=True)

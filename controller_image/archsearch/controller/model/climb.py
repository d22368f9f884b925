"""Steepest ascent of a function drawn from the posterior, or of its mean: several children climb at once."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from archsearch.controller.model.features import Layout, Points, Stage
from archsearch.controller.model.gp import Posterior
from archsearch.controller.model.kernel import bag_distance, product_term
from archsearch.controller.model.paths import Path

Tokens = NDArray[np.int64]
"""[n, decisions]"""


@dataclass(frozen=True)
class Function:
    """f(x) = path(x) + sum_j weights_j k(x, x_j) over the data of a posterior; without a path, for its mean."""

    posterior: Posterior
    weights: Tensor
    """[data]"""
    path: Path | None = None

    def __call__(self, points: Points) -> Tensor:
        """[n] its values."""
        values: Tensor = self.posterior.covariance(points) @ self.weights
        return values if self.path is None else values + self.path(points)


class Slopes:
    """The values of all neighbours of a child at little more than the cost of one value.

    Every term of the function is a sum of products over decisions, so that answering one decision otherwise multiplies
    each product by one factor. exp(w_i [x_i = o]) for the product term of the covariance. The bag term's exponent is
    quadratic in the counts: an option more multiplies it by exp(2 u o.c_j) and by exp(-u (2 c + o).o). The path's
    features of signs multiply by a sign, its waves by a number of the complex unit circle.
    """

    def __init__(self, layout: Layout, stage: Stage, function: Function, precise: bool = True) -> None:
        """``precise``: in float64; otherwise in float32, at half the memory."""
        posterior = function.posterior
        self._function, self._layout, self._stage = function, layout, stage
        self._hyper, data = posterior.hyper, posterior.points
        widest = max(map(len, stage.legal), default=0)
        self._starts = np.array([layout.starts[decision.name] + 1 for decision in stage.decisions], dtype=np.int64)
        padded = [[*legal, *([legal[0]] * (widest - len(legal)))] for legal in stage.legal]
        self.tokens: Tokens = np.array(padded, dtype=np.int64).reshape(len(stage.legal), widest)
        """[decisions, widest] legal tokens, the first once more where there are fewer."""
        self._columns = torch.from_numpy(self.tokens + self._starts[:, None])
        self._real, self._complex = (torch.float64, torch.complex128) if precise else (torch.float32, torch.complex64)
        self._decisions = torch.arange(len(stage.legal))
        self._option = torch.zeros(layout.columns, dtype=torch.int64)
        self._option[self._columns] = torch.arange(widest)  # a token that fills up has two places, both of its column
        raised = (data.chosen * self._hyper.relevance[posterior.owner]).exp_()
        self._products = self._by_decision(raised.to(self._real).T)
        if self._hyper.bag > 0:
            shares = torch.exp(2 * self._hyper.spread * layout.bags @ data.counts.T)
            self._shares = self._by_decision(shares.to(self._real))
        if function.path is not None:
            self._flips = self._by_decision(function.path.negative).to(self._real).mul_(-2).add_(1)
            if self._hyper.bag == 0:
                return
            angles = layout.bags @ function.path.frequencies
            self._spins = self._by_decision(torch.polar(torch.ones_like(angles), angles).to(self._complex))

    def around(self, tokens: Tokens) -> Tensor:
        """[n, decisions, widest] values of ``tokens`` [n, decisions] with each decision answered by each option."""
        points = self._layout.encode_tokens(tokens, self._stage)
        now = torch.from_numpy(tokens + self._starts)
        product = product_term(self._hyper, self._function.posterior.owner, points, self._function.posterior.points)
        weighted = self._weighted(product).to(self._real)
        values = self._each(weighted[:, None] / self._of(now, self._products), self._products)
        if self._hyper.bag > 0:
            values += self._bags(points, now)
        path = self._function.path
        if path is not None:
            features = (path.signs(points) * path.product_weights).to(self._real)
            values += self._each(features[:, None] * self._of(now, self._flips), self._flips)
            if self._hyper.bag == 0:
                return values
            waves = (path.waves(points.counts) * path.bag_weights).to(self._complex)
            values += self._each(waves[:, None] * self._of(now, self._spins).conj(), self._spins).real
        return values

    def _bags(self, points: Points, now: Tensor) -> Tensor:
        apart = bag_distance(points, self._function.posterior.points)
        bag = self._weighted(torch.exp(-self._hyper.spread * apart) * self._hyper.bag)
        own = self._layout.bags[now]
        others = points.counts[:, None] - own
        less = torch.exp(-self._hyper.spread * ((2 * others + own) * own).sum(2))
        options = self._layout.bags[self._columns]
        inner = torch.einsum("ndg,dkg->ndk", others, options)
        more = torch.exp(-self._hyper.spread * (2 * inner + (options**2).sum(2)))
        rest = bag[:, None] / (self._of(now, self._shares) * less[:, :, None])
        return self._each(rest.to(self._real), self._shares) * more

    def _weighted(self, cross: Tensor) -> Tensor:
        return cross * self._function.weights

    def _by_decision(self, factors: Tensor) -> Tensor:
        """[decisions, terms, widest] from [columns, terms]."""
        return factors[self._columns].transpose(1, 2).contiguous()

    def _of(self, now: Tensor, factors: Tensor) -> Tensor:
        """[n, decisions, terms] those of the columns ``now`` [n, decisions]."""
        return factors[self._decisions, :, self._option[now]]

    def _each(self, rest: Tensor, factors: Tensor) -> Tensor:
        """[n, decisions, widest] sums of ``rest`` [n, decisions, terms] times the factors of each option."""
        return torch.bmm(rest.transpose(0, 1).contiguous(), factors).transpose(0, 1)


def climb(slopes: Slopes, tokens: Tokens, steps: int) -> Tokens:
    """Children reached from ``tokens`` [n, decisions] when each moves to its best neighbour, ``steps`` times at most;
    one that stands on a peak stays."""
    tokens = tokens.copy()
    climbing = np.arange(len(tokens))
    for _ in range(steps if slopes.tokens.size else 0):
        now = tokens[climbing]
        values = slopes.around(now).numpy()
        rows = np.arange(len(now))
        here = values[rows, 0, (slopes.tokens[0] == now[:, :1]).argmax(axis=1)]
        best = values.reshape(len(now), -1).argmax(axis=1)
        place, option = np.divmod(best, values.shape[2])
        moves = values[rows, place, option] > here + 1e-9
        climbing, place, option = climbing[moves], place[moves], option[moves]
        if not len(climbing):
            break
        tokens[climbing, place] = slopes.tokens[place, option]
    return tokens

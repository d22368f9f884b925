"""Coordinate ascent: several children at once, one decision after another set to its best option."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from archsearch.controller.model.features import Layout, Points, Stage
from archsearch.controller.model.gp import Posterior
from archsearch.controller.model.kernel import bag_distance
from archsearch.controller.model.paths import Path

Tokens = NDArray[np.int64]
"""[n, decisions]"""


@dataclass(frozen=True)
class Seen:
    """What an acquisition may look at, of n children."""

    cross: Tensor
    """[n, data] covariance with the data."""
    prior: Tensor | None
    """[n] values of the path, where there is one."""


Value = Callable[[Seen], Tensor]


class Climber:
    """Looks at every option of one decision at the cost of that decision alone: exponents and signs are kept and
    corrected, never computed anew."""

    def __init__(self, layout: Layout, stage: Stage, posterior: Posterior, path: Path | None) -> None:
        self._layout, self._stage, self._posterior, self._path = layout, stage, posterior, path
        self._starts = [layout.starts[decision.name] + 1 for decision in stage.decisions]
        self._numbers = [layout.names.index(decision.name) for decision in stage.decisions]
        self._alike = (posterior.points.chosen * posterior.hyper.relevance[posterior.owner]).T.contiguous()
        """[columns, data] relevance where the datum has that option."""

    def look(self, points: Points) -> Seen:
        """At children as they are."""
        return Seen(self._posterior.covariance(points), None if self._path is None else self._path(points))

    def climb(self, tokens: Tokens, value: Value, sweeps: int, stream: np.random.Generator) -> tuple[Tokens, Tensor]:
        """Children reached from ``tokens``, and their values; decisions come in random order, ties stay."""
        tokens = tokens.copy()
        points = self._layout.encode_tokens(tokens, self._stage)
        hyper = self._posterior.hyper
        exponent = points.chosen @ self._alike - hyper.relevance.sum()
        counts = points.counts.clone()
        signs = None if self._path is None else 1 - 2 * torch.remainder(points.chosen @ self._path.negative, 2)
        best = value(self.look(points))
        free = [place for place, decision in enumerate(self._stage.decisions) if len(decision.legal) > 1]
        rows = torch.arange(len(tokens))
        for _ in range(sweeps):
            before = tokens.copy()
            for place in stream.permutation(np.array(free, dtype=np.int64)):
                start = self._starts[place]
                columns = start + torch.tensor(self._stage.decisions[place].legal)
                now = start + torch.from_numpy(tokens[:, place])
                exponents = exponent[:, None] + (self._alike[columns][None] - self._alike[now][:, None])
                tallies = counts[:, None] + (self._layout.bags[columns][None] - self._layout.bags[now][:, None])
                turned = None
                if signs is not None and self._path is not None:
                    flips = (self._path.negative[columns][None] != self._path.negative[now][:, None]).double()
                    turned = signs[:, None] * (1 - 2 * flips)
                values = value(self._seen(exponents, tallies, turned)).reshape(len(tokens), len(columns))
                top, option = values.max(dim=1)
                option = torch.where(top > best + 1e-12, option, torch.searchsorted(columns, now))
                best = torch.maximum(best, top)
                exponent, counts = exponents[rows, option], tallies[rows, option]
                signs = None if turned is None else turned[rows, option]
                tokens[:, place] = (columns[option] - start).numpy()
            if (before == tokens).all():
                break
        return tokens, best

    def _seen(self, exponents: Tensor, tallies: Tensor, signs: Tensor | None) -> Seen:
        hyper = self._posterior.hyper
        cross = exponents.flatten(0, 1).exp() * hyper.product
        counts = tallies.flatten(0, 1)
        if hyper.bag > 0:
            apart = bag_distance(Points(cross, counts), self._posterior.points)
            cross += apart.mul_(-hyper.spread).exp_().mul_(hyper.bag)
        prior = None
        if signs is not None and self._path is not None:
            prior = signs.flatten(0, 1) @ self._path.product_weights + self._path.bag(counts)
        return Seen(cross, prior)

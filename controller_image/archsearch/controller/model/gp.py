"""The posterior of a Gaussian process (Rasmussen and Williams 2006, chapter 2)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from archsearch.controller.model.features import Points
from archsearch.controller.model.fit import JITTER
from archsearch.controller.model.kernel import Hyper, covariance


@dataclass(frozen=True)
class Posterior:
    """What is believed of the function after ``scores`` at ``points``."""

    hyper: Hyper
    owner: Tensor
    points: Points
    scores: Tensor
    """[n]"""
    factor: Tensor
    """[n, n] lower Cholesky factor of the covariance of the scores, noise included."""
    weights: Tensor
    """[n] inverse covariance times scores: the mean at x is the sum of k(x, x_j) weights_j."""

    @classmethod
    def given(cls, hyper: Hyper, owner: Tensor, points: Points, scores: Tensor) -> "Posterior":
        """Condition on ``scores`` [n] at ``points``."""
        noisy = covariance(hyper, owner, points, points)
        noisy.diagonal().add_(hyper.noise + JITTER)
        factor = torch.linalg.cholesky(noisy)
        return cls(hyper, owner, points, scores, factor, solve(factor, scores))

    def covariance(self, points: Points) -> Tensor:
        """[m, n] of ``points`` with the data."""
        return covariance(self.hyper, self.owner, points, self.points)

    def mean(self, cross: Tensor) -> Tensor:
        """[m] from :meth:`covariance`."""
        return cross @ self.weights

    def variance(self, cross: Tensor) -> Tensor:
        """[m] of the function, noise left out, from :meth:`covariance`."""
        explained = torch.linalg.solve_triangular(self.factor, cross.T, upper=False)
        variance: Tensor = self.hyper.variance - (explained**2).sum(0)
        return variance.clamp_(min=1e-10)

    def believing(self, points: Points) -> "Posterior":
        """After the scores that are expected at ``points`` have come true: the mean stays, doubt shrinks around them
        (the kriging believer of Ginsbourger et al. 2010)."""
        if not len(points):
            return self
        expected = self.mean(self.covariance(points))
        return Posterior.given(self.hyper, self.owner, self.points.join(points), torch.cat([self.scores, expected]))

    def update_of(self, drawn: Tensor, errors: Tensor) -> Tensor:
        """[n] weights that turn a draw from the prior into one from the posterior (pathwise conditioning; 2002.09309):
        the draw at x plus the sum of k(x, x_j) weights_j. ``drawn``: [n] the prior's draw at the data; ``errors``: [n]
        standard normal."""
        noise = errors * (self.hyper.noise + JITTER) ** 0.5
        return solve(self.factor, self.scores - drawn - noise)


def solve(factor: Tensor, right: Tensor) -> Tensor:
    """[n] the inverse of factor factor' times ``right`` [n]."""
    return torch.cholesky_solve(right[:, None], factor)[:, 0]

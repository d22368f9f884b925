"""The covariance of two children: alike where they decide alike, and where their options occur as often.

    k(x, x') = s exp(-sum_i w_i [x_i != x'_i]) + t exp(-u |c(x) - c(x')|^2)

x_i is the option of decision i (or that it is absent), c counts the options of decisions with equal option lists. The
first term is the product over decisions of kernels that are 1 for equal options and exp(-w_i) for others: one relevance
w_i for each decision (automatic relevance determination; 1106.5779 has it for categories). The second helps where
options mean the same at every decision ("bag").
"""

from dataclasses import dataclass

from torch import Tensor

from archsearch.controller.model.features import Points


@dataclass(frozen=True)
class Hyper:
    """The kernel's parameters; all but the last in units of squared scores."""

    product: float
    """s: variance of the first term."""
    bag: float
    """t: variance of the second term; 0 where no decisions share their options."""
    noise: float
    """Variance of a score around the function."""
    relevance: Tensor
    """w: [decisions], per decision that differs."""
    spread: float
    """u: per squared unit of counts."""

    @property
    def variance(self) -> float:
        """k(x, x)."""
        return self.product + self.bag


def product_term(hyper: Hyper, owner: Tensor, one: Points, other: Points) -> Tensor:
    """[n, m] the first term; ``owner``: [columns] the decision of each column."""
    weights = hyper.relevance[owner]
    exponent = (one.chosen * weights) @ other.chosen.T
    return exponent.sub_(hyper.relevance.sum()).exp_().mul_(hyper.product)


def bag_distance(one: Points, other: Points) -> Tensor:
    """[n, m] squared distances of counts."""
    squares = (one.counts**2).sum(1)[:, None] + (other.counts**2).sum(1)[None, :]
    return squares.sub_(2 * one.counts @ other.counts.T).clamp_(min=0.0)


def covariance(hyper: Hyper, owner: Tensor, one: Points, other: Points) -> Tensor:
    """[n, m] k of every pair."""
    total = product_term(hyper, owner, one, other)
    if hyper.bag > 0:
        total += bag_distance(one, other).mul_(-hyper.spread).exp_().mul_(hyper.bag)
    return total

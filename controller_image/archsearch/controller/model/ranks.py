"""Rewards as the model sees them: normal scores of their ranks."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

Scores = NDArray[np.float64]


def scores(rewards: Sequence[float | None] | NDArray[np.float64]) -> Scores:
    """Normal scores of ``rewards``: the quantile of the standard normal at (rank - 1/2) / n, ranks from 1.

    Equal rewards share the mean of their ranks; None (a failed child; minus infinity in an array) ranks below every
    reward. Accuracies have a
    heavy lower tail that would bend a model of the raw numbers; ranks also make rewards of any unit alike. Shape [n].
    """
    values = np.array([-np.inf if reward is None else reward for reward in rewards], dtype=np.float64)
    if values.size == 0:
        return values
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2
    levels = (middle - 0.5) / len(values)
    normal: Scores = torch.special.ndtri(torch.from_numpy(levels)).numpy()
    return normal[inverse]

"""scikit-learn's digits: 1,797 real 8x8 grey images, part of the package, so nothing is downloaded."""

from pathlib import Path

import numpy as np

from archsearch.api.task import DigitsData
from archsearch.trial.data.images import Images, Part


def load(dataset: DigitsData, base: Path) -> Images:
    """The digits, grey values 0 to 16 spread over 0 to 255; no validation or test part of their own."""
    # Imported here: it takes a second, which no other data set should pay.
    from sklearn.datasets import load_digits

    digits = load_digits()
    grey = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    training = Part(grey[:, None], digits.target.astype(np.int64))
    return Images("digits", tuple(str(name) for name in digits.target_names), training)

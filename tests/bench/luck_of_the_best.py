"""What confirming is worth: the best of many noisy rewards, told once, and told as the mean of two trainings.

    python tests/bench/luck_of_the_best.py [--children 100] [--searches 20000] [--seed 1]

Children are true values (standard normal) plus noise of each training (normal, of the standard deviation given). The
K best by their first reward are trained once more and ranked by the mean of both; K = 0 is no confirmation. All figures
are in standard deviations of the true values: how good the chosen child is, and by how much its reward flatters it.
"""

import argparse

import numpy as np

NOISES = (0.25, 0.5, 1.0)
CONFIRMED = (0, 1, 3, 5, 10, 25)


def chosen(children: int, noise: float, confirm: int, searches: int, seed: int) -> tuple[float, float]:
    """Mean true value of the child that ends up best, and mean of what its reward has beyond that."""
    rng = np.random.default_rng(seed)
    true = rng.standard_normal((searches, children))
    first, second = true + noise * rng.standard_normal((2, searches, children))
    rows = np.arange(searches)
    if confirm:
        best = np.argsort(-first, axis=1)[:, :confirm]
        mean = (np.take_along_axis(first, best, 1) + np.take_along_axis(second, best, 1)) / 2
        at = np.argmax(mean, axis=1)
        place, told = best[rows, at], mean[rows, at]
    else:
        place = np.argmax(first, axis=1)
        told = first[rows, place]
    return float(true[rows, place].mean()), float((told - true[rows, place]).mean())


def main() -> None:
    """Print a table: a row for each K, a pair of columns for each noise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--children", type=int, default=100)
    parser.add_argument("--searches", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print("confirm", *(f"noise {noise}: value, flattery" for noise in NOISES), sep=" | ")
    for confirm in CONFIRMED:
        cells = [chosen(given.children, noise, confirm, given.searches, given.seed) for noise in NOISES]
        print(confirm, *(f"{value:.2f}, {flattery:+.2f}" for value, flattery in cells), sep=" | ")


if __name__ == "__main__":
    main()

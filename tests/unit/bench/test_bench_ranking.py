"""Ranking strategies: what regrets are divided by, ranks with ties, and paired differences."""

import numpy as np
import pytest
from offline import Job, measure
from ranking import curves, difference, ranks, report, scale, scale_of, section


def test_the_unit_is_what_25_uniform_draws_leave_on_average() -> None:
    # A quarter of the draws are optimal: 25 of them miss it with probability 0.75 ** 25, and nothing is left.
    unit, worst = scale_of(4.0, [1.0, 2.0, 3.0, 4.0])
    assert unit == pytest.approx(0.75**25, abs=2e-3)
    assert worst == 3.0
    # Always 2 below the best.
    assert scale_of(5.0, [3.0] * 10) == (2.0, 2.0)
    # Those that fail count as the worst that was measured.
    assert scale_of(5.0, [None, 1.0, None]) == scale_of(5.0, [1.0, 1.0, 1.0]) == (4.0, 4.0)


def test_equals_share_their_rank() -> None:
    values = np.array([[1.0, 5.0, 2.0], [1.0, 4.0, 1.0], [0.0, 4.0, 3.0]])
    assert ranks(values).tolist() == [[2.5, 3.0, 2.0], [2.5, 1.5, 1.0], [1.0, 1.5, 3.0]]


def test_a_difference_is_paired_and_each_problem_counts_alike() -> None:
    one = [np.array([1.0, 9.0]), np.array([5.0, 5.0, 5.0, 5.0])]
    other = [np.array([2.0, 10.0]), np.array([8.0, 8.0, 8.0, 8.0])]
    # Within a problem the differences do not vary, however much the seeds do: the interval is a point.
    assert difference(one, other) == (-2.0, -2.0, -2.0)
    mean, low, high = difference([np.array([0.0, 1.0, 2.0, 3.0])], [np.zeros(4)])
    assert mean == 1.5
    assert 0 <= low < 1.0
    assert 2.0 < high <= 3.0


def line(strategy: str, seed: int, *steps: tuple[int, float]) -> dict[str, object]:
    return {"problem": "additive-0", "strategy": strategy, "seed": seed, "regret": list(steps), "least": None}


def test_only_seeds_that_all_have_count_and_nothing_measured_is_the_worst() -> None:
    unit, worst = scale("additive-0")
    lines = [line("a", 1, (1, 4.0), (30, 1.0)), line("a", 2, (40, 2.0)), line("b", 1, (1, 3.0)), line("c", 2)]
    found = curves(lines, "additive-0", ["a", "b"], [25, 50], "regret")
    assert found.tolist() == [[[4.0 / unit, 1.0 / unit]], [[3.0 / unit, 3.0 / unit]]]
    alone = curves(lines, "additive-0", ["a"], [25, 50], "regret")
    assert alone.tolist() == [[[4.0 / unit, 1.0 / unit], [worst / unit, 2.0 / unit]]]
    assert curves(lines, "additive-0", ["b", "c"], [25], "regret").shape == (2, 0, 1)


def test_a_section_shows_regrets_ranks_and_the_first_against_each() -> None:
    problems = [np.array([[[0.5], [0.7]], [[1.0], [1.2]]]), np.array([[[0.1], [0.1]], [[0.2], [0.2]]])]
    text = section("some", problems, ["ours", "theirs"], [25])
    assert text[0] == "### some (2 problems, 4 searches each)"
    assert text[4:7] == [
        "| `ours` | 0.350 | 1.00 |",
        "| `theirs` | 0.650 | 2.00 |",
        "| `ours` minus `theirs` | **-0.300** (-0.300 to -0.300) |  |",
    ]
    assert section("none", [np.zeros((2, 0, 1))], ["a", "b"], [25])[2] == "no seeds that all strategies have"


def test_real_searches_make_a_report_with_a_second_table_where_rewards_are_noisy() -> None:
    names = ["plainReinforce", "random"]
    groups = {"additive": ["additive-0"], "noisy": ["noisy-0"]}
    jobs = [Job(problem[0], name, seed, 20, 1) for problem in groups.values() for name in names for seed in (1, 2)]
    text = report(list(measure(jobs, None, 1)), groups, names, [10, 20])
    heads = [one for one in text.splitlines() if one.startswith("###")]
    assert heads == [
        "### all (2 problems, 4 searches each)",
        "### additive (1 problems, 2 searches each)",
        "### noisy (1 problems, 2 searches each)",
        "### noisy: best by its reward without noise (1 problems, 2 searches each)",
    ]
    assert text.count("| `plainReinforce` minus `random` |") == 4

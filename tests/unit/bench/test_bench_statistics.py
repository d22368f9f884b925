"""Summaries of searches: regret after so many children asked for, checkpoints, gains, intervals."""

import statistics

import pytest

from archsearch.api import Strategy
from archsearch.api.strategies.local_search import LocalSearchStrategy, Step
from archsearch.bench.curves import Curve, checkpoints, difference, found_after, rows, summary
from archsearch.bench.errors import BenchError
from archsearch.bench.processes import Memory
from archsearch.bench.stats import bootstrap_mean, mean_and_deviation, percentile
from archsearch.bench.strategies import names, parse_strategies

ALONE = {"difference_mean": None, "difference_low": None, "difference_high": None}
"""What a row says where there is no other strategy."""


def curve(*validation: float | None, duplicates: int = 0) -> Curve:
    """A search whose children have these validation accuracies, and a tenth of them on the test part."""
    test = tuple(None if value is None else value / 10 for value in validation)
    return Curve(validation, test, duplicates, seconds=1.0)


@pytest.mark.parametrize(
    ("children", "marks"),
    [
        (1, (1,)),
        (25, (25,)),
        (30, (25, 30)),
        (300, (25, 50, 100, 150, 200, 300)),
        (450, (25, 50, 100, 150, 200, 300, 400, 450)),
        (5000, (25, 50, 100, 150, 200, 300, 400, 500, 600, 700, 800, 900, 1000, 2000, 4000, 5000)),
    ],
)
def test_checkpoints_end_with_the_number_of_children(children: int, marks: tuple[int, ...]) -> None:
    assert checkpoints(children) == marks


@pytest.mark.parametrize(
    ("validation", "children", "found"),
    [
        ((1.0, 5.0, 3.0), 1, (1.0, 0.1)),
        ((1.0, 5.0, 3.0), 2, (5.0, 0.5)),
        ((1.0, 5.0, 9.0), 2, (5.0, 0.5)),
        ((None, 2.0), 1, None),
        ((None, 2.0), 2, (2.0, 0.2)),
        # A search that ended because the space was exhausted asked for fewer.
        ((4.0,), 25, (4.0, 0.4)),
    ],
)
def test_the_best_is_chosen_by_validation_among_the_children_asked_for_so_far(
    validation: tuple[float | None, ...], children: int, found: tuple[float, float] | None
) -> None:
    assert found_after(curve(*validation), children) == found


def test_of_equals_by_validation_the_first_one_is_reported() -> None:
    assert found_after(Curve((7.0, 7.0), (1.0, 2.0), 0, 1.0), 2) == (7.0, 1.0)


def test_a_row_has_mean_and_sample_deviation_of_regret_and_test() -> None:
    found = rows("x", [curve(*[1.0] * 25, 6.0), curve(*[3.0] * 25, 8.0)], best=10.0, children=26)
    assert found == [
        {
            "strategy": "x",
            "children": 25,
            "seeds": 2,
            "regret_mean": 8.0,
            "regret_std": pytest.approx(statistics.stdev([9.0, 7.0])),
            "test_mean": pytest.approx(0.2),
            "test_std": pytest.approx(statistics.stdev([0.1, 0.3])),
            **ALONE,
        },
        {
            "strategy": "x",
            "children": 26,
            "seeds": 2,
            "regret_mean": 3.0,
            "regret_std": pytest.approx(statistics.stdev([4.0, 2.0])),
            "test_mean": pytest.approx(0.7),
            "test_std": pytest.approx(statistics.stdev([0.6, 0.8])),
            **ALONE,
        },
    ]


def test_a_single_seed_has_deviation_zero() -> None:
    (row,) = rows("x", [curve(2.0)], best=5.0, children=1)
    assert (row["regret_mean"], row["regret_std"]) == (3.0, 0.0)


def test_seeds_that_have_measured_nothing_yet_are_not_counted() -> None:
    late = curve(*[None] * 25, *[4.0] * 5)
    assert [row["seeds"] for row in rows("x", [late, curve(*[1.0] * 30)], 5.0, 30)] == [1, 2]
    assert [row["children"] for row in rows("x", [late], 5.0, 30)] == [30]


def test_a_strategy_is_compared_with_the_first_seed_by_seed() -> None:
    first = [curve(1.0, 2.0), curve(5.0, 5.0), curve(None, 3.0)]
    other = [curve(2.0, 2.0), curve(7.0, 8.0), curve(9.0, 9.0)]
    early, late = rows("x", other, 10.0, 2, first)[0], difference(other, first, 1)
    # The third seed of the first has measured nothing after one child, so one child compares two seeds.
    assert late is not None
    assert (late.mean, late.low, late.high) == (-1.5, -2.0, -1.0)
    assert early["difference_mean"] == pytest.approx(-3.0)  # 0, -3 and -6
    assert early["difference_low"] == -6.0
    assert early["difference_high"] == 0.0
    assert difference([curve(None)], [curve(1.0)], 1) is None
    assert {**rows("x", other[:1], 10.0, 2, [curve(None, None)])[0], **ALONE} == rows("x", other[:1], 10.0, 2)[0]


def test_a_table_without_test_accuracy_has_none_in_its_rows() -> None:
    bare = Curve((1.0, 4.0), (None, None), 0, 1.0)
    assert found_after(bare, 2) == (4.0, None)
    (row,) = rows("x", [bare], 5.0, 2)
    assert (row["regret_mean"], row["test_mean"], row["test_std"]) == (1.0, None, None)


def test_the_gain_compares_the_last_fifty_children_with_the_first_fifty() -> None:
    found = summary("x", [curve(*[1.0] * 50, *[9.0] * 100, *[4.0] * 50, duplicates=3)], 200)
    assert found.gain is not None
    assert (found.gain.mean, found.window, found.duplicates) == (3.0, 50, 3)


def test_short_searches_compare_their_halves() -> None:
    found = summary("x", [curve(1.0, 1.0, 2.0, 2.0), curve(1.0, 1.0, 4.0, 4.0)], 4)
    assert found.gain is not None
    assert (found.gain.mean, found.window) == (2.0, 2)
    assert (found.gain.low, found.gain.high) == (1.0, 3.0)


def test_searches_without_a_measured_child_have_no_gain() -> None:
    assert summary("x", [curve(None, None)], 2).gain is None


@pytest.mark.parametrize(
    ("values", "percent", "value"),
    [((5.0,), 99, 5.0), ((1.0, 2.0, 3.0), 50, 2.0), ((4.0, 1.0), 50, 2.5), ((1.0, 2.0, 3.0, 4.0, 5.0), 90, 4.6)],
)
def test_percentiles_are_linear_between_neighbours(values: tuple[float, ...], percent: float, value: float) -> None:
    assert percentile(values, percent) == pytest.approx(value)


def test_percentile_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile((), 50)


def test_a_bootstrap_interval_holds_the_mean_narrows_with_more_values_and_is_the_same_each_time() -> None:
    few, many = [1.0, 2.0, 3.0, 6.0], [1.0, 2.0, 3.0, 6.0] * 25
    one, other = bootstrap_mean(few, 2000), bootstrap_mean(many, 2000)
    assert one == bootstrap_mean(few, 2000)
    assert one.low < 3.0 < one.high
    assert one.mean == other.mean == 3.0
    # Five-fold: the standard error falls with the square root of 25.
    assert (one.high - one.low) / (other.high - other.low) == pytest.approx(5, rel=0.15)


def test_mean_and_deviation_of_one_value() -> None:
    assert mean_and_deviation([4.0]) == (4.0, 0.0)


def test_the_largest_memory_is_kept_kind_by_kind() -> None:
    assert Memory(5, 1, None).most(Memory(3, 2, 4)) == Memory(5, 2, 4)
    assert Memory(5, None, None).most(None) == Memory(5, None, None)


def test_strategies_are_named_as_in_a_manifest_with_presets_and_the_default() -> None:
    found = parse_strategies("reinforce:Paper, random,default,reinforce,regularizedEvolution:Paper,localSearch:Best")
    assert list(found) == [
        *("reinforce:Paper", "random", "default", "reinforce", "regularizedEvolution:Paper", "localSearch:Best"),
    ]
    resolved = {name: strategy.resolved() for name, strategy in found.items()}
    assert resolved["reinforce:Paper"].chosen.preset == "Paper"
    assert resolved["random"].kind == "random"
    assert resolved["default"] == Strategy().resolved()
    assert resolved["regularizedEvolution:Paper"].chosen.population == 100
    assert resolved["localSearch:Best"].chosen == LocalSearchStrategy(step=Step.BEST)


def test_every_strategy_of_a_manifest_has_a_name_and_every_name_is_understood() -> None:
    fields = {field.alias or key for key, field in Strategy.model_fields.items()}
    assert {name.partition(":")[0] for name in names()} == {*fields, "default"}
    assert {"ppo:Fast", "localSearch:First", "modelBased"} <= set(names())
    assert list(parse_strategies(",".join(names()))) == list(names())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("genetic", "'genetic' is no strategy; allowed: random, reinforce, ppo, regularizedEvolution, .*, default, or"),
        ("", "'' is no strategy"),
        ("random,", "'' is no strategy"),
        ("random,random", "'random' is given twice"),
        ("reinforce:Slow", "reinforce has no preset 'Slow'; allowed: reinforce, reinforce:Fast, reinforce:Paper$"),
        ("localSearch:Worst", "localSearch has no preset 'Worst'; allowed: localSearch, localSearch:First, .*:Best$"),
        ("reinforce:", "reinforce has no preset ''"),
        ("random:Fast", "random has no preset 'Fast'; allowed: random$"),
        ("default:Fast", "'default:Fast' is no strategy"),
    ],
)
def test_a_strategy_that_does_not_exist_is_refused_with_those_that_do(text: str, told: str) -> None:
    with pytest.raises(BenchError, match=told):
        parse_strategies(text)

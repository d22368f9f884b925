"""The first children try every option equally often."""

from collections import Counter

from archsearch.controller.model.design import balanced
from archsearch.controller.strategy import generator

LEGAL = ((0, 1, 2, 3, 4), (2, 5), (1,), (0, 1, 2))


def design(rows: int, seed: int) -> list[tuple[int, ...]]:
    return [balanced(LEGAL, row, [generator(seed, f"d{n}") for n in range(len(LEGAL))]) for row in range(rows)]


def test_every_run_of_as_many_rows_as_options_has_each_option_once() -> None:
    rows = design(30, 3)
    for place, legal in enumerate(LEGAL):
        for start in range(0, 30, len(legal)):
            assert Counter(row[place] for row in rows[start : start + len(legal)]) == Counter(legal)


def test_a_row_does_not_depend_on_the_rows_asked_for_before() -> None:
    rows = design(12, 3)
    assert balanced(LEGAL, 7, [generator(3, f"d{n}") for n in range(len(LEGAL))]) == rows[7]


def test_seeds_differ() -> None:
    assert design(10, 3) != design(10, 4)

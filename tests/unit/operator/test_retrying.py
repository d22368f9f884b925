"""Delays between tries: an outage is left soon after it ends, and a long one costs few calls."""

import random
from itertools import accumulate

import pytest

from archsearch.operator.retrying import Backoff


def test_the_end_of_an_outage_of_ten_seconds_is_noticed_within_three() -> None:
    for seed in range(100):
        backoff = Backoff(draws=random.Random(seed))
        tries = list(accumulate(backoff.delay() for _ in range(40)))
        assert next(time for time in tries if time >= 10) < 13
        assert sum(time < 10 for time in tries) < 25


def test_delays_grow_to_their_cap_and_begin_anew_after_a_success() -> None:
    backoff = Backoff(jitter=0.0)
    delays = [backoff.delay() for _ in range(30)]
    assert delays[:3] == pytest.approx([0.1, 0.12, 0.144])
    assert delays == sorted(delays)
    assert delays[-1] == 5.0
    backoff.reset()
    assert backoff.delay() == 0.1


def test_two_that_failed_together_do_not_return_together() -> None:
    one, two = Backoff(draws=random.Random(1)), Backoff(draws=random.Random(2))
    assert one.delay() != two.delay()

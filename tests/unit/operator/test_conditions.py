"""Conditions keep the time of their last transition, their order, and are equal while nothing changes."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from archsearch.api.conditions import Condition, ConditionStatus, ConditionType
from archsearch.operator.conditions import LONGEST, false, find, holds, true, unknown, update
from archsearch.operator.times import rfc3339_seconds

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
READY, PROGRESSING, FAILED = ConditionType.READY, ConditionType.PROGRESSING, ConditionType.FAILED


def test_a_new_condition_begins_now() -> None:
    (condition,) = update((), [true(READY, "Accepted", "fine")], NOW, generation=2)
    assert condition == Condition(
        type=READY,
        status=ConditionStatus.TRUE,
        reason="Accepted",
        message="fine",
        last_transition_time="2026-01-31T12:00:00Z",
        observed_generation=2,
    )


def test_nothing_changes_nothing() -> None:
    first = update((), [true(READY, "Accepted"), false(FAILED, "NotEnded")], NOW, generation=1)
    assert update(first, [true(READY, "Accepted"), false(FAILED, "NotEnded")], LATER, generation=1) == first


@pytest.mark.parametrize(
    ("change", "generation"),
    [(true(PROGRESSING, "Draining"), 1), (true(PROGRESSING, "Running", "other"), 1), (true(PROGRESSING, "Running"), 2)],
)
def test_reason_message_and_generation_change_without_a_transition(change: object, generation: int) -> None:
    first = update((), [true(PROGRESSING, "Running")], NOW, generation=1)
    second = update(first, [change], LATER, generation=generation)  # type: ignore[list-item]
    assert second != first
    assert second[0].last_transition_time == first[0].last_transition_time


@pytest.mark.parametrize("other", [false(PROGRESSING, "Drained"), unknown(PROGRESSING, "Unknown")])
def test_another_status_is_a_transition(other: object) -> None:
    first = update((), [true(PROGRESSING, "Running")], NOW, generation=1)
    (second,) = update(first, [other], LATER, generation=1)  # type: ignore[list-item]
    assert second.last_transition_time == "2026-01-31T12:05:00Z"


def test_the_order_is_that_of_the_types_and_each_stands_once() -> None:
    first = update((), [false(FAILED, "NotEnded"), true(READY, "Accepted")], NOW, generation=1)
    second = update((*first, *first), [true(PROGRESSING, "Running")], NOW, generation=1)
    assert [condition.type for condition in second] == [READY, PROGRESSING, FAILED]


def test_conditions_that_are_not_spoken_of_stay_as_they_are() -> None:
    first = update((), [true(READY, "Accepted")], NOW, generation=1)
    assert first[0] in update(first, [true(PROGRESSING, "Running")], LATER, generation=2)


def test_a_message_is_bounded_and_printable() -> None:
    (condition,) = update((), [true(READY, "Accepted", "\x1b[31m" + "x" * 100_000)], NOW, generation=1)
    assert len(condition.message) == LONGEST
    assert "\x1b" not in condition.message


def test_find_and_holds() -> None:
    conditions = update((), [true(READY, "Accepted"), false(FAILED, "NotEnded")], NOW, generation=1)
    assert (holds(conditions, READY), holds(conditions, FAILED), holds(conditions, PROGRESSING)) == (True, False, False)
    assert find(conditions, PROGRESSING) is None


def test_times_are_utc_and_need_a_zone() -> None:
    assert rfc3339_seconds(datetime(2026, 1, 31, 13, tzinfo=timezone(timedelta(hours=1)))) == "2026-01-31T12:00:00Z"
    with pytest.raises(ValueError, match="no time zone"):
        rfc3339_seconds(datetime(2026, 1, 31))

"""Dead times between children, as they settle."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsearch.operator.measuring import DeadTimes, dead_times

SECOND = 1_000_000_000


def ns(seconds: float) -> int:
    return 1_700_000_000 * SECOND + round(seconds * SECOND)


class Story:
    """Tells a DeadTimes what happens; children are numbers, times seconds."""

    def __init__(self, slots: int) -> None:
        self.dead = DeadTimes()
        self.dead.slots(slots)

    def launch(self, *children: int) -> "Story":
        for child in children:
            self.dead.launched(child)
        return self

    def settle(self, child: int, started: float | None, ended: float | None) -> float | None:
        before = self.dead.settled(
            child, None if started is None else ns(started), None if ended is None else ns(ended)
        )
        return None if before is None else round(before, 6)


def test_the_first_fill_waited_for_nobody() -> None:
    story = Story(2).launch(0, 1)
    assert story.settle(0, 0, 10) is None
    assert story.settle(1, 0, 11) is None


def test_the_next_child_of_a_slot_has_the_time_since_the_exit() -> None:
    story = Story(1).launch(0)
    story.settle(0, 0, 10)
    assert story.launch(1).settle(1, 12.5, 20) == 2.5
    assert story.launch(2).settle(2, 20, 30) == 0


def test_the_oldest_exit_goes_to_the_oldest_launch() -> None:
    story = Story(2).launch(0, 1)
    story.settle(0, 0, 10)
    story.settle(1, 0, 11)
    story.launch(2, 3)
    assert story.settle(2, 12, 20) == 2
    assert story.settle(3, 14, 20) == 3


def test_a_long_child_does_not_lend_its_exit_to_a_short_one_that_reports_first() -> None:
    """Reports come in any order: child 3 is told long before child 2, whose exit was the earlier one."""
    story = Story(2).launch(0, 1)
    story.settle(0, 0, 9)
    story.launch(2)
    story.settle(1, 0, 19)
    story.launch(3)
    assert story.settle(3, 20, 30) == 1
    assert story.settle(2, 10, 100) == 1


def test_a_restarted_operator_starts_with_nothing() -> None:
    story = Story(2)
    assert story.settle(7, 0, 10) is None  # launched by the operator before
    assert story.launch(9).settle(9, 11, 20) == 1  # its exit is known all the same
    story = Story(2).launch(7, 8)  # seen to run
    assert story.settle(7, 0, 10) is None
    assert story.launch(9).settle(9, 11, 20) == 1


def test_launching_twice_is_launching_once() -> None:
    story = Story(1).launch(0, 0)
    story.settle(0, 0, 10)
    assert story.launch(1, 1, 1).settle(1, 11, 20) == 1


def test_time_without_slots_is_not_dead() -> None:
    story = Story(2).launch(0, 1)
    story.settle(0, 0, 10)
    story.dead.slots(0)  # suspended: child 1 is stopped
    story.settle(1, None, None)
    story.dead.slots(2)
    story.launch(2, 3)
    assert story.settle(2, 1000, 1010) is None
    assert story.settle(3, 1000, 1010) is None
    assert story.launch(4).settle(4, 1011, 1020) == 1


def test_slots_taken_away_and_given_back_later_waited_for_nobody() -> None:
    story = Story(3).launch(0, 1, 2)
    story.settle(0, 0, 10)
    story.settle(1, 0, 11)
    story.dead.slots(1)  # child 2 holds the one that is left
    story.settle(2, 0, 50)
    story.launch(3)
    story.dead.slots(3)
    story.launch(4)
    assert story.settle(3, 51, 60) == 1
    assert story.settle(4, 100, 110) is None


def test_more_slots_are_filled_without_a_dead_time() -> None:
    story = Story(1).launch(0)
    story.dead.slots(3)
    story.launch(1, 2)
    story.settle(0, 0, 10)
    assert story.settle(1, 5, 20) is None
    assert story.settle(2, 5, 21) is None


@pytest.mark.parametrize(
    ("ended", "started"),
    [(None, 12.0), (10.0, None), (None, None), (10.0, 9.9)],
    ids=["no end of the one before", "no start", "neither", "clocks that contradict each other"],
)
def test_unknown_times_give_none_and_disturb_no_other(ended: float | None, started: float | None) -> None:
    story = Story(1).launch(0)
    story.settle(0, 0, ended)
    assert story.launch(1).settle(1, started, 20) is None
    assert story.launch(2).settle(2, 21, 30) == 1


def test_an_unknown_exit_is_not_replaced_by_another_slots() -> None:
    story = Story(2).launch(0, 1)
    story.settle(0, None, None)
    story.settle(1, 0, 10)
    story.launch(2, 3)
    assert story.settle(2, 5, 20) is None
    assert story.settle(3, 11, 20) == 1


def test_jobs_launched_ahead_of_need_take_the_exits_that_come() -> None:
    story = Story(2).launch(0, 1, 2, 3)  # lookahead 2
    story.settle(0, 0, 10)
    story.launch(4)
    story.settle(1, 0, 11)
    story.launch(5)
    assert story.settle(2, 10.25, 20) == 0.25
    assert story.settle(3, 11.5, 21) == 0.5
    assert story.settle(4, 20.125, 30) == 0.125


def test_a_queued_job_that_never_had_a_slot_frees_none() -> None:
    story = Story(1).launch(0, 1, 2)
    assert story.settle(1, None, None) is None
    story.settle(0, 0, 10)
    assert story.settle(2, 11, 20) == 1


@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(0, 60), st.integers(0, 3))
def test_told_as_it_runs_or_worked_out_afterwards_is_the_same(seed: int, slots: int, children: int, ahead: int) -> None:
    """A simulated search in which freed slots go to the oldest launch; reports come in the order of the exits."""
    draw = random.Random(seed)
    dead = DeadTimes()
    dead.slots(slots)
    running: list[tuple[int, int, int]] = []  # end, index, start
    spans: list[tuple[int, int]] = []
    found: list[float] = []
    queued = launched = now = newest_start = 0
    while len(spans) < children:
        while launched < children and launched - len(spans) < slots + ahead:
            dead.launched(launched)
            launched += 1
        while queued < launched and len(running) < slots:
            newest_start = max(now + draw.randrange(1, 3 * SECOND), newest_start + 1)
            end = newest_start + draw.randrange(10 * SECOND, 60 * SECOND)
            running.append((end, queued, newest_start))
            queued += 1
        running.sort()
        end, index, start = running.pop(0)
        now = end
        spans.append((start, end))
        before = dead.settled(index, start, end)
        if before is not None:
            found.append(before)
    assert sorted(found) == sorted(dead_times(spans, slots))
    assert len(found) == max(children - slots, 0)


def test_dead_times_of_a_whole_search_are_matched_first_exit_to_first_start() -> None:
    spans = [(0, 10), (0, 12), (13, 20), (11, 30)]
    assert dead_times([(ns(a), ns(b)) for a, b in spans], 2) == [1.0, 1.0]
    assert dead_times([], 1) == []
    assert dead_times([(ns(5), ns(6)), (ns(4), ns(9))], 1) == []  # overlapping: the clocks contradict each other
    with pytest.raises(ValueError, match="slots is 0"):
        dead_times([], 0)

"""Running figures: they are those of the ledger, whatever the order of changes."""

from collections.abc import Callable

from archsearch.engine.model import Phase, Trial
from archsearch.local.progress import WINDOW, Scoreboard, Snapshot

Make = Callable[..., Trial]


def figures(board: Scoreboard, busy: float = 10.0) -> Snapshot:
    return board.snapshot(entropy=None, elapsed=20.0, busy=busy)


def test_a_trial_counts_under_its_latest_phase_only(trial: Make) -> None:
    board = Scoreboard(10)
    running = trial(0, phase=Phase.RUNNING, reward=None, observation=None)
    board.take((running, trial(1, phase=Phase.FAILED, reward=None)))
    board.take((trial(0),))
    now = figures(board)
    assert (now.done, now.running, now.failed, now.maximum) == (2, 0, 1, 10)


def test_the_best_child_is_the_first_of_those_with_the_highest_reward(trial: Make) -> None:
    board = Scoreboard(10)
    board.take((trial(0, reward=-3.0), trial(1, reward=-1.0), trial(2, reward=-1.0), trial(3, reward=-2.0)))
    best = figures(board).best
    assert best is not None
    assert best.index == 1


def test_the_moving_mean_covers_the_last_numbered_rewards(trial: Make) -> None:
    board = Scoreboard(100)
    board.take(tuple(trial(index, reward=float(index)) for index in range(WINDOW + 5)))
    board.take((trial(WINDOW + 5, phase=Phase.FAILED, reward=None),))
    assert figures(board).moving_mean == sum(range(5, WINDOW + 5)) / WINDOW


def test_a_change_of_a_numbered_trial_is_not_counted_twice(trial: Make) -> None:
    board = Scoreboard(10)
    board.take((trial(0, reward=1.0),))
    board.take((trial(0, reward=1.0), trial(1, reward=3.0)))
    assert figures(board).moving_mean == 2.0


def test_the_time_left_follows_the_pace_of_this_run_alone(trial: Make) -> None:
    board = Scoreboard(10)
    board.take((trial(0), trial(1)))
    board.begin()
    assert figures(board).left is None
    board.take((trial(2), trial(3)))
    assert figures(board, busy=10.0).left == 30.0


def test_reused_children_are_counted_once(trial: Make) -> None:
    board = Scoreboard(10)
    waiting = trial(1, phase=Phase.PENDING, reuse_of=0, reward=None, observation=None)
    board.take((trial(0), waiting))
    board.take((trial(1, reuse_of=0),))
    assert figures(board).reused == 1


def test_confirmations_are_shown_beside_the_children_and_their_time_is_foreseen(trial: Make) -> None:
    board = Scoreboard(2, confirm=2)
    board.take((trial(0),))
    board.begin()
    board.take((trial(1),))
    assert figures(board, busy=10.0).left == 20.0
    waiting = trial(3, phase=Phase.RUNNING, reward=None, observation=None, confirm_of=0)
    board.take((trial(2, reward=9.0, observation=None, confirm_of=1), waiting))
    now = figures(board, busy=20.0)
    assert (now.done, now.maximum, now.running, now.confirmed, now.confirmations) == (2, 2, 1, 1, 2)
    assert now.left == 10.0
    assert now.best is not None
    assert now.best.index == 1

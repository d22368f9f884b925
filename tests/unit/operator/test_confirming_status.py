"""What the status and the metrics of a search tell of its confirmations."""

from typing import Any

import plans
import pytest
from plans import trial

from archsearch.api import Objective
from archsearch.api.objective import Also
from archsearch.engine import leaderboard
from archsearch.engine.model import Phase, Trial
from archsearch.operator.figures import Figures
from archsearch.operator.measuring import DeadTimes
from archsearch.operator.metrics import Metrics
from archsearch.operator.progressing import Activity, progressing
from archsearch.operator.scores import Scores
from archsearch.operator.shared import SearchRef

CHILDREN = [trial(index, reward=reward, metrics={"accuracy": reward}) for index, reward in enumerate((0.9, 0.95, 0.5))]


def repeat(index: int, of: int, phase: Phase = Phase.SUCCEEDED, **more: Any) -> Trial:
    given = {"observation": None, "confirm_of": of, "genotype": CHILDREN[of].genotype}
    return trial(index, phase, **(given | more))


def succeeded(index: int, of: int, reward: float) -> Trial:
    return repeat(index, of, reward=reward, metrics={"accuracy": reward})


def test_the_best_carry_means_once_all_confirmations_are_over() -> None:
    scores = Scores("s", [*CHILDREN, succeeded(3, 1, 0.5), repeat(4, 0, Phase.RUNNING)])
    assert [(one.index, one.reward, one.confirmed_by) for one in scores.best] == [
        (1, 0.95, None),
        (0, 0.9, None),
        (2, 0.5, None),
    ]
    scores.take([succeeded(4, 0, 0.8)])
    first, second, third = scores.best
    assert (first.index, first.reward, first.confirmed_by, first.rewards) == (0, pytest.approx(0.85), 4, (0.9, 0.8))
    assert first.metrics["accuracy"] == pytest.approx(0.85)
    assert (second.index, second.reward) == (1, pytest.approx(0.725))
    assert (third.index, third.confirmed_by, third.rewards) == (2, None, None)


def test_the_best_are_those_of_the_leaderboard_in_whatever_order_they_came() -> None:
    trials = [*CHILDREN, succeeded(3, 1, 0.5), succeeded(4, 0, 0.8)]
    whole = leaderboard.top(trials, 25, Objective())
    scores = Scores("s")
    for one in reversed(trials):
        scores.take([one])
    assert [(one.index, one.reward) for one in scores.best] == [(one.index, one.reward) for one in whole]


def test_a_late_child_that_beats_the_means_is_best_though_many_rewards_are_higher() -> None:
    """Thirty lucky children were confirmed; the late one is beyond the 25 best rewards, and better than each mean."""
    lucky = [trial(i, reward=0.9, metrics={"accuracy": 0.9}, genotype=(i, 0)) for i in range(30)]
    repeats = [
        trial(30 + i, observation=None, confirm_of=i, reward=0.1, metrics={"accuracy": 0.1}, genotype=(i, 0))
        for i in range(30)
    ]
    late = trial(60, ask=30, observation=30, reward=0.8, metrics={"accuracy": 0.8}, genotype=(30, 0))
    scores = Scores("s", [*lucky, *repeats])
    scores.take([late])
    whole = leaderboard.top([*lucky, *repeats, late], 25, Objective())
    assert [one.index for one in scores.best] == [one.index for one in whole]
    assert scores.best[0].index == 60


def test_confirmations_are_counted_apart_and_hold_slots() -> None:
    under_way = [repeat(3, 1), repeat(4, 0, Phase.RUNNING), repeat(5, 2, Phase.PENDING), repeat(6, 2, Phase.STOPPED)]
    scores = Scores("s", [*CHILDREN, *under_way])
    counts = scores.counts(ended=False)
    assert (counts.succeeded, counts.running, counts.pending) == (3, 0, 0)
    assert (counts.confirming, counts.confirmed, counts.unconfirmed) == (2, 1, 1)
    assert len(scores) == 3
    load = scores.load(ended=False)
    assert (load.running, load.pending, scores.running, scores.confirming) == (1, 1, 1, True)
    scores.take([trial(7, Phase.RUNNING)])
    assert not scores.confirming


def test_the_pareto_set_has_the_means_too() -> None:
    objective = Objective(also=(Also(metric="parameters", target=10.0, weight=-0.1),))

    def sized(one: Trial, parameters: float) -> Trial:
        metrics = {**one.metrics, "parameters": parameters}
        return plans.trial(one.index, reward=one.reward, metrics=metrics, genotype=one.genotype)

    children = [sized(CHILDREN[0], 5.0), sized(CHILDREN[1], 9.0)]
    scores = Scores("s", children, objective=objective)
    assert [one.index for one in scores.pareto] == [1, 0]
    scores.take([repeat(2, 1, reward=0.5, metrics={"accuracy": 0.5, "parameters": 9.0})])
    assert [one.index for one in scores.pareto] == [0]  # its mean accuracy is lower, and it is larger


def test_the_condition_says_that_the_best_are_being_confirmed() -> None:
    spec = plans.manifest(confirm=2).spec
    activity = Activity(sampled=3, started=1, running=1, controller_up=True, confirming=True)
    told = progressing(spec, activity, (), None)
    assert (told.status.value, told.reason) == ("True", "Confirming")
    assert "trials.confirm" in told.message


def test_the_wait_for_the_last_child_is_no_dead_time_of_a_confirmation() -> None:
    dead = DeadTimes()
    dead.slots(1)
    dead.launched((0, 1))
    dead.settled((0, 1), 0, 10)
    dead.idle()
    dead.launched((1, 1))
    assert dead.settled((1, 1), 100, 200) is None


def test_figures_tell_confirmations_from_children() -> None:
    metrics = Metrics()
    figures = Figures(metrics, SearchRef("team", "s", "u"), 2.0, Objective())
    search = plans.manifest(confirm=1)
    figures.take(CHILDREN, {}, {})
    waiting = repeat(3, 1, Phase.RUNNING)
    figures.take([waiting], {}, {})
    figures.take([succeeded(3, 1, 0.5)], {3: waiting}, {(3, 1): (100, 200)})
    figures.show(search, None, over=True)

    def told(name: str, **labels: str) -> float | None:
        key = {"namespace": "team", "search": "s"} | labels
        return metrics.registry.get_sample_value(f"archsearch_{name}", key)

    assert told("children_total", outcome="Succeeded") == 3
    assert told("confirmations_total", outcome="Succeeded") == 1
    assert told("best_reward") == pytest.approx(0.725)
    assert told("last_reward") == 0.5

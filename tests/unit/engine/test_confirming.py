"""Confirmations as tables: what is there, and what decide() makes of it."""

from dataclasses import replace
from typing import Any

import pytest
from plans import NOW, exited, manifest, plan, proposal, report, trial

from archsearch.api import Objective
from archsearch.api.objective import Also
from archsearch.engine.decide import decide
from archsearch.engine.judging import confirmed
from archsearch.engine.leaderboard import counts, times_sampled, top
from archsearch.engine.ledger import Ledger, LedgerError
from archsearch.engine.model import (
    AskFor,
    Attempt,
    AttemptState,
    Confirmed,
    ControllerFact,
    Facts,
    Phase,
    Replay,
    Result,
    Trial,
)
from archsearch.engine.pareto import front
from archsearch.engine.running import confirmation_seed, trial_seed
from archsearch.space import build

MAXIMIZE = Objective()


def measured(*rewards: float, first: int = 0) -> list[Trial]:
    return [
        trial(index, reward=reward, metrics={"accuracy": reward}) for index, reward in enumerate(rewards, start=first)
    ]


def confirmation(index: int, child: Trial, phase: Phase = Phase.SUCCEEDED, reward: float = 0.5, **more: Any) -> Trial:
    given: dict[str, Any] = {"observation": None, "confirm_of": child.index, "genotype": child.genotype}
    if phase is Phase.SUCCEEDED:
        given |= {"reward": reward, "metrics": {"accuracy": reward}}
    return trial(index, phase, **(given | {"architecture": child.architecture} | more))


def due(trials: list[Trial], *, controller: int | None = None, suspend: bool = False, **given: Any) -> Any:
    children = [one for one in trials if one.confirm_of is None]
    facts = {name: given.pop(name) for name in ("attempts", "active_seconds", "proposals") if name in given}
    search = manifest(suspend=suspend, **({"max": len(children), "confirm": 2} | given))
    numbered = sum(one.observation is not None for one in trials)
    fact = ControllerFact(version=numbered, asked=len(children) if controller is None else controller)
    return plan(search, trials, controller=fact, **facts)


# --- which, and when ----------------------------------------------------------------------------------------------


def test_the_best_are_trained_once_more_best_first_before_the_search_ends() -> None:
    made = due(measured(0.5, 0.9, 0.7, 0.8))
    assert [(one.index, one.confirm_of) for one in made.trials] == [(4, 1), (5, 3)]
    assert made.outcome is None
    assert [start.index for start in made.starts] == [4]  # parallelism 1 holds
    assert made.calls == ()


def test_a_confirmation_has_the_childs_network_and_a_seed_of_its_own() -> None:
    children = measured(0.5, 0.9, 0.7)
    started = due(children, parallelism=2).starts
    assert [start.input.architecture for start in started] == [children[1].architecture, children[2].architecture]
    assert [start.input.seed for start in started] == [confirmation_seed(0, 1), confirmation_seed(0, 2)]
    assert started[0].input.seed not in {trial_seed(0, index) for index in range(1000)}
    assert started[0].input.trial == "s-000003"


def test_a_network_that_was_sampled_twice_is_confirmed_once() -> None:
    children = [*measured(0.9, 0.5), trial(2, genotype=(0, 0), duplicate_of=0, reuse_of=0, reward=0.9)]
    assert [one.confirm_of for one in due(children).trials] == [0, 1]


@pytest.mark.parametrize(
    ("what", "trials", "given"),
    [
        ("children run", [*measured(0.9), trial(1, Phase.RUNNING)], {}),
        ("children wait", [*measured(0.9), trial(1, Phase.PENDING)], {"parallelism": 0}),
        ("more are to be sampled", measured(0.9, 0.8), {"max": 3}),
        ("none is asked for", measured(0.9, 0.8), {"confirm": 0}),
        ("it is suspended", measured(0.9, 0.8), {"suspend": True}),
        ("too many failed", [*measured(0.9), trial(1, Phase.FAILED)], {"maxFailed": 0}),
        ("none succeeded", [trial(0, Phase.FAILED), trial(1, Phase.FAILED)], {}),
        ("the deadline is over", measured(0.9, 0.8), {"deadline": "10s", "active_seconds": 10.0}),
    ],
)
def test_nothing_is_confirmed_while(what: str, trials: list[Trial], given: dict[str, Any]) -> None:
    assert [one for one in due(trials, **given).trials if one.confirm_of is not None] == []


def test_where_fewer_have_succeeded_than_are_asked_for_each_of_them_is_confirmed() -> None:
    assert [one.confirm_of for one in due(measured(0.5, 0.9), confirm=10).trials] == [1, 0]


def test_a_target_that_is_reached_is_confirmed_too_and_running_children_stop_first() -> None:
    search = manifest(objective={"metric": "accuracy", "target": 0.9}, max=10, confirm=1)
    children = [*measured(0.95), trial(1, Phase.RUNNING)]
    running = Attempt(1, 1, AttemptState.RUNNING)
    made = plan(search, children, attempts=(running,))
    assert ([stop.index for stop in made.stops], made.trials, made.starts) == ([1], (), ())
    stopped = exited(-15, reason="SearchEnded")
    made = plan(search, children, attempts=(replace(stopped, index=1),))
    assert [(one.index, one.phase, one.confirm_of) for one in made.trials] == [
        (1, Phase.STOPPED, None),
        (2, Phase.RUNNING, 0),
    ]


# --- how they go --------------------------------------------------------------------------------------------------


def test_a_confirmation_that_ends_is_never_numbered_nor_taught() -> None:
    children = measured(0.5, 0.9)
    running = confirmation(2, children[1], Phase.RUNNING)
    made = due([*children, running], confirm=1, attempts=(replace(exited(0, report(0.7)), index=2),))
    assert [(one.phase, one.reward, one.observation) for one in made.trials] == [(Phase.SUCCEEDED, 0.7, None)]
    assert made.calls == ()
    assert made.outcome is not None
    assert made.outcome.message == "all 2 children have ended; 1 of the best 1 were confirmed by a second training"


def test_a_confirmation_that_crashes_is_tried_again_and_then_fails_without_harm() -> None:
    children = measured(0.5, 0.9)
    running = confirmation(2, children[1], Phase.RUNNING)
    crash = replace(exited(1), index=2)
    again = due([*children, running], confirm=1, attempts=(crash,), retries=1)
    assert [(one.phase, one.attempts) for one in again.trials] == [(Phase.RUNNING, 2)]
    failed = due([*children, running], confirm=1, attempts=(crash,), retries=0, maxFailed=0)
    assert [one.phase for one in failed.trials] == [Phase.FAILED]
    assert failed.outcome is not None
    assert failed.outcome.result is Result.SUCCEEDED
    assert "0 of the best 1 were confirmed" in failed.outcome.message


def test_a_fault_that_every_child_shares_does_not_end_a_search_by_a_confirmation() -> None:
    children = measured(0.5, 0.9)
    shared = b'{"version":1,"error":{"reason":"DataMissing","message":"no folder","scope":"Search"}}'
    ended = replace(exited(0, shared), index=2)
    made = due([*children, confirmation(2, children[1], Phase.RUNNING)], confirm=1, attempts=(ended,))
    assert made.outcome is not None
    assert made.outcome.result is Result.SUCCEEDED


def test_a_suspended_search_stops_its_confirmations_and_goes_on_with_them_later() -> None:
    children = measured(0.5, 0.9)
    running = [*children, confirmation(2, children[1], Phase.RUNNING)]
    seen = (Attempt(2, 1, AttemptState.RUNNING),)
    made = due(running, confirm=1, suspend=True, attempts=seen)
    assert [(stop.index, stop.reason) for stop in made.stops] == [(2, "Suspended")]
    assert made.outcome is None
    waiting = [*children, confirmation(2, children[1], Phase.PENDING, attempts=1)]
    assert [(start.index, start.attempt) for start in due(waiting, confirm=1).starts] == [(2, 2)]


def test_the_deadline_stops_confirmations_and_the_outcome_says_so() -> None:
    children = measured(0.5, 0.9)
    late = {"deadline": "10s", "active_seconds": 11.0}
    running = [*children, confirmation(2, children[1]), confirmation(3, children[0], Phase.RUNNING)]
    made = due(running, attempts=(Attempt(3, 1, AttemptState.RUNNING),), **late)
    assert [(stop.index, stop.reason) for stop in made.stops] == [(3, "SearchEnded")]
    waiting = due([*children, confirmation(2, children[1]), confirmation(3, children[0], Phase.PENDING)], **late)
    assert [one.phase for one in waiting.trials] == [Phase.STOPPED]
    assert waiting.outcome is not None
    assert waiting.outcome.reason == "MaxTrialsReached"
    told = "1 of the best 2 were confirmed by a second training, for which trials.deadline (10s) left no more time"
    assert waiting.outcome.message.endswith(told)


@pytest.mark.parametrize(
    ("trials", "given", "reason"),
    [
        (measured(0.5, 0.9), {"confirm": 0}, "MaxTrialsReached"),
        (measured(0.5, 0.9), {}, "MaxTrialsReached"),
        ([*measured(0.9), trial(1, Phase.STOPPED)], {"controller": 2}, "DeadlineReached"),
        (measured(0.5, 0.9), {"max": 3}, "DeadlineReached"),
        (
            [*measured(0.9), trial(1, genotype=(0, 0), duplicate_of=0, reuse_of=0)],
            {"max": 9, "maxConsecutiveDuplicates": 1},
            "PolicyCollapsed",
        ),
    ],
)
def test_a_deadline_is_not_why_a_search_ends_whose_children_had_all_ended(
    trials: list[Trial], given: dict[str, Any], reason: str
) -> None:
    outcome = due(trials, **({"deadline": "10s", "active_seconds": 11.0} | given)).outcome
    assert outcome is not None
    assert outcome.reason == reason


def test_children_that_a_deadline_stopped_before_confirmations_do_not_make_it_the_reason_after_them() -> None:
    children = [*measured(0.9), trial(1, Phase.STOPPED)]
    late = {"deadline": "10s", "active_seconds": 11.0}
    waiting = due([*children, confirmation(2, children[0], Phase.PENDING)], **late)
    assert waiting.outcome is not None
    assert waiting.outcome.reason == "MaxTrialsReached"


def test_fewer_confirmations_than_before_stop_those_that_are_not_wanted_any_more() -> None:
    children = measured(0.5, 0.9)
    both = [*children, confirmation(2, children[1], Phase.RUNNING), confirmation(3, children[0], Phase.RUNNING)]
    seen = tuple(Attempt(index, 1, AttemptState.RUNNING) for index in (2, 3))
    assert [stop.index for stop in due(both, confirm=1, parallelism=2, attempts=seen).stops] == [3]


def test_a_controller_that_knows_every_child_knows_the_whole_ledger() -> None:
    children = measured(0.5, 0.9)
    running = [*children, confirmation(2, children[1], Phase.RUNNING)]
    assert due(running, controller=2).calls == ()
    assert due(running, controller=1).calls == (Replay(),)


# --- going on after confirmations ---------------------------------------------------------------------------------


def test_a_search_that_goes_on_asks_for_the_next_child_and_keeps_the_order_of_asks() -> None:
    children = measured(0.5, 0.9)
    trials = [*children, confirmation(2, children[1]), confirmation(3, children[0])]
    assert due(trials, max=3).calls == (AskFor(2, None),)
    made = due(trials, max=3, proposals=(proposal(2, (3, 3)),), controller=3)
    assert [(one.index, one.place, one.confirm_of) for one in made.trials] == [(4, 2, None)]
    assert made.starts[0].input.seed == trial_seed(0, 2)
    ledger = Ledger([*trials, replace(made.trials[0], phase=Phase.SUCCEEDED, reward=1.0, observation=2)])
    assert [entry.index for entry in ledger.log() if entry.type == "ask"] == [0, 1, 2]
    assert [tell.index for tell in ledger.tells(0, 9)] == [0, 1, 2]


def test_only_those_are_confirmed_anew_that_have_not_been() -> None:
    children = measured(0.5, 0.9)
    before = [*children, confirmation(2, children[1], reward=0.1), confirmation(3, children[0], reward=0.2)]
    better = trial(4, genotype=(3, 3), ask=2, observation=2, reward=1.0, metrics={"accuracy": 1.0})
    assert [one.confirm_of for one in due([*before, better]).trials] == [4]


# --- the ledger's rules -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (lambda child: confirmation(2, child, observation=2), "takes nothing over and is never taught"),
        (lambda child: confirmation(2, child, reuse_of=0), "takes nothing over and is never taught"),
        (lambda child: confirmation(2, child, genotype=(3, 3)), "another genotype"),
        (lambda child: confirmation(2, child, confirm_of=2), "no child before it"),
    ],
)
def test_the_ledger_refuses(broken: Any, why: str) -> None:
    children = measured(0.5, 0.9)
    with pytest.raises(LedgerError, match=why):
        Ledger([*children, broken(children[1])])


def test_the_ledger_refuses_to_reuse_or_confirm_a_confirmation() -> None:
    children = measured(0.5, 0.9)
    known = [*children, confirmation(2, children[1])]
    with pytest.raises(LedgerError, match="reuses 2, which is no child before it"):
        Ledger([*known, trial(3, ask=2, duplicate_of=1, reuse_of=2, observation=2)])
    with pytest.raises(LedgerError, match="confirms 2, which is no child before it"):
        Ledger([*known, confirmation(3, known[2])])


def test_the_ledger_refuses_a_child_out_of_the_order_of_asks() -> None:
    children = measured(0.5, 0.9)
    with pytest.raises(LedgerError, match="trial 3 has place 3 among the asks; due is 2"):
        Ledger([*children, confirmation(2, children[1]), trial(3)])


# --- how children are judged --------------------------------------------------------------------------------------


def test_confirmed_children_come_first_by_the_mean_of_both_rewards() -> None:
    children = measured(0.95, 0.9, 0.92, 0.1)
    pairs = [confirmation(4, children[0], reward=0.5), confirmation(5, children[1], reward=0.8)]
    best = top([*children, *pairs], 4, MAXIMIZE)
    assert [(one.index, one.reward) for one in best] == [(1, pytest.approx(0.85)), (0, 0.725), (2, 0.92), (3, 0.1)]
    first = best[0]
    assert isinstance(first, Confirmed)
    assert (first.confirmed_by, first.rewards, first.metrics["accuracy"]) == (5, (0.9, 0.8), pytest.approx(0.85))
    assert not isinstance(best[2], Confirmed)


def test_the_order_stays_until_the_last_confirmation_is_over() -> None:
    children = measured(0.95, 0.9)
    half = [*children, confirmation(2, children[0], reward=0.1), confirmation(3, children[1], Phase.RUNNING)]
    assert [(one.index, one.reward) for one in top(half, 2, MAXIMIZE)] == [(0, 0.95), (1, 0.9)]
    assert confirmed(half) == {}


GONE_ON = [*measured(0.8, 0.79), confirmation(2, trial(0), reward=0.78)]
"""Child 0 was confirmed (0.79 in the mean), child 1 passed over."""


def late_child(index: int, reward: float, **more: Any) -> Trial:
    place = index - 1
    given = {"ask": place, "observation": place, "reward": reward, "metrics": {"accuracy": reward}, "genotype": (3, 3)}
    return trial(index, **(given | more))


@pytest.mark.parametrize(
    ("reward", "order"),
    [(0.95, [3, 0, 1]), (0.791, [3, 0, 1]), (0.789, [0, 3, 1]), (0.1, [0, 3, 1])],
)
def test_a_child_of_a_search_gone_on_with_is_ranked_among_the_confirmed(reward: float, order: list[int]) -> None:
    assert [one.index for one in top([*GONE_ON, late_child(3, reward)], 3, MAXIMIZE)] == order


def test_a_better_late_child_stays_best_where_nothing_more_is_confirmed() -> None:
    trials = [*GONE_ON, late_child(3, 0.95)]
    assert due(trials, confirm=0).outcome is not None
    stopped = [*trials, confirmation(4, trials[3], Phase.STOPPED)]
    assert [[one.index for one in top(each, 3, MAXIMIZE)] for each in (trials, stopped)] == [[3, 0, 1]] * 2


def test_means_of_earlier_confirmations_stay_while_late_children_are_confirmed() -> None:
    trials = [*GONE_ON, late_child(3, 0.95)]
    under_way = top([*trials, confirmation(4, trials[3], Phase.RUNNING)], 3, MAXIMIZE)
    assert [(one.index, one.reward) for one in under_way] == [(3, 0.95), (0, pytest.approx(0.79)), (1, 0.79)]
    half = [confirmation(4, trials[3], reward=0.1), confirmation(5, trials[1], Phase.RUNNING)]
    assert top([*trials, *half], 3, MAXIMIZE) == under_way
    over = top([*trials, confirmation(4, trials[3], reward=0.1)], 3, MAXIMIZE)
    assert [(one.index, one.reward) for one in over] == [(0, pytest.approx(0.79)), (3, 0.525), (1, 0.79)]
    failed = top([*trials, confirmation(4, trials[3], Phase.FAILED)], 3, MAXIMIZE)
    assert [one.index for one in failed] == [0, 3, 1]


LIMITED = Objective(also=(Also(metric="latency", target=10.0, limit=10.0),))


@pytest.mark.parametrize(("own", "again", "stays"), [(9.9, 10.5, True), (9.9, 9.0, True), (10.5, 9.0, False)])
def test_limits_are_judged_by_the_childs_own_training_alone(own: float, again: float, stays: bool) -> None:
    child = trial(0, reward=0.9, metrics={"accuracy": 0.9, "latency": own})
    second = confirmation(1, child, reward=0.9, metrics={"accuracy": 0.9, "latency": again})
    best, unbeaten = top([child, second], 1, LIMITED), front([child, second], LIMITED)
    assert best == unbeaten
    assert [(one.index, one.metrics["latency"]) for one in best] == ([(0, (own + again) / 2)] if stays else [])


def test_the_mean_of_two_huge_rewards_is_finite() -> None:
    child = trial(0, reward=1.2e308, metrics={"accuracy": 1.2e308})
    (best,) = top([child, confirmation(1, child, reward=1.6e308)], 1, MAXIMIZE)
    assert (best.reward, best.metrics["accuracy"]) == (pytest.approx(1.4e308), pytest.approx(1.4e308))


def test_a_child_whose_confirmation_failed_stays_unconfirmed_behind_the_confirmed_ones() -> None:
    children = measured(0.95, 0.9)
    pairs = [confirmation(2, children[0], Phase.FAILED), confirmation(3, children[1], reward=0.1)]
    assert [one.index for one in top([*children, *pairs], 2, MAXIMIZE)] == [1, 0]


def test_a_metric_that_only_one_training_reported_is_that_ones() -> None:
    child = trial(0, reward=0.5, metrics={"accuracy": 0.5, "loss": 2.0})
    again = confirmation(1, child, metrics={"accuracy": 0.7, "epochs": 3.0}, reward=0.7)
    (best,) = top([child, again], 1, MAXIMIZE)
    assert best.metrics == {"accuracy": pytest.approx(0.6), "loss": 2.0, "epochs": 3.0}


def test_confirmations_are_counted_apart_from_the_children() -> None:
    children = measured(0.95, 0.9, 0.8, 0.7)
    phases = (Phase.SUCCEEDED, Phase.FAILED, Phase.STOPPED, Phase.RUNNING)
    pairs = [confirmation(4 + at, children[at], phase) for at, phase in enumerate(phases)]
    found = counts([*children, *pairs])
    assert (found.total, found.succeeded, found.running, found.failed, found.uncounted) == (4, 4, 0, 0, 0)
    both = found.confirmations
    assert (both.succeeded, both.failed, both.stopped, both.under_way, both.total) == (1, 1, 1, 1, 4)
    assert sum(times_sampled([*children, *pairs]).values()) == 4


# --- networks -----------------------------------------------------------------------------------------------------


class _Swapped:
    """A space whose two decisions may be swapped without another network."""

    def __init__(self, space: Any) -> None:
        self._space = space

    def __getattr__(self, name: str) -> Any:
        return getattr(self._space, name)

    def canonical(self, genotype: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(genotype))


def test_a_child_of_the_same_network_in_other_tokens_is_a_duplicate() -> None:
    search = manifest(parallelism=3)
    space: Any = _Swapped(build(search.spec.search_space))
    known = [trial(0, genotype=(1, 2), reward=0.9, metrics={"accuracy": 0.9})]
    asked = (proposal(1, (2, 1)), proposal(2, (3, 1)), proposal(3, (1, 3)))
    facts = Facts(controller=ControllerFact(version=1, asked=4), proposals=asked)
    made = decide(search, space, Ledger(known), facts, NOW)
    assert [(one.index, one.duplicate_of, one.reuse_of) for one in made.trials] == [
        (1, 0, 0),
        (2, None, None),
        (3, 2, 2),
    ]
    assert (made.trials[0].reward, made.trials[0].genotype) == (0.9, (2, 1))
    assert [start.index for start in made.starts] == [2]
    assert made.trials[0].architecture["values"] == {"a": 2, "b": 1}

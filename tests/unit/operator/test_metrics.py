"""What the operator tells Prometheus, seen from the registry."""

import math
from typing import Any

import plans
import pytest
from prometheus_client import generate_latest

from archsearch.api.status import Counts as StatusCounts
from archsearch.controller_contract import OptionProbabilities, PolicyState
from archsearch.engine.leaderboard import Counts
from archsearch.engine.model import Phase
from archsearch.operator.metrics import MAX_REASONS, Metrics, mean_entropy

KEY = ("team", "digits")
OTHER = ("team", "cifar")


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(clock=lambda: 1_700_000_000.5)


def value(metrics: Metrics, name: str, key: tuple[str, str] | None = KEY, **labels: str) -> float | None:
    """The number of the series ``archsearch_<name>``, None where there is no such series."""
    search = {"namespace": key[0], "search": key[1]} if key else {}
    return metrics.registry.get_sample_value(f"archsearch_{name}", search | labels)


def policy(**more: Any) -> PolicyState:
    return PolicyState(**({"strategy": "reinforce", "version": 3, "asked": 5, "hash": "h"} | more))


def observe(metrics: Metrics, key: tuple[str, str] = KEY, **more: Any) -> None:
    given = {"counts": Counts(pending=1, running=2), "best": 0.9, "last": 0.7, "policy": None, "parallelism": 4}
    metrics.observe_search(*key, **(given | more))


def shares(*probabilities: float) -> OptionProbabilities:
    return OptionProbabilities(
        decision="d", kind="k", options=tuple(range(len(probabilities))), probabilities=probabilities
    )


def everything(metrics: Metrics, key: tuple[str, str]) -> None:
    """Touch every series of a search."""
    observe(metrics, key, policy=policy(entropy=1.0, baseline=0.5))
    metrics.child_over(*key, plans.trial(0), 2.0)
    metrics.dead_time(*key, 0.5)
    metrics.decisions(*key, policy(decisions=(shares(0.5, 0.5),)))
    metrics.proposed(*key, 0.01)
    metrics.controller_started(*key)
    metrics.replayed(*key)
    metrics.reconciled(*key, 0.1, "Unavailable")


def test_where_a_search_stands_is_what_was_observed_last(metrics: Metrics) -> None:
    observe(metrics, policy=policy(entropy=1.25, baseline=0.6))
    assert value(metrics, "children_pending") == 1
    assert value(metrics, "children_running") == 2
    assert value(metrics, "slots") == 4
    assert value(metrics, "best_reward") == 0.9
    assert value(metrics, "last_reward") == 0.7
    assert value(metrics, "policy_version") == 3
    assert value(metrics, "policy_entropy_nats") == 1.25
    assert value(metrics, "policy_baseline_reward") == 0.6
    observe(metrics, counts=Counts(), best=0.95, parallelism=0)
    assert value(metrics, "children_running") == 0
    assert value(metrics, "slots") == 0
    assert value(metrics, "best_reward") == 0.95


def test_counts_of_a_status_are_as_good_as_the_engines(metrics: Metrics) -> None:
    observe(metrics, counts=StatusCounts(pending=7, running=8))
    assert value(metrics, "children_pending") == 7
    assert value(metrics, "children_running") == 8


def test_what_nobody_knows_has_no_series(metrics: Metrics) -> None:
    observe(metrics, best=None, last=None, policy=policy())
    for name in ("best_reward", "last_reward", "policy_entropy_nats", "policy_baseline_reward"):
        assert value(metrics, name) is None
    observe(metrics, policy=policy(entropy=1.0))
    observe(metrics, best=None, policy=policy())
    assert value(metrics, "best_reward") is None
    assert value(metrics, "policy_entropy_nats") is None


def test_a_controller_that_is_not_reached_leaves_the_policy_as_it_was(metrics: Metrics) -> None:
    observe(metrics, policy=policy(entropy=1.0))
    observe(metrics, policy=None)
    assert value(metrics, "policy_entropy_nats") == 1.0
    assert value(metrics, "policy_version") == 3


def test_every_outcome_is_there_before_the_first_child_is_over(metrics: Metrics) -> None:
    observe(metrics)
    for outcome in ("Succeeded", "Failed", "Stopped"):
        assert value(metrics, "children_total", outcome=outcome) == 0
        assert value(metrics, "gpu_seconds_total", outcome=outcome) == 0
    for name in ("children_reused_total", "controller_starts_total", "controller_replays_total"):
        assert value(metrics, name) == 0


def test_children_count_by_outcome_with_the_time_they_held_gpus(metrics: Metrics) -> None:
    metrics.child_over(*KEY, plans.trial(0), 10.0)
    metrics.child_over(*KEY, plans.trial(1, Phase.FAILED), 2.5)
    metrics.child_over(*KEY, plans.trial(2, reuse_of=0), 0.0)
    metrics.child_over(*OTHER, plans.trial(0), 1.0)
    assert value(metrics, "children_total", outcome="Succeeded") == 2
    assert value(metrics, "children_total", outcome="Failed") == 1
    assert value(metrics, "children_total", OTHER, outcome="Succeeded") == 1
    assert value(metrics, "gpu_seconds_total", outcome="Succeeded") == 10.0
    assert value(metrics, "gpu_seconds_total", outcome="Failed") == 2.5
    assert value(metrics, "children_reused_total") == 1


def test_confirmations_are_no_children_but_held_gpus_as_well(metrics: Metrics) -> None:
    metrics.child_over(*KEY, plans.trial(0), 10.0)
    metrics.child_over(*KEY, plans.trial(1, confirm_of=0, observation=None), 4.0)
    assert value(metrics, "children_total", outcome="Succeeded") == 1
    assert value(metrics, "confirmations_total", outcome="Succeeded") == 1
    assert value(metrics, "gpu_seconds_total", outcome="Succeeded") == 14.0


def test_a_child_counts_once_however_often_it_is_told(metrics: Metrics) -> None:
    for _ in range(3):
        metrics.child_over(*KEY, plans.trial(0, reuse_of=None), 10.0)
    assert value(metrics, "children_total", outcome="Succeeded") == 1
    assert value(metrics, "gpu_seconds_total", outcome="Succeeded") == 10.0


@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.RUNNING])
def test_a_child_that_is_not_over_is_refused(metrics: Metrics, phase: Phase) -> None:
    with pytest.raises(ValueError, match=rf"trial 4 is {phase}"):
        metrics.child_over(*KEY, plans.trial(4, phase), 1.0)
    assert value(metrics, "children_total", outcome="Succeeded") is None


def test_a_forgotten_search_leaves_no_series_and_others_keep_theirs(metrics: Metrics) -> None:
    everything(metrics, KEY)
    everything(metrics, OTHER)
    metrics.forget(*KEY)
    text = generate_latest(metrics.registry).decode()
    assert 'search="digits"' not in text
    assert value(metrics, "children_total", OTHER, outcome="Succeeded") == 1
    assert value(metrics, "dead_time_seconds_count", OTHER) == 1
    metrics.forget(*KEY)  # a second time is no error
    metrics.child_over(*KEY, plans.trial(0), 2.0)  # a new search of that name begins at 0
    assert value(metrics, "children_total", outcome="Succeeded") == 1


def test_every_metric_of_a_search_is_touched_by_something(metrics: Metrics) -> None:
    """No metric is declared that nothing ever sets, and forget() knows them all."""
    everything(metrics, KEY)
    metrics.api_call("get", "pods", 200)
    metrics.queued(0.1)
    silent = [
        family.name
        for family in metrics.registry.collect()
        if family.name.startswith("archsearch_") and not family.samples
    ]
    assert silent == []


def test_passes_are_timed_and_their_end_is_told(metrics: Metrics) -> None:
    metrics.reconciled(*KEY, 0.2, None)
    assert value(metrics, "reconcile_duration_seconds_count") == 1
    assert value(metrics, "reconcile_duration_seconds_sum") == pytest.approx(0.2)
    assert value(metrics, "last_pass_timestamp_seconds") == 1_700_000_000.5
    assert value(metrics, "reconcile_errors_total", reason="Unavailable") is None
    metrics.reconciled(*KEY, 0.2, "Unavailable")
    assert value(metrics, "reconcile_errors_total", reason="Unavailable") == 1


def test_reasons_stay_few_whatever_comes(metrics: Metrics) -> None:
    for number in range(MAX_REASONS + 5):
        metrics.reconciled(*KEY, 0.1, f"Reason{number}")
    metrics.reconciled(*KEY, 0.1, "connection to 10.0.0.7 refused")
    metrics.reconciled(*KEY, 0.1, "Reason0")
    assert value(metrics, "reconcile_errors_total", reason="Reason0") == 2
    assert value(metrics, "reconcile_errors_total", reason=f"Reason{MAX_REASONS}") is None
    assert value(metrics, "reconcile_errors_total", reason="other") == 6


@pytest.mark.parametrize(
    ("call", "labels"),
    [
        (("create", "jobs", 201), ("create", "jobs", "201")),
        (("patch", "architecturetrials/status", 409), ("patch", "architecturetrials/status", "409")),
        (("log", "pods/log", 200), ("log", "pods/log", "200")),
        (("get", "pods", 0), ("get", "pods", "none")),
        (("get", "pods", 1000), ("get", "pods", "none")),
        (("get", "pods/digits-000001-1-abcde", 200), ("get", "other", "200")),
        (("get", "nodes", 200), ("get", "other", "200")),
        (("get", "", 200), ("get", "other", "200")),
        (("sneeze", "pods", 200), ("other", "pods", "200")),
    ],
)
def test_api_calls_have_few_labels_whatever_comes(
    metrics: Metrics, call: tuple[str, str, int], labels: tuple[str, str, str]
) -> None:
    metrics.api_call(*call)
    verb, resource, code = labels
    assert value(metrics, "api_calls_total", None, verb=verb, resource=resource, code=code) == 1


def test_who_acts_is_told(metrics: Metrics) -> None:
    assert value(metrics, "lease_held", None) == 0
    metrics.lease(held=True)
    assert value(metrics, "lease_held", None) == 1
    metrics.lease(held=False)
    assert value(metrics, "lease_held", None) == 0


@pytest.mark.parametrize(
    ("decisions", "entropy"),
    [
        ([], None),
        ([(1.0, 0.0)], 0.0),
        ([(0.5, 0.5)], math.log(2)),
        ([(0.25,) * 4, (1.0,)], math.log(4) / 2),
        ([(0.75, 0.25)], 0.5623351446188083),
    ],
)
def test_entropy_of_decisions_is_their_mean_in_nats(
    metrics: Metrics, decisions: list[tuple[float, ...]], entropy: float | None
) -> None:
    given = tuple(shares(*one) for one in decisions)
    found = mean_entropy(given)
    assert found == (None if entropy is None else pytest.approx(entropy))
    assert found is None or math.copysign(1, found) == 1  # never -0
    metrics.decisions(*KEY, policy(decisions=given))
    assert value(metrics, "decisions_entropy_nats") == found


def test_no_series_says_when_it_was_made(metrics: Metrics) -> None:
    everything(metrics, KEY)
    assert "_created" not in generate_latest(metrics.registry).decode()

"""What the operator tells Prometheus; docs/metrics.md says what each metric answers, and a test compares the two.

Series belong to a search (``namespace``, ``search``) or to the operator; no child, pod or Job has one of its own, and
every other label takes few values, so that ten thousand children cost no more than ten.
"""

import math
import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.metrics import MetricWrapperBase

from archsearch.controller_contract import OptionProbabilities, PolicyState
from archsearch.engine.model import Phase, Trial
from archsearch.operator import port

_Metric = TypeVar("_Metric", bound=MetricWrapperBase)
SEARCH = ("namespace", "search")
OUTCOMES = tuple(str(phase) for phase in Phase if phase.terminal)
VERBS = frozenset({"get", "list", "watch", "create", "patch", "delete", "log"})
RESOURCES = frozenset(value.plural for value in vars(port).values() if isinstance(value, port.Resource))
SUBRESOURCES = frozenset({"status", "log"})
OTHER = "other"
"""In place of a label's value that is none of those expected: labels stay few, whatever comes."""
MAX_REASONS = 32
"""Most reasons of failed passes that are told apart."""
_REASON = re.compile(r"[A-Z][A-Za-z0-9]{0,62}")
_DEAD_TIME = (0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, 30, 60, 120, 300, 600)
_WORK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class ChildCounts(Protocol):
    """Trials that are not over."""

    @property
    def pending(self) -> int:
        """Recorded, not started."""
        ...

    @property
    def running(self) -> int:
        """Being trained."""
        ...


def mean_entropy(decisions: Iterable[OptionProbabilities]) -> float | None:
    """Mean of the Shannon entropies of the decisions' distributions in nats; None where there is no decision."""
    entropies = [-math.fsum(p * math.log(p) for p in one.probabilities if p > 0) + 0.0 for one in decisions]
    return math.fsum(entropies) / len(entropies) if entropies else None


class Metrics:
    """The operator's metrics in a ``registry`` of their own; ``clock`` gives seconds since the epoch.

    Everything is called from one thread and never blocks. What a method is told is already true: it is called after the
    write that made it so, never before.
    """

    def __init__(self, registry: CollectorRegistry | None = None, clock: Callable[[], float] = time.time) -> None:
        # A _created series beside each counter doubles them, and would lie: ours begin with the ledger's totals.
        disable_created_metrics()
        self.registry = registry or CollectorRegistry()
        self._clock = clock
        self._of_searches: list[MetricWrapperBase] = []
        self._over: dict[tuple[str, str], set[int]] = {}
        self._reasons: set[str] = set()
        self._make_progress()
        self._make_learning()
        self._make_health()
        ProcessCollector(registry=self.registry)  # process_resident_memory_bytes, process_cpu_seconds_total, ...

    # --- what there is ------------------------------------------------------------------------------------------

    def _make_progress(self) -> None:
        self._children = self._counter("children", "Children that are over.", ("outcome",))
        self._repeats = self._counter("confirmations", "Confirmations of the best that are over.", ("outcome",))
        self._reused = self._counter("children_reused", "Children that took over the result of an equal child.")
        self._pending = self._gauge("children_pending", "Trials recorded and not started, confirmations too.")
        self._running = self._gauge("children_running", "Trials under way, confirmations too.")
        self._slots = self._gauge("slots", "Children that may be trained at once now; 0 while suspended or ended.")
        self._gpu_seconds = self._counter("gpu_seconds", "Time that trials that are over held GPUs.", ("outcome",))
        self._dead_time = self._histogram(
            "dead_time_seconds",
            "Time from a child's exit to the process start of the next in its slot.",
            _DEAD_TIME,
        )

    def _make_learning(self) -> None:
        self._best = self._gauge("best_reward", "Reward of the best child.")
        self._last = self._gauge("last_reward", "Reward taught last.")
        self._version = self._gauge("policy_version", "Observations that the policy has been taught.")
        self._entropy = self._gauge("policy_entropy_nats", "Entropy of a decision, mean over recent proposals.")
        self._baseline = self._gauge("policy_baseline_reward", "Moving average of rewards that the policy learns from.")
        self._decisions = self._gauge("decisions_entropy_nats", "Mean entropy of the policy's decision distributions.")
        self._proposal = self._histogram(
            "proposal_duration_seconds", "Time from asking the controller for a child to its answer.", _WORK
        )
        self._starts = self._counter("controller_starts", "Controller pods started.")
        self._replays = self._counter("controller_replays", "Replays of the ledger into a controller.")

    def _make_health(self) -> None:
        self._reconcile = self._histogram("reconcile_duration_seconds", "Duration of a pass over a search.", _WORK)
        self._errors = self._counter("reconcile_errors", "Passes that ended with an error.", ("reason",))
        self._pass = self._gauge("last_pass_timestamp_seconds", "When a pass over the search last ended, as Unix time.")
        self._calls = Counter(
            "archsearch_api_calls",
            "Calls of the API server.",
            ("verb", "resource", "code"),
            registry=self.registry,
        )
        self._queue_age = Histogram(
            "archsearch_queue_age_seconds",
            "Time from the wake-up of a search to its pass.",
            buckets=_WORK,
            registry=self.registry,
        )
        self._lease = Gauge("archsearch_lease_held", "1 while this operator holds the Lease.", registry=self.registry)
        self._lease.set(0)

    def _counter(self, name: str, help_text: str, more: Sequence[str] = ()) -> Counter:
        return self._of_search(Counter(f"archsearch_{name}", help_text, (*SEARCH, *more), registry=self.registry))

    def _gauge(self, name: str, help_text: str) -> Gauge:
        return self._of_search(Gauge(f"archsearch_{name}", help_text, SEARCH, registry=self.registry))

    def _histogram(self, name: str, help_text: str, buckets: Sequence[float]) -> Histogram:
        metric = Histogram(f"archsearch_{name}", help_text, SEARCH, buckets=buckets, registry=self.registry)
        return self._of_search(metric)

    def _of_search(self, metric: _Metric) -> _Metric:
        self._of_searches.append(metric)
        return metric

    # --- a search -----------------------------------------------------------------------------------------------

    def observe_search(
        self,
        namespace: str,
        search: str,
        *,
        counts: ChildCounts,
        best: float | None,
        last: float | None,
        policy: PolicyState | None,
        parallelism: int,
    ) -> None:
        """Where a search stands after a pass.

        Args:
            namespace: of the search.
            search: its name.
            counts: of the trials that are not over, confirmations among them.
            best: reward of the best child; None: there is none yet.
            last: reward that was taught last; None: none yet.
            policy: as the controller last said; None: it has not been reached, what was known stays.
            parallelism: children that may be trained at once now: ``trials.parallelism``, 0 while suspended or ended.
        """
        key = (namespace, search)
        self._pending.labels(*key).set(counts.pending)
        self._running.labels(*key).set(counts.running)
        self._slots.labels(*key).set(parallelism)
        _set(self._best, key, best)
        _set(self._last, key, last)
        if policy is not None:
            self._version.labels(*key).set(policy.version)
            _set(self._entropy, key, policy.entropy)
            _set(self._baseline, key, policy.baseline)
        for outcome in OUTCOMES:  # from the first pass on, so that the first failed child is an increase from 0
            self._children.labels(*key, outcome)
            self._repeats.labels(*key, outcome)
            self._gpu_seconds.labels(*key, outcome)
        for counter in (self._reused, self._starts, self._replays):
            counter.labels(*key)

    def child_over(self, namespace: str, search: str, trial: Trial, gpu_seconds: float) -> None:
        """A terminal trial is in the ledger. Each index counts once, however often it is told: a loop that begins tells
        of the whole ledger first, so that these counters are the ledger's totals and survive a restart. A confirmation
        is no child: it counts as such, and its GPU time with that of the children.

        Args:
            namespace: of the search.
            search: its name.
            trial: the trial.
            gpu_seconds: time that its attempts ran, times the GPUs that each held.

        Raises:
            ValueError: ``trial`` is not over.
        """
        if not trial.phase.terminal:
            raise ValueError(f"trial {trial.index} is {trial.phase}; only those that are over are counted")
        over = self._over.setdefault((namespace, search), set())
        if trial.index in over:
            return
        over.add(trial.index)
        counter = self._children if trial.confirm_of is None else self._repeats
        counter.labels(namespace, search, str(trial.phase)).inc()
        self._gpu_seconds.labels(namespace, search, str(trial.phase)).inc(gpu_seconds)
        if trial.reuse_of is not None:
            self._reused.labels(namespace, search).inc()

    def dead_time(self, namespace: str, search: str, seconds: float) -> None:
        """A slot had no child for ``seconds`` (measuring.DeadTimes)."""
        self._dead_time.labels(namespace, search).observe(seconds)

    def decisions(self, namespace: str, search: str, policy: PolicyState) -> None:
        """The answer to GET /v1/policy; one without decisions (random search) takes the series away."""
        _set(self._decisions, (namespace, search), mean_entropy(policy.decisions or ()))

    def proposed(self, namespace: str, search: str, seconds: float) -> None:
        """The controller has answered an ask after ``seconds``."""
        self._proposal.labels(namespace, search).observe(seconds)

    def controller_started(self, namespace: str, search: str) -> None:
        """A controller pod has been made for the search."""
        self._starts.labels(namespace, search).inc()

    def replayed(self, namespace: str, search: str) -> None:
        """The ledger has been replayed into the search's controller."""
        self._replays.labels(namespace, search).inc()

    def reconciled(self, namespace: str, search: str, seconds: float, error: str | None) -> None:
        """A pass over a search has ended after ``seconds``; ``error``: why it failed, one CamelCase word."""
        self._reconcile.labels(namespace, search).observe(seconds)
        self._pass.labels(namespace, search).set(self._clock())
        if error is not None:
            self._errors.labels(namespace, search, self._reason(error)).inc()

    def forget(self, namespace: str, search: str) -> None:
        """The search is gone (or another operator's): its series are removed."""
        for metric in self._of_searches:
            metric.remove_by_labels({"namespace": namespace, "search": search})
        self._over.pop((namespace, search), None)

    def _reason(self, error: str) -> str:
        if error not in self._reasons and (not _REASON.fullmatch(error) or len(self._reasons) >= MAX_REASONS):
            return OTHER
        self._reasons.add(error)
        return error

    # --- the operator -------------------------------------------------------------------------------------------

    def api_call(self, verb: str, resource: str, status: int) -> None:
        """The API server has answered, or not (``status`` 0); ``resource`` as in URLs: jobs, pods/log."""
        plural, slash, subresource = resource.partition("/")
        known = plural in RESOURCES and (not slash or subresource in SUBRESOURCES)
        code = str(status) if 100 <= status <= 599 else "none"
        self._calls.labels(verb if verb in VERBS else OTHER, resource if known else OTHER, code).inc()

    def queued(self, seconds: float) -> None:
        """A pass begins, ``seconds`` after the wake-up that it answers."""
        self._queue_age.observe(seconds)

    def lease(self, *, held: bool) -> None:
        """Whether this operator holds the Lease."""
        self._lease.set(held)


def _set(gauge: Gauge, key: tuple[str, str], value: float | None) -> None:
    """``value``, or no series where there is none: a number that nobody knows is absent."""
    if value is None:
        gauge.remove(*key)
    else:
        gauge.labels(*key).set(value)

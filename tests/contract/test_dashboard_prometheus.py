"""The dashboard and the rules before a real Prometheus, which scrapes the operator's own server over HTTP.

The metrics are told what an operator tells them; a search on a real node is asked the same in the end-to-end tests.
"""

import asyncio
import json
from pathlib import Path

import plans
import prometheus
import pytest

from archsearch.controller_contract import OptionProbabilities, PolicyState
from archsearch.engine.leaderboard import counts
from archsearch.engine.model import Phase, Trial
from archsearch.operator.http_server import HttpServer
from archsearch.operator.measuring import DeadTimes
from archsearch.operator.metrics import Metrics

PARALLELISM = 2
SECOND = 1_000_000_000
WINDOW = "5s"
ENOUGH_SECONDS = 60.0


class Operator:
    """Tells ``metrics`` of a search as an operator does, one child a pass: children of 10 s, half a second apart."""

    def __init__(self, metrics: Metrics, namespace: str, search: str) -> None:
        self.metrics, self.key = metrics, (namespace, search)
        self.trials: list[Trial] = []
        self.dead = DeadTimes()
        self.passes = 0
        metrics.controller_started(*self.key)
        metrics.replayed(*self.key)

    def reconcile(self) -> None:
        """One pass: the oldest child of the two in training ends, the next one starts."""
        tell, number = self.metrics, self.passes
        tell.queued(0.002)
        self.dead.slots(PARALLELISM)
        if number >= PARALLELISM:
            index = number - PARALLELISM
            phase = (Phase.SUCCEEDED, Phase.FAILED, Phase.SUCCEEDED)[index % 3]
            self.trials[index] = plans.trial(index, phase, reuse_of=0 if index == 6 else None)
            tell.api_call("patch", "architecturetrials/status", 200)
            tell.child_over(*self.key, self.trials[index], gpu_seconds=10.0)
            started = (index // PARALLELISM) * (10 * SECOND + SECOND // 2)
            before = self.dead.settled((index, 1), started, started + 10 * SECOND)
            if before is not None:
                tell.dead_time(*self.key, before)
        tell.proposed(*self.key, 0.01)
        self.trials.append(plans.trial(number, Phase.RUNNING))
        tell.api_call("create", "architecturetrials", 201)
        tell.api_call("create", "jobs", 201)
        self.dead.launched((number, 1))
        self._observed()
        self.passes += 1

    def _observed(self) -> None:
        rewards = [trial.reward for trial in self.trials if trial.reward is not None]
        shares = OptionProbabilities(decision="a", kind="width", options=(1, 2), probabilities=(0.75, 0.25))
        policy = PolicyState(
            strategy="reinforce", version=len(rewards), asked=len(self.trials), hash="0" * 64, entropy=0.6, baseline=0.4
        )
        self.metrics.observe_search(
            *self.key,
            counts=counts(self.trials),
            best=max(rewards, default=None),
            last=rewards[-1] if rewards else None,
            policy=policy,
            parallelism=PARALLELISM,
        )
        self.metrics.decisions(*self.key, policy.model_copy(update={"decisions": (shares,)}))
        self.metrics.reconciled(*self.key, 0.02, error=None)


@pytest.fixture
def dashboard(repository: Path) -> dict[str, object]:
    file = repository / "charts" / "archsearch" / "files" / "dashboards" / "archsearch-search.json"
    return dict(json.loads(file.read_text()))


async def test_every_expression_of_the_dashboard_has_data(tmp_path: Path, dashboard: dict[str, object]) -> None:
    prometheus.require()
    metrics = Metrics()
    metrics.lease(held=True)
    operators = [Operator(metrics, "team-a", "digits"), Operator(metrics, "team-b", "cifar")]
    server = HttpServer(
        metrics.registry, lambda: (True, "passes end"), lambda: (True, "holds the Lease"), host="127.0.0.1", port=0
    )
    port = await server.start()
    rules = Path(__file__).parents[2] / "charts" / "archsearch" / "files" / "rules" / "archsearch.yaml"
    stop = asyncio.Event()

    async def work() -> None:
        while not stop.is_set():
            for operator in operators:
                operator.reconcile()
            await asyncio.sleep(0.2)

    working = asyncio.create_task(work())
    try:
        await asyncio.to_thread(_look, tmp_path, f"127.0.0.1:{port}", rules, dashboard)
    finally:
        stop.set()
        await working
        await server.close()


def _look(folder: Path, target: str, rules: Path, dashboard: dict[str, object]) -> None:
    one = {"namespace": "team-a", "search": "digits", "__rate_interval": WINDOW, "window": WINDOW}
    everything = one | {"namespace": ".*", "search": ".*"}
    assert len(prometheus.expressions(dashboard)) > 20
    with prometheus.running(folder / "prometheus", [target], rules=rules) as server:
        silent: list[str] = []

        def speaks() -> bool:
            silent[:] = prometheus.without_data(server, dashboard, one)
            return not silent

        try:
            prometheus.until(speaks, ENOUGH_SECONDS, "every expression has data")
        except AssertionError as error:
            raise AssertionError("no data from\n" + "\n".join(silent)) from error
        assert prometheus.without_data(server, dashboard, everything) == []
        _variables_offer_what_there_is(server, dashboard)
        _numbers_are_those_told(server)
        assert server.query('ALERTS{alertstate="firing"}') == []


def _variables_offer_what_there_is(server: prometheus.Prometheus, dashboard: dict[str, object]) -> None:
    templating = dashboard["templating"]
    assert isinstance(templating, dict)
    queries = {one["name"]: one["query"]["query"] for one in templating["list"] if one["type"] == "query"}
    assert server.label_values(queries["namespace"]) == {"team-a", "team-b"}
    assert server.label_values(prometheus.filled_in(queries["search"], {"namespace": "team-b"})) == {"cifar"}


def _numbers_are_those_told(server: prometheus.Prometheus) -> None:
    of = '{namespace="team-a", search="digits"}'

    def value(expression: str) -> float:
        (sample,) = server.query(expression)
        return sample.value

    assert value(f"archsearch_dead_time_seconds_sum{of} / archsearch_dead_time_seconds_count{of}") == pytest.approx(0.5)
    assert value(f"sum(archsearch_gpu_seconds_total{of}) / sum(archsearch_children_total{of})") == pytest.approx(10)
    assert value(f"archsearch_children_running{of}") == PARALLELISM
    assert value(f"archsearch_best_reward{of}") == 0.5
    assert value(f"archsearch_decisions_entropy_nats{of}") == pytest.approx(0.562335)
    assert 0 <= value(f"time() - archsearch_last_pass_timestamp_seconds{of}") < 30


def test_the_rules_are_good_and_fire_where_they_should(repository: Path) -> None:
    prometheus.require()
    prometheus.promtool("check", "rules", str(repository / "charts/archsearch/files/rules/archsearch.yaml"))
    prometheus.promtool("test", "rules", str(repository / "tests/data/prometheus/rules_test.yaml"))


@pytest.mark.parametrize(
    ("broken", "said"),
    [("sum(nothing_there)", "no element"), ("histogram_quantile(0.5, vector(1))", "no number")],
)
def test_the_check_finds_an_expression_without_data(tmp_path: Path, broken: str, said: str) -> None:
    """The test above can fail: an expression that is empty, or not a number, is named."""
    board = {"panels": [{"title": "Row", "panels": [{"title": said, "targets": [{"expr": broken}]}]}]}
    with prometheus.running(tmp_path, []) as server:
        assert prometheus.without_data(server, board, {}) == [f"{said}: {broken}"]

"""What a user does, on a real node: helm install, kubectl apply, kubectl wait; and what must be true of it then."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import prometheus
import pytest
from e2e_search import (
    NAME,
    TERMINAL,
    Census,
    Object,
    apply,
    census,
    children,
    laptop_run,
    ledger_of,
    manifest,
    story,
    succeeded,
)
from node.whole import Node

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "archsearch"
DASHBOARD = CHART / "files" / "dashboards" / "archsearch-search.json"
GPUS = 4
NAMESPACE = "e2e-digits"


@pytest.fixture(scope="module")
def installed(node: Node) -> Iterator[str]:
    """The chart, installed as the guide says, but for where images come from."""
    flags = ("--namespace", "archsearch", "--create-namespace", "--set", "images.registry=localhost")
    node.helm("install", "archsearch", str(CHART), *flags, "--wait", "--timeout", "120s")
    node.kubectl("label", "namespace", "archsearch", "pod-security.kubernetes.io/enforce=restricted")
    yield "archsearch"
    node.helm("uninstall", "archsearch", "--namespace", "archsearch", "--wait")


@dataclass(frozen=True)
class Run:
    """A search that has ended, and what was seen while it ran."""

    search: Object
    ledger: list[Object]
    taken: Census
    silent: list[str]
    """Expressions of the dashboard that had no data, neither while it ran nor after it."""
    scraped: int


@pytest.fixture(scope="module")
def run(node: Node, installed: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The example, applied in a namespace that admits pods of the restricted standard only."""
    node.set_capacity("nvidia.com/gpu", GPUS)
    node.kubectl("create", "namespace", NAMESPACE)
    node.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    variables = {"namespace": NAMESPACE, "search": NAME, "__rate_interval": "60s", "window": "120s"}
    dashboard = json.loads(DASHBOARD.read_text())
    target = f"{operator_address(node)}:8080"
    with (
        prometheus.running(tmp_path_factory.mktemp("prometheus"), [target]) as server,
        census(node, NAMESPACE) as taken,
    ):
        apply(node, NAMESPACE)
        silent = watched(node, server, dashboard, variables)
        search = succeeded(node, NAMESPACE)
        best = search["status"]["bestReward"]
        query = f'archsearch_best_reward{{namespace="{NAMESPACE}"}}'
        prometheus.until(lambda: [one.value for one in server.query(query)] == [best], 20, "the last scrape")
        silent &= set(prometheus.without_data(server, dashboard, variables))
        scraped = len(prometheus.expressions(dashboard))
    return Run(search, ledger_of(node, NAMESPACE), taken, sorted(silent), scraped)


def watched(node: Node, server: prometheus.Prometheus, dashboard: Object, variables: dict[str, str]) -> set[str]:
    """The dashboard as it is looked at three times while children train: its expressions that never had data.

    Some figures come with every so many observations only, and a scrape is seconds old: one look may miss them.
    """
    looks = []
    for index in (14, 18, 22):
        trial = f"archtrial/{NAME}-{index:06}"
        done = node.kubectl("wait", "-n", NAMESPACE, "--for=create", "--timeout=900s", trial, check=False)
        assert done.returncode == 0, story(node, NAMESPACE)
        looks.append(set(prometheus.without_data(server, dashboard, variables)))
    return set.intersection(*looks)


def operator_address(node: Node) -> str:
    pods = node.get("pods", "-n", "archsearch", "-l", "app.kubernetes.io/component=operator")["items"]
    return str(pods[0]["status"]["podIP"])


def test_the_chart_tests_itself(node: Node, installed: str) -> None:
    node.helm("test", "archsearch", "--namespace", installed, "--logs", "--timeout", "120s")


def test_the_search_succeeds_with_the_best_child_in_its_status(run: Run) -> None:
    status = run.search["status"]
    assert status["progress"] == "24/24"
    assert status["counts"]["succeeded"] == 24
    rewards = [trial["status"]["reward"] for trial in run.ledger]
    assert status["best"][0]["reward"] == max(rewards) == status["bestReward"]
    assert max(rewards) > 0.9
    assert status["best"][0]["metrics"]["testAccuracy"] > 0.9


def test_there_are_never_more_trial_pods_than_gpus(run: Run) -> None:
    assert run.taken.most == GPUS
    trained = [trial for trial in run.ledger if "reuseOf" not in trial["spec"]]
    assert len(run.taken.seen) == len(trained)


def test_every_panel_of_the_dashboard_has_data(run: Run) -> None:
    assert run.scraped > 10
    assert run.silent == []


def test_children_tell_when_their_programs_ran_to_the_nanosecond(run: Run) -> None:
    for trial in run.ledger:
        if "reuseOf" not in trial["spec"]:
            assert len(trial["status"]["processStarted"]) == len("2026-01-31T12:00:00.123456789Z")
            assert trial["status"]["processStarted"] < trial["status"]["processEnded"]
            assert trial["status"]["node"]


def test_a_laptop_finds_the_same_child_for_child(node: Node, run: Run) -> None:
    node.kubectl("create", "namespace", "e2e-laptop")
    show, trials = laptop_run(node, "e2e-laptop")
    local = [
        (one["index"], one["genotype"], one["sampledBy"]["policyVersion"], one.get("reward"), one.get("observation"))
        for one in trials
    ]
    assert children(run.ledger) == local
    assert run.search["status"]["policy"]["hash"] == show["policy"]["hash"]
    node.kubectl("delete", "namespace", "e2e-laptop", "--wait=false")


def test_whatever_is_killed_meanwhile_the_result_is_the_same(node: Node, run: Run) -> None:
    """Controller pod, trial pod, Job, operator, API server: each three times, in one search."""
    namespace = "e2e-storm"
    node.kubectl("create", "namespace", namespace)
    with census(node, namespace) as taken:
        apply(node, namespace)
        for round_ in range(3):
            storm(node, namespace, 1 + 6 * round_)
        search = succeeded(node, namespace, 900)
    assert children(ledger_of(node, namespace)) == children(run.ledger), story(node, namespace)
    assert search["status"]["policy"]["hash"] == run.search["status"]["policy"]["hash"]
    assert search["status"]["counts"] == run.search["status"]["counts"]
    assert taken.most <= GPUS
    node.kubectl("delete", "namespace", namespace, "--wait=false")


def storm(node: Node, namespace: str, child: int) -> None:
    """Once child ``child`` has a reward: kill one of everything."""
    trial = f"archtrial/{NAME}-{child:06d}"
    node.kubectl("wait", "-n", namespace, "--for=create", "--timeout=400s", trial)
    node.kubectl("wait", "-n", namespace, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=400s", trial)
    quick = ("--wait=false", "--ignore-not-found")
    node.kubectl("delete", "pod", "-n", namespace, "-l", "app.kubernetes.io/component=controller", *quick)
    node.kubectl("delete", "pod", "-n", namespace, running_pod(node, namespace), *quick)
    node.kubectl("delete", "job", "-n", namespace, running_pod(node, namespace).rpartition("-")[0], *quick)
    node.kubectl("delete", "pod", "-n", "archsearch", "-l", "app.kubernetes.io/component=operator", *quick)
    node.stop_api_server()
    time.sleep(10)  # the outage itself
    node.start_api_server()


def running_pod(node: Node, namespace: str) -> str:
    """Name of a trial pod that runs and nobody has deleted."""
    found: list[str] = []

    def there() -> bool:
        pods = node.get("pods", "-n", namespace, "-l", "app.kubernetes.io/component=trial")["items"]
        running = [pod["metadata"] for pod in pods if pod["status"].get("phase") == "Running"]
        found.extend(metadata["name"] for metadata in running if "deletionTimestamp" not in metadata)
        return bool(found)

    node.wait_until(there, "a trial pod that runs", 300)
    return found[0]


def test_a_deleted_search_leaves_nothing_within_ten_seconds(node: Node, run: Run) -> None:
    pods = node.get("pods", "-n", NAMESPACE)["items"]
    assert all(pod["status"]["phase"] in TERMINAL for pod in pods)
    assert seconds_to_delete(node, NAMESPACE) < 10


def test_a_search_deleted_in_mid_flight_leaves_nothing_within_ten_seconds(node: Node, installed: str) -> None:
    """Its controller and four children end at SIGTERM; nobody waits for the 30 s that a kubelet would give them."""
    node.set_capacity("nvidia.com/gpu", GPUS)
    namespace = "e2e-deleted"
    node.kubectl("create", "namespace", namespace)
    node.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    apply(node, namespace)
    at_work = {"controller": 1, "trial": GPUS}
    node.wait_until(lambda: running(node, namespace) == at_work, "a controller and four children to run at once", 300)
    try:
        assert seconds_to_delete(node, namespace) < 10
    finally:
        node.kubectl("delete", "namespace", namespace, "--wait=false")


def running(node: Node, namespace: str) -> dict[str, int]:
    """How many containers run in pods that nobody has deleted, by component."""
    found: Counter[str] = Counter()
    for pod in node.get("pods", "-n", namespace)["items"]:
        states = [one["state"] for one in pod["status"].get("containerStatuses", [])]
        if "deletionTimestamp" not in pod["metadata"]:
            found[pod["metadata"]["labels"]["app.kubernetes.io/component"]] += sum("running" in one for one in states)
    return {component: count for component, count in found.items() if count}


def seconds_to_delete(node: Node, namespace: str) -> float:
    """kubectl delete, and how long it takes until nothing of the search is left, its records and results included."""
    kinds = "archsearch,archtrial,jobs,pods,services,secrets,networkpolicies"
    mine = ("get", kinds, "-n", namespace, "-l", f"archsearch.io/search={NAME}", "-o", "name")
    there = node.kubectl(*mine).stdout.split()
    assert {name.partition("/")[0] for name in there} >= {"pod", "job.batch", "secret", "service"}, there
    begun = time.monotonic()
    node.kubectl("delete", "archsearch", NAME, "-n", namespace)
    node.wait_until(lambda: node.kubectl(*mine).stdout == "", "everything to be gone", 60)
    taken = time.monotonic() - begun
    print(f"{len(there)} objects of {namespace} were gone after {taken:.1f} s")
    return taken


def test_the_example_is_what_the_guide_promises() -> None:
    spec = manifest()["spec"]
    assert spec["trials"] == {"max": 24, "parallelism": GPUS, "reproducible": True}
    assert spec["trial"]["resources"]["limits"]["nvidia.com/gpu"] == 1

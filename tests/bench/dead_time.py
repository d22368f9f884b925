"""How long a GPU waits between two children on a real node, beside the floor: bare Jobs of the same image.

    sudo make e2e                                             # once: it builds what the node needs
    sudo .venv/bin/python tests/bench/dead_time.py            # about four minutes

Two runs on the same node, one after the other: the example search (24 children, 4 GPUs), and as many bare Jobs that
train the same children, made by kubectl the moment a slot's pod before has ended. Dead time is from the end of a
child's program to the start of the next one's in its slot, by the nanoseconds of their reports (docs/metrics.md);
create to exit is from the API server's receipt of the Job, by its audit log, to the end of the program.
"""

import json
import queue
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]

from e2e_search import NAME, apply, ledger_of, succeeded  # noqa: E402
from node.whole import Node  # noqa: E402

from archsearch.bench.stats import percentile  # noqa: E402
from archsearch.operator.measuring import dead_times  # noqa: E402
from archsearch.operator.times import nanoseconds, parse_time  # noqa: E402
from archsearch.report import Report, parse_report  # noqa: E402

CHART = ROOT / "charts" / "archsearch"
SLOTS = 4
Object = dict[str, Any]
Span = tuple[int, int]


def main() -> int:
    """Measure, and print a table."""
    node = Node()
    node.start()
    try:
        node.set_capacity("nvidia.com/gpu", SLOTS)
        node.kubectl("create", "namespace", "ours")
        node.kubectl("create", "namespace", "bare")
        flags = ("--namespace", "archsearch", "--create-namespace", "--set", "images.registry=localhost")
        node.helm("install", "archsearch", str(CHART), *flags, "--wait", "--timeout", "120s")
        apply(node, "ours")
        succeeded(node, "ours")
        jobs = node.get("jobs", "-n", "ours")["items"]
        templates = [job["spec"]["template"] for job in sorted(jobs, key=lambda job: job["metadata"]["name"])]
        ours, ours_jobs = spans_of_ledger(ledger_of(node, "ours"))
        bare, bare_jobs = run_bare(node, templates)
        table(node, {"archsearch": (ours, ours_jobs), "bare Jobs": (bare, bare_jobs)})
    finally:
        node.stop()
    return 0


def spans_of_ledger(ledger: list[Object]) -> tuple[list[Span], dict[str, Span]]:
    """Start and end of every child's program in nanoseconds, and the same by the name of its Job."""
    found: dict[str, Span] = {}
    for trial in ledger:
        status = trial["status"]
        if "processStarted" in status:
            span = (nanoseconds(parse_time(status["processStarted"])), nanoseconds(parse_time(status["processEnded"])))
            found[f"{NAME}-{trial['spec']['index']:06d}-{status['attempts']}"] = span
    return list(found.values()), found


def run_bare(node: Node, templates: Sequence[Object]) -> tuple[list[Span], dict[str, Span]]:
    """Train the same children as bare Jobs, each slot's next one made as soon as the pod before it has ended."""
    waiting: queue.SimpleQueue[tuple[int, Object]] = queue.SimpleQueue()
    for number, template in enumerate(templates):
        waiting.put((number, template))
    found: dict[str, Span] = {}

    def slot() -> None:
        while True:
            try:
                number, template = waiting.get_nowait()
            except queue.Empty:
                return
            name = f"bare-{number}"
            found[name] = bare_job(node, name, template)

    threads = [threading.Thread(target=slot) for _ in range(SLOTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return list(found.values()), found


def bare_job(node: Node, name: str, template: Object) -> Span:
    """Create a Job and wait for its pod's end, by kubectl; when its program ran."""
    spec = {"backoffLimit": 0, "template": {"spec": template["spec"]}}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": "bare"}, "spec": spec}
    node.kubectl("create", "-f", "-", input=json.dumps(job))
    pods = ("pod", "-n", "bare", "-l", f"batch.kubernetes.io/job-name={name}")
    node.kubectl("wait", *pods, "--for=create", "--timeout=60s")
    node.kubectl("wait", *pods, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=120s")
    (pod,) = node.get(*pods)["items"]
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    report = parse_report(ended["message"].encode())
    assert isinstance(report, Report), report
    assert report.times is not None
    return report.times.started, report.times.ended


def created(node: Node, namespace: str) -> dict[str, int]:
    """When the API server received each Job, in nanoseconds since the epoch."""
    return {
        event["objectRef"]["name"]: nanoseconds(parse_time(event["requestReceivedTimestamp"]))
        for event in node.audit_events()
        if event["verb"] == "create"
        and event["objectRef"].get("resource") == "jobs"
        and event["objectRef"].get("namespace") == namespace
        and event["responseStatus"]["code"] == 201
        and "dryRun" not in event["requestURI"]
        and "name" in event["objectRef"]
    }


def table(node: Node, runs: dict[str, tuple[list[Span], dict[str, Span]]]) -> None:
    """Print p50 and p99 of both, side by side."""
    print("| | dead time p50 | p99 | create to start p50 | p99 | create to exit p50 | p99 | children |")
    print("|---|---|---|---|---|---|---|---|")
    for (what, (spans, by_job)), namespace in zip(runs.items(), ("ours", "bare"), strict=True):
        dead = dead_times(spans, SLOTS)
        received = created(node, namespace)
        starts = [(span[0] - received[name]) / 1e9 for name, span in by_job.items() if name in received]
        exits = [(span[1] - received[name]) / 1e9 for name, span in by_job.items() if name in received]
        cells = [f"{percentile(values, p):.2f} s" for values in (dead, starts, exits) for p in (50, 99)]
        print(f"| {what} | {' | '.join(cells)} | {len(spans)} |")


if __name__ == "__main__":
    sys.exit(main())

"""What an operator costs: memory, CPU and API calls per child, and how long a large search takes to be deleted.

    make kubernetes                                                      # once: it builds the control plane
    .venv/bin/python tests/bench/operator_scale.py --children 24 200 --finished 2000

A real API server, its controllers and `python -m archsearch.operator` as a process of its own; pods come to life and
end by the stand-in of the tests (tests/support/kube), whose children take no GPU and half a second. The calls are those
that the API server's audit log has of the operator's account. No result depends on what the children compute.
"""

import argparse
import asyncio
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]

from cluster_searches import apply, kubectl, search, until  # noqa: E402
from kube.api import Api  # noqa: E402
from kube.control_plane import ControlPlane  # noqa: E402
from kube.processes import Program, free_port  # noqa: E402
from kube.stand_in import StandIn, hashed_reward  # noqa: E402
from rights import call_of  # noqa: E402

from archsearch.report import Report, ReportTimes, TrialInput  # noqa: E402

NAMESPACE = "scale"
ACCOUNT = "operator-under-test"
USER = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
CHILD_SECONDS = 0.5
MIB = 2**20
OWNED = (
    "/apis/archsearch.io/v1alpha1/namespaces/{}/architecturetrials",
    "/apis/batch/v1/namespaces/{}/jobs",
    "/api/v1/namespaces/{}/pods",
    "/api/v1/namespaces/{}/services",
    "/api/v1/namespaces/{}/secrets",
    "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
)
Calls = Counter[tuple[str, str]]

WHY = {
    ("create", "architecturetrials"): "the record of a child, before anything of it runs",
    ("patch", "architecturetrials/status"): "that it runs; later its reward and its place in the order",
    ("create", "jobs"): "its attempt (and one dry run for the whole search, before it is accepted)",
    ("patch", "jobs"): "the report is in the ledger: the Job may go (ttlSecondsAfterFinished)",
    ("patch", "architecturesearches/status"): "the search's figures, once a second at most, and turns at once",
    ("get", "architecturesearches"): "when the loop begins, and with each resync",
    ("create", "events"): "turns of the search, and children that fail",
    ("create", "pods"): "the controller",
    ("delete", "pods"): "the controller, at the end",
    ("list", "architecturetrials"): "the ledger, when the loop begins",
    ("create", "secrets"): "the controller's token and configuration",
    ("create", "services"): "a stable name for the controller",
    ("create", "networkpolicies"): "who may speak to the controller and to trials",
    ("get", "services"): "where a creation was tried before: whether it is this search's",
    ("get", "networkpolicies"): "the same",
    ("list", "architecturesearches"): "which searches there are, when the operator begins",
    ("list", "jobs"): "the same of Jobs",
    ("list", "pods"): "the same of pods",
    ("get", "jobs"): "whether a Job that cannot be seen is really gone",
}  # fmt: skip
"""Every call that is counted with a search, and why it is made."""


@dataclass
class Measured:
    """One search, and what it has cost."""

    children: int
    seconds: float
    cpu: float
    """CPU seconds of the operator meanwhile."""
    peak: float
    """Largest resident memory seen meanwhile, bytes."""
    end: float
    """Resident memory when it has ended, bytes."""
    calls: Calls
    passes: float
    dead_time: tuple[float, float]
    """Mean in seconds, and how many were counted."""


class Bench:
    """A control plane with a running operator."""

    def __init__(self, plane: ControlPlane, program: Program, port: int) -> None:
        self.plane = plane
        self._port = port
        assert program.pid is not None
        self._process = psutil.Process(program.pid)
        self._read = 0

    def cpu(self) -> float:
        """CPU seconds of the operator until now."""
        times = self._process.cpu_times()
        return times.user + times.system

    def memory(self) -> int:
        """Its resident memory in bytes."""
        return int(self._process.memory_info().rss)

    def metric(self, name: str, of: str) -> float:
        """Sum of the samples ``name`` of the search ``of``."""
        text = urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=10).read().decode()
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        return sum(one.value for one in samples if one.name == name and one.labels.get("search") == of)

    def _figures_of(self, name: str) -> tuple[float, float, float]:
        kinds = ("reconcile_duration_seconds_count", "dead_time_seconds_sum", "dead_time_seconds_count")
        passes, dead, counted = (self.metric(f"archsearch_{kind}", name) for kind in kinds)
        return passes, dead, counted

    def new_calls(self) -> Calls:
        """What the operator has called since the last time that this was asked, its Lease and its watches left out."""
        events = list(self.plane.audit_events(USER))
        new, self._read = events[self._read :], len(events)
        calls = (call_of(event) for event in new if "resource" in event.get("objectRef", {}))
        return Counter((one.verb, one.resource) for one in calls if one.resource != "leases" and one.verb != "watch")

    async def run(self, name: str, children: int, parallelism: int) -> Measured:
        """A search of so many children, from `kubectl apply` to its condition Succeeded."""
        self.new_calls()
        cpu, begun, peak = self.cpu(), time.monotonic(), [self.memory()]
        watching = asyncio.create_task(self._watch_memory(peak))
        await apply(self.plane, manifest(name, children, parallelism))
        await until(self.plane, NAMESPACE, name, "Succeeded", 1800)
        seconds = time.monotonic() - begun
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        passes, dead, counted = await asyncio.to_thread(self._figures_of, name)
        return Measured(
            children=children,
            seconds=seconds,
            cpu=self.cpu() - cpu,
            peak=max(peak),
            end=self.memory(),
            calls=self.new_calls(),
            passes=passes,
            dead_time=(dead / counted if counted else float("nan"), counted),
        )

    async def _watch_memory(self, seen: list[int]) -> None:
        while True:
            await asyncio.sleep(0.1)
            seen.append(self.memory())

    async def delete(self, name: str) -> float:
        """Seconds from `kubectl delete archsearch` until nothing with the search's label is left."""
        begun = time.monotonic()
        await kubectl(self.plane, "delete", "archsearch", name, "-n", NAMESPACE)
        async with Api(self.plane) as api:
            for path in OWNED:
                while await self._is_left(api, path.format(NAMESPACE), name):  # noqa: ASYNC110 - another's process
                    await asyncio.sleep(0.25)
        return time.monotonic() - begun

    async def _is_left(self, api: Api, path: str, name: str) -> bool:
        found = await api.call("GET", f"{path}?labelSelector=archsearch.io/search={name}&limit=1")
        return bool(found["items"])


def manifest(name: str, children: int, parallelism: int) -> dict[str, Any]:
    """A search over 4^8 architectures; equal children are trained again, so that each child has a Job."""
    return search(
        name,
        NAMESPACE,
        searchSpace={"choices": [{"name": letter, "values": [1, 2, 3, 4]} for letter in "abcdefgh"]},
        trials={"max": children, "parallelism": parallelism, "duplicates": "Retrain"},
    )


def trial(given: TrialInput) -> Report:
    """A reward, and the times of a program that runs for as long as the stand-in lets the container run."""
    started = time.time_ns()
    times = ReportTimes(started=started, ended=started + int(CHILD_SECONDS * 1e9))
    return Report(metrics=hashed_reward(given).metrics, times=times)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Bench]:
    """A control plane, a stand-in and an operator, in ``folder``."""
    plane = ControlPlane(folder / "plane")
    plane.start()
    try:
        for file in sorted((ROOT / "crds").glob("*.yaml")):
            plane.kubectl("apply", "--server-side", "-f", str(file))
        plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
        plane.kubectl("create", "namespace", NAMESPACE)
        plane.kubectl("create", "serviceaccount", ACCOUNT, "-n", NAMESPACE)
        role = ("--clusterrole=cluster-admin", f"--serviceaccount={NAMESPACE}:{ACCOUNT}")
        plane.kubectl("create", "clusterrolebinding", ACCOUNT, *role)
        port = free_port()
        (folder / "key").write_text("a key for this bench, which is long enough")
        flags = [
            *("--lease-namespace", NAMESPACE, "--key-file", str(folder / "key")),
            *("--http-host", "127.0.0.1", "--http-port", str(port)),
            *("--kubeconfig", str(plane.service_account_kubeconfig(NAMESPACE, ACCOUNT))),
        ]
        operator = Program([sys.executable, "-m", "archsearch.operator", *flags], folder / "operator.log")
        async with StandIn(plane, folder / "node", namespaces=[NAMESPACE], trial=trial, delay=CHILD_SECONDS):
            operator.start()
            try:
                await kubectl(plane, "wait", "--for=create", "-n", NAMESPACE, "lease/archsearch-operator")
                yield Bench(plane, operator, port)
                operator.check()
            finally:
                operator.stop()
    finally:
        plane.stop()


async def measure(options: argparse.Namespace, folder: Path) -> None:
    """Run everything, and print it as it comes."""
    async with running(folder) as bench:
        await bench.run("warm-up", 2, 1)  # an API server answers 429 for a moment after definitions are made
        print(f"operator before the first search: {bench.memory() / MIB:.0f} MiB\n")
        results = [await bench.run(f"of-{number}", number, options.parallelism) for number in options.children]
        print_costs(results)
        print_calls(results[-1])
        if options.finished:
            await deletion(bench, options.finished)


async def deletion(bench: Bench, finished: int) -> None:
    """Delete a large search that has ended, while another one runs."""
    large = await bench.run("large", finished, 64)
    print_costs([large])
    alone = await bench.run("alone", 24, 8)
    deleting = asyncio.create_task(bench.delete("large"))
    beside = await bench.run("beside", 24, 8)
    seconds = await deleting
    print(f"\n{finished} finished children deleted: nothing left after {seconds:.1f} s")
    print(f"a search of 24 children: {alone.seconds:.1f} s alone, {beside.seconds:.1f} s meanwhile")
    print(f"operator afterwards: {bench.memory() / MIB:.0f} MiB")


def print_costs(results: list[Measured]) -> None:
    """A row for each search."""
    print(
        "| children | seconds | memory, peak | at the end | CPU | passes | calls | calls per child | dead time, mean |"
    )
    print("|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for one in results:
        cells = (
            one.children,
            f"{one.seconds:.0f}",
            f"{one.peak / MIB:.0f} MiB",
            f"{one.end / MIB:.0f} MiB",
            f"{one.cpu:.1f} s",
            f"{one.passes:.0f}",
            one.calls.total(),
            f"{one.calls.total() / one.children:.2f}",
            f"{one.dead_time[0]:.2f} s of {one.dead_time[1]:.0f}",
        )
        print(f"| {' | '.join(map(str, cells))} |")
    print(flush=True)


def print_calls(one: Measured) -> None:
    """A row for each kind of call of one search."""
    print(f"| calls of {one.children} children | number | per child | why |")
    print("|---|---:|---:|---|")
    for (verb, resource), number in one.calls.most_common():
        why = WHY.get((verb, resource), "NOT EXPLAINED")
        print(f"| {verb} {resource} | {number} | {number / one.children:.2f} | {why} |")
    print(flush=True)


def main() -> int:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--children", type=int, nargs="+", default=[24, 200], help="of each search, one after another")
    parser.add_argument("--parallelism", type=int, default=8, help="of these searches")
    parser.add_argument("--finished", type=int, default=2000, help="children of the search to be deleted; 0: none")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="archsearch-scale-") as place:
        asyncio.run(measure(options, Path(place)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

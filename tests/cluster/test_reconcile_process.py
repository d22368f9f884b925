"""The operator as a process: probes, metrics, the Lease, SIGTERM; and nothing is written where nothing changes."""

import asyncio
import signal
import sys
from pathlib import Path

import aiohttp
from cluster_searches import get
from kube.control_plane import ControlPlane
from operator_runs import operator, settings_for
from reconciling import World, world

from archsearch.operator.names import FIELD_MANAGER

WRITES = ("create", "update", "patch", "delete")


async def ask(port: int, path: str) -> tuple[int, str]:
    """GET from an operator's HTTP server."""
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.text()


def writes(here: World) -> list[tuple[str, str, str]]:
    """What the operator has written in the namespace, its Lease apart."""
    found = []
    for event in here.plane.audit_events():
        target = event.get("objectRef", {})
        ours = event.get("userAgent") == FIELD_MANAGER and target.get("namespace") == here.namespace
        if ours and event["verb"] in WRITES and target.get("resource") != "leases":
            found.append((event["verb"], target.get("resource", ""), target.get("name", "")))
    return found


async def test_nothing_is_written_where_nothing_changes(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    async with world(control_plane, namespace, tmp_path, hold=True, settings={"resync": 0.3}) as here:
        await here.search("ended", trials={"max": 1})
        here.stand_in.release(await here.stand_in.running_trial(0, search="ended"))
        await here.until_ended("ended")
        await here.search("suspended", suspend=True)
        await here.search("runs", trials={"max": 2, "parallelism": 1})
        await here.stand_in.running_controller(search="suspended")
        await here.stand_in.running_trial(0, search="runs")
        await here.until_reason("suspended", "False", "Suspended")
        await here.until(lambda: here.reason("runs") == ("True", "Running"), "it to run")
        await here.until(lambda: not here.stand_in.pods(component="controller", search="ended"), "its controller to go")
        await passes(here, 6)  # what had been held back is written
        before = writes(here)
        await passes(here, 8)
        assert writes(here) == before
        status = here.status("ended")
        assert status["resolved"]["strategy"] == {"random": {}}
        assert status["resolved"]["controllerImage"] == "localhost/archsearch/controller:test"


async def passes(here: World, count: int) -> None:
    """Wait until every search has had so many more passes; fails where that takes over 20 s."""
    assert here.operator is not None
    wanted = {name: done + count for name, done in (await passes_done(here)).items()}
    async with asyncio.timeout(20):
        while any(done < wanted[name] for name, done in (await passes_done(here)).items()):  # noqa: ASYNC110
            await asyncio.sleep(0.1)  # only asking tells


async def passes_done(here: World) -> dict[str, float]:
    """Passes so far, by search."""
    assert here.operator is not None
    _, text = await ask(here.operator.port, "/metrics")
    lines = [line for line in text.splitlines() if line.startswith("archsearch_reconcile_duration_seconds_count")]
    return {line.partition('search="')[2].partition('"')[0]: float(line.rpartition(" ")[2]) for line in lines}


async def test_of_two_operators_one_acts_and_the_other_takes_over(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    async with world(control_plane, namespace, tmp_path, act=False, hold=True) as here:
        second = settings_for(control_plane.kubeconfig, namespace, identity="second")
        async with operator(settings_for(control_plane.kubeconfig, namespace)) as first:
            await here.search("s", trials={"max": 2, "parallelism": 1})
            await here.stand_in.running_trial(0)
            waiting = operator(second)
            other = await waiting.__aenter__()
            async with asyncio.timeout(20):
                while not other.port or (await ask(other.port, "/readyz"))[1].strip() == "starting":  # noqa: ASYNC110
                    await asyncio.sleep(0.05)  # only asking tells
            assert "standing by" in (await ask(other.port, "/readyz"))[1]
            assert (await ask(other.port, "/healthz"))[0] == 200
            assert "archsearch_lease_held 0.0" in (await ask(other.port, "/metrics"))[1]
            assert (await ask(first.port, "/readyz")) == (200, "active\n")
        try:
            here.stand_in.release()
            await here.until_ended("s")
            lease = await get(control_plane, namespace, "lease", "archsearch-operator")
            assert lease["spec"]["holderIdentity"] == "second"
            assert here.trial("s", 0)["attempts"] == 1
        finally:
            await waiting.__aexit__(None, None, None)


async def test_a_process_that_is_told_to_end_does_so_at_once_and_gives_its_lease_back(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    flags = ["--kubeconfig", str(control_plane.kubeconfig), "--namespace", namespace, "--lease-namespace", namespace]
    flags += ["--http-port", "0", "--http-host", "127.0.0.1", "--identity", "process", "--resync", "5"]
    async with world(control_plane, namespace, tmp_path, act=False, hold=True) as here:
        with (tmp_path / "operator.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "archsearch.operator", *flags), stdout=log, stderr=log
            )
        try:
            await here.search("s", trials={"max": 2})
            for index in (0, 1):
                await here.stand_in.running_trial(index)
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(8):  # 5 s, and what a busy machine adds
                code = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert code == 0, (tmp_path / "operator.log").read_text()
        lease = await get(control_plane, namespace, "lease", "archsearch-operator")
        assert lease["spec"].get("holderIdentity", "") == ""
        assert [pod.phase for pod in here.stand_in.pods(search="s")] == ["Running", "Running"]

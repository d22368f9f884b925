"""Whatever is killed or deleted while a reproducible search runs: nothing lost, nothing doubled, the same result."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from cluster_searches import apply, get, kubectl, ledger_of, search, taught, until
from kube.control_plane import ControlPlane
from kube.stand_in import StandIn
from operator_runs import operator, settings_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
CHILDREN = 24
TIMES = 3
TRIALS = {"max": CHILDREN, "parallelism": 4, "reproducible": True}
Disturb = Callable[[int], Awaitable[None]]


def manifest(name: str, namespace: str) -> dict[str, Any]:
    return search(name, namespace, trials=TRIALS, strategy={"reinforce": {}})


async def result(plane: ControlPlane, namespace: str, name: str) -> tuple[object, ...]:
    """What must be the same however a search was disturbed."""
    status = (await until(plane, namespace, name, "Succeeded", 250))["status"]
    counts = status["counts"]
    trials = [(best["index"], best["reward"]) for best in status["best"]]
    return taught(await ledger_of(plane, namespace, name)), status["policy"]["hash"], counts, trials


async def reached(plane: ControlPlane, namespace: str, name: str, children: int) -> None:
    """Wait until so many children have a reward that is in the ledger."""
    flags = ("--for=jsonpath={.status.phase}=Succeeded", "--timeout=150s")
    trial = f"archtrial/{name}-{children - 1:06d}"
    await kubectl(plane, "wait", "-n", namespace, "--for=create", "--timeout=150s", trial)
    await kubectl(plane, "wait", "-n", namespace, trial, *flags)


_calm: list[tuple[object, ...]] = []


@pytest.fixture
async def undisturbed(control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path) -> tuple[object, ...]:
    """The result of the search when nothing happens to it; the same in every namespace, so it is found once."""
    if not _calm:
        settings = settings_for(control_plane.kubeconfig, namespace)
        async with StandIn(control_plane, tmp_path / "calm", namespaces=[namespace]), operator(settings):
            await apply(control_plane, manifest("calm", namespace))
            _calm.append(await result(control_plane, namespace, "calm"))
        await kubectl(control_plane, "delete", "archsearch", "calm", "-n", namespace, "--wait")
        await kubectl(control_plane, "wait", "--for=delete", "-n", namespace, "archtrial", "--all", "--timeout=90s")
    return _calm[0]


@pytest.mark.parametrize("what", ["controller pod", "trial pod", "Job", "API server"])
async def test_a_disturbed_search_is_the_same(
    what: str,
    undisturbed: tuple[object, ...],
    control_plane: ControlPlane,
    namespace: str,
    tmp_path: Path,
) -> None:
    settings = settings_for(control_plane.kubeconfig, namespace)
    async with (
        StandIn(control_plane, tmp_path / "storm", namespaces=[namespace], delay=0.2) as stand_in,
        operator(settings),
    ):
        disturb = disturbances(control_plane, namespace, stand_in)[what]
        await apply(control_plane, manifest("calm", namespace))
        for time in range(TIMES):
            await reached(control_plane, namespace, "calm", 4 + 6 * time)
            await disturb(4 + 6 * time)
        disturbed = await result(control_plane, namespace, "calm")
    assert disturbed == undisturbed
    assert stand_in.most_at_once[namespace, "calm"] <= TRIALS["parallelism"]


def disturbances(plane: ControlPlane, namespace: str, stand_in: StandIn) -> dict[str, Disturb]:
    async def controller_pod(_: int) -> None:
        pod = await stand_in.running_controller(search="calm")
        await stand_in.delete(pod)

    async def trial_pod(_: int) -> None:
        stand_in.hold()
        await stand_in.until(lambda: any(pod.running for pod in stand_in.pods()), "a trial pod that runs")
        victim = next(pod for pod in stand_in.pods() if pod.running)
        await stand_in.delete(victim)
        stand_in.release()

    async def job(_: int) -> None:
        stand_in.hold()
        await stand_in.until(lambda: any(pod.running for pod in stand_in.pods()), "a trial pod that runs")
        victim = next(pod for pod in stand_in.pods() if pod.running)
        await kubectl(plane, "delete", "job", "-n", namespace, victim.name.rpartition("-")[0], "--wait=false")
        stand_in.release()

    async def api_server(_: int) -> None:
        await asyncio.to_thread(plane.stop_api_server)
        await asyncio.sleep(10)  # the outage itself
        await asyncio.to_thread(plane.start_api_server)

    return {"controller pod": controller_pod, "trial pod": trial_pod, "Job": job, "API server": api_server}


async def test_an_operator_that_is_restarted_goes_on_where_it_was(
    undisturbed: tuple[object, ...], control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    async with StandIn(control_plane, tmp_path / "storm", namespaces=[namespace], delay=0.2) as stand_in:
        await apply(control_plane, manifest("calm", namespace))
        for time in range(TIMES):
            async with operator(settings_for(control_plane.kubeconfig, namespace, identity=f"operator-{time}")):
                await reached(control_plane, namespace, "calm", 4 + 6 * time)
        async with operator(settings_for(control_plane.kubeconfig, namespace, identity="operator-last")):
            disturbed = await result(control_plane, namespace, "calm")
        lease = await get(control_plane, namespace, "lease", "archsearch-operator")
    assert disturbed == undisturbed
    assert stand_in.most_at_once[namespace, "calm"] <= TRIALS["parallelism"]
    assert lease["spec"]["leaseTransitions"] == TIMES

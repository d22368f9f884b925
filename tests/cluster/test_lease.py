"""The Lease against a real API server: never two holders, and soon another one when the first is gone."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gate import Gate
from kube.control_plane import ControlPlane

from archsearch.operator.client import KubernetesPort, connect
from archsearch.operator.lease import Lease
from archsearch.operator.port import LEASE

DURATION = 3
PERIOD = 0.3


@pytest.fixture
async def port(control_plane: ControlPlane) -> AsyncIterator[KubernetesPort]:
    async with await connect(control_plane.kubeconfig) as port:
        yield port


class Hang:
    """A sleep that can be made to last for ever: a process that is stopped, seen from inside."""

    def __init__(self) -> None:
        self.asleep = asyncio.Event()
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    async def __call__(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if not self.goes_on.is_set():
            self.asleep.set()
        await self.goes_on.wait()


def lease(port: KubernetesPort, namespace: str, identity: str, hang: Hang | None = None) -> Lease:
    sleep = hang or asyncio.sleep
    return Lease(port, namespace=namespace, name="l", identity=identity, duration=DURATION, period=PERIOD, sleep=sleep)


async def holder(port: KubernetesPort, namespace: str) -> str:
    found = await port.get(LEASE, namespace, "l")
    return str(found["spec"].get("holderIdentity") or "")


async def test_a_lease_that_is_not_there_is_made_and_renewed_and_given_back(
    port: KubernetesPort, namespace: str
) -> None:
    one = lease(port, namespace, "one")
    async with one:
        assert one.held
        first = (await port.get(LEASE, namespace, "l"))["metadata"]["resourceVersion"]
        async with asyncio.timeout(5):
            changes = port.watch(LEASE, namespace, "", first)
            renewed = await anext(changes)
            await changes.aclose()
        assert renewed.object["spec"]["holderIdentity"] == "one"
        assert renewed.object["spec"]["leaseDurationSeconds"] == DURATION
    assert not one.held
    assert not one.lost.is_set()
    assert await holder(port, namespace) == ""


async def test_who_waits_takes_over_soon_after_the_holder_has_given_it_back(
    port: KubernetesPort, namespace: str
) -> None:
    one, two = lease(port, namespace, "one"), lease(port, namespace, "two")
    await one.acquire()
    waiting = asyncio.create_task(two.acquire())
    done, _ = await asyncio.wait({waiting}, timeout=DURATION + 4 * PERIOD)
    assert not done, "one renews, so two must wait, for however long"
    assert one.held
    assert not two.held

    given_back = time.monotonic()
    await one.release()
    async with asyncio.timeout(10):
        await waiting

    assert time.monotonic() - given_back < DURATION / 2
    assert two.held
    assert (await port.get(LEASE, namespace, "l"))["spec"]["leaseTransitions"] == 1
    await two.release()


async def test_a_holder_that_hangs_knows_that_it_has_lost_before_another_has_it(
    port: KubernetesPort, namespace: str
) -> None:
    hang = Hang()
    one, two = lease(port, namespace, "one", hang), lease(port, namespace, "two")
    await one.acquire()
    waiting = asyncio.create_task(two.acquire())
    hang.goes_on.clear()
    await hang.asleep.wait()

    async with asyncio.timeout(20):
        await waiting
    assert two.held
    assert not one.held, "by the clock alone: it still hangs"
    assert not one.lost.is_set()

    hang.goes_on.set()
    async with asyncio.timeout(5):
        await one.lost.wait()
    await one.release()
    assert await holder(port, namespace) == "two", "who has lost it gives nothing back"
    assert two.held
    await two.release()


async def test_never_two_of_many_hold_it_at_a_time(port: KubernetesPort, namespace: str) -> None:
    rivals = [lease(port, namespace, f"rival-{number}") for number in range(5)]
    turns: list[str] = []

    async def take_a_turn(number: int) -> None:
        async with rivals[number]:
            assert [each.held for each in rivals].count(True) == 1
            turns.append(f"rival-{number}")
            assert await holder(port, namespace) == f"rival-{number}"
            assert [each.held for each in rivals].count(True) == 1

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(take_a_turn(number))
    assert sorted(turns) == [f"rival-{number}" for number in range(5)]


async def test_a_holder_cut_off_from_the_api_server_counts_itself_out_before_another_takes_over(
    control_plane: ControlPlane, port: KubernetesPort, namespace: str, tmp_path: Path
) -> None:
    host, number = control_plane.url.removeprefix("https://").split(":")
    gate = Gate(host, int(number))
    await gate.open()
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(control_plane.kubeconfig.read_text().replace(f":{number}", f":{gate.port}"))
    async with await connect(kubeconfig) as behind:
        one, two = lease(behind, namespace, "one"), lease(port, namespace, "two")
        await one.acquire()
        waiting = asyncio.create_task(two.acquire())
        await gate.close()
        async with asyncio.timeout(20):
            await one.lost.wait()
            assert not waiting.done()
            await waiting
        await one.release()
        assert two.held
        await two.release()


async def test_a_short_outage_loses_nothing(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    host, number = control_plane.url.removeprefix("https://").split(":")
    gate = Gate(host, int(number))
    await gate.open()
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(control_plane.kubeconfig.read_text().replace(f":{number}", f":{gate.port}"))
    patches: asyncio.Queue[int] = asyncio.Queue()

    def count(verb: str, resource: str, status: int) -> None:
        if verb == "patch":
            patches.put_nowait(status)

    async with await connect(kubeconfig, on_call=count) as behind, asyncio.timeout(20):
        async with lease(behind, namespace, "one") as one:
            await gate.close()
            while await patches.get() != 0:
                pass
            await gate.open()
            while await patches.get() != 200:
                pass
            assert one.held
        assert not one.lost.is_set()
    await gate.close()


async def test_who_was_ousted_by_hand_knows_it_at_the_next_renewal(port: KubernetesPort, namespace: str) -> None:
    one = lease(port, namespace, "one")
    await one.acquire()
    await port.patch(LEASE, namespace, "l", {"spec": {"holderIdentity": "somebody"}})
    async with asyncio.timeout(2):
        await one.lost.wait()
    assert not one.held
    await one.release()
    assert await holder(port, namespace) == "somebody"


async def test_a_write_of_others_to_the_lease_does_not_cost_it(port: KubernetesPort, namespace: str) -> None:
    async with lease(port, namespace, "one") as one:
        before = await port.patch(LEASE, namespace, "l", {"metadata": {"labels": {"seen": "true"}}})
        async with asyncio.timeout(5):
            changes = port.watch(LEASE, namespace, "", before["metadata"]["resourceVersion"])
            assert (await anext(changes)).object["spec"]["holderIdentity"] == "one"
            await changes.aclose()
        assert one.held


async def test_the_same_process_begun_again_goes_on_at_once(port: KubernetesPort, namespace: str) -> None:
    crashed = lease(port, namespace, "pod-1", hang := Hang())
    await crashed.acquire()
    hang.goes_on.clear()
    await hang.asleep.wait()
    again = lease(port, namespace, "pod-1")
    async with asyncio.timeout(DURATION / 2):
        await again.acquire()
    assert again.held
    await again.release()
    hang.goes_on.set()
    await crashed.release()


async def test_it_may_be_acquired_again_once_it_is_released(port: KubernetesPort, namespace: str) -> None:
    one = lease(port, namespace, "one")
    await one.acquire()
    with pytest.raises(RuntimeError, match="acquired twice"):
        await one.acquire()
    await one.release()
    async with asyncio.timeout(5):
        await one.acquire()
    assert one.held
    await one.release()


async def test_get_create_and_patch_are_all_the_rights_it_needs(control_plane: ControlPlane, namespace: str) -> None:
    rights = ("--verb=get,create,patch", "--resource=leases.coordination.k8s.io")
    control_plane.kubectl("create", "role", "leases", *rights, "-n", namespace)
    bound = ("--role=leases", f"--serviceaccount={namespace}:default")
    control_plane.kubectl("create", "rolebinding", "leases", *bound, "-n", namespace)
    async with await connect(control_plane.service_account_kubeconfig(namespace, "default")) as port:
        async with asyncio.timeout(10), lease(port, namespace, "one") as one:
            assert one.held
        assert await holder(port, namespace) == ""


@pytest.mark.parametrize("verb", ["create", "patch"])
async def test_a_lease_that_was_taken_while_nobody_waited_for_the_answer_any_more_is_given_back(
    verb: str, port: KubernetesPort, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if verb == "patch":
        async with lease(port, namespace, "before"):
            pass
    call, written = getattr(KubernetesPort, verb), asyncio.Event()

    async def without_an_answer(*arguments: object, **options: object) -> None:
        await call(*arguments, **options)
        written.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(KubernetesPort, verb, without_an_answer)
    one = lease(port, namespace, "one")
    taking = asyncio.create_task(one.acquire())
    async with asyncio.timeout(5):
        await written.wait()
    assert await holder(port, namespace) == "one"
    taking.cancel()
    await asyncio.wait({taking})
    monkeypatch.undo()
    await one.release()
    assert await holder(port, namespace) == ""

"""Watchers against a real API server: their caches are what the cluster is, through outages and missed deletions."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from gate import Gate
from kube.control_plane import ControlPlane

from archsearch.operator import names
from archsearch.operator.cache import has_terminated_container, is_gone
from archsearch.operator.client import KubernetesPort, connect
from archsearch.operator.port import POD, Object, Resource
from archsearch.operator.watching import Watcher

CONFIG_MAP = Resource("", "v1", "configmaps", "ConfigMap")


class Seen:
    """What a watcher has told, and a wait for it."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, str, str]] = []
        self._told = asyncio.Event()

    def __call__(self, namespace: str, uid: str, object: Object) -> None:
        self.changes.append((namespace, uid, object["metadata"]["name"]))
        self._told.set()

    async def until(self, holds: Callable[[], bool], seconds: float = 15) -> None:
        async with asyncio.timeout(seconds):
            while not holds():
                self._told.clear()
                await self._told.wait()


def trim(object: Object) -> Object:
    metadata = object["metadata"]
    kept = {key: metadata[key] for key in ("name", "namespace", "uid", "resourceVersion", "labels")}
    trimmed: Object = {"metadata": kept}
    for key in ("data", "status"):
        if key in object:
            trimmed[key] = object[key]
    return trimmed


def of_names(objects: Sequence[Object]) -> list[str]:
    return [each["metadata"]["name"] for each in objects]


def config_map(namespace: str, name: str, search: str, **data: str) -> Object:
    labels = names.labels("s", search, names.TRIAL)
    return {"metadata": {"name": name, "namespace": namespace, "labels": labels}, "data": data}


@pytest.fixture
async def port(control_plane: ControlPlane) -> AsyncIterator[KubernetesPort]:
    async with await connect(control_plane.kubeconfig) as port:
        yield port


@asynccontextmanager
async def watching(
    port: KubernetesPort, seen: Seen, resource: Resource = CONFIG_MAP, namespaces: Sequence[str] = ()
) -> AsyncIterator[Watcher]:
    """A watcher that runs and has listed once."""
    watcher = Watcher(port, resource, trim=trim, changed=seen, namespaces=namespaces, keep=has_terminated_container)
    running = asyncio.create_task(watcher.run())
    try:
        async with asyncio.timeout(15):
            await watcher.synced.wait()
        yield watcher
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_cache_has_what_was_there_and_what_came_of_each_search_alone(
    port: KubernetesPort, namespace: str
) -> None:
    seen = Seen()
    await port.create(CONFIG_MAP, config_map(namespace, "before", "u1"))
    foreign = {"metadata": {"name": "foreign", "namespace": namespace}}
    await port.create(CONFIG_MAP, foreign)

    async with watching(port, seen) as watcher:
        await port.create(CONFIG_MAP, config_map(namespace, "after", "u1"))
        await port.create(CONFIG_MAP, config_map(namespace, "other", "u2"))
        await seen.until(lambda: (namespace, "u2", "other") in seen.changes)

        assert of_names(watcher.of(namespace, "u1")) == ["before", "after"]
        assert of_names(watcher.of(namespace, "u2")) == ["other"]
        assert watcher.of("default", "u1") == []
        assert "managedFields" not in watcher.of(namespace, "u1")[0]["metadata"]
        assert watcher.alive


async def test_only_the_namespaces_asked_for_are_watched(
    control_plane: ControlPlane, port: KubernetesPort, namespace: str
) -> None:
    other = f"{namespace}-2"
    control_plane.kubectl("create", "namespace", other)
    try:
        seen = Seen()
        async with watching(port, seen, namespaces=(namespace, other)) as watcher:
            await port.create(CONFIG_MAP, config_map("default", f"not-{namespace}", "u"))
            await port.create(CONFIG_MAP, config_map(namespace, "a", "u"))
            await port.create(CONFIG_MAP, config_map(other, "b", "u"))
            await seen.until(lambda: len(watcher) == 2)
            assert (of_names(watcher.of(namespace, "u")), of_names(watcher.of(other, "u"))) == (["a"], ["b"])
            assert sorted(seen.changes) == sorted([(namespace, "u", "a"), (other, "u", "b")])
    finally:
        control_plane.kubectl("delete", "namespace", other, "--wait=false")


async def test_what_we_have_written_is_known_at_once_and_wakes_nobody(port: KubernetesPort, namespace: str) -> None:
    seen = Seen()
    async with watching(port, seen) as watcher:
        made = await port.create(CONFIG_MAP, config_map(namespace, "mine", "u", step="0"))
        watcher.put(made)
        assert of_names(watcher.of(namespace, "u")) == ["mine"]
        patched = await port.patch(CONFIG_MAP, namespace, "mine", {"data": {"step": "1"}})
        watcher.put(patched)
        watcher.put(made)
        assert watcher.of(namespace, "u")[0]["data"] == {"step": "1"}

        await port.create(CONFIG_MAP, config_map(namespace, "last", "u"))
        await seen.until(lambda: (namespace, "u", "last") in seen.changes)

        # either our own write was put before the watch told of it, or the watch was first and told of it once
        assert seen.changes.count((namespace, "u", "mine")) <= 2
        assert watcher.of(namespace, "u")[0]["data"] == {"step": "1"}


async def test_what_was_written_and_deleted_before_we_looked_does_not_come_back(
    port: KubernetesPort, namespace: str
) -> None:
    seen = Seen()
    async with watching(port, seen) as watcher:
        made = await port.create(CONFIG_MAP, config_map(namespace, "brief", "u"))
        await port.delete(CONFIG_MAP, namespace, "brief", uid=made["metadata"]["uid"])
        await port.create(CONFIG_MAP, config_map(namespace, "last", "u"))
        await seen.until(lambda: (namespace, "u", "last") in seen.changes)
        watcher.put(made)
        assert of_names(watcher.of(namespace, "u")) == ["last"]


@dataclass
class Behind:
    """A port through a gate, and the answers (HTTP status, 0: none) to its watches."""

    port: KubernetesPort
    gate: Gate
    watches: list[int]
    answered: asyncio.Event

    async def failed(self, times: int) -> None:
        """Wait until that many more watches could not be begun."""
        before = self.watches.count(0)
        async with asyncio.timeout(30):
            while self.watches.count(0) < before + times:
                self.answered.clear()
                await self.answered.wait()


@pytest.fixture
async def behind(control_plane: ControlPlane, tmp_path: Path) -> AsyncIterator[Behind]:
    host, number = control_plane.url.removeprefix("https://").split(":")
    gate = Gate(host, int(number))
    await gate.open()
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(control_plane.kubeconfig.read_text().replace(f":{number}", f":{gate.port}"))
    watches: list[int] = []
    answered = asyncio.Event()

    def count(verb: str, resource: str, status: int) -> None:
        if verb == "watch":
            watches.append(status)
            answered.set()

    async with await connect(kubeconfig, on_call=count) as port:
        yield Behind(port, gate, watches, answered)
    await gate.close()


async def test_after_an_outage_the_watch_goes_on_where_it_was(
    behind: Behind, port: KubernetesPort, namespace: str
) -> None:
    seen = Seen()
    await port.create(CONFIG_MAP, config_map(namespace, "before", "u"))
    async with watching(behind.port, seen) as watcher:
        outage = time.monotonic()
        await behind.gate.close()
        await behind.failed(times=8)
        await port.create(CONFIG_MAP, config_map(namespace, "meanwhile", "u"))
        assert of_names(watcher.of(namespace, "u")) == ["before"]
        assert watcher.alive

        await behind.gate.open()
        back = time.monotonic()
        await seen.until(lambda: (namespace, "u", "meanwhile") in seen.changes)

        assert time.monotonic() - back < 2 + 0.3 * (back - outage)
        assert [name for where, _, name in seen.changes if where == namespace] == ["before", "meanwhile"]


async def test_what_was_deleted_during_an_outage_is_told_after_it_though_the_api_server_has_forgotten(
    control_plane: ControlPlane, behind: Behind, port: KubernetesPort, namespace: str
) -> None:
    seen = Seen()
    await port.create(CONFIG_MAP, config_map(namespace, "stays", "u"))
    goes = await port.create(CONFIG_MAP, config_map(namespace, "goes", "u"))
    async with watching(behind.port, seen) as watcher:
        await behind.gate.close()
        await behind.failed(times=1)
        await port.delete(CONFIG_MAP, namespace, "goes", uid=goes["metadata"]["uid"])
        control_plane.stop_api_server()
        control_plane.start_api_server()
        await behind.gate.open()
        await seen.until(lambda: seen.changes.count((namespace, "u", "goes")) == 2)

        assert of_names(watcher.of(namespace, "u")) == ["stays"]
        assert seen.changes.count((namespace, "u", "stays")) == 1
        await port.create(CONFIG_MAP, config_map(namespace, "new", "u"))
        await seen.until(lambda: (namespace, "u", "new") in seen.changes)


async def test_a_quiet_cluster_is_no_problem_and_the_watch_is_known_to_live(
    control_plane: ControlPlane, port: KubernetesPort, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    watches: asyncio.Queue[int] = asyncio.Queue()

    def count(verb: str, resource: str, status: int) -> None:
        if verb == "watch":
            watches.put_nowait(status)

    seen = Seen()
    async with (
        asyncio.timeout(30),
        await connect(control_plane.kubeconfig, idle=1.2, on_call=count) as impatient,
        watching(impatient, seen) as watcher,
    ):
        assert [await watches.get() for _ in range(3)] == [200, 200, 200]  # begun anew after each silence
        assert watcher.alive
        await port.create(CONFIG_MAP, config_map(namespace, "late", "u"))
        await seen.until(lambda: (namespace, "u", "late") in seen.changes)
    assert caplog.text == ""


async def test_a_pod_that_is_gone_with_its_report_stays_until_it_is_forgotten(
    port: KubernetesPort, namespace: str
) -> None:
    seen = Seen()
    async with watching(port, seen, POD) as watcher:
        for name in ("reported", "silent"):
            pod = {
                "metadata": {"name": name, "namespace": namespace, "labels": names.labels("s", "u", names.TRIAL)},
                "spec": {"containers": [{"name": "trial", "image": "t"}]},
            }
            await port.create(POD, pod)
        ended = {"exitCode": 0, "message": "the report"}
        container = {
            "name": "trial", "image": "t", "imageID": "", "ready": False, "restartCount": 0,
            "state": {"terminated": ended},
        }  # fmt: skip
        status = {"status": {"phase": "Running", "containerStatuses": [container]}}
        await port.patch(POD, namespace, "reported", status, subresource="status")
        await seen.until(lambda: any(map(has_terminated_container, watcher.of(namespace, "u"))))
        uids = {each["metadata"]["name"]: each["metadata"]["uid"] for each in watcher.of(namespace, "u")}
        assert not any(map(is_gone, watcher.of(namespace, "u")))

        for name, uid in uids.items():
            watcher.forget(uid)  # of what is there nothing is forgotten
            await port.delete(POD, namespace, name, uid=uid, grace=0)
        await seen.until(lambda: len(watcher.of(namespace, "u")) == 1 and is_gone(watcher.of(namespace, "u")[0]))

        (last,) = watcher.of(namespace, "u")
        assert last["status"]["containerStatuses"][0]["state"]["terminated"]["message"] == "the report"
        watcher.forget(uids["reported"])
        assert watcher.of(namespace, "u") == []


async def test_an_object_that_cannot_be_read_stops_nobody_elses(
    port: KubernetesPort, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    seen = Seen()

    def strict(object: Object) -> Object:
        return {**trim(object), "number": int(object["data"]["number"])}

    watcher = Watcher(port, CONFIG_MAP, trim=strict, changed=seen, namespaces=(namespace,))
    await port.create(CONFIG_MAP, config_map(namespace, "bad-before", "u1", number="none"))
    running = asyncio.create_task(watcher.run())
    try:
        await asyncio.wait_for(watcher.synced.wait(), 10)
        await port.create(CONFIG_MAP, config_map(namespace, "bad-after", "u1", number="none"))
        await port.create(CONFIG_MAP, config_map(namespace, "good", "u2", number="7"))
        await seen.until(lambda: seen.changes != [])
        assert watcher.of(namespace, "u2")[0]["number"] == 7
        assert not running.done()
        assert caplog.text.count("ConfigMap cannot be read") == 2
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

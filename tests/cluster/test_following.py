"""What tells of searches: a login that is renewed, a kopf that is begun anew, and nothing any more once it ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from cluster_searches import apply, search
from kube.control_plane import ControlPlane
from kubernetes.aio.client.configuration import Configuration
from operator_runs import settings_for
from reconciling import world

from archsearch.operator import following
from archsearch.operator.client import connect
from archsearch.operator.connecting import configuration_from
from archsearch.operator.following import Following
from archsearch.operator.metrics import Metrics
from archsearch.operator.port import JOB, POD, SEARCH, ClusterError, Object
from archsearch.operator.searches import Searches
from archsearch.operator.shared import Shared
from archsearch.operator.trimming import trim_job, trim_pod
from archsearch.operator.watching import Watcher


class Told:
    """What a Following has told, and a wait for it."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._more = asyncio.Event()

    def __call__(self, search: Object, deleted: bool) -> None:
        self.names.add(search["metadata"]["name"])
        self._more.set()

    async def until(self, name: str) -> None:
        async with asyncio.timeout(30):
            while name not in self.names:
                await self._more.wait()
                self._more.clear()


class Logins:
    """Ways to the API server, the last of them for good; an exception among them is raised."""

    def __init__(self, *steps: Path | Exception) -> None:
        self._steps = list(steps)
        self.asked = 0

    async def __call__(self) -> Configuration:
        self.asked += 1
        step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        if isinstance(step, Exception):
            raise step
        return await configuration_from(step, None)


@asynccontextmanager
async def followed(told: Told, logins: Logins, namespace: str) -> AsyncIterator[Following]:
    one = Following(told, logins, (namespace,))
    task = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        one.end()
        async with asyncio.timeout(10):
            await task


def expired(plane: ControlPlane, folder: Path) -> Path:
    """A kubeconfig with a token that the API server does not know (any more)."""
    path = folder / "expired.kubeconfig"
    path.write_text(plane.service_account_kubeconfig("default", "default").read_text().replace("eyJ", "eyK"))
    return path


async def test_kopf_asks_for_credentials_again_where_they_are_refused(
    control_plane: ControlPlane, crds: object, namespace: str, tmp_path: Path
) -> None:
    await apply(control_plane, search("s", namespace, suspend=True))
    told = Told()
    gone = ClusterError("the token's file is being replaced")
    logins = Logins(expired(control_plane, tmp_path), gone, control_plane.kubeconfig)
    async with followed(told, logins, namespace):
        await told.until("s")
    assert logins.asked == 3


async def test_a_kopf_that_ends_by_itself_is_begun_anew_and_counts_as_down_until_one_lasts(
    control_plane: ControlPlane,
    crds: object,
    namespace: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(following, "_SETTLED", 0.5)
    await apply(control_plane, search("s", namespace, suspend=True))
    told, stale = Told(), expired(control_plane, tmp_path)
    # The same credentials once more after they were refused: kopf gives up.
    logins = Logins(stale, stale, control_plane.kubeconfig)
    async with followed(told, logins, namespace) as one:
        assert one.down_for > 0
        await told.until("s")
        assert "kopf has ended by itself" in caplog.text
        async with asyncio.timeout(10):
            while one.down_for > 0:  # noqa: ASYNC110 - only asking tells
                await asyncio.sleep(0.05)
        await apply(control_plane, search("t", namespace, suspend=True))
        await told.until("t")
    assert logins.asked == 3
    assert one.down_for < 5


async def test_an_operator_whose_watch_ends_by_an_error_lets_go_and_begins_anew(
    control_plane: ControlPlane,
    crds: object,
    namespace: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run, dies = Watcher.run, asyncio.Event()

    async def faulty(watcher: Watcher) -> None:
        if dies.is_set():
            await run(watcher)
            return
        running = asyncio.create_task(run(watcher))
        await dies.wait()
        running.cancel()
        await asyncio.wait({running})
        raise RuntimeError("a watcher that dies")

    monkeypatch.setattr(Watcher, "run", faulty)
    async with world(control_plane, namespace, tmp_path, hold=True) as here:
        await here.search("s", trials={"max": 2})
        await here.stand_in.running_trial(0)
        dies.set()
        here.stand_in.release()
        await here.until_ended("s")
        assert here.operator is not None
        readyz = f"http://127.0.0.1:{here.operator.port}/readyz"
        async with aiohttp.ClientSession() as session, session.get(readyz) as answer:
            assert (answer.status, await answer.text()) == (200, "active\n")
    assert "the watch of Jobs has ended; everything is let go" in caplog.text


async def test_what_is_closed_begins_with_no_search(control_plane: ControlPlane, crds: object, namespace: str) -> None:
    await apply(control_plane, search("s", namespace, suspend=True))
    async with await connect(control_plane.kubeconfig) as port:
        watcher = partial(Watcher, port, changed=lambda *_: None)
        settings = settings_for(control_plane.kubeconfig, namespace)
        searches = Searches(Shared(port, settings, watcher(JOB, trim=trim_job), watcher(POD, trim=trim_pod), Metrics()))
        found = await port.get(SEARCH, namespace, "s")
        searches.seen(found, deleted=False)
        assert len(searches) == 1
        await searches.close()
        searches.seen(found, deleted=False)
        await asyncio.sleep(0)
        assert len(searches) == 0

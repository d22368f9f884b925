"""What no healthy API server does on demand: silence, half answers, expired pages. A server of our own does it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import pytest
from aiohttp import web

from archsearch.operator.client import KubernetesPort, connect
from archsearch.operator.port import JOB, ClusterError, Expired, Listing, Unavailable
from archsearch.operator.watching import Watcher

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[KubernetesPort]]


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """Starts a server in which one handler answers everything; gives a port to it, with short deadlines."""
    cleanups: list[Callable[[], Awaitable[object]]] = []

    async def start(handler: Handler) -> KubernetesPort:
        async def answer(request: web.Request) -> web.StreamResponse:
            return await handler(request)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        cleanups.append(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port, *_ = runner.addresses[0]
        return await open_port(f"http://{host}:{port}")

    async def open_port(url: str) -> KubernetesPort:
        kubeconfig = tmp_path / "config"
        config = {
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "users": [{"name": "u", "user": {"token": "secret"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        kubeconfig.write_text(json.dumps(config))
        opened = await connect(kubeconfig, deadline=0.3, idle=0.3)
        cleanups.append(opened.close)
        return opened

    yield start
    for cleanup in reversed(cleanups):
        await cleanup()


def status(code: int, reason: str, message: str = "so it is") -> dict[str, object]:
    return {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}


async def silence(request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def silence_after_the_head(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b'{"kind": ')
    await asyncio.Event().wait()
    return response


async def cut_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"type": "ADDED"')
    assert request.transport is not None
    request.transport.abort()
    return response


def says(body: bytes, code: int = 200) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, status=code)

    return handler


@pytest.mark.parametrize("handler", [silence, silence_after_the_head])
async def test_a_server_that_never_answers_is_unavailable_within_the_deadline(serve: Serve, handler: Handler) -> None:
    port = await serve(handler)
    async with asyncio.timeout(5):
        for call in (
            port.get(JOB, "n", "a"),
            port.list(JOB, "n"),
            port.create(JOB, {"metadata": {"namespace": "n"}}),
            port.patch(JOB, "n", "a", {}),
            port.delete(JOB, "n", "a", uid="u"),
            port.log("n", "p", "c", tail_bytes=10),
        ):
            with pytest.raises(Unavailable, match="in time"):
                await call


async def test_a_watch_that_is_never_begun_is_unavailable(serve: Serve) -> None:
    port = await serve(silence)
    opened: list[bool] = []
    async with asyncio.timeout(5):
        with pytest.raises(Unavailable, match="in time"):
            async with aclosing(port.watch(JOB, "n", "", "1", opened=lambda: opened.append(True))) as changes:
                await anext(changes)
    assert opened == []


async def test_a_watch_that_falls_silent_ends_so_that_it_is_begun_anew(serve: Serve) -> None:
    port = await serve(silence_after_the_head)
    opened: list[bool] = []
    async with (
        asyncio.timeout(5),
        aclosing(port.watch(JOB, "n", "", "1", opened=lambda: opened.append(True))) as changes,
    ):
        assert [change async for change in changes] == []
    assert opened == [True]


@pytest.mark.parametrize(
    ("handler", "says_why"),
    [
        (says(b"upstream connect error", 503), "503: upstream connect error"),
        (says(b"", 500), "500"),
        (says(json.dumps(status(429, "TooManyRequests")).encode(), 429), "429 TooManyRequests: so it is"),
        (says(b"<html>"), "not JSON"),
        (says(b"\xff\xfe\x00"), "not JSON"),
        (says(b"[]"), "not a JSON object"),
        (says(b'{"items": 3}'), "not a list"),
        (cut_off, "ClientPayloadError"),
    ],
)
async def test_answers_that_are_none_are_unavailable(serve: Serve, handler: Handler, says_why: str) -> None:
    port = await serve(handler)
    with pytest.raises(Unavailable, match=says_why):
        await port.list(JOB, "n")


@pytest.mark.parametrize(
    ("line", "kind", "says_why"),
    [
        ({"type": "ERROR", "object": status(410, "Expired")}, Expired, "410 Expired"),
        ({"type": "ERROR", "object": status(504, "Timeout")}, Unavailable, "504 Timeout"),
        ({"type": "ERROR", "object": status(403, "Forbidden")}, Unavailable, "403 Forbidden"),
        ({"type": "ERROR", "object": {}}, Unavailable, "no message"),
        ({"type": "ADDED"}, Unavailable, "not an event"),
        ({"object": {}}, Unavailable, "not an event"),
        ("words", Unavailable, "not a JSON object"),
    ],
)
async def test_what_ends_a_watch_in_its_midst(
    serve: Serve, line: object, kind: type[ClusterError], says_why: str
) -> None:
    good = {"type": "ADDED", "object": {"metadata": {"name": "a"}}}
    port = await serve(says("\n".join(map(json.dumps, (good, line))).encode() + b"\n"))
    async with aclosing(port.watch(JOB, "n", "", "1")) as changes:
        assert (await anext(changes)).object["metadata"]["name"] == "a"
        with pytest.raises(kind, match=says_why):
            await anext(changes)


async def test_a_watch_that_the_server_ends_just_ends(serve: Serve) -> None:
    port = await serve(says(b'{"type": "BOOKMARK", "object": {}}\n'))
    async with aclosing(port.watch(JOB, "n", "", "1")) as changes:
        assert [change.type async for change in changes] == ["BOOKMARK"]


async def test_a_watch_asks_for_bookmarks_and_for_its_own_end(serve: Serve) -> None:
    asked: list[web.Request] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request)
        return web.Response()

    port = await serve(handler)
    async with aclosing(port.watch(JOB, "n", "a=b,c in (d,e)", "7")) as changes:
        assert [change async for change in changes] == []

    (request,) = asked
    query = dict(request.query)
    assert 240 <= int(query.pop("timeoutSeconds")) <= 290
    assert query == {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": "7",
        "labelSelector": "a=b,c in (d,e)",
    }
    assert request.path == "/apis/batch/v1/namespaces/n/jobs"
    assert request.headers["authorization"] == "Bearer secret"


class Pages:
    """Lists one object a page; its pages expire ``expiries`` times after the first of them."""

    def __init__(self, expiries: int) -> None:
        self.expiries = expiries
        self.asked: list[tuple[str, str]] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        limit, token = request.query.get("limit", "0"), request.query.get("continue", "")
        self.asked.append((limit, token))
        if token and self.expiries:
            self.expiries -= 1
            return web.json_response(status(410, "Expired"), status=410)
        names = ["a", "b"] if limit == "0" else [token or "a"]
        metadata = {"resourceVersion": "7", "continue": "b" if names == ["a"] else ""}
        return web.json_response({"items": [{"metadata": {"name": name}} for name in names], "metadata": metadata})


@pytest.mark.parametrize("expiries", [0, 1, 2, 3, 100])
async def test_a_list_whose_pages_expire_is_begun_again_and_at_last_asked_for_whole(
    serve: Serve, expiries: int
) -> None:
    pages = Pages(expiries)
    port = await serve(pages)

    listing = await port.list(JOB, "n")

    assert listing == Listing(
        tuple({"metadata": {"name": name}, "apiVersion": "batch/v1", "kind": "Job"} for name in "ab"), "7"
    )
    assert pages.asked == [("500", ""), ("500", "b")] * min(expiries + 1, 3) + [("0", "")] * (expiries >= 3)


class Log:
    """Answers as the kubelet does: the last ``tailLines`` lines."""

    def __init__(self, lines: list[bytes]) -> None:
        self.lines = lines
        self.calls = 0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.calls += 1
        assert request.path == "/api/v1/namespaces/n/pods/p/log"
        assert request.query["container"] == "trial"
        return web.Response(body=b"".join(self.lines[-int(request.query["tailLines"]) :]))


@pytest.mark.parametrize(
    ("lines", "calls"),
    [
        ([], 1),
        ([b"short\n"], 1),
        ([b"epoch 1\n"] * 100, 1),
        ([b"x" * 300 + b"\n"] * 1000, 1),
        ([b"y" * 5_000_000 + b"\n", b"the report"], 1),
        ([b"the report\n", *[b"\n"] * 60_000], 3),
        ([b"%06d\n" % number for number in range(50_000)], 3),
    ],
)
async def test_the_end_of_a_log_is_its_last_bytes_whatever_its_lines_are(
    serve: Serve, lines: list[bytes], calls: int
) -> None:
    log = Log(lines)
    port = await serve(log)
    end = await port.log("n", "p", "trial", tail_bytes=65536)
    assert end == b"".join(lines)[-65536:]
    assert log.calls == calls


async def test_nobody_listening_is_unavailable(tmp_path: Path, unused_tcp_port: int) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(
        f"clusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:{unused_tcp_port}'}}}}]\n"
        "contexts: [{name: x, context: {cluster: c}}]\ncurrent-context: x\n"
    )
    async with await connect(kubeconfig) as port:
        with pytest.raises(Unavailable, match="get Job n/a") as refused:
            await port.get(JOB, "n", "a")
    assert refused.value.status == 0


@pytest.mark.parametrize(
    ("content", "context", "says_why"),
    [
        (None, None, "there is no such file"),
        ("", None, "kubeconfig"),
        ("[1, 2", None, "kubeconfig"),
        ("clusters: 3", None, "kubeconfig"),
        ("clusters: []\ncontexts: []\ncurrent-context: x", None, "name x in .*contexts"),
        ("clusters: []\ncontexts: []\ncurrent-context: x", "mine", "name mine in .*contexts"),
    ],
)
async def test_a_kubeconfig_that_cannot_be_used_is_named(
    tmp_path: Path, content: str | None, context: str | None, says_why: str
) -> None:
    kubeconfig = tmp_path / "config"
    if content is not None:
        kubeconfig.write_text(content)
    with pytest.raises(ClusterError, match=says_why) as refused:
        await connect(kubeconfig, context)
    assert str(kubeconfig) in str(refused.value)


async def test_certificates_that_are_none_are_named(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1', certificate-authority-data: d29yZHM=}}]\n"
        "users: [{name: u, user: {token: t}}]\n"
        "contexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n"
    )
    with pytest.raises(ClusterError, match=r"certificates for https://127\.0\.0\.1:1"):
        await connect(kubeconfig)


async def test_outside_of_a_cluster_a_kubeconfig_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ClusterError, match="no kubeconfig was given"):
        await connect()
    with pytest.raises(ClusterError, match="context 'x' needs a kubeconfig"):
        await connect(None, "x")


KNOWN = {"metadata": {"name": "a", "namespace": "n", "uid": "a", "resourceVersion": "1"}}


@pytest.mark.parametrize(
    ("first", "message"),
    [
        ({"items": [KNOWN, 3], "metadata": {"resourceVersion": "2"}}, "not a list"),
        ({"items": [KNOWN, {}], "metadata": {"resourceVersion": "2"}}, "cannot be read"),
        ({"type": "ADDED", "object": {"metadata": {}}}, "watch of jobs: KeyError"),
    ],
    ids=["an item is no object", "an item has no metadata", "a change has no version"],
)
async def test_a_watcher_outlives_answers_that_nobody_has_thought_of(
    first: dict[str, object], message: str, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """One odd answer, then those of an API server that is well: what is there then is known in the end."""
    odd, known = [first], asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        watched = "watch" in request.query
        if odd and watched == ("type" in odd[0]):
            return web.Response(body=json.dumps(odd.pop()).encode() + b"\n")
        if not watched:
            return web.json_response({"items": [KNOWN], "metadata": {"resourceVersion": "2"}})
        if not odd:
            known.set()
        return await silence_after_the_head(request)

    watcher = Watcher(await serve(handler), JOB, trim=lambda job: job, changed=lambda *_: None)
    task = asyncio.create_task(watcher.run())
    try:
        async with asyncio.timeout(10):
            await known.wait()
        assert watcher.synced.is_set()
        assert [one["metadata"]["name"] for one in watcher.of("n", "")] == ["a"]
        assert message in caplog.text
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.wait({task})

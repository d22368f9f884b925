"""The operator's HTTP server, over real sockets."""

import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import plans
import pytest

from archsearch.operator.http_server import HttpServer
from archsearch.operator.metrics import Metrics

OPENMETRICS = "application/openmetrics-text"


@dataclass
class State:
    """What the checks say."""

    health: tuple[bool, str] = (True, "passes end")
    ready: tuple[bool, str] = (True, "holds the Lease")


@dataclass
class Served:
    """A running server."""

    server: HttpServer
    state: State
    url: str
    client: aiohttp.ClientSession

    async def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str, str]:
        """Status, content type and text of an answer."""
        async with self.client.request(method, self.url + path, headers=headers) as answer:
            return answer.status, answer.headers.get("Content-Type", ""), await answer.text()


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    metrics, state = Metrics(), State()
    metrics.child_over("team", "digits", plans.trial(0), 3.5)
    server = HttpServer(metrics.registry, lambda: state.health, lambda: state.ready, host="127.0.0.1", port=0)
    port = await server.start()
    async with aiohttp.ClientSession() as client:
        yield Served(server, state, f"http://127.0.0.1:{port}", client)
    await server.close()


@pytest.mark.parametrize(
    ("accept", "kind", "end"),
    [("", "text/plain", ""), (f"{OPENMETRICS};version=1.0.0", OPENMETRICS, "# EOF\n")],
)
async def test_metrics_come_as_asked_for(served: Served, accept: str, kind: str, end: str) -> None:
    status, content_type, text = await served.get("/metrics", Accept=accept)
    assert status == 200
    assert content_type.startswith(kind)
    assert 'archsearch_gpu_seconds_total{namespace="team",outcome="Succeeded",search="digits"} 3.5\n' in text
    assert text.endswith(end)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_probes_say_what_the_checks_say(served: Served, path: str) -> None:
    status, kind, text = await served.get(path)
    assert (status, kind.split(";")[0]) == (200, "text/plain")
    assert text == {"/healthz": "passes end\n", "/readyz": "holds the Lease\n"}[path]
    served.state.health = (False, "no pass over team/digits for 400 s")
    status, _, text = await served.get(path)
    assert (status, text) == {
        "/healthz": (503, "no pass over team/digits for 400 s\n"),
        "/readyz": (200, "holds the Lease\n"),
    }[path]


async def test_not_ready_is_503_and_says_why(served: Served) -> None:
    served.state.ready = (False, "the API server has not been reached yet")
    assert (await served.get("/readyz"))[::2] == (503, "the API server has not been reached yet\n")
    assert (await served.get("/healthz"))[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", "/healthz", 200),
        ("GET", "/", 404),
        ("GET", "/metrics/x", 404),
        ("GET", "/healthz/../secrets", 404),
        ("POST", "/metrics", 405),
        ("DELETE", "/healthz", 405),
    ],
)
async def test_nothing_else_is_served(served: Served, method: str, path: str, status: int) -> None:
    assert (await served.get(path, method))[0] == status


async def test_closing_twice_is_closing_once_and_frees_the_port(served: Served) -> None:
    await served.server.close()
    await served.server.close()
    with pytest.raises(aiohttp.ClientConnectorError):
        await served.get("/healthz")


async def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = HttpServer(Metrics().registry, lambda: (True, ""), lambda: (True, ""), host="127.0.0.1", port=port)
        with pytest.raises(OSError, match=rf"cannot serve HTTP on 127\.0\.0\.1:{port}"):
            await server.start()

"""Speaking to a controller pod through a program that ends with the first connection refused, as kubectl does."""

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from archsearch.calling import Caller
from archsearch.operator.speaking import Line

# The first time it says a port at which nobody listens and ends, as `kubectl port-forward` does once the pod has
# refused a connection; from then on it leads to a controller's health, and stays until it is ended.
FORWARD = """#!/bin/sh
echo x >> "{folder}/starts"
if [ "$(wc -l < "{folder}/starts")" -eq 1 ]; then
    echo "Forwarding from 127.0.0.1:{closed} -> 8080"
    exit 1
fi
echo "Forwarding from 127.0.0.1:{open} -> 8080"
exec sleep 600
"""
POD: dict[str, Any] = {
    "metadata": {"namespace": "n", "name": "p", "uid": "u"},
    "status": {"podIP": "192.0.2.1", "containerStatuses": [{"state": {"running": {}}}]},
}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@pytest.fixture
async def controller() -> AsyncIterator[int]:
    """The port of a server that answers as a controller does."""

    async def health(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "version": 3, "asked": 4})

    application = web.Application()
    application.router.add_get("/healthz", health)
    runner = web.AppRunner(application)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield port
    await runner.cleanup()


async def test_a_way_that_has_ended_is_found_anew(
    controller: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "kubectl"
    program.write_text(FORWARD.format(folder=tmp_path, closed=free_port(), open=controller))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    told: list[str] = []
    answered = asyncio.Event()
    listener = SimpleNamespace(silent=lambda: told.append("silent"), unforeseen=lambda error: told.append(repr(error)))
    settings = SimpleNamespace(port_forward=True, kubeconfig=None, context=None)
    shared: Any = SimpleNamespace(settings=settings, monotonic=asyncio.get_running_loop().time)
    caller = Caller(SimpleNamespace(), answered.set, None)  # type: ignore[arg-type]
    line = Line(shared, "token", caller, listener, answered.set)
    line.connect_once_it_runs(POD)
    try:
        async with asyncio.timeout(60):
            await answered.wait()
    finally:
        await line.hang_up()
    assert told == []
    assert len((tmp_path / "starts").read_text().split()) == 2
    assert caller.fact is None  # hung up

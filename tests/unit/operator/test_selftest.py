"""`helm test`: each thing that can be wrong with an installation has its own sentence, and the exit code says so."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from aiohttp import web

from archsearch.manifest import check as check_manifest
from archsearch.operator import selftest
from archsearch.operator.selftest import Unwell, address_of, api_of_pod

SERVICE = "archsearch-operator.nas:8080"


def test_the_good_search_is_good_and_the_wrong_one_wrong_for_its_two_spaces_alone() -> None:
    named = {"metadata": {"name": "selftest"}}
    assert check_manifest(json.dumps({**selftest.PROBE, **named}).encode(), "probe")[1] == ()
    errors = check_manifest(json.dumps({**selftest.WRONG, **named}).encode(), "wrong")[1]
    assert [error.path for error in errors] == ["spec.searchSpace"]
    assert (
        errors[0].message
        == "convolutional and choices are set together; set one only of: convolutional, recurrentCell, cell, choices"
    )


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ({"ARCHSEARCH_OPERATOR_SERVICE_HOST": "10.96.3.4"}, "10.96.3.4:8080"),
        ({"ARCHSEARCH_OPERATOR_SERVICE_HOST": "fd00::7"}, "[fd00::7]:8080"),
        ({}, "archsearch-operator.nas.svc:8080"),
    ],
)
def test_the_operator_is_reached_without_dns_where_the_kubelet_told_its_address(
    environment: dict[str, str], address: str
) -> None:
    assert address_of(SERVICE, environment) == address


def test_the_api_server_is_found_as_a_pod_finds_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    api = api_of_pod({"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}, tmp_path)
    assert (api.url, api.token, api.authority) == ("https://[fd00::1]:6443", "secret", tmp_path / "ca.crt")


@pytest.mark.parametrize(
    ("environment", "says"),
    [({}, "runs in a pod"), ({"KUBERNETES_SERVICE_HOST": "h"}, r"token cannot be read \(No such file")],
)
def test_outside_a_pod_it_says_so(environment: dict[str, str], says: str, tmp_path: Path) -> None:
    with pytest.raises(Unwell, match=says):
        api_of_pod(environment, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), 2, "--namespace"),
        (("--namespace", "n", "--service", "name:8080"), 2, "'name:8080' is not of the form NAME.NAMESPACE:PORT"),
        (("--namespace", "n", "--service", "a.b:http"), 2, "NAME.NAMESPACE:PORT"),
        (("--namespace", "n", "--service", SERVICE), 1, "FAILED: KUBERNETES_SERVICE_HOST is not set"),
    ],
)
def test_the_program_ends_with_a_code_and_a_sentence(arguments: tuple[str, ...], code: int, says: str) -> None:
    program = [sys.executable, "-m", "archsearch.operator.selftest", *arguments]
    done = subprocess.run(program, env={"PATH": ""}, capture_output=True, text=True, check=False)
    assert (done.returncode, says in done.stderr) == (code, True), done.stderr


@contextmanager
def answering(status: int, text: str) -> Iterator[tuple[str, list[str]]]:
    """A server that gives every question the same answer; its address, and what it was asked."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(f"{request.method} {request.path_qs}")
        return web.Response(status=status, text=text)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application)
    loop = asyncio.new_event_loop()

    async def start() -> int:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return int(runner.addresses[0][1])

    port = loop.run_until_complete(start())
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{port}", asked
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def operator_says(address: str, seconds: float = 0.0) -> str:
    async with selftest.aiohttp.ClientSession() as session:
        return await selftest.check_operator(session, address, seconds)


def test_an_operator_that_is_not_ready_is_told_with_its_last_words() -> None:
    with (
        answering(503, "waits for the API server\n") as (address, asked),
        pytest.raises(Unwell, match=r"not ready after 0 s \(503: waits for the API server\).*kubectl logs"),
    ):
        asyncio.run(operator_says(address))
    assert asked == ["GET /readyz"]


def test_an_operator_that_is_not_there_is_told() -> None:
    with pytest.raises(Unwell, match=r"127\.0\.0\.1:1 is not ready after 0 s \(Client"):
        asyncio.run(operator_says("127.0.0.1:1"))


def test_a_ready_one_is_believed_at_once() -> None:
    with answering(200, "holds the Lease\n") as (address, _):
        assert asyncio.run(operator_says(address)).endswith("is ready: holds the Lease")

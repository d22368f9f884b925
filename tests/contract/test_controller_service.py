"""The controller contract over real HTTP on the loopback, with the client that the engine uses."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import BaseTestServer, TestServer, unused_port

from archsearch.api import Choice, SearchSpace, Strategy
from archsearch.controller.program import main
from archsearch.controller.service import Limits, Service
from archsearch.controller.session import Session
from archsearch.controller.strategies import make
from archsearch.controller_client import ControllerClient, ControllerRefused, ControllerUnreachable, Timeouts
from archsearch.controller_contract import Ask, Observation, Problem, Proposal, Tell
from archsearch.space import build

TOKEN = "s3cret"
SPACE = build(SearchSpace(choices=tuple(Choice(name=name, values=(0, 1, 2)) for name in "abc")))


class Gate(Session):
    """A session whose replays wait for ``opened``, as long ones do."""

    def __init__(self) -> None:
        super().__init__(lambda: make(Strategy(), SPACE, 2), SPACE)
        self.entered, self.opened = threading.Event(), threading.Event()
        self.opened.set()

    def replay(self, *arguments: Any, **named: Any) -> Any:
        self.entered.set()
        assert self.opened.wait(60)
        return super().replay(*arguments, **named)


@pytest.fixture
def session() -> Gate:
    return Gate()


@pytest.fixture
async def server(session: Gate) -> AsyncIterator[BaseTestServer]:
    limits = Limits(propose_bytes=1000, observe_bytes=10_000)
    async with TestServer(Service(session, TOKEN, limits).application()) as running:
        yield running
        session.opened.set()


@pytest.fixture
async def client(server: BaseTestServer) -> AsyncIterator[ControllerClient]:
    async with ControllerClient(str(server.make_url("")), TOKEN) as connected:
        yield connected


def told(number: int, child: Proposal, reward: float | None = 1.0) -> Observation:
    return Observation(number=number, index=child.index, genotype=child.genotype, reward=reward)


async def post(server: BaseTestServer, path: str, body: bytes, verb: str = "POST", token: str = TOKEN) -> Any:
    async with aiohttp.ClientSession() as connection:
        headers = {"Authorization": f"Bearer {token}"}
        async with connection.request(verb, server.make_url(path), data=body, headers=headers) as answer:
            assert answer.content_type == "application/json"
            return answer.status, Problem.model_validate_json(await answer.read())


async def test_a_search_over_http_is_the_search_in_the_session_and_its_log_replays_to_it(
    client: ControllerClient,
) -> None:
    log: list[Ask | Tell] = []
    for index in range(20):
        child = await client.propose(index, version=index)
        log.append(Ask(index=index, genotype=child.genotype, policy_version=child.policy_version))
        observation = told(index, child, None if index % 5 == 4 else float(index % 3))
        state = await client.observe([observation])
        log.append(Tell(observation=observation))
    other = Session(lambda: make(Strategy(), SPACE, 2), SPACE)
    assert other.replay(log, verify=True).model_copy(update={"mismatches": None}) == state
    replayed = await client.replay(log, verify=True)
    assert (replayed.hash, replayed.mismatches) == (state.hash, ())
    policy = await client.policy()
    assert policy.decisions is not None
    assert [decision.decision for decision in policy.decisions] == ["a", "b", "c"]
    assert policy.hash == state.hash
    health = await client.health()
    assert (health.version, health.asked) == (20, 20)


async def test_a_conflict_reaches_the_caller_with_its_reason(client: ControllerClient) -> None:
    with pytest.raises(ControllerRefused, match="VersionDiffers") as caught:
        await client.propose(0, version=3)
    assert (caught.value.status, caught.value.reason) == (409, "VersionDiffers")
    child = await client.propose(0)
    await client.observe([told(0, child)])
    assert (await client.observe([told(0, child)])).version == 1
    with pytest.raises(ControllerRefused, match=r"observation 0 has reward 2\.0; it was taught"):
        await client.observe([told(0, child, 2.0)])
    with pytest.raises(ControllerRefused, match="observation number is 5; the next one is 1"):
        await client.observe([told(5, child)])


WITH_REWARD = '{"observations": [{"number": 0, "index": 0, "genotype": [0], "reward": %s}]}'
GOOD = {"number": 0, "index": 0, "genotype": [0, 0, 0], "reward": 1.0}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/propose", b"", "body"),
        ("/v1/propose", b"not json", "body"),
        ("/v1/propose", b"\xff\xfe\x00", "body"),
        ("/v1/propose", b'{"index": 0', "body"),
        ("/v1/propose", b"[]", "body"),
        ("/v1/propose", b"null", "body"),
        ("/v1/propose", b"{}", "index: Field required"),
        ("/v1/propose", b'{"index": -1}', "index: Input should be greater than or equal to 0 (got -1)"),
        ("/v1/propose", b'{"index": "0"}', "index: Input should be a valid integer"),
        ("/v1/propose", b'{"index": 0.5}', "index: "),
        ("/v1/propose", b'{"index": true}', "index: "),
        ("/v1/propose", b'{"index": null}', "index: "),
        ("/v1/propose", b'{"index": 0, "version": -2}', "version: "),
        ("/v1/propose", b'{"index": 0, "sort": 1}', "sort: Extra inputs are not permitted (got 1)"),
        ("/v1/observe", b'{"observations": []}', "observations: "),
        ("/v1/observe", b'{"observations": {}}', "observations: "),
        ("/v1/observe", (WITH_REWARD % '"1"').encode(), "observations[0].reward"),
        ("/v1/observe", (WITH_REWARD % "NaN").encode(), "[0].reward"),
        ("/v1/observe", (WITH_REWARD % "Infinity").encode(), "[0].reward"),
        ("/v1/observe", (WITH_REWARD % "1e999").encode(), "[0].reward"),
        ("/v1/observe", json.dumps({"observations": [{**GOOD, "genotype": [0, 0.5]}]}).encode(), "[0].genotype[1]"),
        ("/v1/observe", json.dumps({"observations": [{**GOOD, "genotype": "000"}]}).encode(), "[0].genotype"),
        ("/v1/observe", json.dumps({"observations": [{"number": 0}]}).encode(), "observations[0].index"),
        ("/v1/replay", b"{}", "log: Field required"),
        ("/v1/replay", b'{"log": [{"type": "shout"}]}', "log[0]"),
        ("/v1/replay", b'{"log": [], "verify": "yes"}', "verify: "),
        ("/v1/replay", json.dumps({"log": [{"type": "tell", "observation": GOOD}]}).encode(), "log[0]: observation 0"),
        (
            "/v1/replay",
            b'{"log": [{"type": "ask", "index": 0, "genotype": [0, 3, 0], "policyVersion": 0}]}',
            "log[0]: ask of child 0: token 1 (b) is 3",
        ),
        (
            "/v1/replay",
            b'{"log": [{"type": "ask", "index": 0, "genotype": [99999999999999999999999, 0, 0], "policyVersion": 0}]}',
            "log[0]",
        ),
    ],
)
async def test_a_bad_body_is_refused_with_the_path_of_the_field_and_changes_nothing(
    server: BaseTestServer, session: Gate, path: str, body: bytes, field: str
) -> None:
    before = session.policy()
    status, problem = await post(server, path, body)
    assert (status, problem.reason) in {(400, "BadBody"), (400, "BadLog")}
    assert field in problem.message
    assert session.policy() == before


async def test_many_mistakes_are_told_at_once_and_the_message_stays_short(server: BaseTestServer) -> None:
    observations = [{**GOOD, "reward": "x" * 500}] * 9
    status, problem = await post(server, "/v1/observe", json.dumps({"observations": observations}).encode())
    assert status == 400
    assert "observations[4].reward" in problem.message
    assert re.search(r"and \d more$", problem.message)
    assert len(problem.message) < 1500


@pytest.mark.parametrize(
    ("verb", "path", "status", "reason"),
    [
        ("GET", "/v1/propose", 405, "MethodNotAllowed"),
        ("DELETE", "/v1/policy", 405, "MethodNotAllowed"),
        ("POST", "/healthz", 405, "MethodNotAllowed"),
        ("GET", "/v2/policy", 404, "NotFound"),
        ("GET", "/", 404, "NotFound"),
    ],
)
async def test_unknown_paths_and_verbs_are_problems_too(
    server: BaseTestServer, verb: str, path: str, status: int, reason: str
) -> None:
    found, problem = await post(server, path, b"", verb)
    assert (found, problem.reason) == (status, reason)
    assert path in problem.message


@pytest.mark.parametrize("token", ["", "S3CRET", "s3cret2", "s3cre", "s3cret\u00e9"])
async def test_a_wrong_token_is_refused_on_every_route_but_health(server: BaseTestServer, token: str) -> None:
    for verb, path in (("POST", "/v1/propose"), ("POST", "/v1/observe"), ("POST", "/v1/replay"), ("GET", "/v1/policy")):
        status, problem = await post(server, path, b'{"index": 0}', verb, token)
        assert (status, problem.reason) == (401, "Unauthorised")
    async with ControllerClient(str(server.make_url("")), "wrong") as stranger:
        assert (await stranger.health()).asked == 0
        with pytest.raises(ControllerRefused) as caught:
            await stranger.policy()
        assert caught.value.status == 401


@pytest.mark.parametrize(("path", "size"), [("/v1/propose", 1001), ("/v1/observe", 10_001)])
async def test_a_body_beyond_its_limit_is_refused(server: BaseTestServer, path: str, size: int) -> None:
    status, problem = await post(server, path, b" " * size)
    assert (status, problem.reason) == (413, "BodyTooLarge")
    assert str(size - 1) in problem.message


async def test_health_answers_and_a_proposal_meets_its_deadline_while_a_replay_runs(session: Gate) -> None:
    hurried = Service(session, TOKEN, Limits(propose_seconds=0.05))
    async with TestServer(hurried.application()) as server, ControllerClient(str(server.make_url("")), TOKEN) as client:
        session.opened.clear()
        replay = asyncio.create_task(client.replay([]))
        await asyncio.to_thread(session.entered.wait, 30)
        assert (await client.health()).asked == 0
        with pytest.raises(ControllerRefused, match=r"no answer within 0\.05 s") as caught:
            await client.propose(0)
        assert (caught.value.status, caught.value.reason) == (503, "DeadlineExceeded")
        session.opened.set()
        await replay
        # The proposal that was given up while it waited in the queue was never made.
        assert (await client.policy()).asked == 0


async def test_a_strategy_that_breaks_is_a_500_with_its_reason_then_asks_for_a_replay(
    client: ControllerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = await client.propose(0)

    def broken(*_: object) -> None:
        raise RuntimeError("out of ideas")

    monkeypatch.setattr("archsearch.controller.strategies.reinforce.Reinforce.observe", broken)
    with pytest.raises(ControllerRefused, match="RuntimeError: out of ideas") as caught:
        await client.observe([told(0, child)])
    assert caught.value.status == 500
    monkeypatch.undo()
    with pytest.raises(ControllerRefused, match="replay the ledger") as caught:
        await client.observe([told(0, child)])
    assert caught.value.status == 409
    await client.replay([Ask(index=0, genotype=child.genotype, policy_version=0)])
    assert (await client.observe([told(0, child)])).version == 1


async def test_nobody_listening_is_unreachable() -> None:
    async with ControllerClient(f"http://127.0.0.1:{unused_port()}", TOKEN) as client:
        with pytest.raises(ControllerUnreachable, match="POST /v1/propose"):
            await client.propose(0)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
        b"garbage\r\n\r\n",
    ],
)
async def test_a_stranger_on_the_port_is_unreachable(sent: bytes) -> None:
    ended = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(sent)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        ended.set()

    stranger = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with stranger, ControllerClient(f"http://127.0.0.1:{stranger.sockets[0].getsockname()[1]}", TOKEN) as client:
        with pytest.raises(ControllerUnreachable):
            await client.propose(0)
        await ended.wait()


async def test_an_answer_that_does_not_come_is_unreachable_after_the_deadline() -> None:
    ended = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        ended.set()

    mute = await asyncio.start_server(silent, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{mute.sockets[0].getsockname()[1]}"
    async with mute, ControllerClient(address, TOKEN, timeouts=Timeouts(health=0.05)) as client:
        with pytest.raises(ControllerUnreachable, match=r"no answer within 0\.05 s"):
            await client.health()
        await ended.wait()


# --- the process --------------------------------------------------------------------------------------------------

CONFIG = {"name": "s", "searchSpace": {"choices": [{"name": "a", "values": [0, 1, 2]}]}, "strategy": {}, "seed": 3}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "No such file or directory"),
        ("not json", "Invalid JSON"),
        ({}, "searchSpace: Field required"),
        ({**CONFIG, "seed": -1}, "seed: Input should be greater than or equal to 0 (got -1)"),
        ({**CONFIG, "seeds": 1}, "seeds: Extra inputs are not permitted"),
        ({**CONFIG, "searchSpace": {"choices": []}}, "searchSpace.choices: "),
        ({**CONFIG, "strategy": {"random": {}, "reinforce": {}}}, "random and reinforce are"),
        ({**CONFIG, "strategy": {"reinforce": {"batchSize": 0}}}, "strategy.reinforce.batchSize: "),
    ],
)
def test_a_bad_configuration_ends_with_2_and_names_the_field(
    config: object, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ARCHSEARCH_TOKEN", TOKEN)
    file = tmp_path / "controller.json"
    if config is not None:
        file.write_text(config if isinstance(config, str) else json.dumps(config))
    assert main(["--config", str(file)]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert str(file) in captured.err
    assert captured.out == ""


def test_a_missing_token_ends_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ARCHSEARCH_TOKEN", raising=False)
    file = tmp_path / "controller.json"
    file.write_text(json.dumps(CONFIG))
    assert main(["--config", str(file)]) == 2
    assert "ARCHSEARCH_TOKEN is not set" in capsys.readouterr().err


def _start(folder: Path) -> tuple["subprocess.Popen[bytes]", int]:
    file = folder / "controller.json"
    file.write_text(json.dumps(CONFIG))
    process = subprocess.Popen(
        [sys.executable, "-m", "archsearch.controller", "--config", str(file), "--exit-with-stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "ARCHSEARCH_TOKEN": TOKEN},
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["port"]


@pytest.mark.timeout(300)  # a fresh process imports torch, which a busy machine may take a minute over
@pytest.mark.parametrize("end", ["stdin", "SIGTERM"])
async def test_the_process_prints_its_port_serves_and_ends_when_told(end: str, tmp_path: Path) -> None:
    process, port = await asyncio.to_thread(_start, tmp_path)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with ControllerClient(f"http://127.0.0.1:{port}", TOKEN) as client:
            first = await client.propose(0)
            assert first == await client.propose(0)
            assert os.environ.get("ARCHSEARCH_TOKEN") != TOKEN
            if end == "stdin":
                process.stdin.close()
            else:
                process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 60) == 0
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()

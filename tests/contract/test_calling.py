"""The whole policy state is asked for beside everything else: a replay that takes long holds up nobody."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from archsearch.api import Choice, SearchSpace, Strategy
from archsearch.calling import Caller
from archsearch.controller.service import Limits, Service
from archsearch.controller.session import Session
from archsearch.controller.strategies import make
from archsearch.controller_client import ControllerClient, ControllerError, ControllerRefused
from archsearch.controller_contract import Observation, Proposal
from archsearch.engine.ledger import Ledger
from archsearch.engine.model import AskFor, ControllerFact, Replay, Teach
from archsearch.local.controller import Controller
from archsearch.space import build

TOKEN = "s3cret"
SPACE = build(SearchSpace(choices=tuple(Choice(name=name, values=(0, 1, 2)) for name in "abc")))
NOTHING = Ledger()


class Slow(Session):
    """A session whose replays wait for ``opened``."""

    def __init__(self) -> None:
        super().__init__(lambda: make(Strategy(), SPACE, 2), SPACE)
        self.entered, self.opened = threading.Event(), threading.Event()
        self.opened.set()

    def replay(self, *arguments: Any, **named: Any) -> Any:
        self.entered.set()
        assert self.opened.wait(60)
        return super().replay(*arguments, **named)


class Misnumbered(Ledger):
    """A ledger whose observations do not begin with the first."""

    def tells(self, first: int, end: int) -> tuple[Observation, ...]:
        return (Observation(number=5, index=0, genotype=(0, 0, 0), reward=1.0),)


class Keeper:
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def answered(self) -> None:
        self.heard.append("answered")

    def unusable(self, error: ControllerError) -> None:
        self.heard.append(f"unusable: {error}")

    def cannot_go_on(self, refusal: ControllerRefused) -> None:
        self.heard.append(f"cannot go on: {refusal.reason}")

    def unforeseen(self, error: Exception) -> None:
        self.heard.append(f"unforeseen: {error!r}")


class Desk:
    """A caller, who keeps its controller, and the controller."""

    def __init__(self, session: Slow) -> None:
        self.session, self.keeper, self.woken = session, Keeper(), asyncio.Event()
        self.caller = Caller(self.keeper, self.woken.set, None)

    async def done(self) -> None:
        """Wait until no calls are under way."""
        async with asyncio.timeout(10):
            while self.caller.busy:
                self.woken.clear()
                await self.woken.wait()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    session = Slow()
    async with (
        TestServer(Service(session, TOKEN).application()) as running,
        ControllerClient(str(running.make_url("")), TOKEN) as client,
    ):
        at = Desk(session)
        await at.caller.connect(client)
        yield at
        session.opened.set()
        await at.caller.close()


async def test_the_whole_state_is_that_of_the_ledger_and_no_more(desk: Desk) -> None:
    caller = desk.caller
    caller.submit((AskFor(0, None), AskFor(1, None)), NOTHING)
    await desk.done()
    assert caller.fact == ControllerFact(0, 2)
    caller.ask_whole_state(NOTHING)
    assert caller.whole is None
    await desk.done()
    assert caller.whole is not None
    assert (caller.whole.version, caller.whole.asked, caller.fact) == (0, 0, ControllerFact(0, 0))
    assert caller.whole.decisions is not None
    assert not caller.proposals
    caller.submit((AskFor(0, None),), NOTHING)
    assert caller.whole is None


async def test_a_replay_that_takes_long_is_cut_off_when_the_controller_is_given_up(desk: Desk) -> None:
    caller = desk.caller
    caller.submit((AskFor(0, None),), NOTHING)
    await desk.done()
    desk.session.opened.clear()
    caller.ask_whole_state(NOTHING)
    assert await asyncio.to_thread(desk.session.entered.wait, 10)
    assert caller.busy
    await caller.close()
    assert (caller.busy, caller.whole) == (False, None)


async def test_calls_that_are_cut_off_before_they_begin_leave_the_caller_free(desk: Desk) -> None:
    desk.caller.submit((AskFor(0, None),), NOTHING)
    await desk.caller.close()
    assert not desk.caller.busy


async def test_refusals_with_nothing_but_replays_between_them_end_in_giving_up(desk: Desk) -> None:
    for _ in range(5):
        assert "cannot go on" not in " ".join(desk.keeper.heard)
        desk.caller.submit((Teach(0, 1),), Misnumbered())
        await desk.done()
        desk.caller.submit((Replay(),), NOTHING)
        await desk.done()
    assert any(told.startswith("cannot go on") for told in desk.keeper.heard)


class Deliberate(Session):
    """A session of a strategy whose first proposal waits for ``opened``, as a long fit does."""

    def __init__(self) -> None:
        super().__init__(lambda: make(Strategy(), SPACE, 2), SPACE)
        self.opened, self.proposed = threading.Event(), 0

    def propose(self, index: int, version: int | None = None) -> Proposal:
        assert self.opened.wait(60)
        self.proposed += 1
        return super().propose(index, version)


class Insistent(ControllerClient):
    """Opens the session once it has been told a third time that the proposal is not ready."""

    def __init__(self, url: str, opened: threading.Event) -> None:
        super().__init__(url, TOKEN)
        self._opened, self.told = opened, 0

    async def propose(self, index: int, version: int | None = None) -> Proposal:
        try:
            return await super().propose(index, version)
        except ControllerRefused as refusal:
            self.told += refusal.status == 503 and refusal.comes_later
            if self.told == 3:
                self._opened.set()
            raise


def of_a_stand_in(_: Path, wake: Callable[[], None]) -> Caller:
    return Caller(Keeper(), wake, None)


def of_the_laptop(folder: Path, wake: Callable[[], None]) -> Caller:
    return Controller(folder / "c.json", folder / "c.log", wake, None).caller


@pytest.mark.parametrize("caller_of", [of_a_stand_in, of_the_laptop])
async def test_a_proposal_that_takes_long_is_asked_for_until_it_is_done(
    tmp_path: Path, caller_of: Callable[[Path, Callable[[], None]], Caller]
) -> None:
    session, woken = Deliberate(), asyncio.Event()
    service = Service(session, TOKEN, Limits(propose_seconds=0.05))
    async with TestServer(service.application()) as running:
        caller = caller_of(tmp_path, woken.set)
        async with Insistent(str(running.make_url("")), session.opened) as client:
            await caller.connect(client)
            caller.submit((AskFor(0, 0), AskFor(1, 0)), NOTHING)
            async with asyncio.timeout(20):
                while caller.busy:
                    woken.clear()
                    await woken.wait()
            assert client.told >= 3
            assert sorted(caller.proposals) == [0, 1]
            assert caller.fact == ControllerFact(0, 2)
            assert (await client.policy()).asked == 2


async def test_one_that_is_never_ready_is_given_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archsearch.calling._SLOWEST", 0.1)
    session, keeper, woken = Deliberate(), Keeper(), asyncio.Event()
    service = Service(session, TOKEN, Limits(propose_seconds=0.05))
    async with (
        TestServer(service.application()) as running,
        ControllerClient(str(running.make_url("")), TOKEN) as client,
    ):
        caller = Caller(keeper, woken.set, None)
        await caller.connect(client)
        caller.submit((AskFor(0, None),), NOTHING)
        async with asyncio.timeout(20):
            while caller.busy:
                woken.clear()
                await woken.wait()
        session.opened.set()
    assert keeper.heard == ["cannot go on: DeadlineExceeded"]

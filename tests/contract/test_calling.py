"""The whole policy state is asked for beside everything else: a replay that takes long holds up nobody."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from archsearch.api import Choice, SearchSpace, Strategy
from archsearch.calling import Caller
from archsearch.controller.service import Service
from archsearch.controller.session import Session
from archsearch.controller.strategies import make
from archsearch.controller_client import ControllerClient, ControllerError, ControllerRefused
from archsearch.controller_contract import Observation
from archsearch.engine.ledger import Ledger
from archsearch.engine.model import AskFor, ControllerFact, Replay, Teach
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

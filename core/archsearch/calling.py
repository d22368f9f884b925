"""Carrying out the calls of plans on a controller, wherever it runs: one batch at a time, answers kept for a pass."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Protocol

from archsearch.controller_client import ControllerClient, ControllerError, ControllerRefused
from archsearch.controller_contract import PolicyState, Proposal
from archsearch.engine.ledger import Ledger
from archsearch.engine.model import AskFor, Call, ControllerFact, Replay, Teach

_SLOWEST = 3600.0
"""Seconds that one proposal may take, as long as a replay: the model of a strategy may be fitted for it, on a busy
machine. Its controller answers at shorter intervals that it is at work."""
_REFUSALS = 5
"""Refusals in a row, with nothing but replays answered between them, after which the controller is given up."""


class Keeper(Protocol):
    """Who keeps the controller alive, and hears how calls went."""

    def answered(self) -> None:
        """A call was answered."""
        ...

    def unusable(self, error: ControllerError) -> None:
        """It is dead already, or hangs past a call's deadline: make it the former and start a new one."""
        ...

    def cannot_go_on(self, refusal: ControllerRefused) -> None:
        """It refuses for good: another one would refuse as well."""
        ...

    def unforeseen(self, error: Exception) -> None:
        """Something that nobody has thought of."""
        ...


class Caller:
    """Carries out the calls of plans on the controller that is connected, one batch at a time.

    While a batch is under way further ones are dropped: a pass works from what is, and asks again. ``fact`` is None
    while there is no controller to call. A new controller knows nothing, and its fact says so: the next plan replays.
    """

    def __init__(
        self,
        keeper: Keeper,
        wake: Callable[[], None],
        keep_every: int | None,
        proposed: Callable[[float], None] | None = None,
    ) -> None:
        """A caller without a controller.

        Args:
            keeper: hears how calls went.
            wake: called whenever there is something new to look at.
            keep_every: observations between two states with decision distributions; None: none.
            proposed: told of each proposal's latency in seconds.
        """
        self._proposed = proposed
        self._keeper = keeper
        self._wake = wake
        self._keep_every = keep_every
        self._detailed = 0
        self._refusals = 0
        self._client: ControllerClient | None = None
        self._batch: asyncio.Task[None] | None = None
        self.fact: ControllerFact | None = None
        self.proposals: dict[int, Proposal] = {}
        """Answers that may not be in the ledger yet, by index."""
        self.states: list[PolicyState] = []
        """States of the policy that have not been stored yet."""
        self.replayed: list[PolicyState] = []
        """What replays ended in, not yet compared with what is stored."""
        self.whole: PolicyState | None = None
        """The answer to :meth:`ask_whole_state`; None: it has not been asked, or calls have been made since."""

    @property
    def busy(self) -> bool:
        """Whether calls are under way."""
        return self._batch is not None

    async def connect(self, client: ControllerClient) -> None:
        """Speak to the controller behind ``client`` from now on.

        Raises:
            ControllerError: it does not answer.
        """
        health = await client.health()
        self.proposals.clear()
        self.whole = None
        self._client = client
        self.fact = ControllerFact(health.version, health.asked)
        self._wake()

    async def disconnect(self) -> None:
        """Forget the controller, which is gone: calls under way end by themselves, refused or cut off."""
        self.fact = None
        self._client = None
        if self._batch is not None:
            await asyncio.wait({self._batch})

    async def close(self) -> None:
        """Cut off what is under way."""
        if self._batch is not None:
            self._batch.cancel()
            await asyncio.wait({self._batch})
            self._batch = None  # one that was cut off before its first step has not said so itself

    def submit(self, calls: Sequence[Call], ledger: Ledger) -> None:
        """Carry out a plan's calls, in order, unless others are under way."""
        if calls and self._begin(lambda client: self._carry_out(client, tuple(calls), ledger)):
            self.whole = None

    def ask_whole_state(self, ledger: Ledger) -> None:
        """Ask for the policy that ``ledger`` amounts to, unless calls are under way; ``whole`` is the answer, later.

        It is taught everything, asked for nothing beyond the ledger, and comes with decision distributions. Where the
        controller has been asked for children that came to nothing, the ledger is replayed into it, which may take as
        long as the search's controller took for all of it.
        """
        if self._begin(lambda client: self._ask_whole(client, ledger)):
            self.whole = None

    def _begin(self, batch: Callable[[ControllerClient], Coroutine[None, None, None]]) -> bool:
        if self._batch is not None or self.fact is None or self._client is None:
            return False
        self._batch = asyncio.create_task(self._guarded(self._client, batch))
        return True

    async def _guarded(
        self, client: ControllerClient, batch: Callable[[ControllerClient], Coroutine[None, None, None]]
    ) -> None:
        try:
            await batch(client)
        except ControllerRefused as refusal:
            await self._refused(client, refusal)
        except ControllerError as error:
            self._keeper.unusable(error)
        except Exception as error:
            self._keeper.unforeseen(error)
        finally:
            self._batch = None
            self._wake()

    async def _carry_out(self, client: ControllerClient, calls: Sequence[Call], ledger: Ledger) -> None:
        for call in calls:
            await self._call(client, call, ledger)
            if not isinstance(call, Replay):
                self._refusals = 0
            self._keeper.answered()

    async def _ask_whole(self, client: ControllerClient, ledger: Ledger) -> None:
        state = await client.policy()
        if (state.version, state.asked) != (ledger.taught, ledger.asked):
            self.proposals.clear()
            await client.replay(ledger.log(complete=True))
            state = await client.policy()
        self._refusals = 0
        self._keeper.answered()
        self._learn(client, state.version, state.asked)
        self.whole = state

    def _learn(self, client: ControllerClient, version: int, asked: int) -> None:
        """What ``client`` has said, unless it has been given up meanwhile."""
        if client is self._client:
            self.fact = ControllerFact(version, asked)

    async def _call(self, client: ControllerClient, call: Call, ledger: Ledger) -> None:
        if isinstance(call, AskFor):
            asked = time.monotonic()
            proposal = await _proposal(client, call)
            if self._proposed is not None:
                self._proposed(time.monotonic() - asked)
            self.proposals[proposal.index] = proposal
            if self.fact is not None:
                self.fact = ControllerFact(self.fact.version, max(self.fact.asked, proposal.index + 1))
            self._wake()
            return
        if isinstance(call, Teach):
            state = await client.observe(ledger.tells(call.first, call.end))
        else:
            assert isinstance(call, Replay)
            self.proposals.clear()
            state = await client.replay(ledger.log())
            self.replayed.append(state)
        self._learn(client, state.version, state.asked)
        self.states.append(await self._with_details(client, state))

    async def _with_details(self, client: ControllerClient, state: PolicyState) -> PolicyState:
        if self._keep_every is None or state.version // self._keep_every == self._detailed // self._keep_every:
            return state
        self._detailed = state.version
        return await client.policy()

    async def _refused(self, client: ControllerClient, refusal: ControllerRefused) -> None:
        self._refusals += 1
        if refusal.status == 422 or refusal.comes_later or self._refusals >= _REFUSALS:
            self._keeper.cannot_go_on(refusal)
            return
        try:
            health = await client.health()
            # Whatever it has been taught, it does not fit: zero asks make the next plan replay the ledger.
            self._learn(client, health.version, 0)
        except ControllerError as error:
            self._keeper.unusable(error)


async def _proposal(client: ControllerClient, call: AskFor) -> Proposal:
    """The answer to an ask, however slow: one that is not ready is asked for again, which finds it done."""
    began = time.monotonic()
    while True:
        try:
            return await client.propose(call.index, call.version)
        except ControllerRefused as refusal:
            if not refusal.comes_later or time.monotonic() - began > _SLOWEST:
                raise

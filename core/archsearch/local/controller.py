"""The controller as a subprocess: kept alive, told what the plan says, and its answers kept for the next pass."""

import asyncio
import contextlib
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from archsearch.controller_client import ControllerClient, ControllerError, ControllerRefused
from archsearch.controller_contract import PolicyState, Proposal
from archsearch.engine.ledger import Ledger
from archsearch.engine.model import AskFor, Call, ControllerFact, Replay, Teach
from archsearch.local.controller_process import PROGRAM, ControllerProcess, derive
from archsearch.local.errors import ProcessFailedError, SpawnError
from archsearch.local.processes import how, kill, missing_extra, tail

_DEATHS = 5
"""Deaths in a row, with no call answered between them, after which the controller is given up."""
_REFUSALS = 5
"""Refusals in a row, with no call answered between them, after which the controller is given up."""
_LONGEST_BACK_OFF = 10.0


class Controller:
    """Keeps a controller process alive and carries out the calls of plans, one batch at a time.

    While a batch is under way further ones are dropped: a pass works from what is, and asks again. ``fact`` is None
    while there is no controller to call. A new process knows nothing, and its fact says so: the next plan replays.
    """

    def __init__(
        self,
        config: Path,
        log: Path,
        wake: Callable[[], None],
        keep_every: int | None,
        program: tuple[str, ...] = PROGRAM,
    ) -> None:
        """``keep_every``: observations between two states with decision distributions; None: only the last one."""
        self._program = program
        self._config = config
        self._log = log
        self._wake = wake
        self._keep_every = keep_every
        self._process: ControllerProcess | None = None
        self._calls: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._failure: ProcessFailedError | None = None
        self._deaths = 0
        self._refusals = 0
        self._detailed = 0
        self.fact: ControllerFact | None = None
        self.proposals: dict[int, Proposal] = {}
        """Answers that may not be in the ledger yet, by index."""
        self.states: list[PolicyState] = []
        """States of the policy that have not been stored yet."""
        self.replayed: list[PolicyState] = []
        """What replays ended in, not yet compared with what is stored."""

    @property
    def pid(self) -> int | None:
        """Process id of the controller."""
        return None if self._process is None else self._process.process.pid

    @property
    def busy(self) -> bool:
        """Whether calls are under way, or a process is being started."""
        return self._calls is not None or self._process is None

    def open(self) -> None:
        """Begin to keep a process alive."""
        self._keeper = asyncio.create_task(self._keep())

    def check(self) -> None:
        """Raise ProcessFailedError if the controller has been given up."""
        if self._failure is not None:
            raise self._failure

    def submit(self, calls: Sequence[Call], ledger: Ledger) -> None:
        """Carry out a plan's calls, in order, unless others are under way."""
        if calls and self._calls is None and self.fact is not None and self._process is not None:
            self._calls = asyncio.create_task(self._carry_out(self._process, tuple(calls), ledger))

    async def last_state(self) -> PolicyState | None:
        """The policy as it stands, with its decision distributions; None if the controller cannot say."""
        if self._process is None or self.fact is None:
            return None
        try:
            return await self._process.client.policy()
        except ControllerError:
            return None

    async def derive(self, ledger: Ledger) -> PolicyState:
        """The policy that ``ledger`` amounts to, derived by a process that knows nothing else.

        Raises:
            ProcessFailedError: it cannot be derived.
        """
        return (await derive(self._config, self._log, ledger))[0]

    async def close(self) -> None:
        """End the process."""
        for task in (self._keeper, self._calls):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        if self._process is not None:
            await self._process.close()
            self._process = None

    # --- the process --------------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        try:
            await self._keep_alive()
        except Exception as error:
            self._unforeseen("keeping the controller alive", error)

    async def _keep_alive(self) -> None:
        while True:
            try:
                self._process = await ControllerProcess.start(self._config, self._log, self._program)
                health = await self._process.client.health()
                self.proposals.clear()
                self.fact = ControllerFact(health.version, health.asked)
                self._wake()
                await self._process.process.wait()
                died = f"the controller {how(self._process.process.returncode)}"
            except ControllerError as error:
                died = str(error)
            except SpawnError as error:
                died = str(error)
                if not error.passes or self._deaths + 1 >= _DEATHS:
                    self._give_up(died)
                    return
            self._deaths += 1
            await self._bury()
            if missing_extra(self._log):
                self._give_up(died)
                return
            if self._deaths >= _DEATHS:
                self._give_up(f"{died}, {self._deaths} times in a row")
                return
            await asyncio.sleep(min(_LONGEST_BACK_OFF, 0.25 * 2 ** (self._deaths - 1)))

    async def _bury(self) -> None:
        self.fact = None
        if self._calls is not None:
            # Its calls end by themselves, refused or cut off, now that nobody answers.
            await asyncio.wait({self._calls})
        if self._process is not None:
            await self._process.close()
            self._process = None

    def _give_up(self, why: str) -> None:
        self._failure = ProcessFailedError(f"{why}{tail(self._log)}{missing_extra(self._log)}")
        self._wake()

    def _unforeseen(self, doing: str, error: Exception) -> None:
        """Give up for what nobody has thought of: a task that ended in silence would leave the run waiting for ever."""
        with contextlib.suppress(OSError), self._log.open("a") as log:
            traceback.print_exception(error, file=log)
        self._give_up(f"{doing} failed: {type(error).__name__}: {error}")

    # --- calls --------------------------------------------------------------------------------------------------------

    async def _carry_out(self, process: ControllerProcess, calls: Sequence[Call], ledger: Ledger) -> None:
        try:
            for call in calls:
                await self._call(process.client, call, ledger)
                self._deaths = self._refusals = 0
        except ControllerRefused as refusal:
            await self._refused(process, refusal)
        except ControllerError:
            # Dead already, or hanging past its deadline: make it the former, and a new one is started.
            kill(process.process)
        except Exception as error:
            self._unforeseen("calling the controller", error)
        finally:
            self._calls = None
            self._wake()

    async def _call(self, client: ControllerClient, call: Call, ledger: Ledger) -> None:
        if isinstance(call, AskFor):
            proposal = await client.propose(call.index, call.version)
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
        self.fact = ControllerFact(state.version, state.asked)
        self.states.append(await self._with_details(client, state))

    async def _with_details(self, client: ControllerClient, state: PolicyState) -> PolicyState:
        if self._keep_every is None or state.version // self._keep_every == self._detailed // self._keep_every:
            return state
        self._detailed = state.version
        return await client.policy()

    async def _refused(self, process: ControllerProcess, refusal: ControllerRefused) -> None:
        self._refusals += 1
        if refusal.status == 422 or self._refusals >= _REFUSALS:
            self._give_up(f"the controller cannot go on: {refusal}")
            return
        try:
            health = await process.client.health()
            # Whatever it has been taught, it does not fit: zero asks make the next plan replay the ledger.
            self.fact = ControllerFact(health.version, 0)
        except ControllerError:
            kill(process.process)

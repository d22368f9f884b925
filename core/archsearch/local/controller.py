"""The controller as a subprocess, kept alive; plans' calls reach it by a Caller."""

import asyncio
import contextlib
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from archsearch.calling import Caller
from archsearch.controller_client import ControllerError, ControllerRefused
from archsearch.controller_contract import PolicyState
from archsearch.engine.ledger import Ledger
from archsearch.engine.model import Call
from archsearch.local.controller_process import PROGRAM, ControllerProcess, derive
from archsearch.local.errors import ProcessFailedError, SpawnError
from archsearch.local.processes import how, kill, missing_extra, tail

_DEATHS = 5
"""Deaths in a row, with no call answered between them, after which the controller is given up."""
_LONGEST_BACK_OFF = 10.0


class Controller:
    """Keeps a controller process alive, and has a Caller carry out the calls of plans on it."""

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
        self._process: ControllerProcess | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._failure: ProcessFailedError | None = None
        self._deaths = 0
        self.caller = Caller(self, wake, keep_every)

    @property
    def pid(self) -> int | None:
        """Process id of the controller."""
        return None if self._process is None else self._process.process.pid

    @property
    def busy(self) -> bool:
        """Whether calls are under way, or a process is being started."""
        return self.caller.busy or self._process is None

    def open(self) -> None:
        """Begin to keep a process alive."""
        self._keeper = asyncio.create_task(self._keep())

    def check(self) -> None:
        """Raise ProcessFailedError if the controller has been given up."""
        if self._failure is not None:
            raise self._failure

    def submit(self, calls: Sequence[Call], ledger: Ledger) -> None:
        """Carry out a plan's calls, in order, unless others are under way."""
        self.caller.submit(calls, ledger)

    async def last_state(self) -> PolicyState | None:
        """The policy as it stands, with its decision distributions; None if the controller cannot say."""
        if self._process is None or self.caller.fact is None:
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
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        await self.caller.close()
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
                await self.caller.connect(self._process.client)
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
        await self.caller.disconnect()
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

    # --- what its caller hears ----------------------------------------------------------------------------------------

    def answered(self) -> None:
        """A call was answered: whatever died before, this one works."""
        self._deaths = 0

    def unusable(self, error: ControllerError) -> None:
        """Dead already, or hanging past its deadline: make it the former, and a new one is started."""
        if self._process is not None:
            kill(self._process.process)

    def cannot_go_on(self, refusal: ControllerRefused) -> None:
        """Another one would refuse as well."""
        self._give_up(f"the controller cannot go on: {refusal}")

    def unforeseen(self, error: Exception) -> None:
        """A call ended in what nobody has thought of."""
        self._unforeseen("calling the controller", error)

"""The loop of one machine: observe, decide, apply, until the search ends or is told to stop."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from archsearch import space as spaces
from archsearch.api import ArchitectureSearch
from archsearch.engine.decide import decide
from archsearch.engine.ledger import Ledger
from archsearch.engine.model import Facts, Outcome, Phase, Plan, Result
from archsearch.local.active import ActiveTime
from archsearch.local.attempts import Attempts
from archsearch.local.controller import Controller
from archsearch.local.controller_process import write_config
from archsearch.local.errors import LocalError
from archsearch.local.finish import write_best, write_page
from archsearch.local.folder import Folder
from archsearch.local.human import train_human
from archsearch.local.progress import Progress, Scoreboard
from archsearch.local.recorder import Recorder
from archsearch.local.runner import Runner
from archsearch.local.store import Header, Store
from archsearch.local.warm import WarmRunner
from archsearch.space.human import human_baseline

POINTS = 60
"""States of the policy with decision distributions that are kept over a whole search, about."""
_TICK = 1.0
"""Seconds between two updates of the progress while nothing happens."""


@dataclass(frozen=True)
class Extras:
    """What is done beside the search itself; benchmarks leave it out."""

    human: bool = True
    """Train the human baseline at the end."""
    page: bool = True
    """Write best/ and the report at the end."""
    distributions: bool = True
    """Keep decision distributions over time."""


class Loop:
    """One run of a search: everything that lives from the lock to its release."""

    def __init__(
        self,
        search: ArchitectureSearch,
        folder: Folder,
        base: Path,
        store: Store,
        header: Header,
        runner: Runner | None,
        progress: Progress,
        stop: asyncio.Event | None,
        extras: Extras,
    ) -> None:
        self._search = search
        self._folder = folder
        self._store = store
        self._header = header
        self._progress = progress
        self._stop = stop or asyncio.Event()
        self._extras = extras
        self._wake = asyncio.Event()
        self._runner = runner or WarmRunner(folder.root / "warm.log")
        self._attempts = Attempts(search, folder, base, self._runner)
        self._space = spaces.build(search.spec.search_space)
        self._ledger = Ledger(store.trials(), objective=search.spec.objective)
        self._board = Scoreboard(search.spec.trials.max, search.spec.objective, search.spec.trials.confirm)
        self._board.take(tuple(self._ledger))
        self._board.begin()
        self._active = ActiveTime(store, header.active_seconds)
        self._first_start: float | None = None
        config = folder.root / "controller.json"
        spec = search.spec
        write_config(config, search.metadata.name, spec.search_space, header.strategy, spec.seed)
        keep_every = max(1, spec.trials.max // POINTS) if extras.distributions else None
        self._controller = Controller(config, folder.root / "controller.log", self._wake.set, keep_every)
        self._recorder = Recorder(
            store, self._ledger, self._board, self._controller, progress, lambda: self._active.seconds
        )

    async def to_the_end(self) -> None:
        """Run the loop, then what follows the search."""
        try:
            await self._runner.open(self._wake.set)
            stopper = asyncio.create_task(self._pass_stop_on())
            try:
                outcome = self._header.outcome or await self._loop()
                if outcome is not None:
                    await self._finish(outcome)
            finally:
                stopper.cancel()
        except BaseException:
            await self._close()
            # Whatever ended the run is told, not what it has made impossible.
            with contextlib.suppress(LocalError):
                self._active.write()
            raise
        await self._close()
        self._active.write()

    async def _close(self) -> None:
        try:
            await self._runner.close()
        finally:
            await self._controller.close()

    async def _pass_stop_on(self) -> None:
        await self._stop.wait()
        self._wake.set()

    async def _wait(self, seconds: float | None) -> bool:
        """Wait for a wake-up, or at most ``seconds``; False once the run must end."""
        # Not wait_for: in Python 3.11 it may swallow a cancellation that comes with the wake-up.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TICK if seconds is None else min(seconds, _TICK)):
                await self._wake.wait()
        self._wake.clear()
        self._show()
        return not self._stop.is_set()

    # --- the loop -----------------------------------------------------------------------------------------------------

    async def _loop(self) -> Outcome | None:
        self._controller.open()
        self._show()
        while not self._stop.is_set():
            facts, deadline = await self._observe()
            plan = decide(self._search, self._space, self._ledger, facts, datetime.now(UTC))
            await self._apply(plan)
            if plan.outcome is not None:
                return plan.outcome
            if self._idle(plan):
                return None
            times = [seconds for seconds in (deadline, plan.wake_after) if seconds is not None]
            if not await self._wait(min(times, default=None)):
                break
            if self._search.spec.trials.deadline is not None:
                self._active.keep()
        return None

    async def _observe(self) -> tuple[Facts, float | None]:
        self._controller.check()
        attempts, deadline = await self._attempts.observe(self._ledger.active)
        recorded = [place for place in self._controller.caller.proposals if place < self._ledger.asked]
        for place in recorded:
            del self._controller.caller.proposals[place]
        facts = Facts(
            attempts=attempts,
            controller=self._controller.caller.fact,
            proposals=tuple(self._controller.caller.proposals.values()),
            active_seconds=self._active.seconds,
            forgiven=self._header.forgiven,
            strategy=self._header.strategy,
        )
        return facts, deadline

    async def _apply(self, plan: Plan) -> None:
        fresh = [trial for trial in plan.trials if trial.confirm_of is not None and trial.index >= len(self._ledger)]
        self._recorder.write(plan)
        if fresh:
            children = ", ".join(str(trial.confirm_of) for trial in fresh)
            self._progress.say(f"training the best once more, each with a fresh seed: {children}")
        for stop in plan.stops:
            await self._attempts.stop(stop)
        if plan.starts and self._first_start is None:
            self._first_start = time.monotonic()
        for start in plan.starts:
            await self._attempts.start(start)
        self._controller.submit(plan.calls, self._ledger)

    def _idle(self, plan: Plan) -> bool:
        """Whether nothing will ever happen again in this run: suspended, or drained by parallelism 0."""
        if (
            not plan.empty
            or self._controller.busy
            or any(trial.phase is Phase.RUNNING for trial in self._ledger.active)
        ):
            return False
        if self._search.spec.suspend:
            self._progress.say("the search is suspended (spec.suspend); set it to false, and the same command goes on")
            return True
        if self._search.spec.trials.parallelism == 0:
            self._progress.say("nothing runs (spec.trials.parallelism is 0); raise it, and the same command goes on")
            return True
        return False

    def _show(self) -> None:
        busy = 0.0 if self._first_start is None else time.monotonic() - self._first_start
        snapshot = self._board.snapshot(entropy=self._recorder.entropy, elapsed=self._active.seconds, busy=busy)
        self._progress.update(snapshot)

    # --- the end ------------------------------------------------------------------------------------------------------

    async def _finish(self, outcome: Outcome) -> None:
        await self._recorder.keep_last_policy()
        if outcome.result is Result.SUCCEEDED and self._extras.human and self._header.human is None:
            await self._train_human()
        if self._stop.is_set():
            return
        if self._extras.page:
            record = replace(self._store.record(), active_seconds=self._active.seconds)
            write_best(record, self._folder)
            problem = write_page(record, self._folder)
            if problem is not None:
                self._progress.say(problem)
        self._store.finish()

    async def _train_human(self) -> None:
        architecture = human_baseline(self._search)
        if architecture is None:
            return
        self._progress.say("training the human baseline, with the same task and budget as a child")
        human = await train_human(
            self._store.record(), architecture, self._folder, self._attempts, self._runner, lambda: self._wait(None)
        )
        if human is not None:
            self._store.put_human(human)

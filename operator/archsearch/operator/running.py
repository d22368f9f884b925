"""A search that has been accepted: observe, decide, apply, as on a laptop, with Jobs in place of processes."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from archsearch import space as spaces
from archsearch.api import ArchitectureSearch
from archsearch.api.status import Resolved
from archsearch.controller_client import ControllerError
from archsearch.controller_contract import PolicyState
from archsearch.engine.decide import decide
from archsearch.engine.divergence import divergences
from archsearch.engine.model import ControllerFact, Facts, Outcome, Plan, Result, Trial
from archsearch.operator.acceptance import Refused
from archsearch.operator.active import ActiveTime
from archsearch.operator.attempts import Attempts, Seen
from archsearch.operator.belongings import make_belongings
from archsearch.operator.codec import gpus_of
from archsearch.operator.controller import ControllerPod
from archsearch.operator.figures import Figures
from archsearch.operator.problems import Problem
from archsearch.operator.recording import Recording
from archsearch.operator.search_status import View, judged_at, outcome_of
from archsearch.operator.shared import SearchRef, Shared
from archsearch.operator.telling import Teller

_log = logging.getLogger(__name__)
POINTS = 60
"""How often the decision distributions are asked for over a whole search, about: they cost more than a proposal."""
_AGAIN = 1.0
"""Seconds until a search that is at its end asks once more for its policy."""


class Running:
    """Everything of one search that lives from its acceptance to its end, or the operator's."""

    def __init__(
        self,
        shared: Shared,
        ref: SearchRef,
        search: ArchitectureSearch,
        generation: int,
        teller: Teller,
        wake: Callable[[], None],
    ) -> None:
        self._shared = shared
        self._ref = ref
        self.search = search
        """The manifest that it runs by."""
        self._generation = generation
        self._teller = teller
        self._space = spaces.build(search.spec.search_space)
        self._gpus = gpus_of(search)
        known = teller.status
        self._resolved = known.resolved or Resolved(
            strategy=search.spec.strategy.resolved(),
            controller_image=shared.settings.images.controller,
            trial_image=shared.settings.images.trial if search.spec.trial.image is None else None,
        )
        self._recording = Recording(shared, ref, self._space, self._gpus)
        self._active = ActiveTime(shared.monotonic, known.active_seconds)
        image = self._resolved.controller_image or shared.settings.images.controller
        self._controller = ControllerPod(
            shared,
            ref,
            search,
            self._resolved.strategy,
            image,
            wake,
            max(1, search.spec.trials.max // POINTS),
            self._make_belongings,
        )
        self._attempts = Attempts(shared, ref, self._recording, self._resolved.trial_image)
        self._figures = Figures(shared.metrics, ref, self._gpus)
        self._outcome: Outcome | None = outcome_of(known)
        self._forgiven = known.forgiven
        self._policy: PolicyState | None = None
        self._diverged: str | None = None
        self._warnings: tuple[str, ...] = ()
        self._refused: Refused | None = None

    async def open(self, warnings: Sequence[str]) -> None:
        """Make what the search needs beside pods, and read its ledger.

        What the manifest leaves open is written into the status before anything follows from it.
        """
        self._warnings = tuple(warnings)
        await self._make_belongings()
        await self._recording.load()
        self._figures.begin(self.search, self._recording.ledger)
        if self._outcome is not None and judged_at(self._teller.status) != self._generation:
            self.edit(self.search, self._generation)  # while no operator was there
        await self._tell(None, Seen())

    async def _make_belongings(self) -> None:
        await make_belongings(
            self._shared.port, self.search, self._ref.uid, self._resolved.strategy, self._shared.settings.key
        )

    def edit(self, search: ArchitectureSearch, generation: int) -> None:
        """Go on with an edited manifest. One that had ended goes on only where that leaves it something to do."""
        self.search = search
        self._generation = generation
        self._refused = None
        self._controller.edit(search)
        if self._outcome is None:
            return
        if self._outcome.result is Result.FAILED and self._shared_fault_ended_it():
            self._forgiven = self._recording.ledger.taught
        self._outcome = self._outcome_now()

    def _outcome_now(self) -> Outcome | None:
        """How the search would end now if nothing of it ran; None: it would go on. Suspending is no reason to."""
        spec = self.search.spec.model_copy(update={"suspend": False})
        ledger = self._recording.ledger
        facts = Facts(
            controller=ControllerFact(ledger.taught, len(ledger)),
            active_seconds=self._active.seconds,
            forgiven=self._forgiven,
        )
        search = self.search.model_copy(update={"spec": spec})
        return decide(search, self._space, ledger, facts, self._shared.now()).outcome

    def refuse(self, refused: Refused, generation: int) -> None:
        """An edit is refused: say so, and go on as before."""
        self._refused = refused
        self._generation = generation

    def _shared_fault_ended_it(self) -> bool:
        fault = self._recording.ledger.tally.shared_fault
        assert self._outcome is not None
        return fault is not None and (fault.reason or "SharedFault") == self._outcome.reason

    async def close(self) -> None:
        """Stop speaking to the controller; everything in the cluster stays."""
        await self._controller.close()

    # --- a pass -------------------------------------------------------------------------------------------------------

    async def step(self) -> float | None:
        """One pass; seconds until the clock alone makes another one worth while, or None."""
        if self._outcome is not None:
            return await self._rest()
        spec = self.search.spec
        self._active.run(not spec.suspend)
        pods = self._shared.pods.of(self._ref.namespace, self._ref.uid)
        waits = [await self._controller.ensure(pods)]
        seen = await self._attempts.observe(self.search, pods)
        waits.append(seen.wake_after)
        plan = decide(self.search, self._space, self._recording.ledger, self._facts(seen), self._shared.now())
        plan = await self._apply(plan)
        waits += [plan.wake_after, await self._tell(plan, seen)]
        return min((wait for wait in waits if wait is not None), default=None)

    def _facts(self, seen: Seen) -> Facts:
        caller, ledger = self._controller.caller, self._recording.ledger
        for index in [index for index in caller.proposals if index < len(ledger)]:
            del caller.proposals[index]
        return Facts(
            attempts=seen.attempts,
            controller=caller.fact,
            proposals=tuple(caller.proposals.values()),
            active_seconds=self._active.seconds,
            lingering=seen.lingering,
            forgiven=self._forgiven,
        )

    async def _apply(self, plan: Plan) -> Plan:
        """Write the ledger, then do what follows from it; the plan without its outcome where that cannot be yet."""
        before = {
            trial.index: self._recording.ledger[trial.index]
            for trial in plan.trials
            if trial.index < len(self._recording.ledger)
        }
        try:
            await self._recording.write(plan.trials)
        finally:
            # An error may come in the midst of it: what has been written until then is never told again.
            self._take(plan.trials, before)
        for stop in plan.stops:
            await self._attempts.stop(stop)
        await self._attempts.start(self.search, plan.starts)
        self._controller.caller.submit(plan.calls, self._recording.ledger)
        await self._attempts.tidy()
        if plan.outcome is not None:
            try:
                self._policy = await self._controller.caller.whole_state(self._recording.ledger)
            except ControllerError as error:
                _log.info("%s/%s: its policy is not known whole yet: %s", self._ref.namespace, self._ref.name, error)
                return replace(plan, outcome=None, wake_after=_AGAIN)
            self._outcome = plan.outcome
        return plan

    def _take(self, planned: Iterable[Trial], before: Mapping[int, Trial]) -> None:
        """Count what has really been written of ``planned``; ``before``: what those trials were."""
        ledger = self._recording.ledger
        there = [ledger[trial.index] for trial in planned if trial.index < len(ledger)]
        written = [trial for trial in there if trial != before.get(trial.index)]
        self._figures.take(written, before, self._attempts.times)
        self._teller.wrote(written)

    async def _rest(self) -> float | None:
        """The search is over: nothing of it runs any more; its ledger, status and finished Jobs stay."""
        self._active.run(False)
        pods = self._shared.pods.of(self._ref.namespace, self._ref.uid)
        await self._controller.remove(pods)
        await self._attempts.stop_all("SearchEnded")
        await self._attempts.tidy()
        return await self._tell(None, Seen())

    # --- what is told -------------------------------------------------------------------------------------------------

    async def _tell(self, plan: Plan | None, seen: Seen) -> float | None:
        self._hear()
        problems: list[Problem] = [*seen.problems]
        if self._controller.problem is not None:
            problems.append(self._controller.problem)
        view = View(
            search=self.search,
            generation=self._generation,
            previous=self._teller.status,
            scores=self._figures.scores,
            resolved=self._resolved,
            now=self._shared.now(),
            running=seen.running,
            controller_up=self._controller.up,
            policy=self._policy,
            problems=problems,
            outcome=self._outcome,
            gpu_seconds=self._figures.gpu_seconds,
            active_seconds=self._active.seconds,
            forgiven=self._forgiven,
            warnings=(*self._warnings, *(plan.warnings if plan is not None else ())),
            diverged=self._diverged,
            refused=self._refused,
        )
        has_deadline = self.search.spec.trials.deadline is not None and not self.search.spec.suspend
        wait = await self._teller.tell(view, has_deadline=has_deadline)
        made, self._controller.replacements = self._controller.replacements, []
        for pod, why in made:
            await self._teller.replaced(pod, why)
        self._figures.show(self.search, self._policy, over=self._outcome is not None)
        return wait

    def _hear(self) -> None:
        """What the controller has said since the last pass."""
        caller = self._controller.caller
        replayed, caller.replayed = caller.replayed, []
        if replayed:
            self._diverged = "; ".join(divergences(replayed, self._known_policies()))
            self._figures.replayed(len(replayed))
        states, caller.states = caller.states, []
        for state in states:
            self._policy = state
            self._figures.heard(state)
        digest = self._controller.image_digest
        if digest is not None and self._resolved.controller_image != digest:
            self._resolved = self._resolved.model_copy(update={"controller_image": digest})
            self._controller.pin(digest)

    def _known_policies(self) -> tuple[PolicyState, ...]:
        """The policy as it was written last, to compare a replay with."""
        known = self._teller.status.policy
        if self._policy is not None:
            return (self._policy,)
        if not known.hash:
            return ()
        return (PolicyState(strategy=known.strategy, version=known.version, asked=known.asked, hash=known.hash),)

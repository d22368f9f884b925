"""A search that has been accepted: observe, decide, apply, as on a laptop, with Jobs in place of processes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from archsearch import space as spaces
from archsearch.api import ArchitectureSearch
from archsearch.api.status import Resolved
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
from archsearch.operator.port import ClusterError
from archsearch.operator.problems import Problem
from archsearch.operator.recording import LedgerMoved, Recording
from archsearch.operator.search_status import View, judged_at, outcome_of
from archsearch.operator.shared import SearchRef, Shared
from archsearch.operator.telling import Teller

POINTS = 60
"""How often the decision distributions are asked for over a whole search, about: they cost more than a proposal."""


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
        self._recording = Recording(shared, ref, self._space, self._gpus, search.spec.objective)
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
        self._figures = Figures(shared.metrics, ref, self._gpus, search.spec.objective)
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
            controller=ControllerFact(ledger.taught, ledger.asked),
            active_seconds=self._active.seconds,
            forgiven=self._forgiven,
            strategy=self._resolved.strategy,
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
        self._hear()
        self._active.run(not self.search.spec.suspend)
        await self._beyond_doubt()
        pods = self._shared.pods.of(self._ref.namespace, self._ref.uid)
        waits = [await self._controller.ensure(pods)]
        seen = await self._attempts.observe(self.search, pods)
        waits.append(seen.wake_after)
        plan = decide(self.search, self._space, self._recording.ledger, self._facts(seen), self._shared.now())
        plan = await self._apply(plan)
        return _sooner(*waits, plan.wake_after, await self._tell(plan, seen))

    def _facts(self, seen: Seen) -> Facts:
        caller, ledger = self._controller.caller, self._recording.ledger
        for place in [place for place in caller.proposals if place < ledger.asked]:
            del caller.proposals[place]
        return Facts(
            attempts=seen.attempts,
            controller=caller.fact,
            proposals=tuple(caller.proposals.values()),
            active_seconds=self._active.seconds,
            lingering=seen.lingering,
            forgiven=self._forgiven,
            strategy=self._resolved.strategy,
        )

    async def _beyond_doubt(self) -> None:
        """Know what the cluster holds before anything follows from it: the answer to a write may have been lost."""
        ledger = self._recording.ledger
        before = {index: ledger[index] for index in self._recording.doubtful if index < len(ledger)}
        self._count(await self._recording.settle(), before)

    async def _apply(self, plan: Plan) -> Plan:
        """Write the ledger and do what follows from it; the plan without its outcome where that cannot be yet."""
        ledger = self._recording.ledger
        before = {trial.index: ledger[trial.index] for trial in plan.trials if trial.index < len(ledger)}
        try:
            await self._begin(plan)
            await self._recording.finish(plan.trials)
        finally:
            # An error may come in the midst of it: what has been written until then is never told again.
            self._take(plan.trials, before)
        await self._attempts.stop(plan.stops)
        self._controller.caller.submit(plan.calls, ledger)
        plan = replace(plan, wake_after=_sooner(plan.wake_after, await self._attempts.tidy()))
        if plan.outcome is None:
            return plan
        return self._end(plan, plan.outcome)

    async def _begin(self, plan: Plan) -> None:
        """Write what goes on, and make its Jobs: slots wait for them."""
        try:
            await self._recording.begin(plan.trials)
        except (ClusterError, LedgerMoved):
            # What it has spared has been written: the ledger says that these run.
            await self._attempts.start(self.search, plan.starts)
            raise
        await self._attempts.start(self.search, plan.starts)

    def _end(self, plan: Plan, outcome: Outcome) -> Plan:
        """End the search once its policy is known whole: it is asked for, and a later pass has the answer."""
        caller = self._controller.caller
        if caller.whole is None:
            caller.ask_whole_state(self._recording.ledger)
            return replace(plan, outcome=None)
        self._policy = caller.whole
        self._figures.heard(caller.whole)
        self._outcome = outcome
        return plan

    def _take(self, planned: Iterable[Trial], before: Mapping[int, Trial]) -> None:
        """Count what has really been written of ``planned``; ``before``: what those trials were."""
        ledger = self._recording.ledger
        there = [ledger[trial.index] for trial in planned if trial.index < len(ledger)]
        self._count([trial for trial in there if trial != before.get(trial.index)], before)

    def _count(self, written: Sequence[Trial], before: Mapping[int, Trial]) -> None:
        self._figures.take(written, before, self._attempts.times)
        self._teller.wrote(written)

    async def _rest(self) -> float | None:
        """The search is over: nothing of it runs any more; its ledger, status and finished Jobs stay."""
        self._active.run(False)
        pods = self._shared.pods.of(self._ref.namespace, self._ref.uid)
        await self._controller.remove(pods)
        await self._attempts.stop_all("SearchEnded")
        wait = await self._attempts.tidy()
        return _sooner(wait, await self._tell(None, Seen()))

    # --- what is told -------------------------------------------------------------------------------------------------

    async def _tell(self, plan: Plan | None, seen: Seen) -> float | None:
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
            warnings=(*self._warnings, *self._attempts.warnings, *(plan.warnings if plan is not None else ())),
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


def _sooner(*waits: float | None) -> float | None:
    """The shortest of some waits, where None is no wait at all."""
    return min((wait for wait in waits if wait is not None), default=None)

"""A machine that drives decide() with events, deaths and repeats in any order; DESIGN's invariants by name."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from search_world import CrashError, FoldController, World, finish, manifest

from archsearch.controller_contract import Ask
from archsearch.engine.decide import decide
from archsearch.engine.leaderboard import best_measured
from archsearch.engine.ledger import Ledger
from archsearch.engine.model import (
    Attempt,
    AttemptState,
    Facts,
    Phase,
    Result,
    Trial,
)

ENDS = ("report", "report", "report", "report", "error", "nan", "silent", "crash")


class Searches(RuleBasedStateMachine):
    @initialize(
        parallelism=st.integers(1, 4),
        lookahead=st.integers(0, 2),
        reproducible=st.booleans(),
        duplicates=st.sampled_from(["Reuse", "Retrain"]),
        options=st.sampled_from([1, 2, 4]),
        most=st.integers(1, 15),
        retries=st.integers(0, 1),
        max_failed=st.sampled_from([1, 100]),
        goal=st.sampled_from([None, 0.9]),
        deadline=st.sampled_from([None, "50s"]),
        confirm=st.sampled_from([0, 1, 3]),
    )
    def begin(
        self, parallelism: int, options: int, most: int, max_failed: int, goal: float | None, **rest: Any
    ) -> None:
        trials = {name: value for name, value in (rest | {"target": goal}).items() if value is not None}
        search = manifest(
            options, parallelism=parallelism, max=most, maxFailed=max_failed, maxConsecutiveDuplicates=6, **trials
        )
        self.world = World(search, options)
        self.confirm = search.spec.trials.confirm
        self.most_parallel = parallelism
        self.terminal: dict[int, Trial] = {}

    @rule(crash_after=st.integers(0, 12), survive=st.booleans())
    def killed_in_a_pass(self, crash_after: int, survive: bool) -> None:
        if self.world.outcome is None:
            try:
                self.world.apply(self.world.plan(), crash_after)
            except CrashError:
                self.world.restart(children_survive=survive)

    @rule(passes=st.integers(1, 4))
    def passes(self, passes: int) -> None:
        for _ in range(passes):
            if self.world.outcome is None:
                self.world.apply(self.world.plan())

    @rule()
    def the_same_facts_twice(self) -> None:
        if self.world.outcome is None:
            assert self.world.plan() == self.world.plan(), "decide is pure"

    @precondition(lambda self: self.world.running)
    @rule(data=st.data(), how=st.sampled_from(ENDS), reward=st.floats(0, 1))
    def a_child_ends(self, data: st.DataObject, how: str, reward: float) -> None:
        self.world.end(data.draw(st.sampled_from(self.world.running)), how, reward)

    @precondition(lambda self: self.world.running)
    @rule(data=st.data())
    def a_child_is_lost(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(self.world.running))
        self.world.attempts[key] = Attempt(*key, AttemptState.LOST, reason="Evicted")

    @rule()
    def the_controller_dies(self) -> None:
        self.world.controller = None

    @rule()
    def the_controller_is_back(self) -> None:
        if self.world.controller is None:
            self.world.controller = FoldController(self.world.options)

    @rule(seconds=st.integers(1, 5))
    def time_passes(self, seconds: int) -> None:
        self.world.clock += seconds

    @rule(suspend=st.booleans(), parallelism=st.integers(0, 4))
    def the_manifest_is_edited(self, suspend: bool, parallelism: int) -> None:
        search, trials = self.world.search, self.world.search.spec.trials
        if not trials.reproducible:
            trials = trials.model_copy(update={"parallelism": parallelism})
            self.most_parallel = max(self.most_parallel, parallelism)
        spec = search.spec.model_copy(update={"suspend": suspend, "trials": trials})
        self.world.search = search.model_copy(update={"spec": spec})

    @rule(more=st.integers(0, 3), confirm=st.integers(0, 4))
    def it_goes_on_with_more_children_or_confirmations(self, more: int, confirm: int) -> None:
        search = self.world.search
        trials = search.spec.trials
        raised = trials.model_copy(update={"max": trials.max + more, "confirm": confirm})
        spec = search.spec.model_copy(update={"trials": raised})
        self.world.search = search.model_copy(update={"spec": spec})
        self.world.outcome, self.confirm = None, confirm

    @invariant()
    def at_most_parallelism_children_run(self) -> None:
        if hasattr(self, "world"):
            assert len(self.world.running) <= self.most_parallel

    @invariant()
    def every_index_has_exactly_one_trial(self) -> None:
        if hasattr(self, "world"):
            assert sorted(self.world.disk) == list(range(len(self.world.disk)))
            asked = [trial for _, trial in sorted(self.world.disk.items()) if trial.confirm_of is None]
            assert [trial.place for trial in asked] == list(range(len(asked)))
            assert len(asked) <= self.world.search.spec.trials.max

    @invariant()
    def a_confirmation_repeats_a_child_and_nobody_is_taught_or_reuses_it(self) -> None:
        for trial in self.world.disk.values() if hasattr(self, "world") else ():
            if trial.confirm_of is not None:
                child = self.world.disk[trial.confirm_of]
                assert (child.genotype, child.confirm_of) == (trial.genotype, None)
                assert trial.confirm_of < trial.index
                assert (trial.observation, trial.reuse_of, trial.duplicate_of) == (None, None, None)
            elif trial.reuse_of is not None:
                assert self.world.disk[trial.reuse_of].confirm_of is None

    @invariant()
    def a_network_has_one_confirmation_at_most(self) -> None:
        if hasattr(self, "world"):
            repeats = [t for t in self.world.disk.values() if t.confirm_of is not None and t.phase is not Phase.STOPPED]
            networks = [self.world.disk[t.confirm_of].network for t in repeats if t.confirm_of is not None]
            assert len(set(networks)) == len(networks)

    @invariant()
    def a_reward_is_taught_exactly_once_in_ledger_order(self) -> None:
        if hasattr(self, "world") and self.world.controller is not None:
            ledger, tells = (
                Ledger(self.world.disk.values(), objective=self.world.search.spec.objective),
                self.world.controller.tells,
            )
            assert tuple(tells) == ledger.tells(0, len(tells))
            assert len({tell.index for tell in tells}) == len(tells)

    @invariant()
    def terminal_trials_never_change(self) -> None:
        if hasattr(self, "world"):
            for index, trial in self.world.disk.items():
                if index in self.terminal and self.terminal[index].observation is not None:
                    assert self.terminal[index] == trial
                if trial.phase.terminal:
                    self.terminal[index] = trial

    @invariant()
    def the_disk_rebuilds_the_ledger(self) -> None:
        if hasattr(self, "world"):
            rebuilt = Ledger(self.world.disk.values(), objective=self.world.search.spec.objective)
            assert rebuilt.log(complete=True) == self.world.ledger.log(complete=True)
            assert (rebuilt.tally, rebuilt.settled) == (self.world.ledger.tally, self.world.ledger.settled)

    @invariant()
    def nothing_is_written_when_nothing_changed(self) -> None:
        if hasattr(self, "world") and self.world.outcome is None:
            plan = self.world.plan()
            written = Ledger(self.world.disk.values(), objective=self.world.search.spec.objective)
            written.put(plan.trials)
            facts = self.world.facts()
            running = {(s.index, s.attempt): Attempt(s.index, s.attempt, AttemptState.RUNNING) for s in plan.starts}
            stopping = {
                (s.index, s.attempt): Attempt(s.index, s.attempt, AttemptState.STOPPING, reason=s.reason)
                for s in plan.stops
            }
            attempts = {(a.index, a.attempt): a for a in facts.attempts} | running | stopping
            again = Facts(tuple(attempts.values()), facts.controller, facts.proposals, facts.active_seconds)
            search, space = self.world.search, self.world.space
            second = decide(search, space, written, again, self.world.now)
            assert (second.trials, second.starts, second.stops) == ((), (), ())

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self.ends()
        if self.world.outcome is not None and self.world.outcome.result is Result.SUCCEEDED:
            self.it_goes_on_with_more_children_or_confirmations(more=2, confirm=self.confirm + 1)
            self.ends()

    def ends(self) -> None:
        finish(self.world)
        assert self.world.outcome is not None, "every search ends once its children do"
        self.every_index_has_exactly_one_trial()
        self.a_network_has_one_confirmation_at_most()
        assert all(trial.phase.terminal for trial in self.world.disk.values())
        self.the_best_are_confirmed()
        fresh = FoldController(self.world.options)
        for entry in Ledger(self.world.disk.values(), objective=self.world.search.spec.objective).log(complete=True):
            if not isinstance(entry, Ask):
                fresh.observe((entry.observation,))
        assert fresh.hash == self.world.final_hash, (
            "the ledger replays to exactly the policy that the search ended with"
        )

    def the_best_are_confirmed(self) -> None:
        spec, outcome = self.world.search.spec, self.world.outcome
        assert outcome is not None
        if outcome.result is Result.FAILED or (spec.trials.deadline is not None and self.world.clock >= 50):
            return
        trials = list(self.world.ledger)
        done = [t for t in trials if t.confirm_of is not None and t.phase is not Phase.STOPPED]
        networks = {trials[t.confirm_of].network for t in done if t.confirm_of is not None}
        assert {t.network for t in best_measured(trials, spec.trials.confirm, spec.objective)} <= networks


TestSearches = Searches.TestCase
TestSearches.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck), print_blob=False
)

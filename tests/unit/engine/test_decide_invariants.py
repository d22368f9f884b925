"""A machine that drives decide() with events, deaths and repeats in any order; DESIGN's invariants by name."""

import hashlib
import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from archsearch.api import ArchitectureSearch
from archsearch.controller_contract import Ask, Observation, Proposal
from archsearch.engine.decide import decide
from archsearch.engine.ledger import Ledger
from archsearch.engine.model import (
    AskFor,
    Attempt,
    AttemptState,
    ControllerFact,
    Facts,
    Outcome,
    Phase,
    Plan,
    Replay,
    Teach,
    Trial,
)
from archsearch.space import build

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
OVER = (AttemptState.EXITED, AttemptState.LOST)


def manifest(options: int = 3, **trials: Any) -> ArchitectureSearch:
    target = trials.pop("target", None)
    objective = {"metric": "accuracy"} | ({} if target is None else {"target": target})
    choices = [{"name": name, "values": list(range(options))} for name in ("a", "b", "c")]
    return ArchitectureSearch.model_validate_json(
        json.dumps(
            {
                "apiVersion": "archsearch.io/v1alpha1",
                "kind": "ArchitectureSearch",
                "metadata": {"name": "s"},
                "spec": {
                    "objective": objective,
                    "searchSpace": {"choices": choices},
                    "trials": trials,
                    "trial": {"task": {"custom": {}}, "command": ["x"]},
                },
            }
        )
    )


class FoldController:
    """A controller whose answers and hash depend on every ask and tell, in order: any slip of the engine shows."""

    def __init__(self, options: int) -> None:
        self.options = options
        self.asks: dict[int, Proposal] = {}
        self.tells: list[Observation] = []

    def answer(self, index: int) -> tuple[int, ...]:
        told = [(tell.index, tell.reward) for tell in self.tells]
        digest = hashlib.sha256(json.dumps([index, told]).encode()).digest()
        return tuple(byte % self.options for byte in digest[:3])

    def propose(self, index: int, version: int | None) -> Proposal:
        if index not in self.asks:
            assert index == len(self.asks), "asks happen in the order of their indices"
            assert version in (None, len(self.tells)), "an ask sees exactly the rewards that it was meant to see"
            genotype = self.answer(index)
            self.asks[index] = Proposal(
                index=index, genotype=genotype, policy_version=len(self.tells), log_probability=-1.0
            )
        return self.asks[index]

    def observe(self, observations: tuple[Observation, ...]) -> None:
        for observation in observations:
            if observation.number < len(self.tells):
                assert self.tells[observation.number] == observation, "a reward is taught once, and never another"
            else:
                assert observation.number == len(self.tells), "rewards are taught in ledger order, without gaps"
                self.tells.append(observation)

    def replay(self, ledger: Ledger) -> None:
        self.asks, self.tells = {}, []
        for entry in ledger.log():
            if isinstance(entry, Ask):
                assert entry.policy_version == len(self.tells)
                assert self.answer(entry.index) == entry.genotype, "a replay derives every child anew"
                self.asks[entry.index] = Proposal(
                    index=entry.index,
                    genotype=entry.genotype,
                    policy_version=entry.policy_version,
                    log_probability=-1.0,
                )
            else:
                self.observe((entry.observation,))

    @property
    def hash(self) -> str:
        return hashlib.sha256(repr([(t.index, t.genotype, t.reward) for t in self.tells]).encode()).hexdigest()


class CrashError(Exception):
    """The backend was killed here."""


@dataclass
class World:
    """A backend, its disk, its processes and a controller; any of them may die at any point of a pass."""

    search: ArchitectureSearch
    options: int = 3
    disk: dict[int, Trial] = field(default_factory=dict)
    outcome: Outcome | None = None
    attempts: dict[tuple[int, int], Attempt] = field(default_factory=dict)
    proposals: dict[int, Proposal] = field(default_factory=dict)
    clock: float = 0.0
    started: list[tuple[int, int]] = field(default_factory=list)
    final_hash: str | None = None

    def __post_init__(self) -> None:
        self.space = build(self.search.spec.search_space)
        self.controller: FoldController | None = FoldController(self.options)
        self.ledger = Ledger()

    @property
    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.clock)

    def facts(self) -> Facts:
        for trial in self.ledger.active:
            key = (trial.index, trial.attempts)
            if trial.phase is Phase.RUNNING and key not in self.attempts:
                self.attempts[key] = Attempt(*key, AttemptState.LOST)
        controller = self.controller
        return Facts(
            attempts=tuple(a for (i, _), a in sorted(self.attempts.items()) if not self.terminal(i)),
            controller=None
            if controller is None
            else ControllerFact(version=len(controller.tells), asked=len(controller.asks)),
            proposals=tuple(p for i, p in self.proposals.items() if i >= len(self.ledger)),
            active_seconds=self.clock,
        )

    def terminal(self, index: int) -> bool:
        return index in self.disk and self.disk[index].phase.terminal

    def plan(self) -> Plan:
        return decide(self.search, self.space, self.ledger, self.facts(), self.now)

    def apply(self, plan: Plan, crash_after: int = 10**9) -> None:
        steps: list[Any] = [*plan.stops, *plan.starts, *plan.calls]
        if crash_after == 0:
            raise CrashError
        for trial in plan.trials:
            old = self.disk.get(trial.index)
            assert old is None or not old.phase.terminal or old.observation is None, "terminal trials are immutable"
            self.disk[trial.index] = trial
        self.ledger.put(plan.trials)
        if plan.outcome is not None:
            assert self.controller is not None, "a search ends with a policy that was taught everything"
            self.outcome, self.final_hash = plan.outcome, self.controller.hash
        for number, step in enumerate(steps, start=1):
            if number >= crash_after:
                raise CrashError
            self.do(step)

    def do(self, step: Any) -> None:
        if isinstance(step, Replay | Teach | AskFor):
            self.call(step)
        elif hasattr(step, "input"):
            key = (step.index, step.attempt)
            assert key not in self.started, "an attempt is started once"
            assert self.disk[step.index].attempts == step.attempt, "the trial is written before its process starts"
            self.started.append(key)
            self.attempts[key] = Attempt(*key, AttemptState.RUNNING)
        else:
            key = (step.index, step.attempt)
            self.attempts[key] = Attempt(*key, AttemptState.STOPPING, reason=step.reason)

    def call(self, step: Replay | Teach | AskFor) -> None:
        if self.controller is None:
            return
        if isinstance(step, Replay):
            self.controller.replay(self.ledger)
        elif isinstance(step, Teach):
            self.controller.observe(self.ledger.tells(step.first, step.end))
        else:
            self.proposals[step.index] = self.controller.propose(step.index, step.version)

    def restart(self, *, children_survive: bool) -> None:
        self.proposals.clear()
        self.ledger = Ledger(self.disk.values())
        if not children_survive:
            for key, attempt in self.attempts.items():
                if attempt.state not in OVER:
                    self.attempts[key] = Attempt(*key, AttemptState.LOST)

    def end(self, key: tuple[int, int], how: str, reward: float = 0.0) -> None:
        self.attempts[key] = ended(key, how, reward, self.attempts[key])

    @property
    def running(self) -> list[tuple[int, int]]:
        return [key for key, attempt in sorted(self.attempts.items()) if attempt.state not in OVER]


def ended(key: tuple[int, int], how: str, reward: float, before: Attempt) -> Attempt:
    reports = {
        "report": json.dumps({"version": 1, "metrics": {"accuracy": reward}}).encode(),
        "error": b'{"version":1,"error":{"reason":"Diverged","message":"loss"}}',
        "shared": b'{"version":1,"error":{"reason":"DataMissing","message":"no folder","scope":"Search"}}',
        "nan": b'{"version":1,"metrics":{"accuracy":NaN}}',
        "silent": None,
    }
    if before.state is AttemptState.STOPPING and how != "report":
        return Attempt(*key, AttemptState.EXITED, exit_code=-15, reason=before.reason)
    if how == "crash":
        return Attempt(*key, AttemptState.EXITED, exit_code=1)
    return Attempt(*key, AttemptState.EXITED, exit_code=0, report=reports[how], seconds=1.0)


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
    )
    def begin(
        self, parallelism: int, options: int, most: int, max_failed: int, goal: float | None, **rest: Any
    ) -> None:
        trials = {name: value for name, value in (rest | {"target": goal}).items() if value is not None}
        search = manifest(
            options, parallelism=parallelism, max=most, maxFailed=max_failed, maxConsecutiveDuplicates=6, **trials
        )
        self.world = World(search, options)
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

    @invariant()
    def at_most_parallelism_children_run(self) -> None:
        if hasattr(self, "world"):
            assert len(self.world.running) <= self.most_parallel

    @invariant()
    def every_index_has_exactly_one_trial(self) -> None:
        if hasattr(self, "world"):
            assert sorted(self.world.disk) == list(range(len(self.world.disk)))
            assert len(self.world.disk) <= self.world.search.spec.trials.max

    @invariant()
    def a_reward_is_taught_exactly_once_in_ledger_order(self) -> None:
        if hasattr(self, "world") and self.world.controller is not None:
            ledger, tells = Ledger(self.world.disk.values()), self.world.controller.tells
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
            rebuilt = Ledger(self.world.disk.values())
            assert rebuilt.log(complete=True) == self.world.ledger.log(complete=True)
            assert (rebuilt.tally, rebuilt.settled) == (self.world.ledger.tally, self.world.ledger.settled)

    @invariant()
    def nothing_is_written_when_nothing_changed(self) -> None:
        if hasattr(self, "world") and self.world.outcome is None:
            plan = self.world.plan()
            written = Ledger(self.world.disk.values())
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
        finish(self.world)
        assert self.world.outcome is not None, "every search ends once its children do"
        assert all(trial.phase.terminal for trial in self.world.disk.values())
        fresh = FoldController(self.world.options)
        for entry in Ledger(self.world.disk.values()).log(complete=True):
            if not isinstance(entry, Ask):
                fresh.observe((entry.observation,))
        assert fresh.hash == self.world.final_hash, (
            "the ledger replays to exactly the policy that the search ended with"
        )


def finish(world: World) -> None:
    """Let everything come to its end, children reporting a reward of their own."""
    trials = world.search.spec.trials
    parallelism = max(1, trials.parallelism)
    spec = world.search.spec.model_copy(
        update={"suspend": False, "trials": trials.model_copy(update={"parallelism": parallelism})}
    )
    world.search = world.search.model_copy(update={"spec": spec})
    world.controller = world.controller or FoldController(world.options)
    for _ in range(2000):
        if world.outcome is not None:
            return
        world.apply(world.plan())
        for key in world.running[:1]:
            world.end(key, "report", 0.5)


TestSearches = Searches.TestCase
TestSearches.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck), print_blob=False
)


def lived_through(search: ArchitectureSearch, schedule: random.Random, options: int) -> World:
    """A search in which everything happens in an order drawn by ``schedule``; children report a figure of their own."""
    world = World(search, options)
    while world.outcome is None:
        event = schedule.random()
        if event < 0.08:
            world.controller = FoldController(options)
        elif event < 0.16:
            try:
                world.apply(world.plan(), schedule.randrange(6))
            except CrashError:
                world.restart(children_survive=schedule.random() < 0.5)
        elif event < 0.55 and world.running:
            index, attempt = schedule.choice(world.running)
            digest = hashlib.sha256(repr((index, world.disk[index].genotype)).encode()).digest()
            reward = digest[0] / 255
            world.end((index, attempt), "error" if digest[1] < 30 else "report", reward)
        elif event < 0.6 and world.running:
            key = schedule.choice(world.running)
            world.attempts[key] = Attempt(*key, AttemptState.LOST)
        else:
            world.apply(world.plan())
    return world


@pytest.mark.parametrize(
    ("name", "trials"),
    [
        ("budget", {"max": 30, "parallelism": 3}),
        ("lookahead", {"max": 30, "parallelism": 2, "lookahead": 3}),
        ("target", {"max": 200, "parallelism": 4, "target": 0.97}),
        ("failures", {"max": 200, "parallelism": 4, "maxFailed": 4}),
        ("duplicates", {"max": 200, "parallelism": 3, "maxConsecutiveDuplicates": 4}),
    ],
)
def test_a_reproducible_search_is_the_same_however_trials_were_timed_or_killed(
    name: str, trials: dict[str, Any]
) -> None:
    options = 2 if name == "duplicates" else 4
    search = manifest(options, reproducible=True, retries=0, **({"maxFailed": 100} | trials))
    stories = []
    for seed in range(12):
        world = lived_through(search, random.Random(seed), options)
        taught = world.ledger.taught
        stories.append(
            (
                [(t.index, t.genotype, t.reward, t.phase, t.reuse_of, t.observation) for t in world.ledger][:taught],
                world.outcome,
                world.final_hash,
            )
        )
    assert all(story == stories[0] for story in stories)
    assert len(stories[0][0]) >= 5

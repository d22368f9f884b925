"""A backend, its disk, its processes and a controller in memory: what decide() drives in tests, and may lose."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

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
    seeds: dict[int, int] = field(default_factory=dict)
    """Seed that each trial was given."""

    def __post_init__(self) -> None:
        self.space = build(self.search.spec.search_space)
        self.controller: FoldController | None = FoldController(self.options)
        self.ledger = Ledger(objective=self.search.spec.objective)

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
            proposals=tuple(p for i, p in self.proposals.items() if i >= self.ledger.asked),
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
            assert self.seeds.setdefault(step.index, step.input.seed) == step.input.seed, "attempts share a seed"
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
        self.ledger = Ledger(self.disk.values(), objective=self.search.spec.objective)
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

"""Plain data of the engine: what the ledger holds, what is observed, what is planned."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from archsearch.api import Strategy
from archsearch.controller_contract import Proposal
from archsearch.report import TrialInput
from archsearch.space.base import Architecture, Genotype


class Phase(StrEnum):
    """Where a trial stands."""

    PENDING = "Pending"
    """Recorded; no attempt runs (it waits for a slot, a retry, or the trial whose result it reuses)."""
    RUNNING = "Running"
    """An attempt has been started."""
    SUCCEEDED = "Succeeded"
    """It has a reward."""
    FAILED = "Failed"
    """It will have no reward."""
    STOPPED = "Stopped"
    """The search ended before it did."""

    @property
    def terminal(self) -> bool:
        """Whether the trial is over; a terminal trial never changes, except that its observation number is set."""
        return self in (Phase.SUCCEEDED, Phase.FAILED, Phase.STOPPED)


LOST_TOO_OFTEN = "LostTooOften"
"""Reason of a trial that failed although none of its attempts did: each of them was lost."""


@dataclass(frozen=True)
class Trial:
    """The record of one child, or of the further training of one (a confirmation)."""

    index: int
    genotype: Genotype
    architecture: Architecture
    policy_version: int
    log_probability: float
    created: datetime
    duplicate_of: int | None = None
    """Lowest earlier index of the same network (of equal canonical forms); a confirmation has none."""
    reuse_of: int | None = None
    """The trial whose result this one takes over; never a confirmation, nor has a confirmation one."""
    confirm_of: int | None = None
    """The child that this trial trains once more, with a seed of its own: a confirmation. It was not asked for and is
    not taught. None: a child."""
    ask: int | None = None
    """Place in the order of asks of a child after confirmations; None: no confirmation lies before it."""
    phase: Phase = Phase.PENDING
    attempts: int = 0
    """Attempts started; the last one's number."""
    failures: int = 0
    """Attempts that used up a retry."""
    reward: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    observation: int | None = None
    reason: str | None = None
    """Why the last attempt failed, or how the trial ended, in CamelCase."""
    message: str | None = None
    shared_fault: bool = False
    """Its report's error says that every child will fail alike (ErrorScope.SEARCH)."""
    started: datetime | None = None
    """Start of the first attempt."""
    completed: datetime | None = None
    seconds: float = 0.0
    """Time that its attempts have run, added up."""
    cpu_seconds: float = 0.0
    """CPU time that its attempts have used, added up; 0 where the backend cannot tell."""

    @property
    def place(self) -> int:
        """Place of a child in the order of asks, as the controller counts them: its index, less the confirmations
        before it."""
        return self.index if self.ask is None else self.ask

    @property
    def network(self) -> int:
        """The index that stands for the network of a child: the lowest of all children of the same network."""
        return self.index if self.duplicate_of is None else self.duplicate_of


@dataclass(frozen=True)
class Confirmed(Trial):
    """A child as it is judged after its confirmation: ``reward`` and each metric are means over both trainings.

    A metric that only one of them reported is that one's. Never stored: the ledger keeps what each training reported.
    """

    confirmed_by: int = 0
    """Index of its confirmation."""
    rewards: tuple[float, ...] = ()
    """The rewards that ``reward`` is the mean of: the child's own, then its confirmation's."""
    own_metrics: Mapping[str, float] = field(default_factory=dict)
    """What the child's own training measured: limits are judged by it alone."""


# --- what is observed ---------------------------------------------------------------------------------------------


class AttemptState(StrEnum):
    """Where an attempt stands."""

    RUNNING = "Running"
    STOPPING = "Stopping"
    """Asked to stop (a Stop of an earlier plan), not ended yet."""
    EXITED = "Exited"
    """Its program has ended; exit code and report are known."""
    LOST = "Lost"
    """It vanished and nobody knows how it ended (killed with its backend, evicted, node lost): no retry is used up."""


@dataclass(frozen=True)
class Attempt:
    """What the backend sees of one attempt."""

    index: int
    attempt: int
    state: AttemptState
    exit_code: int | None = None
    """Exit code, negative for a signal, as Python's subprocess has it."""
    report: bytes | None = None
    """The bytes of its report, None if there are none."""
    reason: str | None = None
    """Why it was lost, or the reason of the Stop that ended it (DeadlineExceeded, Suspended, SearchEnded)."""
    message: str | None = None
    seconds: float = 0.0
    """Time that it has run."""
    cpu_seconds: float = 0.0
    """User and system time that it has used; 0 where the backend cannot tell."""


@dataclass(frozen=True)
class ControllerFact:
    """What the controller has said of itself; None when it cannot be reached."""

    version: int
    """Observations it has been taught."""
    asked: int
    """Children it has been asked for."""


@dataclass(frozen=True)
class Facts:
    """Everything observed in one pass."""

    attempts: tuple[Attempt, ...] = ()
    """Every attempt of a trial that the ledger does not hold as terminal."""
    controller: ControllerFact | None = None
    proposals: tuple[Proposal, ...] = ()
    """Answers of the controller that are not in the ledger yet."""
    active_seconds: float = 0.0
    """Time that the search has been active (not suspended, not down)."""
    lingering: int = 0
    """Slots still held by attempts whose trial is over in the ledger: a program that has ended, a pod that has not."""
    forgiven: int = 0
    """Observations with lower numbers are not looked at for a fault that every child shares: the user has started the
    search again after it had ended by one."""
    strategy: Strategy | None = None
    """The strategy that the search was begun with and goes on with, whatever today's default is; None: that of the
    manifest."""


# --- what is planned ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Start:
    """Start an attempt; it is in the ledger before."""

    index: int
    attempt: int
    input: TrialInput


@dataclass(frozen=True)
class Stop:
    """Stop an attempt."""

    index: int
    attempt: int
    reason: str


@dataclass(frozen=True)
class Teach:
    """Teach all observations of the ledger from ``first`` up to but without ``end``."""

    first: int
    end: int


@dataclass(frozen=True)
class AskFor:
    """Ask for the child at place ``index`` in the order of asks; ``version``: with exactly so many observations taught,
    None: whatever has been."""

    index: int
    version: int | None


@dataclass(frozen=True)
class Replay:
    """The controller's state is not the ledger's: fold the whole ledger into it, from nothing."""


Call = Teach | AskFor | Replay


class Result(StrEnum):
    """How a search ends."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclass(frozen=True)
class Outcome:
    """The end of a search: ``reason`` in CamelCase (MaxTrialsReached, TargetReached, DeadlineReached, SpaceExhausted,
    PolicyCollapsed; TooManyFailures, or the reason of an error that every child shares)."""

    result: Result
    reason: str
    message: str


@dataclass(frozen=True)
class Plan:
    """What to do now, in this order: write ``trials`` (one transaction), stop, start, call the controller.

    ``trials`` are whole new values of trials that are new or have changed. ``outcome`` is set once nothing is left
    to do; it is written in the same transaction.
    """

    trials: tuple[Trial, ...] = ()
    stops: tuple[Stop, ...] = ()
    starts: tuple[Start, ...] = ()
    calls: tuple[Call, ...] = ()
    outcome: Outcome | None = None
    warnings: tuple[str, ...] = ()
    """What the user should be told now (a collapsing policy, say); the backend tells each text once."""
    wake_after: float | None = None
    """Seconds after which the clock alone changes the answer."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.trials or self.stops or self.starts or self.calls or self.outcome)

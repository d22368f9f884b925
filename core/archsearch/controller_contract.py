"""The controller contract: the messages between the engine and the controller, JSON over HTTP.

=======  ==================  ====================  ===================
verb     path                request               answer
=======  ==================  ====================  ===================
GET      /healthz            none                  ``Health``
POST     /v1/propose         ``ProposeRequest``    ``Proposal``
POST     /v1/observe         ``ObserveRequest``    ``PolicyState``
POST     /v1/replay          ``ReplayRequest``     ``PolicyState``
GET      /v1/policy          none                  ``PolicyState``
=======  ==================  ====================  ===================

All but /healthz need ``Authorization: Bearer <token>``. An error is ``Problem`` with status 400 (bad body), 401, 409
(the request does not fit the controller's state: replay), 413, 422 (a proposal cannot be given), 500, or 503 with
reason ``DeadlineExceeded`` (a proposal is not ready yet: the controller works on, ask again).

A strategy's state is a fold over the log of asks and tells in the ledger's order, and nothing else. Asks happen in the
order of their indices; ask i comes after exactly ``policyVersion`` tells. ``propose`` is idempotent by index,
``observe`` by observation number; ``replay`` starts from nothing.
"""

from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from archsearch.api.base import Model


class ProposeRequest(Model):
    """Ask for child ``index``."""

    index: int = Field(ge=0)
    version: int | None = Field(default=None, ge=0)
    """Number of observations that must have been taught exactly (a new ask only); None: whatever has been."""


class Proposal(Model):
    """A sampled child."""

    index: int = Field(ge=0)
    genotype: tuple[int, ...] = Field(max_length=100_000)
    policy_version: int = Field(ge=0)
    """Observations taught when it was sampled."""
    log_probability: float
    """Natural logarithm of the probability of the genotype under the policy that sampled it."""


class Observation(Model):
    """What the policy is told of one child; numbers are consecutive from 0."""

    number: int = Field(ge=0)
    """Its place in the order in which rewards are taught."""
    index: int = Field(ge=0)
    """The child."""
    genotype: tuple[int, ...] = Field(max_length=100_000)
    """The genotype that was evaluated."""
    reward: float | None = None
    """Its reward; None: the trial failed."""
    excused: bool = False
    """The child failed by no fault of its own (lost too often, or by a fault that every child shares): nothing is known
    of its network. Only where there is no reward."""

    @model_serializer(mode="wrap")
    def _as_ever(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Left out where it says nothing: a search goes on with the controller image that it began with, which may be
        of a release that does not know the field."""
        written: dict[str, Any] = write(self)
        if not self.excused:
            written.pop("excused", None)
        return written


class ObserveRequest(Model):
    """Teach observations: consecutive, starting at or before the next one that is due."""

    observations: tuple[Observation, ...] = Field(min_length=1, max_length=100_000)


class Ask(Model):
    """A logged ask."""

    type: Literal["ask"] = "ask"
    index: int = Field(ge=0)
    genotype: tuple[int, ...] = Field(max_length=100_000)
    policy_version: int = Field(ge=0)


class Tell(Model):
    """A logged tell."""

    type: Literal["tell"] = "tell"
    observation: Observation


class ReplayRequest(Model):
    """Forget everything, then fold this log."""

    log: tuple[Ask | Tell, ...]
    verify: bool = False
    """Derive each ask anew and compare with the log (audit)."""


class Mismatch(Model):
    """A logged ask that the policy would answer otherwise."""

    index: int
    logged: tuple[int, ...]
    derived: tuple[int, ...]


class OptionProbabilities(Model):
    """What the policy prefers at one decision, averaged over its own samples of the decisions before."""

    decision: str
    kind: str
    options: tuple[bool | int | float | str, ...]
    probabilities: tuple[float, ...]


class PolicyState(Model):
    """The policy as it stands."""

    strategy: str
    version: int
    """Observations taught."""
    asked: int
    """Children asked for."""
    hash: str
    """SHA-256 over the whole state of the strategy, in hexadecimal."""
    entropy: float | None = None
    """Entropy of a decision, in nats, averaged over the decisions of recent proposals."""
    baseline: float | None = None
    """Moving average of rewards, where the strategy has one."""
    decisions: tuple[OptionProbabilities, ...] | None = None
    """Decision distributions (GET /v1/policy only: they cost more)."""
    mismatches: tuple[Mismatch, ...] | None = None
    """After a replay with verify: what differed; empty when all agreed."""


class Health(Model):
    """The controller is up."""

    status: Literal["ok"] = "ok"
    version: int
    asked: int


class Problem(Model):
    """Why a request was refused."""

    reason: str
    """CamelCase."""
    message: str

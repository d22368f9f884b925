"""``ArchitectureSearch.status``: how far the search is, how good, and what stands in its way."""

from typing import Annotated

from pydantic import Field

from archsearch.api.base import MetricName, Model, list_map, unit
from archsearch.api.conditions import Condition, Time
from archsearch.api.strategy import Strategy

BEST = 25
"""Children in status.best."""
TrialName = Annotated[str, Field(min_length=1, max_length=63)]
Hash = Annotated[str, Field(max_length=128)]


class Counts(Model):
    """Children by where they stand; they add up to those sampled. Confirmations are counted apart, as trials."""

    pending: int = Field(default=0, ge=0, json_schema_extra=unit("children"))
    """Waiting for a slot, a retry, or another child's result."""
    running: int = Field(default=0, ge=0, json_schema_extra=unit("children"))
    """Being trained."""
    succeeded: int = Field(default=0, ge=0, json_schema_extra=unit("children"))
    """With a reward, those that reused another's result among them."""
    failed: int = Field(default=0, ge=0, json_schema_extra=unit("children"))
    """Without a reward, for good."""
    stopped: int = Field(default=0, ge=0, json_schema_extra=unit("children"))
    """Not over when the search ended."""
    reused: int = Field(default=0, ge=0, json_schema_extra=unit("children"))
    """Of all these, those that took over the result of an equal child."""
    confirming: int = Field(default=0, ge=0, json_schema_extra=unit("trials"))
    """Confirmations (trials.confirm) that are not over."""
    confirmed: int = Field(default=0, ge=0, json_schema_extra=unit("trials"))
    """Confirmations that have succeeded."""
    unconfirmed: int = Field(default=0, ge=0, json_schema_extra=unit("trials"))
    """Confirmations that have failed, or were not over when the search ended."""


class BestTrial(Model):
    """One of the best children."""

    trial: TrialName
    """Name of its ArchitectureTrial."""
    index: int = Field(ge=0)
    """Its place in the ledger."""
    reward: float
    """Its reward; of a child that was confirmed, the mean of both trainings."""
    metrics: dict[MetricName, float] = Field(default={}, max_length=64)
    """Everything that it reported; of a child that was confirmed, means likewise."""
    confirmed_by: int | None = Field(default=None, ge=0)
    """Index of the trial that trained it once more; left out: it is not confirmed."""
    rewards: tuple[float, ...] | None = Field(default=None, max_length=2)
    """The rewards of both trainings, its own first; left out: it is not confirmed."""


class PolicyStatus(Model):
    """The policy as it stands."""

    strategy: str = Field(default="", max_length=63)
    """Name of the strategy."""
    version: int = Field(default=0, ge=0, json_schema_extra=unit("observations"))
    """Observations it has been taught."""
    asked: int = Field(default=0, ge=0, json_schema_extra=unit("children"))
    """Children it has been asked for."""
    hash: Hash = ""
    """SHA-256 over its whole state: equal hashes are equal policies."""
    entropy: float | None = None
    """Entropy of a decision in nats, averaged over recent proposals; falls as the policy makes up its mind."""
    baseline: float | None = None
    """Moving average of rewards, where the strategy has one."""


class Resolved(Model):
    """What the manifest left open, as it was filled in when the search was accepted; it stays for this search."""

    strategy: Strategy
    """The strategy with every default written out."""
    controller_image: str | None = Field(default=None, max_length=1024)
    """Image of the controller, by digest where the node tells it."""
    trial_image: str | None = Field(default=None, max_length=1024)
    """Image of the trials where the manifest names none."""


class SearchStatus(Model):
    """How far the search is, how good, and what stands in its way."""

    observed_generation: int = Field(default=0, ge=0)
    """metadata.generation of the manifest that this status speaks of."""
    conditions: tuple[Condition, ...] = Field(default=(), max_length=16, json_schema_extra=list_map("type"))
    """Ready, Progressing, Suspended, Succeeded, Failed, PolicyDiverged."""
    progress: str = Field(default="", max_length=32)
    """Children over of those allowed, as 17/24."""
    counts: Counts = Counts()
    """Children by where they stand."""
    best: tuple[BestTrial, ...] = Field(default=(), max_length=BEST)
    """The best children, best first."""
    best_reward: float | None = None
    """Reward of the best child."""
    pareto: tuple[BestTrial, ...] = Field(default=(), max_length=BEST)
    """Where objective.also names further metrics: children that no other beats in all of them, best reward first."""
    policy: PolicyStatus = PolicyStatus()
    """The policy as it stands."""
    resolved: Resolved | None = None
    """What the manifest left open, as it was filled in."""
    gpu_seconds: float = Field(default=0.0, ge=0, json_schema_extra=unit("s"))
    """Time that children have held GPUs, times the number of GPUs."""
    active_seconds: float = Field(default=0.0, ge=0, json_schema_extra=unit("s"))
    """Time that the search has been active: neither suspended nor without an operator. Counts for trials.deadline."""
    forgiven: int = Field(default=0, ge=0, json_schema_extra=unit("observations"))
    """Observations below this number are no longer looked at for a fault that every child shares."""
    start_time: Time | None = None
    """When the search was accepted."""
    completion_time: Time | None = None
    """When it ended."""
    warnings: tuple[Annotated[str, Field(max_length=4096)], ...] = Field(default=(), max_length=32)
    """What its user should know, each told once."""

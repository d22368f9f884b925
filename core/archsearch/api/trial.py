"""``ArchitectureTrial``: the record of one child, and with its siblings the ledger of a search."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from archsearch.api.base import MetricName, Model, unit
from archsearch.api.conditions import Time
from archsearch.api.patterns import DNS_LABEL
from archsearch.api.search import Metadata

Token = Annotated[int, Field(ge=0, le=2**31 - 1)]
MAX_TOKENS = 100_000
"""Longest genotype; as long as the controller contract allows."""


class SampledBy(Model):
    """The policy that sampled a child."""

    policy_version: int = Field(ge=0, json_schema_extra=unit("observations"))
    """Observations that it had been taught."""
    log_probability: float
    """Natural logarithm of the probability that it gave this genotype."""


class TrialSpec(Model):
    """What was sampled; it never changes."""

    search_name: str = Field(min_length=1, max_length=46)
    """Name of the search, in the same namespace."""
    index: int = Field(ge=0, le=1_000_000)
    """Its place in the ledger, from 0, without gaps."""
    genotype: tuple[Token, ...] = Field(max_length=MAX_TOKENS)
    """The tokens that the policy emitted."""
    architecture: dict[str, JsonValue] = Field(max_length=1024)
    """The network that they say."""
    sampled_by: SampledBy
    """The policy that sampled it."""
    duplicate_of: int | None = Field(default=None, ge=0)
    """Lowest earlier index of the same network."""
    reuse_of: int | None = Field(default=None, ge=0)
    """The trial whose result this one takes over."""
    confirm_of: int | None = Field(default=None, ge=0)
    """The child that this trial trains once more with a fresh seed; left out: it is a child itself."""
    ask: int | None = Field(default=None, ge=0)
    """Its place in the order of asks, where confirmations lie before it; left out: its index."""


class TrialStatus(Model):
    """How it went. Left out: recorded, nothing started."""

    phase: Literal["Pending", "Running", "Succeeded", "Failed", "Stopped"] = "Pending"
    """Where it stands; Succeeded, Failed and Stopped are final."""
    reward: float | None = None
    """The number that teaches; absent unless it succeeded."""
    metrics: dict[MetricName, float] = Field(default={}, max_length=64)
    """Everything that it reported."""
    observation: int | None = Field(default=None, ge=0)
    """Its place in the order in which rewards were taught."""
    attempts: int = Field(default=0, ge=0, json_schema_extra=unit("attempts"))
    """Attempts started; each is a Job."""
    failures: int = Field(default=0, ge=0, json_schema_extra=unit("attempts"))
    """Attempts that used up a retry."""
    reason: str | None = Field(default=None, max_length=128)
    """Why the last attempt failed, or how the trial ended, in one CamelCase word."""
    message: str | None = Field(default=None, max_length=4096)
    """The same, for people."""
    shared_fault: bool = False
    """Its error says that every child will fail alike."""
    start_time: Time | None = None
    """Start of the first attempt."""
    completion_time: Time | None = None
    """When it was over."""
    seconds: float = Field(default=0.0, ge=0, json_schema_extra=unit("s"))
    """Time that its attempts have run, added up."""
    gpu_seconds: float = Field(default=0.0, ge=0, json_schema_extra=unit("s"))
    """The same times the GPUs that each attempt held."""
    process_started: Time | None = None
    """Start of the last attempt's program, to the nanosecond, as its report says."""
    process_ended: Time | None = None
    """When that program wrote its report, to the nanosecond."""
    node: str | None = Field(default=None, max_length=253)
    """Node of the last attempt."""


class TrialMetadata(Metadata):
    """Name and labels of a trial."""

    name: str = Field(min_length=1, max_length=53, pattern=DNS_LABEL)
    """Name of the trial: <search>-<index, six digits>."""


class ArchitectureTrial(Model):
    """The record of one child of an ArchitectureSearch. Made and kept by the operator."""

    api_version: Literal["archsearch.io/v1alpha1"] = Field(alias="apiVersion")
    """archsearch.io/v1alpha1."""
    kind: Literal["ArchitectureTrial"]
    """ArchitectureTrial."""
    metadata: TrialMetadata
    """Name (<search>-<index, six digits>) and labels."""
    spec: TrialSpec
    """What was sampled; it never changes."""
    status: TrialStatus = TrialStatus()
    """How it went."""

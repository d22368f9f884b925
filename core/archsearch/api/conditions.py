"""Conditions: what is true of a resource, why, and since when; the types and reasons that a search uses."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from archsearch.api.base import Model

Time = Annotated[str, Field(min_length=20, max_length=35, json_schema_extra={"format": "date-time"})]
"""A time as RFC 3339 has it, in UTC: 2026-01-31T12:00:00Z, with up to nine digits after the seconds."""


class ConditionType(StrEnum):
    """What a condition of a search is about."""

    READY = "Ready"
    """The manifest has been accepted: True, or False with every mistake in the message."""
    PROGRESSING = "Progressing"
    """Whether children are being proposed and trained; the reason says what the search is doing, in a word."""
    SUSPENDED = "Suspended"
    """spec.suspend is true and nothing runs any more."""
    SUCCEEDED = "Succeeded"
    """The search has ended well; the reason is the rule that ended it."""
    FAILED = "Failed"
    """The search has ended and cannot go on by itself."""
    POLICY_DIVERGED = "PolicyDiverged"
    """A replay of the ledger gave another policy (another kind of CPU, another release); the ledger is what counts."""


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Model):
    """One condition, as metav1.Condition has it."""

    type: ConditionType
    """What it is about."""
    status: ConditionStatus
    """Whether it holds."""
    reason: str = Field(min_length=1, max_length=128, pattern=r"^[A-Z][A-Za-z0-9]*$")
    """Why, in one CamelCase word."""
    message: str = Field(default="", max_length=32_768)
    """Why, for people."""
    last_transition_time: Time
    """When its status last changed."""
    observed_generation: int = Field(default=0, ge=0)
    """metadata.generation of the manifest that it speaks of."""

"""The trial contract: what a trial is given, what it must report, and how a report is read.

Any image can honour it in any language. In: the environment variable ``ARCHSEARCH_TRIAL`` holds :class:`TrialInput`
as JSON (where it is large, ``ARCHSEARCH_TRIAL_FILE`` names a file with the same JSON); ``ARCHSEARCH_REPORT`` says
where to write. Out: one JSON document of at most :data:`LIMIT` bytes, and exit code 0 once it is written.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pydantic import Field, JsonValue

from archsearch.api.base import Model

TRIAL_VARIABLE = "ARCHSEARCH_TRIAL"
TRIAL_FILE_VARIABLE = "ARCHSEARCH_TRIAL_FILE"
REPORT_VARIABLE = "ARCHSEARCH_REPORT"
LIMIT = 2048
"""Largest report in bytes: the kubelet keeps 4 kB of a termination message, shared 12 kB in a pod."""


class TrialInput(Model):
    """What a trial is given."""

    search: str
    """Name of the search."""
    trial: str
    """Name of the trial, ``<search>-<index, six digits>``."""
    index: int = Field(ge=0)
    """Place of the child in its search."""
    architecture: dict[str, JsonValue]
    """The network to train."""
    task: dict[str, JsonValue]
    """``spec.trial.task`` as the manifest has it."""
    seed: int = Field(ge=0)
    """Seed of everything random in the trial; the same for every attempt."""
    attempt: int = Field(ge=1)
    """Number of this attempt, from 1."""
    threads: int = Field(default=1, ge=1)
    """CPU threads to use."""


class ErrorScope(StrEnum):
    """Whose fault an error is."""

    CHILD = "Child"
    SEARCH = "Search"


class ReportError(Model):
    """Why a trial could not measure its child."""

    reason: str = Field(min_length=1, max_length=63, pattern=r"^[A-Z][A-Za-z0-9]*$")
    """CamelCase reason, for programs."""
    message: str = Field(max_length=1024)
    """What happened and what to do, for people."""
    scope: ErrorScope = ErrorScope.CHILD
    """Child: another child may do better. Search: every child will fail alike (data missing, task unusable)."""


class Report(Model):
    """What a trial reports."""

    version: Literal[1] = 1
    """Version of this contract."""
    metrics: dict[str, float] = Field(default={}, max_length=64)
    """Every number measured; the objective's metric among them unless there is an error."""
    error: ReportError | None = None
    """Why there is no measurement."""


@dataclass(frozen=True)
class ReportProblem:
    """Why bytes are not a report: each kind has its own CamelCase ``reason``; ``message`` says value and remedy."""

    reason: str
    message: str


def parse_report(data: bytes | None) -> Report | ReportProblem:
    """Read a report strictly; never raises."""
    raise NotImplementedError

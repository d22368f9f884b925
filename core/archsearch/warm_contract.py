"""The warm-process contract: how the local backend has children started, as JSON lines over stdin and stdout.

``python -m archsearch.trial.warm`` imports torch once, says ``Ready``, then forks a child for each ``StartChild`` (on
macOS: spawns). It leads its own session; when its stdin closes it kills every child and ends, and a child never
outlives it. For every child that ends, it first writes ``ChildExited`` atomically to ``exit_file`` (so that nothing is
lost if the backend is killed), then prints it. Children are process-group leaders; stdout and stderr go to ``log``.
"""

from typing import Annotated, Literal

from pydantic import Field

from archsearch.api.base import Model
from archsearch.report import TrialInput

WARM_ENDED = "WarmProcessEnded"
"""Stop reason of children that the warm process ended because it ended itself: through no fault of theirs."""


class StartChild(Model):
    """Request: start one attempt."""

    type: Literal["start"] = "start"
    id: str
    """``<index, six digits>-<attempt>``."""
    input: TrialInput
    command: tuple[str, ...] | None = None
    """Program to execute instead of the default trial program (``spec.trial.command``)."""
    report_file: str
    """Where the report goes: ARCHSEARCH_REPORT of the child."""
    exit_file: str
    """Where ``ChildExited`` is written when it has ended."""
    log: str
    """File for its stdout and stderr (appended)."""
    folder: str
    """Working directory of the child: where the manifest's relative paths start."""


class StopChild(Model):
    """Request: end one attempt, SIGTERM first, SIGKILL after ``grace_seconds``."""

    type: Literal["stop"] = "stop"
    id: str
    grace_seconds: float = 2.0
    reason: str | None = None
    """Kept in its ChildExited, for example DeadlineExceeded."""


class Ready(Model):
    """Answer: torch is imported."""

    type: Literal["ready"] = "ready"
    pid: int


class ChildStarted(Model):
    """Answer: it runs."""

    type: Literal["started"] = "started"
    id: str
    pid: int


class ChildExited(Model):
    """Answer, and the content of ``exit_file``: it has ended and has been reaped."""

    type: Literal["exited"] = "exited"
    id: str
    exit_code: int
    """As Python's subprocess has it: negative for a signal."""
    seconds: float
    """Wall time from its fork."""
    cpu_seconds: float = 0.0
    """User and system time that it used."""
    max_rss_bytes: int = 0
    """Its largest resident memory."""
    stop_reason: str | None = None
    """The reason of a StopChild, if one ended it."""


Request = Annotated[StartChild | StopChild, Field(discriminator="type")]
Answer = Annotated[Ready | ChildStarted | ChildExited, Field(discriminator="type")]

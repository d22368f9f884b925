"""The human baseline: the network that a person would draw, trained at the end as one more child, and tried again."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

from archsearch.api import seconds
from archsearch.engine.model import Attempt, AttemptState, Phase, Trial
from archsearch.engine.record import HumanBaseline, SearchRecord
from archsearch.engine.running import trial_seed
from archsearch.engine.settle import settled
from archsearch.local.attempts import DEADLINE_EXCEEDED, Attempts
from archsearch.local.folder import Attempt as Files
from archsearch.local.folder import Folder
from archsearch.local.runner import Runner
from archsearch.report import TrialInput
from archsearch.space.base import Architecture

_TIMES_LONGEST = 10.0
_AT_LEAST = 60.0
_LOST = 3
"""Attempts that may be lost through no fault of the baseline before another one is not worth it."""


def human_input(record: SearchRecord, architecture: Architecture, attempt: int = 1) -> TrialInput:
    """The human baseline as one more child: the same task, a seed of its own."""
    manifest = record.manifest
    index = len(record.trials)
    return TrialInput(
        search=manifest.metadata.name,
        trial=f"{manifest.metadata.name}-human",
        index=index,
        architecture=architecture,
        task=manifest.spec.trial.task.model_dump(mode="json", exclude_none=True),
        seed=trial_seed(manifest.spec.seed, index),
        attempt=attempt,
    )


def human_limit(record: SearchRecord) -> tuple[float, str]:
    """Seconds that an attempt of the human baseline may run, and how that limit is called.

    ``spec.trial.deadline`` where it is set; else ten times what the longest child took, and a minute at least.
    """
    deadline = record.manifest.spec.trial.deadline
    if deadline is not None:
        return float(seconds(deadline)), f"spec.trial.deadline ({deadline})"
    limit = max([_AT_LEAST, *(_TIMES_LONGEST * trial.seconds for trial in record.trials)])
    return limit, f"{limit:.0f} s, ten times the longest child's time (spec.trial.deadline sets another limit)"


async def train_human(
    record: SearchRecord,
    architecture: Architecture,
    folder: Folder,
    attempts: Attempts,
    runner: Runner,
    next_event: Callable[[], Awaitable[bool]],
) -> HumanBaseline | None:
    """Train the human baseline, with the retries of a child; None if it was interrupted.

    ``next_event`` waits for a wake-up, and is False once the run must end.
    """
    files = Files(folder.human)
    limit = human_limit(record)
    trial = Trial(len(record.trials), (), architecture, 0, 0.0, datetime.now(UTC))
    while not trial.phase.terminal and trial.attempts - trial.failures <= _LOST:
        trial = replace(trial, phase=Phase.RUNNING, attempts=trial.attempts + 1)
        given = human_input(record, architecture, trial.attempts)
        await attempts.launch(attempts.request(_name(trial), files, given), files)
        ended = await _end_of(trial, files, attempts, runner, limit, next_event)
        if ended is None:
            return None
        trial = settled(record.manifest.spec, trial, ended, datetime.now(UTC))
    if trial.phase is Phase.SUCCEEDED:
        return HumanBaseline(architecture=architecture, metrics=dict(trial.metrics), seconds=trial.seconds)
    return HumanBaseline(architecture=architecture, seconds=trial.seconds, reason=f"{trial.reason}: {trial.message}")


async def _end_of(
    trial: Trial,
    files: Files,
    attempts: Attempts,
    runner: Runner,
    limit: tuple[float, str],
    next_event: Callable[[], Awaitable[bool]],
) -> Attempt | None:
    """The attempt once it has ended or is lost, stopped if it ran too long; None if the run must end before."""
    while True:
        seen = attempts.look(_name(trial), files, trial.index, trial.attempts)
        if seen.state in (AttemptState.EXITED, AttemptState.LOST):
            overdue = seen.reason == DEADLINE_EXCEEDED
            return replace(seen, message=f"it ran longer than {limit[1]}") if overdue else seen
        if seen.state is AttemptState.RUNNING and seen.seconds > limit[0]:
            await runner.stop(_name(trial), DEADLINE_EXCEEDED)
        if not await next_event():
            return None


def _name(trial: Trial) -> str:
    return f"human-{trial.attempts}"

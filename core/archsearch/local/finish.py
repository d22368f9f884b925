"""What follows a search's end: the human baseline, best/, the page. Each step may be repeated."""

import json
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import asdict

from archsearch.engine.model import Phase, Trial
from archsearch.engine.record import HumanBaseline, SearchRecord
from archsearch.engine.rewards import reward_of
from archsearch.engine.running import trial_seed
from archsearch.local.attempts import Attempts
from archsearch.local.crash import durable
from archsearch.local.folder import Attempt, Folder
from archsearch.local.refusals import refusals
from archsearch.local.runner import Ended, Runner
from archsearch.report import Report, ReportProblem, TrialInput, parse_report
from archsearch.space.base import Architecture

HUMAN = "human-1"
"""Name of the human baseline's attempt."""


def human_input(record: SearchRecord, architecture: Architecture) -> TrialInput:
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
        attempt=1,
    )


async def train_human(
    record: SearchRecord,
    architecture: Architecture,
    folder: Folder,
    attempts: Attempts,
    runner: Runner,
    next_event: Callable[[], Awaitable[bool]],
) -> HumanBaseline | None:
    """Train the human baseline once; None if it was interrupted.

    ``next_event`` waits for a wake-up, and is False once the run must end.
    """
    files = Attempt(folder.human)
    await attempts.launch(attempts.request(HUMAN, files, human_input(record, architecture)), files)
    while True:
        status = runner.status(HUMAN, files)
        if status is None:
            return HumanBaseline(architecture=architecture, reason="AttemptLost: the processes that ran it are gone")
        if isinstance(status, Ended):
            return _judged(record, architecture, status)
        if not await next_event():
            return None


def _judged(record: SearchRecord, architecture: Architecture, ended: Ended) -> HumanBaseline:
    def failed(reason: str) -> HumanBaseline:
        return HumanBaseline(architecture=architecture, seconds=ended.seconds, reason=reason)

    if ended.exit_code != 0:
        return failed(ended.reason or f"it ended with exit code {ended.exit_code}")
    report = parse_report(ended.report)
    if isinstance(report, ReportProblem):
        return failed(f"{report.reason}: {report.message}")
    assert isinstance(report, Report)
    if report.error is not None:
        return failed(f"{report.error.reason}: {report.error.message}")
    reward = reward_of(record.manifest.spec.objective, report.metrics)
    if isinstance(reward, ReportProblem):
        return failed(f"{reward.reason}: {reward.message}")
    return HumanBaseline(architecture=architecture, metrics=dict(report.metrics), seconds=ended.seconds)


def best_trial(trials: tuple[Trial, ...]) -> Trial | None:
    """The child with the highest reward; of equals the lowest index."""
    rewarded = [trial for trial in trials if trial.phase is Phase.SUCCEEDED and trial.reward is not None]
    return max(rewarded, key=lambda trial: (trial.reward, -trial.index), default=None)


def write_best(record: SearchRecord, folder: Folder) -> None:
    """Write best/: the best child's architecture, record, log, and the manifest. Nothing where no child succeeded.

    Raises:
        MachineError: the system refuses it.
    """
    best = best_trial(record.trials)
    if best is not None:
        with refusals(f"{folder.best} cannot be written"):
            _write_best(best, record, folder)


def _write_best(best: Trial, record: SearchRecord, folder: Folder) -> None:
    building = folder.best.with_name("best.new")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir()
    (building / "architecture.json").write_text(_pretty(best.architecture))
    (building / "trial.json").write_text(_pretty({k: v for k, v in asdict(best).items() if v is not None}))
    shutil.copyfile(folder.manifest, building / "search.yaml")
    trained = best.index if best.reuse_of is None else best.reuse_of
    log = folder.attempt(trained, record.trials[trained].attempts).log
    if log.is_file():
        shutil.copyfile(log, building / "log.txt")
    with durable(("best",)):
        shutil.rmtree(folder.best, ignore_errors=True)
        building.rename(folder.best)


def write_page(record: SearchRecord, folder: Folder) -> str | None:
    """Write the report; what went wrong, in a sentence, if it could not be written."""
    try:
        from archsearch.page import write_report
    except ImportError as error:
        remedy = f"`pip install 'archsearch[report]'`, then `archsearch report {folder.root}`"
        return f"no report was written: {error}; {remedy}"
    try:
        with durable(("page",)):
            write_report(record, folder.root)
    except Exception as error:
        return (
            f"no report was written: {type(error).__name__}: {error}; try again with `archsearch report {folder.root}`"
        )
    return None


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, default=str) + "\n"

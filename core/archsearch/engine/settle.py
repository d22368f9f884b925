"""What an ended attempt means for its trial: success, failure for good, or another attempt."""

import signal
from dataclasses import dataclass, replace
from datetime import datetime

from archsearch.api import SearchSpec
from archsearch.engine.model import LOST_TOO_OFTEN, Attempt, AttemptState, Phase, Trial
from archsearch.engine.rewards import reward_of
from archsearch.report import ErrorScope, Report, ReportProblem, parse_report
from archsearch.warm_contract import WARM_ENDED

MAX_LOST = 100
"""Attempts that may be lost through no fault of the trial; a child that takes its node down each time ends here."""

STOPPED_BY_US = ("Suspended", "SearchEnded", WARM_ENDED)
"""Reasons for which an attempt is ended although its trial has not failed."""


@dataclass(frozen=True)
class _Failure:
    reason: str
    message: str
    again: bool
    """Whether another attempt may do better."""
    shared: bool = False


def settled(spec: SearchSpec, trial: Trial, attempt: Attempt, now: datetime) -> Trial:
    """The trial after ``attempt`` has ended (exited or lost): terminal, or pending again."""
    trial = replace(
        trial,
        seconds=trial.seconds + attempt.seconds,
        cpu_seconds=trial.cpu_seconds + attempt.cpu_seconds,
    )
    if attempt.state is AttemptState.LOST:
        return _lost(spec, trial, attempt, now)
    verdict = _verdict(spec, attempt)
    if isinstance(verdict, _Failure):
        return _failed(spec, trial, verdict, now)
    metrics, reward = verdict
    return replace(
        trial, phase=Phase.SUCCEEDED, metrics=metrics, reward=reward, completed=now, reason=None, message=None
    )


def _verdict(spec: SearchSpec, attempt: Attempt) -> tuple[dict[str, float], float] | _Failure:
    if attempt.exit_code != 0:
        return _bad_exit(attempt)
    measured = _measured(spec, attempt)
    if isinstance(measured, _Failure) and attempt.reason is not None:
        # A program may answer our SIGTERM by exit(0): what it could not report then is no fault of its report.
        return _bad_exit(attempt)
    return measured


def _measured(spec: SearchSpec, attempt: Attempt) -> tuple[dict[str, float], float] | _Failure:
    report = parse_report(attempt.report)
    if isinstance(report, Report) and report.error is not None:
        shared = report.error.scope is ErrorScope.SEARCH
        return _Failure(report.error.reason, report.error.message, again=False, shared=shared)
    reward = report if isinstance(report, ReportProblem) else reward_of(spec.objective, report.metrics)
    if isinstance(reward, ReportProblem):
        return _Failure(reward.reason, reward.message, again=False)
    assert isinstance(report, Report)
    return dict(report.metrics), reward


def _bad_exit(attempt: Attempt) -> _Failure:
    if attempt.reason is not None and attempt.reason not in STOPPED_BY_US:
        return _Failure(attempt.reason, attempt.message or f"the attempt was ended: {attempt.reason}", again=False)
    if attempt.reason is not None:
        return _Failure(attempt.reason, "stopped by the search, not by a fault of its own", again=True)
    code = attempt.exit_code or 0
    told = "; its report is not believed" if attempt.report else ""
    if attempt.message is not None:
        return _Failure("ExitCode", attempt.message, again=True)
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        hint = " (out of memory?)" if code == -signal.SIGKILL else ""
        return _Failure("Killed", f"the trial was ended by {name}{hint}{told}", again=True)
    return _Failure("ExitCode", f"the trial ended with exit code {code}; 0 means reported{told}", again=True)


def _failed(spec: SearchSpec, trial: Trial, failure: _Failure, now: datetime) -> Trial:
    trial = replace(trial, reason=failure.reason, message=failure.message)
    if failure.again and failure.reason in STOPPED_BY_US:
        return replace(trial, phase=Phase.PENDING)
    trial = replace(trial, failures=trial.failures + 1)
    if failure.again and trial.failures <= spec.trials.retries:
        return replace(trial, phase=Phase.PENDING)
    return replace(trial, phase=Phase.FAILED, completed=now, shared_fault=failure.shared)


def _lost(spec: SearchSpec, trial: Trial, attempt: Attempt, now: datetime) -> Trial:
    reason = attempt.reason or "AttemptLost"
    trial = replace(trial, phase=Phase.PENDING, reason=reason, message=attempt.message)
    if trial.attempts - trial.failures < MAX_LOST:
        return trial
    message = f"{MAX_LOST} attempts were lost; the last one: {reason}"
    return replace(trial, phase=Phase.FAILED, reason=LOST_TOO_OFTEN, message=message, completed=now)


def reused(trial: Trial, root: Trial, now: datetime) -> Trial:
    """``trial`` with the outcome of ``root``, an equal child that has ended."""
    return replace(
        trial,
        phase=root.phase,
        reward=root.reward,
        metrics=dict(root.metrics),
        reason=root.reason,
        message=root.message,
        completed=now,
    )

"""The trial contract: what a trial is given, what it must report, and how a report is read.

Any image can honour it in any language. In: the environment variable ``ARCHSEARCH_TRIAL`` holds :class:`TrialInput`
as JSON (where it is large, ``ARCHSEARCH_TRIAL_FILE`` names a file with the same JSON); ``ARCHSEARCH_REPORT`` says
where to write. Out: one JSON document of at most :data:`LIMIT` bytes, and exit code 0 once it is written.
"""

import json
import math
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, JsonValue

from archsearch.api.base import METRIC_PATTERN, MetricName, Model
from archsearch.report_parsing import LIMIT, ReportProblem, printable, read_object, shorten, shown

__all__ = [
    "LIMIT",
    "REPORT_VARIABLE",
    "TRIAL_FILE_VARIABLE",
    "TRIAL_VARIABLE",
    "ErrorScope",
    "Report",
    "ReportError",
    "ReportProblem",
    "ReportTimes",
    "TrialInput",
    "error_report",
    "find_report_in_log",
    "parse_report",
    "render_report",
]

TRIAL_VARIABLE = "ARCHSEARCH_TRIAL"
TRIAL_FILE_VARIABLE = "ARCHSEARCH_TRIAL_FILE"
REPORT_VARIABLE = "ARCHSEARCH_REPORT"
MAX_METRICS = 64
"""Most metrics of one report."""
MAX_MESSAGE = 1024
"""Longest error message in characters."""
REASON_PATTERN = r"^[A-Z][A-Za-z0-9]*$"
REASON = re.compile(r"[A-Z][A-Za-z0-9]{0,62}")


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

    reason: str = Field(min_length=1, max_length=63, pattern=REASON_PATTERN)
    """CamelCase reason, for programs."""
    message: str = Field(max_length=MAX_MESSAGE)
    """What happened and what to do, for people."""
    scope: ErrorScope = ErrorScope.CHILD
    """Child: another child may do better. Search: every child will fail alike (data missing, task unusable)."""


LATEST = 2**63 - 1
"""Latest time of a report in nanoseconds since 1970: the year 2262."""


class ReportTimes(Model):
    """When the program of a trial ran, by the clock of its node."""

    started: int = Field(ge=0, le=LATEST)
    """Start of its process, in nanoseconds since 1970 (UTC)."""
    ended: int = Field(ge=0, le=LATEST)
    """When it wrote the report, in the same unit; not before ``started``."""


class Report(Model):
    """What a trial reports."""

    version: Literal[1] = 1
    """Version of this contract."""
    metrics: dict[MetricName, float] = Field(default={}, max_length=MAX_METRICS)
    """Every number measured; the objective's metric among them unless there is an error."""
    error: ReportError | None = None
    """Why there is no measurement."""
    times: ReportTimes | None = None
    """When the program ran; left out by programs that do not measure it."""


def parse_report(data: bytes | None) -> Report | ReportProblem:
    """Read a report strictly: whatever is not one is a :class:`ReportProblem`, each kind with its own reason.

    Never raises. White space around the object is allowed; unprintable characters of an error's message are replaced
    by U+FFFD, so that it can be shown and stored. Reasons: ReportMissing, ReportEmpty, ReportTooLarge, ReportNotText,
    ReportByteOrderMark, ReportTruncated, ReportTooDeep, ReportNotJson, ReportTrailingText, ReportNotObject,
    ReportDuplicateKey, ReportVersion, ReportUnknownField, MetricsInvalid, TooManyMetrics, MetricNameInvalid,
    MetricNotNumber, MetricNotFinite, ErrorInvalid, TimesInvalid.
    """
    found = read_object(data)
    if isinstance(found, ReportProblem):
        return found
    problem = _version_problem(found) or _unknown_field(found, Report, "")
    if problem is not None:
        return problem
    metrics = _metrics(found.get("metrics", {}))
    if isinstance(metrics, ReportProblem):
        return metrics
    error = _error(found.get("error"))
    if isinstance(error, ReportProblem):
        return error
    times = _times(found.get("times"))
    if isinstance(times, ReportProblem):
        return times
    return Report(version=1, metrics=metrics, error=error, times=times)


def find_report_in_log(text: str) -> bytes | None:
    """The last line of ``text`` that is a report, for ``report.from: Log``; None where there is none.

    A line counts as a report when it is a JSON object that speaks of a version and of metrics or an error. It need not
    be a *good* report: the last one counts even where it is bad, so that an older one never speaks for it.
    What a carriage return has overwritten (progress bars) is not looked at.
    """
    for line in reversed(text.split("\n")):
        last = line.rstrip("\r \t").rsplit("\r", 1)[-1].strip()
        if last.startswith("{") and '"version"' in last and ('"metrics"' in last or '"error"' in last):
            return last.encode("utf-8", "replace")
    return None


def error_report(reason: str, message: str, scope: ErrorScope = ErrorScope.CHILD) -> Report:
    """A report that tells of an error; ``message`` may be of any length and is cut to fit.

    Raises:
        ValueError: ``reason`` is not CamelCase (letters and digits, 63 at most).
    """
    return Report(error=ReportError(reason=reason, message=shorten(printable(message), MAX_MESSAGE), scope=scope))


def render_report(report: Report) -> bytes:
    """The bytes of ``report``, at most :data:`LIMIT`.

    To fit, an error's message is shortened, with an ellipsis; metrics that leave no room for the times go without them.

    Raises:
        ValueError: a metric is not finite (it is named), or the metrics alone do not fit.
    """
    for name, value in report.metrics.items():
        if not math.isfinite(value):
            raise ValueError(f"metric {name} is {value}; a report holds finite numbers only")
    whole = _encode(report, MAX_MESSAGE)
    if len(whole) <= LIMIT:
        return whole
    if len(_encode(report, 0)) > LIMIT and report.times is not None:
        return render_report(report.model_copy(update={"times": None}))
    if len(_encode(report, 0)) > LIMIT:
        raise ValueError(f"{len(report.metrics)} metrics take {len(whole)} bytes; a report has at most {LIMIT}")
    low, high = 0, MAX_MESSAGE  # lengths of the message: low fits, high does not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if len(_encode(report, middle)) <= LIMIT else (low, middle)
    return _encode(report, low)


def _encode(report: Report, message_length: int) -> bytes:
    data = report.model_dump(mode="json", exclude={"times"} if report.times is None else None)
    if report.error is not None:
        data["error"]["message"] = shorten(printable(report.error.message), message_length)
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _version_problem(found: Mapping[str, Any]) -> ReportProblem | None:
    if "version" not in found:
        return ReportProblem("ReportVersion", 'the report lacks its version; write "version": 1')
    version = found["version"]
    if isinstance(version, int) and not isinstance(version, bool) and version == 1:
        return None
    return ReportProblem("ReportVersion", f"version is {shown(version)}; this release reads the integer 1 only")


def _unknown_field(found: Mapping[str, Any], model: type[Model], path: str) -> ReportProblem | None:
    for key in found:
        if key not in model.model_fields:
            allowed = ", ".join(model.model_fields)
            return ReportProblem("ReportUnknownField", f"unknown field {path}{shown(key)}; allowed: {allowed}")
    return None


def _metrics(value: object) -> dict[str, float] | ReportProblem:
    if not isinstance(value, dict):
        return ReportProblem("MetricsInvalid", f"metrics is {shown(value)}; it must be an object of names and numbers")
    if len(value) > MAX_METRICS:
        return ReportProblem("TooManyMetrics", f"the report has {len(value)} metrics; {MAX_METRICS} are allowed")
    for name, number in value.items():
        problem = _metric_problem(name, number)
        if problem is not None:
            return problem
    return {name: float(number) for name, number in value.items()}


def _metric_problem(name: str, number: object) -> ReportProblem | None:
    if not METRIC_PATTERN.fullmatch(name):
        return ReportProblem(
            "MetricNameInvalid",
            f"metric name {shown(name)}: a letter, then letters, digits and _, at most 63 in all",
        )
    if isinstance(number, bool) or not isinstance(number, int | float):
        return ReportProblem("MetricNotNumber", f"metric {name} is {shown(number)}; it must be a number")
    try:
        finite = math.isfinite(number)
    except OverflowError:  # an integer beyond the largest double
        finite = False
    if finite:
        return None
    return ReportProblem("MetricNotFinite", f"metric {name} is {shown(number)}; it must be finite (within a double)")


def _error(value: object) -> ReportError | ReportProblem | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        return ReportProblem("ErrorInvalid", f"error is {shown(value)}; it must be null or an object")
    scope, message, reason = value.get("scope", ErrorScope.CHILD), value.get("message"), value.get("reason")
    if not isinstance(reason, str) or not REASON.fullmatch(reason):
        text = f"error.reason is {shown(reason)}; it must be CamelCase: a capital, then letters and digits, 63 at most"
        return ReportProblem("ErrorInvalid", text)
    if not isinstance(message, str) or len(message) > MAX_MESSAGE:
        text = f"error.message is {shown(message)}; it must be a text of at most {MAX_MESSAGE} characters"
        return ReportProblem("ErrorInvalid", text)
    if scope not in list(ErrorScope):
        return ReportProblem("ErrorInvalid", f"error.scope is {shown(scope)}; allowed: {', '.join(ErrorScope)}")
    unknown = _unknown_field(value, ReportError, "error.")
    return unknown or ReportError(reason=reason, message=printable(message), scope=ErrorScope(scope))


def _times(value: object) -> ReportTimes | ReportProblem | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        return ReportProblem("TimesInvalid", f"times is {shown(value)}; it must be an object with started and ended")
    for name in ReportTimes.model_fields:
        number = value.get(name)
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= LATEST:
            text = f"times.{name} is {shown(number)}; it must be whole nanoseconds since 1970, 0 to {LATEST}"
            return ReportProblem("TimesInvalid", text)
    if value["started"] > value["ended"]:
        text = (
            f"times.started is {value['started']}, after times.ended, {value['ended']}; a program starts before it ends"
        )
        return ReportProblem("TimesInvalid", text)
    unknown = _unknown_field(value, ReportTimes, "times.")
    return unknown or ReportTimes(started=value["started"], ended=value["ended"])

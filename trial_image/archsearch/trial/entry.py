"""The trial contract's edges: environment in, report file out."""

import contextlib
import os
import stat
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from archsearch.report import (
    REPORT_VARIABLE,
    TRIAL_FILE_VARIABLE,
    TRIAL_VARIABLE,
    Report,
    ReportTimes,
    TrialInput,
    render_report,
)
from archsearch.trial import program
from archsearch.trial.errors import SearchError, TrialError
from archsearch.trial.startup import lifetime
from archsearch.trial.termination import end_on_sigterm


def main(environment: Mapping[str, str]) -> int:
    """Run the trial that the environment describes; the exit code: 0 once a report is written, also one of an error."""
    end_on_sigterm()
    target = environment.get(REPORT_VARIABLE)
    if not target:
        print(f"{REPORT_VARIABLE} is not set: it says where the report is to be written", file=sys.stderr)
        return 2
    try:
        report = _report(environment)
        if report.error is not None:
            print(f"{report.error.reason}: {report.error.message}", file=sys.stderr)
        started, ended = lifetime()
        write(
            Path(target), render_report(report.model_copy(update={"times": ReportTimes(started=started, ended=ended)}))
        )
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def _report(environment: Mapping[str, str]) -> Report:
    try:
        trial = read_input(environment)
    except TrialError as error:
        return error.report()
    return program.run(trial)


def read_input(environment: Mapping[str, str]) -> TrialInput:
    """What the trial is given, by value or by file.

    Raises:
        TrialError: TrialInputMissing or TrialInputInvalid, of scope Search.
    """
    text, source = environment.get(TRIAL_VARIABLE), TRIAL_VARIABLE
    if not text:
        source = environment.get(TRIAL_FILE_VARIABLE, "")
        if not source:
            raise SearchError("TrialInputMissing", f"neither {TRIAL_VARIABLE} nor {TRIAL_FILE_VARIABLE} is set")
        try:
            text = Path(source).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SearchError("TrialInputMissing", f"{TRIAL_FILE_VARIABLE} cannot be read: {error}") from error
    try:
        return TrialInput.model_validate_json(text)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors())
        raise SearchError("TrialInputInvalid", f"{source}: {problems}") from error


def write(target: Path, data: bytes) -> None:
    """Write a report whole or not at all where that is possible, in place where it is not.

    A termination message (/dev/termination-log) is a mount: nothing can be renamed over it, and its folder may be
    read-only.

    Raises:
        OSError: it can be written neither way.
    """
    target = target.resolve()
    if not target.exists() or stat.S_ISREG(target.stat().st_mode):
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            temporary.write_bytes(data)
            temporary.replace(target)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
        else:
            return
    target.write_bytes(data)

"""How an attempt ended, in the engine's words.

=====================================================  =========================================================
what is seen                                           what it is
=====================================================  =========================================================
the program exited with 0 and a good report            EXITED, 0: it is believed, whatever came after
its pod was evicted, preempted or deleted; its node    LOST, with the cluster's own reason: no retry is used up
was lost; it was never admitted by its node
we have stopped it                                     EXITED, with our reason
it ran longer than spec.trial.deadline                 EXITED, DeadlineExceeded: failed for good
it took more memory than its limit                     EXITED, OutOfMemory: failed for good, the same child would
                                                       need the same memory
its container could not be started                     EXITED, StartFailed: failed for good
an init container of podTemplate failed                EXITED, with that one's exit code: tried again
any other exit code                                    EXITED, with that code: tried again
the Job has ended and its pod is gone                  LOST, ReportLost
there is neither Job nor pod                           LOST, JobMissing
=====================================================  =========================================================
"""

import re
import signal
from dataclasses import replace

from archsearch.api import ArchitectureSearch
from archsearch.engine.model import Attempt, AttemptState
from archsearch.operator.fields import field, integer, text
from archsearch.operator.pods import PodView, is_over, taken_away
from archsearch.operator.port import Object
from archsearch.report import Report, parse_report
from archsearch.report_parsing import printable, shorten

DEADLINE_EXCEEDED = "DeadlineExceeded"
OUT_OF_MEMORY = "OutOfMemory"
START_FAILED = "StartFailed"
_NOT_STARTED = ("ContainerCannotRun", "StartError")
_WORD = re.compile(r"[^A-Za-z0-9]+")
_LONGEST_REASON = 63
_LONGEST_MESSAGE = 1024


def exit_code(code: int, signal_number: int = 0) -> int:
    """An exit code as Python's subprocess has it: one that tells of a signal (128 + n) becomes -n."""
    if signal_number > 0:
        return -signal_number
    return 128 - code if 128 < code <= 128 + signal.SIGRTMAX else code


def vanished(attempt: Attempt, job: Object | None, stop: str | None) -> Attempt:
    """``attempt`` without any pod."""
    if job is None and stop is not None:
        return replace(attempt, state=AttemptState.EXITED, exit_code=-signal.SIGTERM, reason=stop)
    if job is None:
        return _lost(attempt, "JobMissing", "its Job is gone, and its pod with it: somebody has deleted them")
    if is_over(job):
        return _lost(attempt, "ReportLost", "its Job has ended, and its pod was deleted before the report was read")
    going = field(job, "metadata", "deletionTimestamp") is not None  # that it says why it is stopped is not enough
    return replace(attempt, state=AttemptState.STOPPING if going else AttemptState.RUNNING)


def ended(
    attempt: Attempt, pod: PodView, stop: str | None, report: bytes | None, search: ArchitectureSearch
) -> Attempt:
    """``attempt`` whose program or pod has ended, or whose node is lost."""
    code = _exit_code(pod)
    done = replace(attempt, state=AttemptState.EXITED, exit_code=code, report=report)
    reason, message = _our_reason(pod, stop, search)
    well = code == 0 and pod.terminated is not None
    if well and (reason is not None or not taken_away(pod) or isinstance(parse_report(report), Report)):
        # One that is told to end and does so by exit(0) has not had the time for a report.
        return replace(done, reason=reason, message=message)
    if stop is not None:
        return replace(done, reason=stop)
    if reason == DEADLINE_EXCEEDED:
        return replace(done, reason=reason, message=message)
    lost = _how_lost(pod)
    if lost is not None:
        return _lost(attempt, *lost)
    return replace(done, reason=reason, message=message)


def _exit_code(pod: PodView) -> int:
    if pod.terminated is not None:
        return exit_code(integer(pod.terminated, "exitCode") or 0, integer(pod.terminated, "signal") or 0)
    if pod.init_failure is not None:
        return exit_code(integer(pod.init_failure, "exitCode") or 1)
    return -signal.SIGKILL


def _our_reason(pod: PodView, stop: str | None, search: ArchitectureSearch) -> tuple[str | None, str | None]:
    """Reason and message of an end that is told in so many words; None: the exit code says it all."""
    if stop is not None:
        return stop, None
    if pod.reason == DEADLINE_EXCEEDED:
        return DEADLINE_EXCEEDED, f"it ran longer than spec.trial.deadline ({search.spec.trial.deadline})"
    how = text(pod.terminated, "reason")
    if how == "OOMKilled":
        limit = search.spec.trial.resources.limits.get("memory")
        allowed = "its limit" if limit is None else f"spec.trial.resources.limits.memory ({limit})"
        return OUT_OF_MEMORY, f"the trial was killed for using more memory than {allowed}; raise it, or train less"
    if how in _NOT_STARTED:
        told = _clean(text(pod.terminated, "message") or "the runtime does not say why")
        return START_FAILED, f"the trial container could not be started: {told}"
    if pod.terminated is None and pod.init_failure is not None:
        name, code = text(pod.init_failure, "name"), integer(pod.init_failure, "exitCode")
        # No reason: an init container that fetches data may do better next time, so this uses up a retry.
        return None, f"the init container {name} of spec.trial.podTemplate ended with exit code {code}"
    return None, None


def _how_lost(pod: PodView) -> tuple[str, str] | None:
    """Reason and message, where the program was not what ended it."""
    if pod.lost and pod.terminated is None:
        return "NodeLost", f"its pod was to be deleted and did not end: nothing is heard of node {pod.node}"
    if taken_away(pod):
        if pod.disruption is not None:
            return _camel(pod.disruption.reason), _clean(pod.disruption.message) or "its pod was taken away"
        return "PodDeleted", "its pod was deleted before the trial ended"
    if pod.terminated is None and pod.init_failure is None:
        told = _clean(pod.message or "its pod ended and does not say how the trial did")
        return _camel(pod.reason or "ReportLost"), told
    return None


def _lost(attempt: Attempt, reason: str, message: str) -> Attempt:
    return replace(attempt, state=AttemptState.LOST, reason=reason, message=message)


def _camel(reason: str) -> str:
    """A reason of the cluster's as one CamelCase word: ``OutOfnvidia.com/gpu`` becomes ``OutOfnvidiaComGpu``."""
    first, *rest = [part for part in _WORD.split(reason) if part] or ["Unknown"]
    word = first[0].upper() + first[1:] + "".join(part.capitalize() for part in rest)
    return (word if word[0].isalpha() else f"Pod{word}")[:_LONGEST_REASON]


def _clean(message: str) -> str:
    return shorten(printable(message), _LONGEST_MESSAGE)

"""Events: what happens to a search in a sentence each, for ``kubectl describe``. Posted on transitions only.

Their names follow from what they say and when, so that one posted twice is refused by the API server the second time
(409), and nothing has to be remembered.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from archsearch.api import API_VERSION
from archsearch.api.conditions import Condition, ConditionStatus, ConditionType
from archsearch.api.status import SearchStatus
from archsearch.engine.model import Phase, Plan, Trial
from archsearch.operator.conditions import find
from archsearch.operator.port import EVENT, SEARCH, Object
from archsearch.operator.problems import Problem
from archsearch.operator.progressing import told_problems
from archsearch.report_parsing import printable

NOTE = 1024
"""Longest note in bytes: the API server counts so."""
EACH = 10
"""Failed children that are told one by one; beyond, each time that their number has doubled."""
BUCKET = 600
"""Seconds within which a problem that comes and goes is told once."""
CONTROLLER = "archsearch.io/operator"
_NAMED = 5
"""Failed children that one event names."""


@dataclass(frozen=True)
class Subject:
    """The search that events are about."""

    name: str
    namespace: str
    uid: str
    instance: str = "archsearch-operator"
    """Who reports: the operator's identity, 128 characters at most."""


@dataclass(frozen=True)
class _Told:
    reason: str
    note: str
    warning: bool = False
    moment: str = ""
    """What stands for the time in its name, where that is coarser than a second."""


def events_for(
    previous: SearchStatus,
    new: SearchStatus,
    plan: Plan | None,
    subject: Subject,
    now: datetime,
    *,
    problems: Sequence[Problem] = (),
    problems_before: Sequence[Problem] = (),
) -> list[Object]:
    """What to post once ``new`` has been written in place of ``previous``; empty where nothing has turned.

    ``plan`` is what was applied between the two (its failed children are told), ``problems_before`` are those of the
    pass before.
    """
    told = [*_manifest(previous, new), *_suspension(previous, new), *_failures(new, plan)]
    told += [*_problems(problems, problems_before, now), *_ends(previous, new), *_divergence(previous, new)]
    return [_event(subject, one, now) for one in told]


def controller_replaced(subject: Subject, pod: str, why: str, now: datetime) -> Object:
    """The event of a controller pod that was made because the one before is gone; ``why`` is a sentence."""
    return _event(subject, _Told("ControllerReplaced", f"controller pod {pod} is made: {why}", warning=True), now)


# --- what has turned ----------------------------------------------------------------------------------------------


def _turned(
    previous: SearchStatus, new: SearchStatus, kind: ConditionType
) -> tuple[ConditionStatus | None, Condition] | None:
    """The status before and the condition now, where the status differs; None: it has not turned."""
    before, after = find(previous.conditions, kind), find(new.conditions, kind)
    status = None if before is None else before.status
    return None if after is None or after.status is status else (status, after)


def _manifest(previous: SearchStatus, new: SearchStatus) -> Iterator[_Told]:
    before, after = find(previous.conditions, ConditionType.READY), find(new.conditions, ConditionType.READY)
    if after is None or (before is not None and _same(before, after)):
        return
    bad = after.status is not ConditionStatus.TRUE
    yield _Told(after.reason, after.message or after.reason, warning=bad)


def _same(one: Condition, other: Condition) -> bool:
    return (one.status, one.reason, one.message) == (other.status, other.reason, other.message)


def _suspension(previous: SearchStatus, new: SearchStatus) -> Iterator[_Told]:
    turned = _turned(previous, new, ConditionType.SUSPENDED)
    if turned is None:
        return
    before, after = turned
    if after.status is ConditionStatus.TRUE:
        yield _Told("Suspended", after.message)
    elif before is ConditionStatus.TRUE and after.reason == "NotSuspended":
        yield _Told("Resumed", after.message)


def _failures(new: SearchStatus, plan: Plan | None) -> Iterator[_Told]:
    trials = plan.trials if plan is not None else ()
    # A trial gets its observation number once, in the pass that counts it: it is told then, and never again.
    failed = [t for t in trials if t.phase is Phase.FAILED and t.observation is not None and t.reuse_of is None]
    count = new.counts.failed
    doubled = count.bit_length() > max(0, count - len(failed)).bit_length()
    if failed and (count <= EACH or doubled):
        most = "; ".join(map(_failure, failed[:_NAMED]))
        more = f"; and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
        so_far = f" ({count} have failed so far)" if count > len(failed) else ""
        yield _Told("TrialFailed", f"{most}{more}{so_far}", warning=True)


def _failure(trial: Trial) -> str:
    message = f": {trial.message}" if trial.message else ""
    return f"child {trial.index} failed, {trial.reason or 'Unknown'}{message}"


def _problems(problems: Sequence[Problem], before: Sequence[Problem], now: datetime) -> Iterator[_Told]:
    known = {problem.reason for problem in before}
    moment = str(int(now.timestamp()) // BUCKET)
    for reason, text in told_problems([problem for problem in problems if problem.reason not in known]):
        yield _Told(reason, text, warning=True, moment=moment)


def _ends(previous: SearchStatus, new: SearchStatus) -> Iterator[_Told]:
    for kind, word in ((ConditionType.SUCCEEDED, "Succeeded"), (ConditionType.FAILED, "Failed")):
        turned = _turned(previous, new, kind)
        if turned is None:
            continue
        before, after = turned
        if after.status is ConditionStatus.TRUE:
            note = f"{after.reason}: {after.message}"
            yield _Told(word, note, warning=kind is ConditionType.FAILED)
        elif before is ConditionStatus.TRUE:
            yield _Told("Continued", "the search had ended, and goes on as its manifest now allows")


def _divergence(previous: SearchStatus, new: SearchStatus) -> Iterator[_Told]:
    turned = _turned(previous, new, ConditionType.POLICY_DIVERGED)
    if turned is not None and turned[1].status is ConditionStatus.TRUE:
        yield _Told("PolicyDiverged", turned[1].message, warning=True)


# --- as objects ---------------------------------------------------------------------------------------------------


def _event(subject: Subject, told: _Told, now: datetime) -> Object:
    time = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    # A problem's wording (how many nodes lack what) changes as it comes and goes: its reason names it.
    content = (subject.uid, told.reason, told.moment) if told.moment else (subject.uid, told.reason, told.note, time)
    digest = hashlib.sha256("\0".join(content).encode("utf-8", "replace")).hexdigest()
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.kind,
        "metadata": {"name": f"{subject.name}.{digest[:16]}", "namespace": subject.namespace},
        "eventTime": time,
        "reportingController": CONTROLLER,
        "reportingInstance": subject.instance[:128],
        "action": told.reason,
        "reason": told.reason,
        "type": "Warning" if told.warning else "Normal",
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": SEARCH.kind,
            "name": subject.name,
            "namespace": subject.namespace,
            "uid": subject.uid,
        },
        "note": _bounded(told.note),
    }


def _bounded(note: str) -> str:
    """``note`` in at most 1,024 bytes, an ellipsis at its end where it was longer; never cut within a character."""
    data = printable(note).encode()
    return data.decode() if len(data) <= NOTE else data[: NOTE - 3].decode(errors="ignore") + "…"

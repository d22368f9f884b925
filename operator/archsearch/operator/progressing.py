"""Condition Progressing: what a search is doing, in a word, and what stands in its way."""

from collections.abc import Sequence
from dataclasses import dataclass

from archsearch.api import SearchSpec
from archsearch.api.conditions import ConditionType
from archsearch.engine.model import Outcome
from archsearch.operator.conditions import Wanted, false, true
from archsearch.operator.problems import Problem

_KIND = ConditionType.PROGRESSING
_TRAINING = "children are proposed and trained"
_CONFIRMING = "the best children are trained once more, each with a fresh seed (trials.confirm)"
_WAITING = "children are trained; no more are proposed until the controller answers"
TROUBLE = "; but "
"""Stands in the message of a search that runs in spite of problems, before them."""
_MOST = 3
"""Kinds of problems that are told at once."""


@dataclass(frozen=True)
class Activity:
    """How much goes on."""

    sampled: int
    """Children in the ledger."""
    started: int
    """Trials that have an attempt: a Job, whose pod may still wait."""
    running: int
    """Trial containers that run."""
    controller_up: bool
    confirming: bool = False
    """Whether nothing but confirmations is under way."""


def progressing(spec: SearchSpec, activity: Activity, problems: Sequence[Problem], outcome: Outcome | None) -> Wanted:
    """The condition; its message changes only when what it says does, not with every child."""
    if outcome is not None:
        return false(_KIND, outcome.reason, outcome.message)
    if spec.suspend:
        return _suspended(activity)
    if problems and not activity.running:
        told = told_problems(problems)
        return false(_KIND, told[0][0], "; ".join(text for _, text in told))
    doing = _doing(spec, activity)
    if not problems:
        return doing
    trouble = "; ".join(f"{reason}: {text}" for reason, text in told_problems(problems))
    return Wanted(_KIND, doing.status, doing.reason, f"{doing.message}{TROUBLE}{trouble}")


def told_problems(problems: Sequence[Problem]) -> list[tuple[str, str]]:
    """Each kind of problem once, in the order given (gravest first): its reason, and a sentence of its first."""
    kinds: dict[str, list[Problem]] = {}
    for problem in problems:
        kinds.setdefault(problem.reason, []).append(problem)
    return [(reason, _sentence(alike)) for reason, alike in list(kinds.items())[:_MOST]]


def _sentence(alike: Sequence[Problem]) -> str:
    first, others = alike[0], len(alike) - 1
    where = f"{first.pod}: " if first.pod else ""
    return f"{where}{first.message}" + (f" (and {others} more of this kind)" if others else "")


def _suspended(activity: Activity) -> Wanted:
    if activity.started:
        return true(_KIND, "Suspending", "running children are being stopped, as spec.suspend asks")
    return false(_KIND, "Suspended", "spec.suspend is true")


def _doing(spec: SearchSpec, activity: Activity) -> Wanted:
    if spec.trials.parallelism == 0:
        if activity.started:
            return true(_KIND, "Draining", "trials.parallelism is 0: running children end, no more are started")
        return false(_KIND, "Drained", "trials.parallelism is 0: nothing runs; raise it to go on")
    if activity.confirming:
        return true(_KIND, "Confirming", _CONFIRMING)
    if activity.started or activity.running:
        return true(_KIND, "Running", _TRAINING if activity.controller_up else _WAITING)
    if not activity.sampled:
        return true(_KIND, "Starting", "the controller is being started; the first children follow")
    if not activity.controller_up:
        return true(_KIND, "WaitingForController", "the controller does not answer yet; nothing is lost")
    return true(_KIND, "Running", _TRAINING)

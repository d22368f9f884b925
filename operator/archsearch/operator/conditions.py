"""Conditions kept as the API conventions ask: the time of a transition stays while the status stays."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from archsearch.api.conditions import Condition, ConditionStatus, ConditionType
from archsearch.operator.times import rfc3339_seconds
from archsearch.report_parsing import printable, shorten

LONGEST = 8_192
"""Longest message that we write, in characters; the schema allows 32,768."""
_ORDER = {kind: place for place, kind in enumerate(ConditionType)}


@dataclass(frozen=True)
class Wanted:
    """A condition as it should be; since when is :func:`update`'s business."""

    type: ConditionType
    status: ConditionStatus
    reason: str
    """CamelCase."""
    message: str = ""


def true(type: ConditionType, reason: str, message: str = "") -> Wanted:
    """A condition that holds."""
    return Wanted(type, ConditionStatus.TRUE, reason, message)


def false(type: ConditionType, reason: str, message: str = "") -> Wanted:
    """A condition that does not hold."""
    return Wanted(type, ConditionStatus.FALSE, reason, message)


def unknown(type: ConditionType, reason: str, message: str = "") -> Wanted:
    """A condition of which nothing is known yet."""
    return Wanted(type, ConditionStatus.UNKNOWN, reason, message)


def update(
    existing: Sequence[Condition], wanted: Iterable[Wanted], now: datetime, *, generation: int
) -> tuple[Condition, ...]:
    """The conditions after a pass: those of ``wanted`` in place of their like, the others as they were.

    In the order of :class:`ConditionType`, one of each type. ``lastTransitionTime`` is ``now`` only where the status
    changes. Where nothing changes, the result equals what there was (in that order).
    """
    known = {condition.type: condition for condition in existing}
    for one in wanted:
        known[one.type] = _updated(known.get(one.type), one, now, generation)
    return tuple(sorted(known.values(), key=lambda condition: _ORDER[condition.type]))


def find(conditions: Iterable[Condition], type: ConditionType) -> Condition | None:
    """The condition of that type."""
    return next((condition for condition in conditions if condition.type is type), None)


def holds(conditions: Iterable[Condition], type: ConditionType) -> bool:
    """Whether there is a condition of that type with status True."""
    found = find(conditions, type)
    return found is not None and found.status is ConditionStatus.TRUE


def _updated(old: Condition | None, one: Wanted, now: datetime, generation: int) -> Condition:
    same = old is not None and old.status is one.status
    return Condition(
        type=one.type,
        status=one.status,
        reason=one.reason,
        message=shorten(printable(one.message), LONGEST),
        last_transition_time=old.last_transition_time if same and old is not None else rfc3339_seconds(now),
        observed_generation=generation,
    )

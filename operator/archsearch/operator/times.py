"""Times as the API server has them: RFC 3339 in UTC."""

import re
from datetime import UTC, datetime

_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000_000
LATEST = 253_402_300_799 * _SECOND
"""The last second that RFC 3339 can say, in nanoseconds since 1970."""


def rfc3339(time: datetime) -> str:
    """``time`` to the microsecond: ``2026-01-31T12:00:00.000001Z``.

    Raises:
        ValueError: ``time`` has no time zone.
    """
    return _to_the(time, "microseconds")


def rfc3339_seconds(time: datetime) -> str:
    """``time`` in whole seconds, as metav1.Time has it: ``2026-01-31T12:00:00Z``.

    Raises:
        ValueError: ``time`` has no time zone.
    """
    return _to_the(time, "seconds")


def rfc3339_ns(nanoseconds: int) -> str:
    """A time in nanoseconds since 1970, to the nanosecond: ``2026-01-31T12:00:00.000000001Z``.

    Raises:
        ValueError: it is before 1970 or after the year 9999.
    """
    if not 0 <= nanoseconds <= LATEST:
        raise ValueError(f"{nanoseconds} nanoseconds since 1970 is not a time from 1970 to 9999")
    seconds, rest = divmod(nanoseconds, _SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def parse_time(text: str) -> datetime:
    """The time that ``text`` says, to the microsecond.

    Raises:
        ValueError: it is not a time as RFC 3339 has it.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a time as RFC 3339 has it: 2026-01-31T12:00:00Z")
    day, clock, fraction, zone = found.groups()
    zone = "+00:00" if zone in "Zz" else zone
    return datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0')[:6]:0<6}{zone}").astimezone(UTC)


def _to_the(time: datetime, unit: str) -> str:
    if time.tzinfo is None:
        raise ValueError(f"{time} has no time zone")
    return time.astimezone(UTC).isoformat(timespec=unit).replace("+00:00", "Z")


def nanoseconds(time: datetime) -> int:
    """``time`` in nanoseconds since 1970, exactly."""
    gone = time - _EPOCH
    return (gone.days * 86_400 + gone.seconds) * _SECOND + gone.microseconds * 1000

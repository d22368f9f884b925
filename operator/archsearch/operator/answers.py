"""What the API server's answers mean: bytes and statuses in, objects and typed errors out. No input or output here."""

import json
from collections.abc import Iterator
from typing import Any

from archsearch.operator.port import (
    AlreadyExists,
    ClusterError,
    Conflict,
    Expired,
    NotFound,
    Object,
    Rejected,
    Unavailable,
)

_LONGEST_MESSAGE = 2000
_TRY_LATER = {401, 408, 425, 429}
"""401 is among them: a service account's token that has just been renewed is read again within a minute."""


def object_of(body: bytes, what: str) -> Object:
    """The JSON object in ``body``, the answer to ``what``. Raises Unavailable where it is none (cut off, a proxy's)."""
    try:
        value = json.loads(body)
    except ValueError as error:  # UnicodeDecodeError is one
        raise Unavailable(f"{what}: the answer is not JSON: {error}: {_excerpt(body)}") from error
    if not isinstance(value, dict):
        raise Unavailable(f"{what}: the answer is not a JSON object: {_excerpt(body)}")
    return value


def error_of(status: int, body: bytes, what: str) -> ClusterError:
    """The typed error for an answer with HTTP status ``status`` to ``what`` ("create Job ns/name")."""
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or answer.get("kind") != "Status":
        # a proxy, an aggregated API server or a bare 404: there is only text
        answer = {"message": _excerpt(body) or "(no message)"}
    return error_of_status(answer, what, status)


def error_of_status(answer: Object, what: str, status: int = 0) -> ClusterError:
    """The typed error for a Status object; ``status`` is used where the object itself says no code."""
    code = answer.get("code")
    status = status or (code if isinstance(code, int) else 0)
    reason = str(answer.get("reason") or "")
    message = str(answer.get("message") or reason or "(no message)")[:_LONGEST_MESSAGE]
    causes = tuple(_causes(answer))
    kind = _kind(status, reason, answer)
    return kind(f"{what}: {status}{' ' + reason if reason else ''}: {message}", status, causes or (message,))


def _kind(status: int, reason: str, answer: Object) -> type[ClusterError]:
    if status == 404:
        return NotFound
    if status == 409:
        return AlreadyExists if reason == "AlreadyExists" else Conflict
    if status == 410:
        return Expired
    if status == 403 and any(cause.get("reason") == "NamespaceTerminating" for cause in _raw_causes(answer)):
        return Conflict  # nothing is wrong with the object: it is too late for it
    if 400 <= status < 500 and status not in _TRY_LATER:
        return Rejected
    return Unavailable


def _causes(answer: Object) -> Iterator[str]:
    for cause in _raw_causes(answer):
        where, message = cause.get("field"), cause.get("message")
        if message:
            yield f"{where}: {message}" if where else str(message)


def _raw_causes(answer: Object) -> list[dict[str, Any]]:
    details = answer.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    return [cause for cause in causes if isinstance(cause, dict)] if isinstance(causes, list) else []


def _excerpt(body: bytes) -> str:
    return body[:200].decode("utf-8", "replace").strip()


class Lines:
    """Cuts a stream of bytes into its lines, of whatever length (an object may have megabytes)."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines that ``data`` completes, without their ends; empty ones are left out."""
        *whole, rest = data.split(b"\n")
        for line in whole:
            self._rest += line
            if self._rest:
                yield bytes(self._rest)
                self._rest.clear()
        self._rest += rest


class Tail:
    """Keeps the last ``size`` bytes of a stream in bounded memory, and counts what it has seen."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept = bytearray()
        self.bytes = 0
        self.lines = 0

    def feed(self, data: bytes) -> None:
        """Take what comes next."""
        self.bytes += len(data)
        self.lines += data.count(b"\n")
        self._kept += data
        if len(self._kept) > 2 * self._size:
            del self._kept[: -self._size]

    def end(self) -> bytes:
        """The last ``size`` bytes."""
        return bytes(self._kept[-self._size :])

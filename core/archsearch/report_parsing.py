"""From bytes to the plain JSON object of a report: the part of the trial contract that expects anything.

Everything here works on at most a few kilobytes of text that a stranger's program wrote, so nothing here raises on bad
input: what is wrong comes back as a :class:`ReportProblem` whose ``reason`` tells the kinds of mistakes apart.
"""

import json
import re
from dataclasses import dataclass
from json import JSONDecodeError
from typing import Any

LIMIT = 2048
"""Largest report in bytes: the kubelet keeps 4 kB of a termination message, shared 12 kB in a pod."""
DEEPEST = 8
"""Deepest nesting that is read; a report needs two levels. Beyond it Python's parser may run out of stack."""
_WHITESPACE = b" \t\r\n"
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_CUT_NUMBER = re.compile(r"(?:\.|\.?[eE][+-]?)\Z")
_CUT_ESCAPE = re.compile(r"u[0-9a-fA-F]{0,4}\Z")
_WORDS = ("true", "false", "null", "NaN", "Infinity", "-Infinity")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class ReportProblem:
    """Why bytes are not a report: each kind has its own CamelCase ``reason``; ``message`` says value and remedy."""

    reason: str
    message: str


class _DuplicateKeyError(Exception):
    """A key stands twice in one object."""


def shown(value: object, limit: int = 60) -> str:
    """``value`` as JSON for a message: printable ASCII, at most ``limit`` characters."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        text = ascii(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def printable(text: str) -> str:
    """``text`` without what harms a terminal or a database: control characters and lone surrogates become U+FFFD."""
    return _UNPRINTABLE.sub("\ufffd", text)


def shorten(text: str, limit: int) -> str:
    """``text``, cut to ``limit`` characters with an ellipsis at its end where it is longer."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + "…"[:limit]


def read_object(data: bytes | None) -> dict[str, Any] | ReportProblem:
    """The JSON object that ``data`` holds, its numbers not yet judged: NaN and 1e999 come back as floats.

    Surrounding spaces and newlines are allowed. Never raises.
    """
    text = _read_text(data)
    return text if isinstance(text, ReportProblem) else _read_json(text)


def _read_text(data: bytes | None) -> str | ReportProblem:
    if data is None:
        return ReportProblem("ReportMissing", "there is no report; write one to the file that ARCHSEARCH_REPORT names")
    stripped = data.strip(_WHITESPACE)
    if not stripped:
        return ReportProblem("ReportEmpty", f"the report is empty ({len(data)} bytes, nothing but white space)")
    if len(stripped) > LIMIT:
        return ReportProblem(
            "ReportTooLarge",
            f"the report has {len(stripped)} bytes; at most {LIMIT} are allowed (curves go to the log)",
        )
    return _decode(stripped)


def _decode(data: bytes) -> str | ReportProblem:
    if data.startswith(b"\xef\xbb\xbf"):
        return ReportProblem("ReportByteOrderMark", "the report starts with a byte order mark; write plain UTF-8")
    if b"\0" in data:
        at = data.index(b"\0")
        return ReportProblem("ReportNotText", f"the report has a NUL byte at byte {at}; it must be UTF-8 text")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            return _truncated(len(data), "within a character")
        return ReportProblem(
            "ReportNotText",
            f"the report is not UTF-8: byte 0x{data[error.start]:02x} at byte {error.start} ({error.reason})",
        )


def _read_json(text: str) -> dict[str, Any] | ReportProblem:
    depth = _depth(text)
    if depth > DEEPEST:
        return ReportProblem("ReportTooDeep", f"the report nests {depth} levels deep; it needs 2, {DEEPEST} are read")
    try:
        value = json.loads(text, object_pairs_hook=_distinct, parse_int=_read_integer)
    except _DuplicateKeyError as error:
        return ReportProblem("ReportDuplicateKey", f"the key {error} stands twice in one object; each may stand once")
    except JSONDecodeError as error:
        return _syntax_problem(text, error)
    if not isinstance(value, dict):
        return ReportProblem("ReportNotObject", f"the report is {shown(value)}; it must be a JSON object, {{...}}")
    return value


def _depth(text: str) -> int:
    deepest = depth = 0
    for character in _STRING.sub("", text):
        depth += (character in "[{") - (character in "]}")
        deepest = max(deepest, depth)
    return deepest


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _DuplicateKeyError(shown(key))
        found[key] = value
    return found


def _read_integer(digits: str) -> int | float:
    # int() is quadratic and refuses more than 4,300 digits; no double needs more than 309 of them.
    return int(digits) if len(digits) < 400 else float(digits)


def _syntax_problem(text: str, error: JSONDecodeError) -> ReportProblem:
    rest = text[error.pos :]
    if _ends_early(text, error, rest):
        return _truncated(len(text.encode()), "after " + shown(text[-20:]))
    if error.msg.startswith("Extra data"):
        return ReportProblem(
            "ReportTrailingText", f"text follows the report: {shown(rest[:40])}; write one object only"
        )
    return ReportProblem(
        "ReportNotJson", f"the report is not JSON: {error.msg} at character {error.pos}, before {shown(rest[:20])}"
    )


def _ends_early(text: str, error: JSONDecodeError, rest: str) -> bool:
    """Whether ``text`` is the beginning of some JSON object, so that more of it would have been read."""
    if not text.startswith("{"):
        return False
    if error.msg.startswith("Unterminated string") or not rest.strip():
        return True
    if error.msg.startswith("Invalid \\"):
        return _CUT_ESCAPE.match(rest) is not None
    if error.msg.startswith("Expecting value"):
        return any(word.startswith(rest) for word in _WORDS)
    return _CUT_NUMBER.match(rest) is not None and text[error.pos - 1].isdigit()


def _truncated(length: int, where: str) -> ReportProblem:
    return ReportProblem(
        "ReportTruncated", f"the report ends early, {where}, at byte {length}; write it whole, then exit"
    )

"""Plain scalars of YAML: the core schema of YAML 1.2, less what other readers would take for something else.

A manifest must mean the same to ``archsearch run`` and to an API server, whose clients read YAML by other rules; so a
value whose meaning depends on the reader (010, 2024-01-01) is refused, while ``6e-4`` is a number to both.
"""

import math
import re
from dataclasses import dataclass

_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?")
_MOST_DIGITS = 300

Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class ScalarProblem:
    """Why a scalar is refused; ``message`` starts after the value: ``... is a date; ...``."""

    kind: str
    message: str
    suggestion: str | None = None


def resolve(text: str) -> Scalar | ScalarProblem:
    """The value of an unquoted scalar.

    ``yes``, ``no``, ``on`` and ``off`` are texts, ``6e-4`` is a number, ``0x1F`` is 31. Dates, NaN, infinities and
    numbers with leading zeros are problems.
    """
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _LEADING_ZERO.fullmatch(text):
        meant = text.lstrip("+-0") or "0"
        return ScalarProblem("AmbiguousNumber", "is octal to some readers and decimal to others", meant)
    if _INTEGER.fullmatch(text) or _BASED.fullmatch(text):
        if len(text) > _MOST_DIGITS:
            return ScalarProblem("NotFinite", f"has {len(text)} digits; numbers must fit a double")
        return int(text, 0)
    return _float_or_text(text)


def _float_or_text(text: str) -> Scalar | ScalarProblem:
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else ScalarProblem("NotFinite", "is beyond the largest double, 1.8e308")
    if _NOT_FINITE.fullmatch(text):
        return ScalarProblem("NotFinite", "is not a finite number; every number must be finite")
    if _TIMESTAMP.fullmatch(text):
        return ScalarProblem("Timestamp", "is a date or time; put it in quotes if text is meant", f'"{text}"')
    return text


def text_problem(text: str) -> ScalarProblem | None:
    """Why no field may hold ``text``, quoted or not: NUL ends a system's strings, half characters have no UTF-8."""
    if "\0" in text:
        return ScalarProblem("ForbiddenCharacter", "holds a NUL character, which no field may hold")
    if any("\ud800" <= character <= "\udfff" for character in text):
        return ScalarProblem("ForbiddenCharacter", "holds half of a surrogate pair, which is no character")
    return None

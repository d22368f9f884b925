"""What every typed resource shares: frozen, closed, camelCase outside and snake_case inside."""

import json
import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

from archsearch.api.patterns import DURATION, METRIC_NAME

GROUP = "archsearch.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

_DURATION_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
DURATION_PATTERN = DURATION
LONGEST = 3650 * 86400
"""Longest duration in seconds: ten years, so that no clock overflows."""


class FieldError(ValueError):
    """A rule that spans several fields is broken.

    ``field`` is the path of the one at fault, in manifest names, from the model that has the rule; ``kind`` is a
    CamelCase word for programs; ``allowed`` and ``suggestion`` say what would be right, where that can be said.
    """

    def __init__(
        self,
        field: tuple[str | int, ...],
        message: str,
        kind: str = "Conflict",
        *,
        allowed: tuple[str, ...] = (),
        suggestion: str | None = None,
    ) -> None:
        self.field, self.kind, self.allowed, self.suggestion = field, kind, allowed, suggestion
        super().__init__(message)


def _bounded(duration: str) -> str:
    if not 1 <= seconds(duration) <= LONGEST:
        raise FieldError((), f'"{duration}" is not allowed; needs a duration from 1s to 3650d', "OutOfRange")
    return duration


Duration = Annotated[
    str,
    Field(
        min_length=2,
        max_length=32,
        pattern=DURATION_PATTERN,
        description="A length of time in days, hours, minutes and seconds, largest first: 90s, 4h, 1h30m, 2d.",
    ),
    AfterValidator(_bounded),
]
"""A duration as it is written in a manifest, from 1s to 3650d; :func:`seconds` reads it."""

METRIC_PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
MetricName = Annotated[str, Field(min_length=1, max_length=63, pattern=METRIC_NAME)]
"""A metric's name, in manifests and in reports: a letter, then letters, digits and underscores."""


class Model(BaseModel):
    """Base of every resource: immutable, strict types, unknown fields refused, finite numbers only."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
        serialize_by_alias=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


def unit(name: str) -> dict[str, JsonValue]:
    """The unit of a field for its schema and its reference page; 1 for a pure number."""
    return {"x-unit": name}


def list_map(key: str) -> dict[str, JsonValue]:
    """Marks a list for its schema as a map whose items are told apart by their field ``key``."""
    return {"x-list-map-keys": [key]}


def seconds(duration: str) -> int:
    """Length of a :data:`Duration` in seconds.

    Raises:
        ValueError: ``duration`` is not of the form ``1d2h3m4s``.
    """
    if not duration or not re.fullmatch(DURATION_PATTERN, duration):
        raise ValueError(f"{duration!r} is not a duration: write it as 90s, 4h, 1h30m or 2d")
    return sum(int(number) * _DURATION_UNITS[unit] for number, unit in re.findall(r"([0-9]+)([dhms])", duration))


def distinct(field: str, values: tuple[object, ...]) -> None:
    """Check that no option stands twice in ``field``. Raises FieldError."""
    seen: list[tuple[type, object]] = []
    for position, value in enumerate(values):
        if (type(value), value) in seen:
            text = f"{json.dumps(value)} stands twice in {field}; every option must be distinct"
            raise FieldError((field, position), text, "Duplicate")
        seen.append((type(value), value))

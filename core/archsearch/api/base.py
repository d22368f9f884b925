"""What every typed resource shares: frozen, closed, camelCase outside and snake_case inside."""

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

GROUP = "archsearch.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

_DURATION_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
DURATION_PATTERN = r"^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$"

Duration = Annotated[
    str,
    Field(
        min_length=2,
        max_length=32,
        pattern=DURATION_PATTERN,
        description="A length of time in days, hours, minutes and seconds, largest first: 90s, 4h, 1h30m, 2d.",
    ),
]
"""A duration as it is written in a manifest; :func:`seconds` reads it."""

METRIC_PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
MetricName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
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


def seconds(duration: str) -> int:
    """Length of a :data:`Duration` in seconds.

    Raises:
        ValueError: ``duration`` is not of the form ``1d2h3m4s``.
    """
    if not duration or not re.fullmatch(DURATION_PATTERN, duration):
        raise ValueError(f"{duration!r} is not a duration: write it as 90s, 4h, 1h30m or 2d")
    return sum(int(number) * _DURATION_UNITS[unit] for number, unit in re.findall(r"([0-9]+)([dhms])", duration))

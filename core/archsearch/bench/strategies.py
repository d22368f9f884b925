"""Names of strategies on the command line: ``random``, ``reinforce``, ``reinforce:Paper``, ``default``."""

from pydantic import ValidationError

from archsearch.api import Strategy
from archsearch.bench.errors import BenchError

DEFAULT = "default"
"""What a manifest without ``spec.strategy`` gets."""


def parse_strategies(text: str) -> dict[str, Strategy]:
    """The strategies of a comma-separated list, by the names given, in that order.

    ``NAME:PRESET`` takes a preset of a strategy that has presets.

    Raises:
        BenchError: a name is unknown, or given twice.
    """
    found: dict[str, Strategy] = {}
    for name in (part.strip() for part in text.split(",")):
        if name in found:
            raise BenchError(f"--strategy: {name!r} is given twice")
        found[name] = _parse(name)
    return found


def _parse(name: str) -> Strategy:
    kind, colon, preset = name.partition(":")
    if name == DEFAULT:
        return Strategy()
    names = [field.alias or key for key, field in Strategy.model_fields.items()]
    if kind not in names:
        allowed = ", ".join([*names, DEFAULT])
        raise BenchError(f"--strategy: {name!r} is no strategy; allowed: {allowed}, or NAME:PRESET (reinforce:Paper)")
    try:
        return Strategy.model_validate({kind: {"preset": preset} if colon else {}}, strict=False)
    except ValidationError as error:
        why = "; ".join(found["msg"] for found in error.errors())
        raise BenchError(f"--strategy: {name!r}: {kind} has no preset {preset!r} ({why})") from error

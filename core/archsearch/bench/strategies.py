"""Names of strategies on the command line: ``random``, ``reinforce:Paper``, ``localSearch:Best``, ``default``."""

from collections.abc import Mapping
from enum import StrEnum

from archsearch.api import Strategy
from archsearch.api.base import Model
from archsearch.bench.errors import BenchError

DEFAULT = "default"
"""What a manifest without ``spec.strategy`` gets."""


def parse_strategies(text: str) -> dict[str, Strategy]:
    """The strategies of a comma-separated list, by the names given, in that order.

    ``NAME:VARIANT`` takes a preset of a strategy that has presets, a value of the one field that offers a choice
    otherwise (``localSearch:Best`` is ``step: Best``).

    Raises:
        BenchError: a name or a variant is unknown, or given twice.
    """
    found: dict[str, Strategy] = {}
    for name in (part.strip() for part in text.split(",")):
        if name in found:
            raise BenchError(f"--strategy: {name!r} is given twice")
        found[name] = _parse(name)
    return found


def names() -> tuple[str, ...]:
    """Every name that :func:`parse_strategies` knows, each with its variants."""
    found: list[str] = []
    for kind, model in _kinds().items():
        found += [kind, *(f"{kind}:{variant}" for variant in _variants(model))]
    return (*found, DEFAULT)


def _parse(name: str) -> Strategy:
    kind, colon, variant = name.partition(":")
    if name == DEFAULT:
        return Strategy()
    kinds = _kinds()
    if kind not in kinds:
        allowed = ", ".join([*kinds, DEFAULT])
        raise BenchError(f"--strategy: {name!r} is no strategy; allowed: {allowed}, or NAME:PRESET (reinforce:Paper)")
    return Strategy.model_validate({kind: _settings(name, kinds[kind], variant) if colon else {}}, strict=False)


def _kinds() -> dict[str, type[Model]]:
    """The model of each strategy's settings by its name in a manifest."""
    return {
        field.alias or key: next(part for part in _parts(field.annotation) if issubclass(part, Model))
        for key, field in Strategy.model_fields.items()
    }


def _settings(name: str, model: type[Model], variant: str) -> Mapping[str, str]:
    variants = _variants(model)
    if variant in variants:
        return {variants[variant]: variant}
    kind = name.partition(":")[0]
    allowed = ", ".join(f"{kind}:{one}" for one in variants)
    raise BenchError(
        f"--strategy: {name!r}: {kind} has no preset {variant!r}; allowed: {kind}{', ' if allowed else ''}{allowed}"
    )


def _variants(model: type[Model]) -> dict[str, str]:
    """Values of the field that offers a choice among words, with its name; none where no or several fields do."""
    choices = {
        key: part
        for key, field in model.model_fields.items()
        for part in _parts(field.annotation)
        if issubclass(part, StrEnum)
    }
    chosen = "preset" if "preset" in choices else next(iter(choices), "")
    if not chosen or ("preset" not in choices and len(choices) > 1):
        return {}
    return {value.value: model.model_fields[chosen].alias or chosen for value in choices[chosen]}


def _parts(annotation: object) -> list[type]:
    parts = getattr(annotation, "__args__", (annotation,))
    return [part for part in parts if isinstance(part, type)]

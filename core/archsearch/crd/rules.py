"""Rules in CEL that hold for any schema: one-of, lengths of time, names of a map's entries."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from archsearch.api import schema as schemas
from archsearch.api.base import LONGEST
from archsearch.api.oneof import none_set, several_set
from archsearch.api.patterns import DURATION

_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


@dataclass(frozen=True)
class Rule:
    """One rule in CEL and what to say where it is broken."""

    rule: str
    """True where all is well; ``self`` is the value that has the rule."""
    message: str
    """For people; a fallback where ``expression`` is there."""
    expression: str | None = None
    """CEL that gives the message, where it names values: texts only, since CEL bounds no text made from a number."""
    field: str | None = None
    """Path of the field at fault, from the value that has the rule, as ``.trials.max``."""
    reason: str | None = None
    """One of the API server's reasons; left out: FieldValueInvalid."""

    def as_schema(self) -> dict[str, Any]:
        """An entry of ``x-kubernetes-validations``."""
        named = {
            "rule": self.rule,
            "message": self.message,
            "messageExpression": self.expression,
            "fieldPath": self.field,
            "reason": self.reason,
        }
        return {key: value for key, value in named.items() if value is not None}


def text(value: str) -> str:
    """``value`` as a CEL string."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def texts(values: Iterable[str]) -> str:
    """``values`` as a CEL list of strings."""
    return "[" + ", ".join(map(text, values)) + "]"


def general(found: Mapping[str, Any]) -> tuple[Rule, ...]:
    """The rules that follow from a schema by itself."""
    if schemas.ONE_OF in found:
        return tuple(_one_of(found))
    if found.get("pattern") == DURATION:
        return (_duration(),)
    if any("type" in values for values in found.get("patternProperties", {}).values()):
        return (_names(found),)  # CEL cannot read a map whose values have no one type
    return ()


def _one_of(found: Mapping[str, Any]) -> Iterable[Rule]:
    # A rule for each pair: text that is put together from what is set has no bound that the API server can see.
    names = tuple(found["properties"])
    allowed = ", ".join(names)
    for first, second in combinations(names, 2):
        yield Rule(f"!has(self.{first}) || !has(self.{second})", several_set([first, second], allowed))
    if found[schemas.ONE_OF] == "exactly":
        yield Rule(" || ".join(f"has(self.{name})" for name in names), none_set(allowed), reason="FieldValueRequired")


def _duration() -> Rule:
    # Numbers of more than nine digits are refused before they could overflow; leading zeros do not count.
    parts = " + ".join(
        f"int('0' + self.find('[0-9]+{unit}').replace('{unit}', '')) * {seconds}" for unit, seconds in _SECONDS.items()
    )
    return Rule(
        f"!self.matches('[1-9][0-9]{{9}}') && ({parts}) >= 1 && ({parts}) <= {LONGEST}",
        "is not allowed; needs a duration from 1s to 3650d",
        "'\"' + self + '\" is not allowed; needs a duration from 1s to 3650d'",
    )


def _names(found: Mapping[str, Any]) -> Rule:
    (pattern,) = found["patternProperties"]
    bounds = {"type": "string", **found.get("propertyNames", {}), "pattern": pattern}
    fits = f"name.size() <= {bounds['maxLength']} && name.matches({text(pattern)})"
    needed = f"is not allowed; needs {schemas.needs(bounds)}"
    return Rule(
        f"self.all(name, {fits})",
        f"a name {needed}",
        f"'the name \"' + self.filter(name, !({fits}))[0] + " + text(f'" {needed}'),
    )

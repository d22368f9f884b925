"""From pydantic's JSON Schema to a structural schema, the form that API servers ask for.

Structural means: every value has one type; ``anyOf`` with null, ``$ref``, ``const`` and numeric exclusive bounds do
not exist. An optional field is one that is not required. A value that may be of several types has no type and
preserves what it is given; its bounds still hold for those of its types that they speak of.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from archsearch.api import schema as schemas
from archsearch.api.base import Model
from archsearch.crd.rules import Rule

Schema = dict[str, Any]
_COPIED = (
    *("type", "enum", "format", "pattern", "minLength", "maxLength", "minimum", "maximum"),
    *("minItems", "maxItems", "minProperties", "maxProperties"),
)
_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number"}
PRESERVE = "x-kubernetes-preserve-unknown-fields"
VALIDATIONS = "x-kubernetes-validations"
Rules = Callable[[str, Mapping[str, Any]], Sequence[Rule]]
"""The rules of a value: from the name of its model (empty: none) and its schema as pydantic has it."""


def structural(model: type[Model], rules: Rules) -> Schema:
    """The structural schema of ``model`` as an object of its own, CEL rules attached."""
    source = model.model_json_schema(by_alias=True)
    return _Converter(source.get("$defs", {}), rules).convert({**source, "x-model": model.__name__})


class _Converter:
    def __init__(self, definitions: Mapping[str, Schema], rules: Rules) -> None:
        self._definitions, self._rules = definitions, rules

    def convert(self, declared: Schema) -> Schema:
        """``declared`` as structural schema: what a field says of itself first, then what its type says."""
        found = self._resolve(declared)
        schema: Schema = {}
        if text := _description(declared, found):
            schema["description"] = text
        schema |= self._body(found)
        if declared.get("default") is not None:
            schema["default"] = _default(declared["default"], schema)
        if rules := self._rules(found.get("x-model", ""), found):
            schema[VALIDATIONS] = [rule.as_schema() for rule in rules]
        return schema

    def _resolve(self, declared: Schema) -> Schema:
        """References followed and null left out; ``x-model`` names the model that was referred to."""
        if "$ref" in declared:
            name = declared["$ref"].rsplit("/", 1)[-1]
            return {"x-model": name, **self._resolve(self._definitions[name])}
        options = [option for option in declared.get("anyOf", ()) if option.get("type") != "null"]
        return self._resolve(options[0]) if len(options) == 1 else declared

    def _body(self, found: Schema) -> Schema:
        if "anyOf" in found:
            return _union([option for option in found["anyOf"] if option.get("type") != "null"])
        schema = {key: found[key] for key in _COPIED if key in found}
        if "const" in found:
            schema |= {"type": _TYPES[type(found["const"])], "enum": [found["const"]]}
        if schema.get("type") == "integer":
            schema["format"] = "int64"
        for bound in ("minimum", "maximum"):
            exclusive = f"exclusive{bound.capitalize()}"
            if exclusive in found:
                schema |= {bound: found[exclusive], exclusive: True}
            if bound in schema:
                schema[bound] = _whole(schema[bound])
        if schema.get("type") == "array":
            schema |= self._list(found)
        elif schema.get("type") == "object":
            schema |= self._object(found)
        return schema

    def _list(self, found: Schema) -> Schema:
        keys = found.get("x-list-map-keys")
        kind = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys} if keys else {}
        return {"items": self.convert(found["items"]), **kind}

    def _object(self, found: Schema) -> Schema:
        if "properties" in found:
            fields = {name: self.convert(declared) for name, declared in found["properties"].items()}
            required = {"required": found["required"]} if found.get("required") else {}
            return ({"properties": fields} if fields else {}) | required
        values = next(iter(found.get("patternProperties", {}).values()), found.get("additionalProperties"))
        if isinstance(values, dict) and (inner := self._resolve(values)) and set(inner) - {"x-model"}:
            return {"additionalProperties": self.convert(inner)}
        return {PRESERVE: True}  # any JSON


def _union(options: Sequence[Schema]) -> Schema:
    """Several scalar types: no type, the bounds of each, and neither lists nor objects of any length."""
    text: Schema = next((option for option in options if option["type"] == "string"), {})
    numbers = [option for option in options if option["type"] in ("integer", "number")]
    schema: Schema = {PRESERVE: True, "maxItems": 0, "maxProperties": 0}
    schema |= {key: text[key] for key in ("pattern", "minLength", "maxLength") if key in text}
    for bound, widest in (("minimum", min), ("maximum", max)):
        if all(bound in option for option in numbers):
            schema[bound] = _whole(widest(option[bound] for option in numbers))
    return schema


def _whole(number: float) -> float:
    """1e+18 is a text to readers of YAML 1.1; 1000000000000000000 is a number to everybody."""
    return int(number) if number == int(number) else number


def _default(value: Any, schema: Schema) -> Any:
    """An object's default is empty: the defaults of its fields fill it in, also where a field is given."""
    return {} if isinstance(value, dict) and "properties" in schema else value


def _description(declared: Schema, found: Schema) -> str:
    """What the field is, what its type says beyond that, its unit and bounds, and its default."""
    own, general = (" ".join(part.get("description", "").split()) for part in (declared, found))
    if own.rstrip(".") in general:
        own = ""
    elif general.rstrip(".") in own:
        general = ""
    return " ".join(part for part in (own, general, _numbers(declared, found), _said(declared)) if part)


def _numbers(declared: Schema, found: Schema) -> str:
    unit, bounds = declared.get("x-unit"), schemas.bounds(found.get("items", found))
    if unit is None:
        return bounds and f"{bounds[0].upper()}{bounds[1:]}."
    said = "A pure number" if unit == "1" else f"Unit: {unit}"
    return f"{said}, {bounds}." if bounds else f"{said}."


def _said(declared: Schema) -> str:
    value = declared.get("default")
    if value is None or value in ("", [], {}) or isinstance(value, dict):
        return ""
    return f"Default: {value if isinstance(value, str) else json.dumps(value)}."

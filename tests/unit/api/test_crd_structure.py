"""The CustomResourceDefinitions are structural, bounded, described, and say the same as the models."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ruamel.yaml import YAML

from archsearch.api import schema as schemas
from archsearch.api.base import Model
from archsearch.api.status import SearchStatus
from archsearch.api.trial import TrialStatus
from archsearch.crd import definitions, texts
from archsearch.crd.structural import PRESERVE, VALIDATIONS
from archsearch.manifest import load
from archsearch.manifest.changes import FIXED_WHERE_REPRODUCIBLE, MUTABLE

ROOT = Path(__file__).parents[3]
SEARCH, TRIAL = definitions()
GOOD = sorted((ROOT / "tests" / "data" / "manifests" / "good").glob("*.yaml"))
Node = tuple[str, dict[str, Any]]
KNOWN = {
    *("type", "format", "description", "default", "enum", "pattern", "minLength", "maxLength", "items", "properties"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems", "required"),
    *("minProperties", "maxProperties", "additionalProperties", PRESERVE, VALIDATIONS),
    *("x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
}
SERVED = {"apiVersion", "kind", "metadata", "metadata.name"}
"""What the API server itself types and describes."""


def schema_of(definition: dict[str, Any]) -> dict[str, Any]:
    (version,) = definition["spec"]["versions"]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return found


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[Node]:
    yield path, schema
    for name, below in schema.get("properties", {}).items():
        yield from nodes(below, f"{path}.{name}".lstrip("."))
    for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if key in schema:
            yield from nodes(schema[key], path + mark)


NODES = [
    pytest.param(path, node, id=f"{kind}:{path}")
    for kind, definition in (("search", SEARCH), ("trial", TRIAL))
    for path, node in nodes(schema_of(definition))
]


@pytest.mark.parametrize(("path", "node"), NODES)
def test_every_value_is_structural(path: str, node: dict[str, Any]) -> None:
    assert set(node) <= KNOWN
    assert node.get("type") in ("object", "array", "string", "integer", "number", "boolean") or node.get(PRESERVE)
    assert not {"properties", "additionalProperties"} <= set(node)
    assert all(isinstance(node.get(key, True), bool) for key in ("exclusiveMinimum", "exclusiveMaximum"))
    assert set(node.get("required", ())) <= set(node.get("properties", {}))
    assert not set(node.get("required", ())) & {
        name for name, below in node.get("properties", {}).items() if "default" in below
    }


@pytest.mark.parametrize(("path", "node"), NODES)
def test_bounds_fit_an_integer_of_64_bits_as_which_an_api_server_compares_whole_numbers(
    path: str, node: dict[str, Any]
) -> None:
    assert all(abs(node.get(bound, 0)) < 2**63 for bound in ("minimum", "maximum"))


@pytest.mark.parametrize(("path", "node"), NODES)
def test_every_text_list_and_map_is_bounded_as_the_cost_limit_of_cel_asks(path: str, node: dict[str, Any]) -> None:
    if path in SERVED:
        return
    kind = node.get("type")
    if kind == "string":
        assert "maxLength" in node or "enum" in node
    elif kind == "array":
        assert "maxItems" in node
    elif kind is None or "additionalProperties" in node or PRESERVE in node:
        assert "maxProperties" in node
    if kind is None:
        assert {"maxLength", "maxItems"} <= set(node)


@pytest.mark.parametrize(("path", "node"), NODES)
def test_every_field_is_described_in_a_sentence_without_saying_it_twice(path: str, node: dict[str, Any]) -> None:
    if path in SERVED or path.endswith(("]", "}")):
        return
    text = node["description"]
    assert re.fullmatch(r"\S.*[.]", text)
    assert "  " not in text
    sentences = text.split(". ")
    assert len(sentences) == len(set(sentences))


def test_the_description_of_a_number_has_its_unit_bounds_and_default() -> None:
    trials = schema_of(SEARCH)["properties"]["spec"]["properties"]["trials"]["properties"]
    assert trials["parallelism"]["description"].endswith("Unit: trials, from 0 to 10000. Default: 1.")
    assert trials["duplicates"]["description"].endswith("Default: Reuse.")
    status = schema_of(SEARCH)["properties"]["status"]["properties"]
    assert status["gpuSeconds"]["description"].endswith("Unit: s, at least 0. Default: 0.0.")


def test_only_what_cannot_be_typed_is_kept_as_it_is() -> None:
    kept = [path for definition in (SEARCH, TRIAL) for path, node in nodes(schema_of(definition)) if PRESERVE in node]
    resources = [
        f"spec.{part}.resources.{kind}{{}}" for part in ("controller", "trial") for kind in ("limits", "requests")
    ]
    assert sorted(kept) == sorted(
        [
            "spec.trial.podTemplate",
            "spec.trial.task.custom",  # the user's own parameters
            "spec.architecture",  # of a trial
            "spec.searchSpace.choices[].values[]",  # numbers, texts and booleans
            *resources,  # 1, 0.5 and 500m: int-or-string would refuse 0.5
        ]
    )


def defaulted(value: Any, schema: dict[str, Any]) -> Any:
    """What an API server makes of ``value``."""
    if isinstance(value, dict):
        fields = schema.get("properties", {})
        given = {name: below["default"] for name, below in fields.items() if "default" in below}
        given |= {name: below for name, below in value.items() if below is not None}
        every = schema.get("additionalProperties", {})
        return {name: defaulted(below, fields.get(name, every)) for name, below in given.items()}
    if isinstance(value, list):
        return [defaulted(item, schema.get("items", {})) for item in value]
    return value


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_defaults_are_those_of_the_models(file: Path) -> None:
    search = load(file)
    given = search.model_dump(mode="json", by_alias=True, exclude_unset=True)["spec"]
    everything = search.model_dump(mode="json", by_alias=True, exclude_none=True)["spec"]
    assert defaulted(given, schema_of(SEARCH)["properties"]["spec"]) == everything


@pytest.mark.parametrize(
    ("definition", "model", "given"),
    [(SEARCH, SearchStatus, {"resolved": {"strategy": {}}}), (TRIAL, TrialStatus, {})],
)
def test_defaults_of_status_are_those_of_the_models(
    definition: dict[str, Any], model: type[Model], given: dict[str, Any]
) -> None:
    status = schema_of(definition)["properties"]["status"]
    made = model.model_validate_json(json.dumps(given))
    assert defaulted(given, status) == made.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert "default" not in status, "left out says that the operator has not been there yet"


def rules(definition: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(path, rule) for path, node in nodes(schema_of(definition)) for rule in node.get(VALIDATIONS, ())]


def test_what_may_not_change_has_one_rule_on_spec_and_what_may_has_none() -> None:
    fixed = [rule for path, rule in rules(SEARCH) if "oldSelf" in rule["rule"] and path == "spec"]
    assert len(fixed) == len([rule for _, rule in rules(SEARCH) if "oldSelf" in rule["rule"]]), "a rule is not on spec"
    always = [f"spec{rule['fieldPath']}" for rule in fixed if "reproducible ||" not in rule["rule"]]
    mutable = [".".join(map(str, path)) for path in MUTABLE]
    for path, *_ in schemas.walk():
        spelled = ".".join(path)
        if path[0] != "spec" or any(other.startswith(f"{spelled}.") for other in mutable):
            continue
        covering = [
            field for field in always if f"{spelled}.".startswith(f"{field}.") or spelled.startswith(f"{field}[")
        ]
        may_change = any(f"{spelled}.".startswith(f"{other}.") for other in mutable)
        assert len(covering) == (0 if may_change else 1), spelled
    where_reproducible = [f"spec{rule['fieldPath']}" for rule in fixed if "reproducible ||" in rule["rule"]]
    assert where_reproducible == [".".join(map(str, path)) for path in FIXED_WHERE_REPRODUCIBLE]


def test_every_rule_has_words_and_an_immutability_rule_names_its_field() -> None:
    for path, rule in [*rules(SEARCH), *rules(TRIAL)]:
        assert rule["message"].strip(), rule
        # The API server leaves the message out where the reason is another.
        assert rule.get("reason", "FieldValueInvalid") in (
            "FieldValueInvalid",
            "FieldValueRequired",
            "FieldValueForbidden",
        )
        if "cannot change" in rule["message"]:
            assert rule["message"].startswith(f"{path}{rule.get('fieldPath', '')} cannot change")


def test_every_object_of_which_one_field_is_set_has_its_rule() -> None:
    marked = [".".join(path) for path, _, found, _ in schemas.walk() if schemas.ONE_OF in found]
    assert len(marked) == 5
    told = {path for path, rule in rules(SEARCH) if "set one only of" in rule["message"]}
    assert told == set(marked)


def test_conditions_are_a_map_by_type() -> None:
    conditions = schema_of(SEARCH)["properties"]["status"]["properties"]["conditions"]
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]


@pytest.mark.parametrize("definition", [SEARCH, TRIAL], ids=["search", "trial"])
def test_every_printer_column_reads_a_field_of_its_type(definition: dict[str, Any]) -> None:
    fields = dict(nodes(schema_of(definition)))
    (version,) = definition["spec"]["versions"]
    for column in version["additionalPrinterColumns"]:
        path = re.sub(r"\[\?.*?\]", "[]", column["jsonPath"]).removeprefix(".")
        if path == "metadata.creationTimestamp":
            assert column["type"] == "date"
        else:
            assert fields[path]["type"] == column["type"]


def test_the_files_are_up_to_date_and_read_alike_as_yaml_1_1_and_1_2() -> None:
    for folder in (ROOT / "crds", ROOT / "charts" / "archsearch" / "files" / "crds"):
        kept = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.yaml")}
        assert kept == texts(), "run: make crds"
    for text, definition in zip(texts().values(), (SEARCH, TRIAL), strict=True):
        assert yaml.safe_load(text) == YAML(typ="safe", pure=True).load(text) == definition

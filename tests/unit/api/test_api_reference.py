"""The schema tells everything that the reference page, the sentences and a CRD need; the page is up to date."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from archsearch.api import ArchitectureSearch, Depth, Trials, reference, schema, seconds
from archsearch.api.conditions import Condition
from archsearch.api.patterns import WORDS
from archsearch.api.status import PolicyStatus, SearchStatus
from archsearch.api.trial import TrialSpec, TrialStatus

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"
Field = tuple[tuple[str, ...], schema.Schema, schema.Schema, bool]
FIELDS: list[Field] = list(schema.walk())


def name(field: Field) -> str:
    return ".".join(field[0])


@pytest.mark.parametrize("field", FIELDS, ids=name)
def test_every_field_is_described_and_every_number_has_a_unit_and_bounds(field: Field) -> None:
    path, declared, found, _ = field
    assert declared.get("description") or found.get("description"), path
    numbers = found if found.get("type") in ("integer", "number") else schema.resolve(found.get("items", {}))
    if numbers.get("type") in ("integer", "number") and "const" not in numbers:
        assert declared.get("x-unit"), f"{path} has no unit"
        if path != ("spec", "objective", "target"):
            assert schema.bounds(numbers), f"{path} has no bounds"


def bounded(found: schema.Schema) -> bool:
    """Whether every text, list and map below ``found`` is bounded, as CEL's cost limit asks."""
    found = schema.resolve(found)
    if found.get("type") == "string":
        return "maxLength" in found or "enum" in found or "const" in found
    if found.get("type") == "array":
        return "maxItems" in found and bounded(found["items"])
    values = found.get("additionalProperties")
    if found.get("type") == "object" and isinstance(values, dict) and schema.resolve(values):
        return "maxProperties" in found and bounded(values)
    return all(bounded(option) for option in found.get("anyOf", ()))


@pytest.mark.parametrize("field", FIELDS, ids=name)
def test_every_text_list_and_map_is_bounded(field: Field) -> None:
    assert bounded(field[2])


def test_every_pattern_has_words_is_anchored_and_reads_alike_everywhere() -> None:
    text = str(schema.root())
    patterns = set(re.findall(r"'pattern': '((?:[^'\\]|\\.)*)'", text))
    assert {pattern.replace("\\\\", "\\") for pattern in patterns} == set(WORDS)
    for pattern in WORDS:
        assert pattern.startswith("^")
        assert pattern.endswith("$")
        assert not re.search(r"\\[dwsbDWSB]|\(\?", pattern), "not the same in Python, Rust and Go"


def test_the_reference_pages_are_up_to_date() -> None:
    kept = {path.name: path.read_text(encoding="utf-8") for path in REFERENCE.glob("*.md")}
    assert kept == reference.pages(), "run: make reference"


def test_the_pages_have_a_row_for_every_field_of_status_and_of_a_trial() -> None:
    search, trial = reference.pages().values()
    for model, page, title in (
        (SearchStatus, search, "status"),
        (PolicyStatus, search, "status.policy"),
        (Condition, search, "status.conditions[]"),
        (TrialSpec, trial, "spec"),
        (TrialStatus, trial, "status"),
    ):
        section = page.split(f"\n## {title}\n")[1].split("\n## ")[0]
        for name, field in model.model_fields.items():
            assert f"\n| `{field.alias or name}` |" in section, (title, name)
            assert (field.description or "").replace("<", "&lt;") in section


def test_the_reference_page_has_a_row_for_every_field_with_its_default() -> None:
    page = reference.page()
    for path, declared, _, required in FIELDS:
        title = ".".join(path[:-1]) or "The resource"
        section = page.split(f"\n## {title}\n")[1].split("\n## ")[0]
        (row,) = [line for line in section.splitlines() if line.startswith(f"| `{path[-1]}` |")]
        assert ("**required**" in row) == required
        if isinstance(declared.get("default"), int | float | str):
            assert f"{declared['default']}".lower() in row.lower()


@pytest.mark.parametrize(
    "duration", ["", "1", "s", "1h ", "1h\n", "h1", "1s1h", "1.5h", "-1s", "٣s", "0s", "0d0h", "3651d"]
)
def test_a_duration_of_another_form_or_length_is_refused(duration: str) -> None:
    with pytest.raises(ValidationError):
        Trials(deadline=duration)


@pytest.mark.parametrize(
    ("duration", "expected"),
    [("1s", 1), ("90s", 90), ("4h", 14400), ("1h30m", 5400), ("2d", 172800), ("1d2h3m4s", 93784), ("3650d", 315360000)],
)
def test_a_duration_is_read_in_seconds(duration: str, expected: int) -> None:
    assert Trials(deadline=duration).deadline == duration
    assert seconds(duration) == expected


def test_a_rule_that_spans_fields_names_the_field_at_fault_also_to_python() -> None:
    with pytest.raises(ValidationError, match=r"4 is not allowed; final must not be below initial \(8\)"):
        Depth(initial=8, final=4)


def test_resources_are_immutable_and_know_no_other_field() -> None:
    depth = Depth(initial=8)
    with pytest.raises(ValidationError):
        depth.initial = 9
    with pytest.raises(ValidationError):
        Depth(initial=8, extra=1)  # type: ignore[call-arg]
    assert ArchitectureSearch.model_config["frozen"]

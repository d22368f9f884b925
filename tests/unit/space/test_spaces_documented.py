"""The pages of the spaces name what the code has: every field with its default, every mutation, and no other."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from archsearch.api import SearchSpace
from archsearch.api.cells import CellSpace, RecurrentCellSpace
from archsearch.api.space import Choice, ConvolutionalSpace, Depth
from archsearch.space import SPACES, build

PAGES: dict[str, tuple[str, dict[str, type[BaseModel]], dict[str, Any]]] = {
    # kind: page, models whose fields it lists (by the path before them), a manifest with every mutation
    "convolutional": (
        "convolutional.md",
        {"depth.": Depth, "": ConvolutionalSpace},
        {"depth": {"initial": 2}, "strides": [1, 2]},
    ),
    "choices": ("choices.md", {"": Choice}, [{"name": "width", "values": [1, 2]}]),
    "cell": ("cell.md", {"": CellSpace}, {}),
    "recurrentCell": ("recurrent-cell.md", {"": RecurrentCellSpace}, {}),
}
every_page = pytest.mark.parametrize("kind", PAGES)


def _section(repository: Path, kind: str, title: str) -> list[list[str]]:
    """The cells of the table under a heading, its head left out."""
    page = (repository / "docs" / "spaces" / PAGES[kind][0]).read_text()
    text = page.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_every_space_has_its_page(repository: Path) -> None:
    assert set(PAGES) == set(SPACES)
    pages = {path.name for path in (repository / "docs" / "spaces").glob("*.md")} - {"README.md"}
    assert pages == {page for page, *_ in PAGES.values()}


@every_page
def test_every_field_is_listed_with_its_default_and_its_unit(kind: str, repository: Path) -> None:
    told = {row[0].strip("`"): (row[1], row[2]) for row in _section(repository, kind, "Parameters")}
    fields = {
        prefix + (field.alias or name): field
        for prefix, model in PAGES[kind][1].items()
        for name, field in model.model_fields.items()
        if name != "depth"
    }
    assert set(told) == set(fields)
    for name, field in fields.items():
        default, unit = told[name]
        extra = field.json_schema_extra
        assert unit == (extra.get("x-unit", "") if isinstance(extra, dict) else ""), name
        if field.is_required():
            assert default == "required"
        elif isinstance(field.default, tuple):
            words = re.findall(r"[\w]+", default)
            assert words == [str(getattr(option, "value", option)) for option in field.default] or (
                words[:2] == ["all", str(len(field.default))]
            )
        elif field.default is None:
            assert default == "`initial`"
        else:
            assert default == json.dumps(field.default)


@every_page
def test_every_mutation_is_listed_and_no_other(kind: str, repository: Path) -> None:
    space = build(SearchSpace.model_validate_json(json.dumps({kind: PAGES[kind][2]})))
    told = [row[0].strip("`") for row in _section(repository, kind, "Mutations")]
    assert told == list(space.mutations(space.stage(0)))


def test_the_sizes_that_the_pages_give_are_those_of_the_spaces(repository: Path) -> None:
    pages = {
        kind: (repository / "docs" / "spaces" / page).read_text().replace("\n", " ")
        for kind, (page, *_) in PAGES.items()
    }
    spaces = {
        kind: build(SearchSpace.model_validate_json(json.dumps({kind: settings})))
        for kind, settings in {"cell": {}, "recurrentCell": {}, "convolutional": {"depth": {"initial": 15}}}.items()
    }
    assert f"{spaces['cell'].size():,}".replace(",", " ") in pages["cell"]
    assert f"{spaces['recurrentCell'].size():.1e}" == "6.3e+16"
    assert "6.3·10^16" in pages["recurrentCell"]
    assert f"{spaces['convolutional'].size():.0e}" == "5e+58"
    assert "5·10^58" in pages["convolutional"]


def test_every_operation_is_named(repository: Path) -> None:
    page = (repository / "docs" / "spaces" / "cell.md").read_text()
    text = page.split("Operations (section 3): ", 1)[1].split(".\n", 1)[0]
    assert re.findall(r"`(\w+)`", text) == [operation.value for operation in CellSpace().operations]

"""What the pages say of the operator is what there is: its flags, its modules, its reasons, and the tests they name."""

import re
from pathlib import Path

import pytest
import typer.main

from archsearch.operator.command import app

ROOT = Path(__file__).resolve().parents[3]
ROOM = ROOT / "operator" / "archsearch" / "operator"
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
OPERATOR = (ROOT / "docs" / "operator.md").read_text()


def section(page: str, title: str) -> str:
    """The text under a heading of second order."""
    return page.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def first_cells(text: str) -> str:
    return "\n".join(line.split("|")[1] for line in text.splitlines() if line.startswith("|"))


def test_every_flag_of_the_operator_is_in_its_table_and_no_other() -> None:
    options = [option for parameter in typer.main.get_command(app).params for option in parameter.opts]
    told = re.findall(r"`(--[a-z-]+)`", first_cells(section(OPERATOR, "Flags")))
    assert sorted(told) == sorted(set(options) - {"--help"})


def test_every_module_of_the_operator_has_its_line_and_no_line_is_of_a_module_that_is_gone() -> None:
    told = re.findall(r"`(\w+)/?`", first_cells(section(ARCHITECTURE, "The operator")))
    modules = [path.stem for path in ROOM.glob("*.py") if path.stem != "__init__"]
    assert sorted(told) == sorted([*modules, "builders"])


def test_every_test_that_the_architecture_names_is_there() -> None:
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^\s*(?:async )?def (\w+)\(", path.read_text(), re.MULTILINE)
    }
    named = re.findall(r"`(\w+)`", section(ARCHITECTURE, "What must always hold"))
    names = {name for name in named if name.count("_") > 2}
    assert len(names) > 10
    assert names <= there


def test_every_decision_is_in_the_index_with_its_title() -> None:
    folder = ROOT / "docs" / "decisions"
    pages = {path.name: path.read_text().splitlines()[0] for path in folder.glob("0*.md")}
    listed = re.findall(r"^\| \[(\d{4})\]\((\S+)\) \| (.+) \|$", (folder / "README.md").read_text(), re.MULTILINE)
    assert {name: f"# {number} {title}" for number, name, title in listed} == pages


@pytest.mark.parametrize(
    "module", ["acceptance", "problems", "progressing", "search_status", "launching", "controller", "loop"]
)
def test_every_reason_of_a_condition_is_explained(module: str) -> None:
    """Reasons are the CamelCase words of two parts and more that these modules have as literals."""
    code = (ROOM / f"{module}.py").read_text()
    code = re.sub(r'"""(.|\n)*?"""', "", code)
    reasons = set(re.findall(r'(?:true|false|Wanted|Problem|Refused)\((?:[^"()]*, )?"([A-Z][A-Za-z]+)"', code))
    reasons |= set(re.findall(r'^[A-Z_]+ = "([A-Z][A-Za-z]+)"$', code, re.MULTILINE))
    assert reasons
    explained = set(re.findall(r"`([A-Z]\w+)`", section(OPERATOR, "Conditions")))
    assert reasons <= explained

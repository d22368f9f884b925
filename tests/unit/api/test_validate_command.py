"""``archsearch validate``: exit codes, lines as compilers write them, and nothing but data with -o json or yaml."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from ruamel.yaml import YAML
from typer.testing import CliRunner, Result

from archsearch.cli import validate as command
from archsearch.manifest import ManifestError
from archsearch.manifest.reading import MAX_BYTES

DATA = Path(__file__).parents[2] / "data" / "manifests"
GOOD = (DATA / "good" / "smallest.yaml").read_text()
BAD = (DATA / "bad" / "trials_fields.yaml").read_text()
ALL_BAD = sorted((DATA / "bad").glob("*.yaml"))


@pytest.fixture
def program() -> typer.Typer:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    command.register(app)
    return app


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(BAD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(program: typer.Typer, *arguments: str, stdin: str | bytes | None = None) -> Result:
    result = CliRunner().invoke(program, ["validate", *arguments], input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_a_good_manifest_exits_with_0_and_says_so(program: typer.Typer, folder: Path) -> None:
    result = call(program, "good.yaml")
    assert result.exit_code == 0
    assert result.stdout == "good.yaml:1: ArchitectureSearch smallest is valid\n"
    assert result.stderr == ""


def test_mistakes_exit_with_2_and_are_lines_as_compilers_write_them(program: typer.Typer, folder: Path) -> None:
    result = call(program, "bad.yaml", "good.yaml")
    assert result.exit_code == 2
    lines = result.stdout.splitlines()
    assert len(lines) == 11
    assert lines[1].startswith('bad.yaml:9:18: spec.trials.parallelism: "four" is not allowed; needs an integer from 0')
    assert lines[-1] == "good.yaml:1: ArchitectureSearch smallest is valid"
    assert result.stderr == "archsearch: 10 mistake(s) in 1 of 2 file(s)\n"


def test_a_line_is_not_broken_however_long(program: typer.Typer, folder: Path) -> None:
    (folder / "long.yaml").write_text(GOOD + "  " + "x" * 300 + ": 1\n")
    assert len(call(program, "long.yaml").stdout.splitlines()) == 1


def test_square_brackets_and_colons_are_not_markup(program: typer.Typer, folder: Path) -> None:
    (folder / "a.yaml").write_text(GOOD + '  "[bold]:smile:": 1\n')
    assert "[bold]:smile:" in call(program, "a.yaml").stdout


def test_json_is_a_list_of_mistakes_and_nothing_else(program: typer.Typer, folder: Path) -> None:
    result = call(program, "bad.yaml", "absent.yaml", "good.yaml", "-o", "json")
    assert result.exit_code == 2
    found: list[dict[str, Any]] = json.loads(result.stdout)
    assert len(found) == 11
    assert found[1] == {
        "file": "bad.yaml",
        "path": "spec.trials.parallelism",
        "line": 9,
        "column": 18,
        "kind": "WrongType",
        "message": '"four" is not allowed; needs an integer from 0 to 10000',
        "value": "four",
        "allowed": ["an integer from 0 to 10000"],
        "suggestion": None,
    }
    assert (found[-1]["file"], found[-1]["kind"]) == ("absent.yaml", "Unreadable")


def test_json_of_good_manifests_is_an_empty_list(program: typer.Typer, folder: Path) -> None:
    result = call(program, "good.yaml", "--output", "json")
    assert (result.exit_code, json.loads(result.stdout), result.stderr) == (0, [], "")


def test_yaml_holds_the_same_as_json(program: typer.Typer, folder: Path) -> None:
    as_yaml = YAML(typ="safe", pure=True).load(call(program, "bad.yaml", "-o", "yaml").stdout)
    assert as_yaml == json.loads(call(program, "bad.yaml", "-o", "json").stdout)


@pytest.mark.parametrize("file", ALL_BAD, ids=lambda file: file.stem)
def test_every_bad_manifest_is_data_too(program: typer.Typer, file: Path) -> None:
    result = call(program, str(file), "-o", "json")
    assert result.exit_code == 2
    found = json.loads(result.stdout)
    assert found
    assert all(set(error) == {*ManifestError.__dataclass_fields__} for error in found)


def test_a_hyphen_reads_standard_input(program: typer.Typer) -> None:
    assert call(program, "-", stdin=GOOD).stdout == "<stdin>:1: ArchitectureSearch smallest is valid\n"
    result = call(program, "-", "-o", "json", stdin=BAD)
    assert result.exit_code == 2
    assert {error["file"] for error in json.loads(result.stdout)} == {"<stdin>"}


@pytest.mark.parametrize("data", [b"", b"\xff", b"#" * (MAX_BYTES + 10)])
def test_standard_input_of_any_kind_is_told(program: typer.Typer, data: bytes) -> None:
    result = call(program, "-", stdin=data)
    assert result.exit_code == 2
    assert result.stdout.startswith("<stdin>:1:1: ")


@pytest.mark.parametrize("name", ["absent.yaml", "folder", "a\0b"])
def test_a_file_that_cannot_be_read_exits_with_2(program: typer.Typer, folder: Path, name: str) -> None:
    (folder / "folder").mkdir()
    result = call(program, name)
    assert result.exit_code == 2
    assert "the file cannot be read: " in result.stdout


@pytest.mark.parametrize("arguments", [[], ["good.yaml", "-o", "xml"], ["--nonsense", "good.yaml"]])
def test_wrong_usage_exits_with_2(program: typer.Typer, folder: Path, arguments: list[str]) -> None:
    result = call(program, *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_a_file_that_is_named_twice_is_told_once(program: typer.Typer, folder: Path) -> None:
    assert call(program, "good.yaml", "good.yaml").stdout.count("is valid") == 1


def test_a_long_value_is_cut_in_data(program: typer.Typer, folder: Path) -> None:
    (folder / "long.yaml").write_text(GOOD + "  seed: " + "x" * 5000 + "\n")
    (error,) = json.loads(call(program, "long.yaml", "-o", "json").stdout)
    assert len(error["value"]) == 1001
    assert len(error["message"]) < 300


def test_several_searches_in_one_file_are_each_checked(program: typer.Typer, folder: Path) -> None:
    (folder / "two.yaml").write_text(GOOD + "---\n" + GOOD.replace("smallest", "second"))
    assert call(program, "two.yaml").stdout.splitlines() == [
        "two.yaml:1: ArchitectureSearch smallest is valid",
        "two.yaml:8: ArchitectureSearch second is valid",
    ]

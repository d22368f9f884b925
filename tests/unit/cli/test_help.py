"""Help: whole sentences that fit a terminal, examples, exit codes; and what it takes to start."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archsearch.cli.app import assemble

APP = assemble()
COMMANDS = ("run", "trials", "show", "best", "audit", "compare", "report", "validate")
BENCHES = ("sample-efficiency", "start", "controller", "memory")
HELPS = [(), *((name,) for name in COMMANDS), ("bench",), *(("bench", name) for name in BENCHES)]


def help_of(*command: str, flag: str = "--help") -> str:
    result = CliRunner().invoke(APP, [*command, flag], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    assert result.exit_code == 0
    return result.stdout


@pytest.mark.parametrize("command", HELPS)
def test_help_fits_80_columns_and_cuts_no_sentence(command: tuple[str, ...]) -> None:
    lines = help_of(*command).splitlines()
    assert max(map(len, lines)) <= 80
    assert [line for line in lines[1:] if line.endswith("...")] == []
    assert help_of(*command, flag="-h").splitlines() == lines


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS), ("bench", "sample-efficiency")])
def test_help_ends_with_examples_a_line_each(command: tuple[str, ...]) -> None:
    _, _, examples = help_of(*command).partition("  Examples:\n")
    assert examples.startswith(f"    archsearch {' '.join(command)}".rstrip())


@pytest.mark.parametrize("command", ["run", "compare"])
def test_help_of_a_command_that_searches_lists_its_exit_codes(command: str) -> None:
    _, _, codes = help_of(command).partition("Exit codes:\n")
    codes, _, _ = codes.partition("\n\n")
    numbers = [line.split()[0] for line in codes.splitlines()]
    assert [number for number in numbers if number.isdigit()] == ["0", "1", "2", "130"]


def loaded_by(*arguments: str) -> set[str]:
    """Packages that a run of the program loads."""
    program = (
        "import json, sys\n"
        "from archsearch.cli import main\n"
        f"sys.argv = {['archsearch', *arguments]!r}\n"
        "try: main()\n"
        "finally: print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr))


def test_help_and_validate_load_only_what_they_need(tmp_path: Path) -> None:
    assert loaded_by("--help").isdisjoint({"aiohttp", "rich.console", "ruamel.yaml", "archsearch.manifest"})
    manifest = Path(__file__).parents[2] / "data" / "manifests" / "good" / "smallest.yaml"
    heavy = {"aiohttp", "psutil", "archsearch.bench", "archsearch.engine.decide", "archsearch.local.run"}
    assert loaded_by("validate", str(manifest)).isdisjoint(heavy)

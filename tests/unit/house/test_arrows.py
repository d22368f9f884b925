"""import-linter sees each forbidden arrow: in a copy of the rooms, one import is added and the contract breaks."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOMS = ("core", "operator", "controller_image", "trial_image")


@pytest.fixture(scope="module")
def copy(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rooms")
    for room in ROOMS:
        shutil.copytree(repository / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(repository / "pyproject.toml", folder)
    return folder


def lint(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # -S: without the editable install's path file, or the namespace would hold the checkout's rooms beside the copy's.
    path = [*(str(folder / room) for room in ROOMS), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-S", "-c", program, "--no-logo", "--no-cache", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("core/archsearch/engine/model.py", "import archsearch.controller", "layers"),
        ("core/archsearch/engine/model.py", "import archsearch.trial", "layers"),
        ("core/archsearch/cli/__init__.py", "import archsearch.operator", "layers"),
        ("core/archsearch/api/base.py", "import archsearch.engine.model", "layers"),
        ("core/archsearch/space/base.py", "import archsearch.local", "layers"),
        ("core/archsearch/report.py", "import archsearch.space.base", "layers"),
        ("trial_image/archsearch/trial/__init__.py", "import archsearch.controller", "layers"),
        ("controller_image/archsearch/controller/__init__.py", "import archsearch.operator", "layers"),
        ("operator/archsearch/operator/__init__.py", "import archsearch.trial", "layers"),
        ("core/archsearch/newcomer.py", "", "layers"),
        ("core/archsearch/engine/model.py", "import torch", "heavy"),
        ("core/archsearch/local/__init__.py", "import kopf", "heavy"),
        ("core/archsearch/cli/__init__.py", "import kubernetes", "heavy"),
        ("operator/archsearch/operator/__init__.py", "import torch", "heavy"),
        ("controller_image/archsearch/controller/__init__.py", "import sklearn", "heavy"),
    ],
)
def test_a_forbidden_import_breaks_its_contract(copy: Path, module: str, line: str, contract: str) -> None:
    path = copy / module
    before = path.read_text() if path.exists() else None
    path.write_text(f"{before or ''}\n{line}\n")
    try:
        result = lint(copy, "--contract", contract)
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_text(before)
    assert result.returncode == 1, result.stdout + result.stderr
    importer = module.split("/", 1)[1].removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    expected = f"{importer} -> {line.removeprefix('import ')}" if line else "- archsearch.newcomer"
    assert expected in result.stdout
    assert "0 kept, 1 broken" in result.stdout


def test_the_tree_as_it_is_keeps_every_contract(copy: Path) -> None:
    result = lint(copy)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "2 kept, 0 broken" in result.stdout

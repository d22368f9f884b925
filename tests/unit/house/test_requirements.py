"""`make verify` notices every way in which pinned requirements can be wrong."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

HASH = "    --hash=sha256:" + "0" * 64 + "\n"
PROJECT = {
    "dependencies": ["aiohttp>=3.12"],
    "optional-dependencies": {"trial": ["torch>=2.9", "scikit-learn>=1.7"]},
}
GOOD = {
    "all": f"aiohttp==3.14 \\\n{HASH}scikit-learn==1.9 \\\n{HASH}torch==2.10 \\\n{HASH}    # via x\n",
    "core": f"aiohttp==3.14 \\\n{HASH}",
    "trial": f"aiohttp==3.14 \\\n{HASH}scikit-learn==1.9 \\\n{HASH}torch==2.10 \\\n{HASH}",
}


@pytest.fixture(scope="module")
def verify(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("verify", repository / "tools" / "verify.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_good_requirements_have_no_problem(verify: ModuleType) -> None:
    assert verify.requirement_problems(PROJECT, GOOD) == []


@pytest.mark.parametrize(
    ("file", "before", "after", "problem"),
    [
        ("core", "aiohttp==3.14 ", "aiohttp>=3.14 ", "is not pinned with =="),
        ("trial", f"torch==2.10 \\\n{HASH}", "torch==2.10\n", "requirements/trial.txt: torch has no sha256 hash"),
        ("trial", f"torch==2.10 \\\n{HASH}", "", "requirements/trial.txt: torch of pyproject.toml is not pinned"),
        ("all", f"torch==2.10 \\\n{HASH}", "", "requirements/all.txt: torch of pyproject.toml is not pinned"),
        ("core", "aiohttp==3.14", "aiohttp==3.11", "aiohttp is pinned to 3.11; pyproject.toml wants >=3.12"),
        ("core", "aiohttp==3.14", "aiohttp==3.15", "core.txt: aiohttp ['3.15'] is not what all.txt has"),
        ("trial", "sha256:0", "sha256:z", "aiohttp has no sha256 hash"),
    ],
)
def test_each_mistake_is_named(verify: ModuleType, file: str, before: str, after: str, problem: str) -> None:
    assert before in GOOD[file]
    files = {**GOOD, file: GOOD[file].replace(before, after, 1)}
    problems = verify.requirement_problems(PROJECT, files)
    assert any(problem in found for found in problems), problems


def test_a_room_without_its_file_is_named(verify: ModuleType) -> None:
    files = {name: text for name, text in GOOD.items() if name != "trial"}
    assert "requirements/trial.txt is missing" in verify.requirement_problems(PROJECT, files)


@pytest.mark.parametrize(
    ("module", "file", "remedy"),
    [
        ("archsearch.api.reference", "architecturetrial.md", "make reference"),
        ("archsearch.crd", "archsearch.io_architecturetrials.yaml", "make crds"),
    ],
)
def test_a_missing_a_stale_and_a_left_over_generated_file_are_named_and_fresh_ones_are_not(
    verify: ModuleType, tmp_path: Path, module: str, file: str, remedy: str
) -> None:
    kept = tmp_path / "kept"
    subprocess.run([sys.executable, "-m", module, kept], check=True)
    assert verify.generated_problems(module, kept, remedy) == []
    text = (kept / file).read_text()
    (kept / file).write_text(text + "x")
    assert verify.generated_problems(module, kept, remedy) == [
        f"{kept}/{file} is not what the API says now: run `{remedy}`"
    ]
    (kept / file).rename(kept / f"old_{file}")
    assert verify.generated_problems(module, kept, remedy) == [
        f"{kept}/{file} is missing: run `{remedy}`",
        f"{kept}/old_{file} is written by nothing: remove it",
    ]


@pytest.mark.parametrize("module", ["archsearch.api.reference", "archsearch.crd"])
def test_a_generator_without_a_folder_says_how_it_is_used(module: str) -> None:
    ended = subprocess.run([sys.executable, "-m", module], check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (2, f"usage: python -m {module} FOLDER...\n")

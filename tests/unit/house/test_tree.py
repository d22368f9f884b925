"""The tree keeps the rules of the house: namespace, links, commands, and nothing that ties it to one machine."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ROOMS = ("core", "operator", "controller_image", "trial_image")
PAGES = sorted(path for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("c*/README.md")])
# Where packages come from is for each machine to say, and no path of one machine is any other's business.
FOREIGN = re.compile(r"(?:pypi\.org|pythonhosted|download\.pytorch|/work/(?:main|shared)|/root/|/home/\w)")
LINK = re.compile(r"\[[^]]*\]\(([^)#\s]+)(?:#[^)]*)?\)|<img[^>]*src=\"([^\"]+)\"")


def tracked() -> list[Path]:
    """Files that belong to the project; outside a checkout (an archive), every file of its folders."""
    git = shutil.which("git")
    if git is not None and (ROOT / ".git").exists():
        listed = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    return [path for folder in (*ROOMS, "tools", "examples", "docs") for path in (ROOT / folder).rglob("*.*")]


def test_the_namespace_has_no_init_so_that_every_room_can_add_to_it() -> None:
    for room in ROOMS:
        assert (ROOT / room / "archsearch").is_dir()
        assert not (ROOT / room / "archsearch" / "__init__.py").exists()
        assert not (ROOT / room / "__init__.py").exists(), "operator/__init__.py would shadow Python's own operator"


def test_nothing_names_a_registry_or_a_path_of_one_machine() -> None:
    offenders = []
    for path in tracked():
        if path == Path(__file__):
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        offenders += [f"{path.relative_to(ROOT)}: {match.group()}" for match in FOREIGN.finditer(text)]
    assert offenders == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_of_a_page_leads_somewhere(page: Path) -> None:
    targets = [first or second for first, second in LINK.findall(page.read_text())]
    local = [target for target in targets if not re.match(r"[a-z]+:", target)]
    broken = [target for target in local if not (page.parent / target).exists()]
    assert broken == []


def test_make_help_names_every_target_with_its_sentence() -> None:
    text = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z0-9]+):", text, re.MULTILINE))
    make = shutil.which("make")
    assert make is not None
    shown = subprocess.run([make, "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert targets == set(re.findall(r"^  make ([a-z0-9]+) +\S", shown, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None
    assert targets == set(phony[1].split())


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z0-9]+)", page.read_text())) <= targets


def test_continuous_integration_runs_make_test_and_make_e2e_and_nothing_else() -> None:
    lines = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line and not line.startswith("#")]
    assert lines == ["set -eu", 'cd "$(dirname "$0")/.."', "export CI=true", "make test", "exec make e2e"]

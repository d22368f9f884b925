"""`tools/setup` on machines that lack something, and where there is nothing to do."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

PLAIN = ("sh", "cat", "cksum", "dirname", "env", "mkdir", "rm", "sed")
"""What every machine has."""


def machine(folder: Path, programs: Mapping[str, str]) -> Path:
    """A folder for PATH that holds the plain tools and the given shell scripts."""
    folder.mkdir()
    for name in PLAIN:
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    for name, script in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def checkout(repository: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    (folder / "requirements").mkdir(parents=True)
    (folder / "tools").mkdir()
    for name in ("tools/setup", "requirements/all.txt", "requirements/uv.txt", "pyproject.toml"):
        shutil.copy(repository / name, folder / name)
    return folder


def setup(checkout: Path, path: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(path), "HOME": str(checkout.parent / "home")}
    return subprocess.run(
        ["/bin/sh", str(checkout / "tools/setup")], env=environment, capture_output=True, text=True, check=False
    )


def test_without_python_it_says_which_packages_to_install(checkout: Path, tmp_path: Path) -> None:
    result = setup(checkout, machine(tmp_path / "bin", {}))
    assert result.returncode == 1
    assert "no Python of at least 3.11" in result.stderr
    assert "apt-get install python3 python3-venv" in result.stderr


def test_with_an_old_python_only_it_says_so(checkout: Path, tmp_path: Path) -> None:
    # 3.8 may fetch uv (its venv fails here), but must not be taken for the environment itself.
    old = 'case "$2" in *"(3, 8)"*) exit 0;; esac; exit 1'
    result = setup(checkout, machine(tmp_path / "bin", {"python3": old}))
    assert result.returncode == 1
    assert "no Python of at least 3.11" in result.stderr


def test_a_python_that_cannot_make_environments_is_told_with_the_package_that_mends_it(
    checkout: Path, tmp_path: Path
) -> None:
    broken = 'case "$1" in -c) exit 0;; *) exit 1;; esac'
    result = setup(checkout, machine(tmp_path / "bin", {"python3": broken}))
    assert result.returncode == 1
    assert "cannot make virtual environments" in result.stderr
    assert "apt-get install python3-venv" in result.stderr


def test_a_uv_that_does_not_run_is_passed_over(checkout: Path, tmp_path: Path) -> None:
    result = setup(checkout, machine(tmp_path / "bin", {"uv": "exit 127"}))
    assert "making .venv with uv" not in result.stderr
    assert "no Python of at least 3.11" in result.stderr


def test_without_uv_and_without_a_way_to_fetch_it_pip_installs_with_hashes(checkout: Path, tmp_path: Path) -> None:
    # A python that makes environments (a copy of itself) whose pip notes its arguments, and refuses to fetch uv.
    script = (
        'case "$*" in\n'
        "  *requirements/uv.txt*) exit 1;;\n"
        f'  "-m venv "*) mkdir -p "$3/bin"; cat "{tmp_path}/bin/python3" >"$3/bin/python"; chmod +x "$3/bin/python";;\n'
        f'  "-m pip install"*) echo "$*" >>"{tmp_path}/pip";;\n'
        "esac"
    )
    path = machine(tmp_path / "bin", {"python3": script})
    chmod = shutil.which("chmod")
    assert chmod is not None
    (path / "chmod").symlink_to(chmod)
    result = setup(checkout, path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "pip").read_text().splitlines() == [
        "-m pip install --quiet --require-hashes --requirement requirements/all.txt",
        "-m pip install --quiet --no-deps --no-build-isolation --editable .",
    ]


@pytest.mark.parametrize("changed", [None, "requirements/all.txt", "pyproject.toml"])
def test_it_does_nothing_until_what_it_was_made_from_changes(
    checkout: Path, tmp_path: Path, changed: str | None
) -> None:
    uv = (
        'case "$1" in\n'
        "  --version) echo uv 0;;\n"
        "  venv) mkdir -p .venv/bin; cp python .venv/bin/python; cp python .venv/bin/archsearch;;\n"
        "esac\n"
        f'echo "$1" >>"{tmp_path}/calls"'
    )
    path = machine(tmp_path / "bin", {"uv": uv})
    copy = shutil.which("cp")
    assert copy is not None
    (path / "cp").symlink_to(copy)
    (checkout / "python").write_text("#!/bin/sh\n[ -f .venv/bin/archsearch ]\n")
    (checkout / "python").chmod(0o755)
    first = setup(checkout, path)
    assert first.returncode == 0, first.stderr
    calls = (tmp_path / "calls").read_text()
    assert "venv\n" in calls
    if changed is not None:
        (checkout / changed).write_text((checkout / changed).read_text() + "\n# changed\n")
    second = setup(checkout, path)
    assert second.returncode == 0, second.stderr
    assert ((tmp_path / "calls").read_text() == calls) == (changed is None)

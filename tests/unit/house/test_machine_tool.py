"""`tools/machine`: installs on a bare Debian what `make test` needs, and nothing anywhere else without being asked."""

import os
import shutil
import subprocess
from pathlib import Path

import prometheus
import pytest

PLAIN = ("sh", "sort", "tr")
PROGRAMS = ("make", "git", "openssl", "curl", "prometheus", "promtool", "go", "python3")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Folder of the programs of a machine that has next to none."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in PLAIN:
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return folder


def give(machine: Path, name: str, body: str = "exit 0") -> None:
    (machine / name).write_text(f"#!/bin/sh\n{body}\n")
    (machine / name).chmod(0o755)


def debian(machine: Path, user: int) -> None:
    give(machine, "apt-get", 'echo "$*" >>"$CALLS"')
    give(machine, "id", f"echo {user}")


def run(repository: Path, machine: Path, *arguments: str) -> tuple[int, str, list[str]]:
    """Exit code, what it said, and how it called apt-get."""
    calls = machine.parent / "calls"
    calls.touch()
    command = ["/bin/sh", str(repository / "tools" / "machine"), *arguments]
    done = subprocess.run(command, env={"PATH": str(machine), "CALLS": str(calls)}, capture_output=True, text=True)
    return done.returncode, done.stderr, calls.read_text().splitlines()


def test_root_on_a_bare_debian_installs_what_is_missing(repository: Path, machine: Path) -> None:
    debian(machine, 0)
    code, said, calls = run(repository, machine)
    assert code == 0, said
    assert calls[0] == "update -qq"
    installed = calls[1].removeprefix("install -y -qq --no-install-recommends ").split()
    assert {"curl", "git", "golang-go", "make", "openssl", "prometheus", "python3", "python3-venv"} <= set(installed)
    assert set(installed) - {"ca-certificates"} <= {
        "curl", "git", "golang-go", "make", "openssl", "prometheus", "python3", "python3-venv",
    }  # fmt: skip


def test_where_all_is_there_nothing_is_done(repository: Path, machine: Path) -> None:
    for name in PROGRAMS:
        give(machine, name)
    assert run(repository, machine) == (0, "", [])


def test_only_what_is_missing_is_installed(repository: Path, machine: Path) -> None:
    for name in PROGRAMS:
        give(machine, name)
    debian(machine, 0)
    (machine / "promtool").unlink()
    give(machine, "python3", "exit 1")  # Debian ships venv apart
    _, _, calls = run(repository, machine)
    packages = calls[1].split()[4:]
    assert set(packages) - {"ca-certificates"} == {"prometheus", "python3", "python3-venv"}


def test_who_is_not_root_is_told_what_to_install(repository: Path, machine: Path) -> None:
    debian(machine, 1000)
    code, said, calls = run(repository, machine)
    assert (code, calls) == (1, [])
    assert "sudo apt-get install " in said
    assert "golang-go" in said


def test_an_unknown_argument_is_refused(repository: Path, machine: Path) -> None:
    code, said, calls = run(repository, machine, "--help")
    assert (code, calls) == (2, [])
    assert "--help" in said


def test_make_test_installs_packages_on_ci_only(repository: Path, machine: Path) -> None:
    make = shutil.which("make")
    assert make is not None

    def steps(ci: str) -> str:
        environment = {**os.environ, "CI": ci}
        command = [make, "--dry-run", "test"]
        return subprocess.run(
            command, cwd=repository, env=environment, capture_output=True, text=True, check=True
        ).stdout

    line = next(line for line in steps("").splitlines() if "tools/machine" in line)
    give(machine, "marked", "echo installs")
    for ci, installs in (("", ""), ("false", ""), ("true", "installs\n"), ("True", "installs\n"), ("1", "installs\n")):
        shell = ["/bin/sh", "-c", line.replace("tools/machine", str(machine / "marked"))]
        done = subprocess.run(shell, env={"CI": ci, "PATH": str(machine)}, capture_output=True, text=True, check=True)
        assert done.stdout == installs, ci


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_without_prometheus_its_tests_fail_on_ci_and_are_skipped_elsewhere(
    ci: str, outcome: type[BaseException], machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PATH", str(machine))
    with pytest.raises(outcome, match="apt-get install prometheus"):
        prometheus.require()
    give(machine, "prometheus")
    give(machine, "promtool")
    prometheus.require()

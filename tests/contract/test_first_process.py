"""As a container's first process, which has no default handlers, a program ends on SIGTERM while it still imports."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PRIVATE = ["unshare", "--pid", "--fork", *([] if os.geteuid() == 0 else ["--map-root-user"])]


@pytest.fixture(autouse=True)
def _may_unshare() -> None:
    if shutil.which("unshare") is None or subprocess.run([*PRIVATE, "true"], capture_output=True).returncode:
        pytest.skip("needs unshare(1) and the right to make a process namespace")


def child_of(process: int) -> int:
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return int(children[0]) if children else 0


def catches(process: int, number: signal.Signals) -> bool:
    status = Path(f"/proc/{process}/status").read_text()
    return bool(int(status.split("SigCgt:")[1].split()[0], 16) >> (number - 1) & 1)


def has_loaded(process: int, library: str) -> bool:
    return library in Path(f"/proc/{process}/maps").read_text()


@pytest.mark.parametrize(
    "arguments", [["archsearch.trial"], ["archsearch.controller", "--config", "nowhere"]], ids=["trial", "controller"]
)
def test_the_first_process_of_a_container_ends_on_sigterm_before_it_has_imported_anything(
    arguments: list[str], tmp_path: Path
) -> None:
    # A pipe that nobody writes keeps the trial from ending by itself; the controller imports torch for seconds.
    os.mkfifo(tmp_path / "input")
    environment = {**os.environ, "ARCHSEARCH_TRIAL_FILE": str(tmp_path / "input"), "ARCHSEARCH_REPORT": "report"}
    command = [*PRIVATE, sys.executable, "-m", *arguments]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL) as unshare:
        first = 0
        until = time.monotonic() + 20
        while not (first and catches(first, signal.SIGTERM)):
            assert time.monotonic() < until, "the program never said what it does on SIGTERM"
            assert unshare.poll() is None
            first = first or child_of(unshare.pid)
        assert not has_loaded(first, "libtorch")
        os.kill(first, signal.SIGTERM)
        assert unshare.wait(5) == 128 + signal.SIGTERM

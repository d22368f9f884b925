"""Taking away what a node leaves behind, whether it was stopped or the test run was killed; it may be repeated."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from node import network
from node.layout import CNI_NETWORK, Layout, MachineTaken, default, take_the_machine

_PATIENCE = 20.0
SYSCTLS = (
    "vm/overcommit_memory",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
"""Settings of the whole machine that a kubelet writes."""


def remember_sysctls(layout: Layout) -> None:
    """Keep the machine's settings before a kubelet changes them; what an earlier run kept is not overwritten."""
    kept = layout.cache / "sysctls.json"
    if not kept.exists():
        paths = [Path("/proc/sys") / name for name in SYSCTLS]
        kept.write_text(json.dumps({str(path): path.read_text().strip() for path in paths if path.exists()}))


def remember_process(layout: Layout, name: str, pid: int) -> None:
    """Note a process that :func:`clear` may end, with its start, so that a reused number is never mistaken for it."""
    (layout.run / f"{name}.pid").write_text(f"{pid} {_started(pid)}")


def clear(layout: Layout) -> None:
    """Processes, containers, mounts, cgroups, network, sysctls: whatever is there goes; containerd's images stay."""
    for file in sorted(layout.run.glob("*.pid")):
        pid, started = file.read_text().split()
        if _started(int(pid)) == started:
            _end(int(pid), started)
        file.unlink()
    for shim in _shims(layout):
        for child in (*_children(shim), shim):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
    for mount in _mounts(layout):
        subprocess.run(["umount", "--lazy", mount], capture_output=True, check=False)
    for name in Path("/run/netns").glob("cni-*") if _ours_in_cni(layout) else ():
        subprocess.run(["umount", name], capture_output=True, check=False)
        name.unlink(missing_ok=True)
    network.remove()
    _remove_cgroups()
    _restore_sysctls(layout)
    for result in Path("/var/lib/cni/results").glob(f"{CNI_NETWORK}-*"):
        result.unlink(missing_ok=True)
    for folder in (layout.run, layout.state):
        shutil.rmtree(folder, ignore_errors=True)


def _started(pid: int) -> str | None:
    """Start of a process in ticks since boot; None where there is none, or only its remains (a zombie)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def _end(pid: int, started: str) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        until = time.monotonic() + _PATIENCE
        while _started(pid) == started and time.monotonic() < until:
            time.sleep(0.05)  # another's child: there is nothing to wait on


def _shims(layout: Layout) -> list[int]:
    """containerd's shims that are bound to our socket: one can be left when its pod was just being made or removed."""
    found = []
    for pid in _processes():
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if Path(os.fsdecode(command[0])).name.startswith("containerd-shim") and (
                os.fsencode(layout.socket) in command
            ):
                found.append(pid)
    return found


def _children(parent: int) -> list[int]:
    found = []
    for pid in _processes():
        with contextlib.suppress(OSError):
            if int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(pid)
    return found


def _processes() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())


def _mounts(layout: Layout) -> list[str]:
    """Mount points below our folders, innermost first."""
    inside = (f"{layout.cache}/", f"{layout.run}/")
    points = [line.split()[1].replace("\\040", " ") for line in Path("/proc/mounts").read_text().splitlines()]
    return sorted((point for point in points if point.startswith(inside)), reverse=True)


def _ours_in_cni(layout: Layout) -> bool:
    """Whether pods had networks from us: only then are the namespaces that CNI has made ours."""
    return (layout.state / "cni").is_dir()


def _remove_cgroups() -> None:
    for pods in (*Path("/sys/fs/cgroup").glob("kubepods"), *Path("/sys/fs/cgroup").glob("*/kubepods")):
        for folder, _, _ in os.walk(pods, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()


def _restore_sysctls(layout: Layout) -> None:
    kept = layout.cache / "sysctls.json"
    if kept.exists():
        for path, value in json.loads(kept.read_text()).items():
            with contextlib.suppress(OSError):
                Path(path).write_text(value)
        kept.unlink()


def main() -> None:
    """Clear what a killed run has left, for tools/node; a run that goes on is left alone."""
    layout = default()
    try:
        with take_the_machine(layout):
            clear(layout)
    except MachineTaken as taken:
        sys.exit(f"node: {taken}")


if __name__ == "__main__":
    main()

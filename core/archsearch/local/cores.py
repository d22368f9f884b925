"""CPU cores that this process may use: its affinity, and the quota of its control group (a container's limit)."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_CGROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")
_V1 = ("cpu", "cpu,cpuacct", "cpuacct,cpu")


def cores() -> int:
    """CPU cores that this process may use, at least 1."""
    if sys.platform != "linux":
        return os.cpu_count() or 1
    available = len(os.sched_getaffinity(0))
    limit = quota(_CGROUPS, _text(_OWN))
    return available if limit is None else max(1, min(available, int(limit)))


def quota(root: Path, own: str) -> float | None:
    """Cores that control groups grant, the least of a group and all above it; None: as many as there are.

    Args:
        root: where control groups are mounted.
        own: the groups of the process, as /proc/self/cgroup has them.
    """
    limits = [limit for folder in _folders(root, own) if (limit := _limit(folder)) is not None]
    return min(limits, default=None)


def _folders(root: Path, own: str) -> Iterator[Path]:
    for line in own.splitlines():
        _, controllers, group = [*line.split(":", 2), "", ""][:3]
        mounts = [root] if not controllers else [root / name for name in _V1 if "cpu" in controllers.split(",")]
        # In a container the group may be named as the host sees it, and its files lie at the root: both are looked at.
        path = PurePosixPath("/") / group
        for place in (path, *path.parents):
            yield from (mount / place.relative_to("/") for mount in mounts)


def _limit(folder: Path) -> float | None:
    quota, _, period = _text(folder / "cpu.max").strip().partition(" ")
    if not quota:
        quota, period = (_text(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
    if quota.isdigit() and period.isdigit() and int(period) > 0:
        return int(quota) / int(period)
    return None  # "max", -1, or no limit is told here


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""

"""Memory of processes, as the system counts it."""

from dataclasses import dataclass
from typing import Any

from archsearch.bench.errors import BenchError

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Memory:
    """Memory of one process, in MiB; ``pss`` and ``uss`` are None where the system does not tell them."""

    rss: float
    """Resident, pages shared with other processes included."""
    pss: float | None
    """Resident, each shared page divided by the number of processes that share it."""
    uss: float | None
    """Resident and its own alone: what would be freed if it ended."""

    def most(self, other: "Memory | None") -> "Memory":
        """The larger figure of each kind."""
        if other is None:
            return self
        return Memory(max(self.rss, other.rss), _larger(self.pss, other.pss), _larger(self.uss, other.uss))


def _larger(one: float | None, other: float | None) -> float | None:
    return one if other is None else other if one is None else max(one, other)


def memory_of(pid: int) -> Memory | None:
    """Memory of a process; None if it has ended.

    Raises:
        BenchError: psutil is not installed.
    """
    psutil = _psutil()
    try:
        process = psutil.Process(pid)
        try:
            found = process.memory_full_info()
        except psutil.AccessDenied:
            found = process.memory_info()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return None
    pss, uss = getattr(found, "pss", None), getattr(found, "uss", None)
    return Memory(
        found.rss / MEBIBYTE, None if pss is None else pss / MEBIBYTE, None if uss is None else uss / MEBIBYTE
    )


def descendants(pid: int) -> dict[int, str]:
    """Command lines of all processes below ``pid``, by their ids.

    Raises:
        BenchError: psutil is not installed.
    """
    psutil = _psutil()
    found: dict[int, str] = {}
    try:
        for process in psutil.Process(pid).children(recursive=True):
            try:
                found[process.pid] = " ".join(process.cmdline())
            except psutil.Error:
                continue
    except psutil.Error:
        return {}
    return found


def _psutil() -> Any:
    try:
        import psutil
    except ImportError as error:
        raise BenchError("memory is measured with psutil, which is not installed: pip install psutil") from error
    return psutil

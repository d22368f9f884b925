"""Dead time between children: how long a slot stands idle from one child's exit to the next one's process start."""

import heapq
from collections import deque
from collections.abc import Hashable, Iterable

NANOSECONDS = 1_000_000_000


def dead_times(children: Iterable[tuple[int, int]], slots: int) -> list[float]:
    """Dead times in seconds of a search that is over: the k-th process start after the first ``slots`` of them takes
    the earliest end that no start has taken. A start before that end has no dead time (clocks of two nodes differ).

    Args:
        children: start and end of each child's process in nanoseconds since the epoch, in any order.
        slots: children that ran at once.

    Raises:
        ValueError: ``slots`` is below 1.
    """
    if slots < 1:
        raise ValueError(f"slots is {slots}; allowed: from 1")
    ends: list[int] = []
    found: list[float] = []
    for number, (started, ended) in enumerate(sorted(children)):
        if number >= slots:
            dead = started - heapq.heappop(ends)
            if dead >= 0:
                found.append(dead / NANOSECONDS)
        heapq.heappush(ends, ended)
    return found


class DeadTimes:
    """Dead time of a search as it runs: from the exit of a child to the process start of the next one in its slot.

    When a process started is known only once it has reported, long after. So each attempt is matched with an exit when
    it is launched, or, launched beyond the slots (parallelism was lowered), when one falls free: oldest exit to oldest
    launch. What has taken a free slot (the first fill, more parallelism, a restart of the operator, the end of a
    suspension) waited for nobody and has no dead time. Nor has one whose own or whose predecessor's times nobody knows.

    Tell it of :meth:`slots` and :meth:`settled` before :meth:`launched` in each pass, as the engine plans them. After a
    restart, tell it with :meth:`launched` what is seen to run, in order of index.
    """

    def __init__(self) -> None:
        self._slots = 0
        self._predecessor: dict[Hashable, int | None] = {}
        """Attempts that hold a slot: when the exit was that freed it; None: it was free, or nobody knows."""
        self._waiting: deque[Hashable] = deque()
        """Attempts launched ahead of need, oldest first."""
        self._exits: deque[int | None] = deque()
        """Exits whose slots are free, oldest first; None: freed nobody knows when."""

    def slots(self, parallelism: int) -> None:
        """From now on so many slots may be filled; 0 while the search is suspended: time without slots is not dead."""
        self._slots = max(parallelism, 0)
        self._trim()
        while self._waiting and len(self._predecessor) < self._slots:
            self._predecessor[self._waiting.popleft()] = None

    def launched(self, attempt: Hashable) -> None:
        """An attempt has been started, or is seen to run; one that is known already changes nothing."""
        if attempt in self._predecessor or attempt in self._waiting:
            return
        if self._exits:
            self._predecessor[attempt] = self._exits.popleft()
        elif len(self._predecessor) < self._slots:
            self._predecessor[attempt] = None
        else:
            self._waiting.append(attempt)

    def settled(self, attempt: Hashable, started_ns: int | None, ended_ns: int | None) -> float | None:
        """An attempt has ended: the dead time in seconds *before* it, None where there is none.

        Args:
            attempt: as it was given to :meth:`launched`; one launched by an earlier operator frees a slot all the same.
            started_ns: start of its process in nanoseconds since the epoch; None: not known.
            ended_ns: end of its process, likewise.
        """
        if attempt in self._waiting:  # it ended without ever having had a slot
            self._waiting.remove(attempt)
            return None
        predecessor = self._predecessor.pop(attempt, None)
        if self._waiting:
            self._predecessor[self._waiting.popleft()] = ended_ns
        else:
            self._exits.append(ended_ns)
            self._trim()
        if predecessor is None or started_ns is None or started_ns < predecessor:
            return None  # before its predecessor's exit: two nodes whose clocks differ
        return (started_ns - predecessor) / NANOSECONDS

    def idle(self) -> None:
        """The slots that are free now were free for want of work: what takes them has waited for nobody."""
        self._exits.clear()

    def _trim(self) -> None:
        """No more exits than free slots: the slots of the oldest ones have been taken away, nobody waits for them."""
        while len(self._exits) > max(self._slots - len(self._predecessor), 0):
            self._exits.popleft()

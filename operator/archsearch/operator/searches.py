"""Every search of this operator: one loop each, begun, woken and ended as its resource comes, changes and goes."""

import asyncio
import logging
from collections.abc import Sequence

from archsearch.operator.loop import SearchLoop
from archsearch.operator.port import Object
from archsearch.operator.shared import SearchRef, Shared

_log = logging.getLogger(__name__)
_AGAIN = 30.0
"""Seconds until a loop that failed is begun again."""
_REMEMBERED = 1000
"""Searches that are gone and whose last pods may still be going."""


class Searches:
    """The loops. A failing one never stops another: each is a task of its own, and one that fails begins anew."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._loops: dict[str, SearchLoop] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._over: dict[str, None] = {}
        """Uids of searches that are gone, the oldest first."""
        self._closed = False

    def __len__(self) -> int:
        return len(self._loops)

    def seen(self, search: Object, deleted: bool) -> None:
        """A search is there, has changed, or is gone; of no interest to one that is closed."""
        if self._closed:
            return
        metadata = search["metadata"]
        uid = metadata["uid"]
        if deleted:
            self._end(uid)
            return
        loop = self._loops.get(uid)
        if loop is not None:
            loop.update(search)
            return
        ref = SearchRef(metadata["namespace"], metadata["name"], uid)
        loop = SearchLoop(self._shared, ref, search)
        before = [self._tasks[uid] for uid, other in self._loops.items() if other.is_called(ref)]
        task = asyncio.create_task(_run(loop, before), name=f"search {ref.namespace}/{ref.name}")
        self._loops[uid], self._tasks[uid] = loop, task
        task.add_done_callback(lambda _: self._ended(uid, loop))

    def wake(self, namespace: str, uid: str) -> None:
        """Something made for the search with this uid has changed."""
        loop = self._loops.get(uid)
        if loop is not None:
            loop.wake()
        elif uid in self._over:
            # Its pods go after it; what they say as they do is of use to nobody.
            self._shared.pods.forget_all(namespace, uid)

    def _end(self, uid: str) -> None:
        task = self._tasks.get(uid)
        if task is not None:
            task.cancel()

    def _ended(self, uid: str, loop: SearchLoop) -> None:
        if self._loops.get(uid) is loop:
            del self._loops[uid], self._tasks[uid]
        self._over[uid] = None
        if len(self._over) > _REMEMBERED:
            del self._over[next(iter(self._over))]

    def oldest_pass(self) -> float:
        """Seconds since the last completed pass of the loop that has waited longest for one; 0 without loops."""
        return max((loop.seconds_since_pass for loop in self._loops.values()), default=0.0)

    async def close(self) -> None:
        """End every loop, between two calls; what they have made stays, and the next operator goes on with it."""
        self._closed = True
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


async def _run(loop: SearchLoop, before: Sequence[asyncio.Task[None]]) -> None:
    """Run ``loop`` once those of earlier searches of its name have ended: they forget their series as they do.

    It is to end by itself only when its search is gone: where it fails all the same, it is told and begun again.
    """
    if before:
        await asyncio.wait(before)
    while True:
        try:
            await loop.run()
            return
        except Exception:
            name = asyncio.current_task()
            _log.exception("the loop of %s failed; again in %.0f s", name.get_name() if name else "a search", _AGAIN)
            await asyncio.sleep(_AGAIN)

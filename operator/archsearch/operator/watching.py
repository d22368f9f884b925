"""List and watch of one kind of object: keeps a small cache true, wakes whoever is concerned, survives all outages."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

from archsearch.operator import names
from archsearch.operator.cache import Cache, Changed, Trim, version_of
from archsearch.operator.fields import text
from archsearch.operator.port import ClusterError, ClusterPort, Expired, Object, Resource
from archsearch.operator.retrying import Backoff

log = logging.getLogger(__name__)

_SHORT = 1.0
"""Seconds: a watch that the server ends sooner than that is treated as a failure, or it would be begun in a spin."""
_STUCK = 600.0
"""Seconds without a sign of a stream, good or bad, after which the watcher counts as dead: every try has a deadline."""


@dataclass
class _Stream:
    """One namespace, or all ("")."""

    scope: str
    version: str | None = None
    """Where the watch goes on; None: list first."""
    listed: bool = False
    tried: float = 0.0
    problem: str = ""
    backoff: Backoff = field(default_factory=Backoff)


class Watcher:
    """Keeps what the operator has to know of one kind of object in memory; `run` does it until it is cancelled.

    After an error it tries again with growing delays, from the place where it was; after "expired" it lists again, and
    what is missing then has been deleted: whoever listens is told of that as of any deletion.
    """

    def __init__(
        self,
        port: ClusterPort,
        resource: Resource,
        *,
        trim: Trim,
        changed: Callable[[str, str, Object], None],
        namespaces: Sequence[str] = (),
        selector: str = names.SELECTOR,
        index: str = names.SEARCH_UID_LABEL,
        keep: Callable[[Object], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """A watcher that has not begun.

        Args:
            port: the cluster.
            resource: the kind.
            trim: what is kept of each object (cache.Trim).
            changed: called with namespace, index label's value and the kept object after each change, a deletion
                among them; not for what `put` has brought already, nor where nothing that is kept has changed. It
                wakes loops and returns at once.
            namespaces: the namespaces to look at; empty: all.
            selector: labels of the objects.
            index: the label by which `of` finds them.
            keep: whether a deleted object stays as a tombstone, judged by its last trimmed state.
            clock: seconds, monotonic.
        """
        self.synced = asyncio.Event()
        """Set once all namespaces have been listed; never cleared."""
        self._port = port
        self._resource = resource
        self._changed = changed
        self._selector = selector
        self._clock = clock
        self._cache = Cache(trim, index=index, keep=keep)
        self._everywhere = not namespaces
        now = clock()
        self._streams = [_Stream(scope, tried=now) for scope in namespaces or ("",)]

    def __len__(self) -> int:
        return len(self._cache)

    def of(self, namespace: str, uid: str) -> Sequence[Object]:
        """What is known of a search's objects, tombstones (cache.is_gone) among them. Not to be changed."""
        return self._cache.of(namespace, uid)

    def put(self, object: Object) -> None:
        """Take what a create or patch of ours has answered: `of` knows it from now on."""
        self._cache.put("" if self._everywhere else object["metadata"]["namespace"], object)

    def forget(self, uid: str) -> None:
        """Drop the tombstone of the object ``uid``, once what it says is in the ledger."""
        self._cache.forget(uid)

    def forget_all(self, namespace: str, uid: str) -> None:
        """Drop all tombstones of the search ``uid``, once it is gone or done."""
        self._cache.forget_all(namespace, uid)

    @property
    def alive(self) -> bool:
        """Whether every stream still tries; an API server that is away for long does not make it dead."""
        return self._clock() - min(stream.tried for stream in self._streams) < _STUCK

    async def run(self) -> None:
        """List and watch until cancelled; raises nothing else."""
        async with asyncio.TaskGroup() as streams:
            for stream in self._streams:
                streams.create_task(self._keep_true(stream), name=f"watch {self._resource.plural} {stream.scope}")

    async def _keep_true(self, stream: _Stream) -> None:
        while True:
            stream.tried = self._clock()
            lasted = False
            try:
                if stream.version is None:
                    await self._list(stream)
                lasted = await self._watch(stream)
            except Expired as error:
                stream.version = None
                self._say(stream, error)
            except ClusterError as error:
                self._say(stream, error)
            except Exception as error:  # an answer of a kind that nobody has thought of: whatever it was, begin again
                stream.version = None
                log.exception("watch of %s: %s", self._resource.plural, type(error).__name__)
            if not lasted:
                await asyncio.sleep(stream.backoff.delay())

    async def _list(self, stream: _Stream) -> None:
        listed: set[str] = set()
        version = ""
        async with aclosing(self._port.pages(self._resource, stream.scope or None, self._selector)) as pages:
            async for page in pages:
                version = page.resource_version
                listed.update(uid for item in page.items if (uid := text(item, "metadata", "uid")) is not None)
                for item in page.items:
                    self._take(item, partial(self._cache.list, stream.scope, item))
                self._works(stream)
        for change in self._cache.finish(stream.scope, listed, version_of(version)):
            self._changed(*change)
        stream.version = version
        stream.listed = True
        if all(each.listed for each in self._streams):
            self.synced.set()

    async def _watch(self, stream: _Stream) -> bool:
        """Watch until the server ends it; whether that was not at once."""
        assert stream.version is not None
        begun: list[float] = []

        def opened() -> None:
            begun.append(self._clock())
            self._works(stream)

        watch = self._port.watch(self._resource, stream.scope or None, self._selector, stream.version, opened=opened)
        try:
            async with aclosing(watch) as changes:
                async for change in changes:
                    self._works(stream)
                    self._take(change.object, partial(self._cache.apply, stream.scope, change))
                    stream.version = change.object["metadata"]["resourceVersion"]
        finally:
            lasted = bool(begun) and self._clock() - begun[0] >= _SHORT
            if lasted:
                stream.backoff.reset()
        return lasted

    def _take(self, object: Object, step: Callable[[], Changed | None]) -> None:
        """Do ``step`` with ``object``; one that cannot be read stops nobody else's search."""
        try:
            change = step()
        except (KeyError, TypeError, ValueError, AttributeError):
            log.exception("%s cannot be read: %.500s", self._resource.kind, object)
            return
        if change is not None:
            self._changed(*change)

    def _works(self, stream: _Stream) -> None:
        stream.tried = self._clock()
        if stream.problem:
            log.info("watch of %s %s works again", self._resource.plural, stream.scope or "in all namespaces")
            stream.problem = ""

    def _say(self, stream: _Stream, error: ClusterError) -> None:
        """Once for each problem, not for each try."""
        problem = type(error).__name__
        if problem != stream.problem:
            log.warning("watch of %s: %s", self._resource.plural, error)
            stream.problem = problem

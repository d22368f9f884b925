"""A way to the API server on which answers are lost, and operators that are killed between two calls."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from archsearch.operator.port import Change, ClusterPort, Listing, Object, Resource, Unavailable
from archsearch.operator.program import Operator
from archsearch.operator.settings import Settings


class Losing:
    """A port whose writes may be followed by an error, as where the server dies before it answers.

    Writes are told apart by words such as "create jobs", "patch architecturetrials Succeeded" or "delete pods".
    """

    def __init__(self, port: ClusterPort, after: Callable[[str, Object], Awaitable[bool]]) -> None:
        """``after`` is told of each write that has been performed, and answers whether its answer gets lost."""
        self._port = port
        self._after = after
        self.dead = False
        """Whether no call comes through any more."""

    def _alive(self) -> None:
        if self.dead:
            raise Unavailable("the operator is dead")

    async def _lost(self, what: str, object: Object) -> None:
        if await self._after(what, object):
            raise Unavailable(f"the answer to {what} is lost")

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        self._alive()
        return await self._port.get(resource, namespace, name)

    async def list(self, resource: Resource, namespace: str | None, selector: str = "") -> Listing:
        self._alive()
        return await self._port.list(resource, namespace, selector)

    def pages(self, resource: Resource, namespace: str | None, selector: str = "") -> AsyncGenerator[Listing, None]:
        return self._port.pages(resource, namespace, selector)

    def watch(
        self,
        resource: Resource,
        namespace: str | None,
        selector: str,
        resource_version: str,
        *,
        opened: Callable[[], None] | None = None,
    ) -> AsyncGenerator[Change, None]:
        return self._port.watch(resource, namespace, selector, resource_version, opened=opened)

    async def create(self, resource: Resource, object: Object, *, dry_run: bool = False) -> Object:
        self._alive()
        made = await self._port.create(resource, object, dry_run=dry_run)
        if not dry_run:
            await self._lost(f"create {resource.plural}", made)
        return made

    async def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: Mapping[str, Any],
        *,
        subresource: str | None = None,
    ) -> Object:
        self._alive()
        made = await self._port.patch(resource, namespace, name, patch, subresource=subresource)
        phase = patch.get("status", {}).get("phase", "")
        await self._lost(f"patch {resource.plural} {phase}".strip(), made)
        return made

    async def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str, grace: int | None = None
    ) -> None:
        self._alive()
        await self._port.delete(resource, namespace, name, uid=uid, grace=grace)
        await self._lost(f"delete {resource.plural}", {"metadata": {"namespace": namespace, "name": name}})

    async def log(self, namespace: str, pod: str, container: str, *, tail_bytes: int) -> bytes:
        self._alive()
        return await self._port.log(namespace, pod, container, tail_bytes=tail_bytes)


@asynccontextmanager
async def killed_after(settings: Settings, what: str, number: int) -> AsyncIterator[asyncio.Event]:
    """An operator that dies as by SIGKILL once its write number ``number`` (from 1) of this kind has been performed.

    The event is set when it has died. It gives no Lease back: the next one needs the same identity.
    """
    dead = asyncio.Event()
    ports: list[Losing] = []
    count = 0

    async def after(written: str, _: Object) -> bool:
        nonlocal count
        count += written == what
        if count >= number:
            ports[0].dead = True
            dead.set()
        return ports[0].dead

    def wrap(port: ClusterPort) -> ClusterPort:
        ports.append(Losing(port, after))
        return ports[-1]

    before = asyncio.all_tasks()
    task = asyncio.create_task(Operator(settings, asyncio.Event(), wrap).run())
    try:
        yield dead
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        renewals = [each for each in asyncio.all_tasks() - before if each.get_name() == "lease"]
        for each in renewals:
            each.cancel()
        await asyncio.gather(*renewals, return_exceptions=True)

"""The cluster port on `kubernetes.aio`: raw JSON, since the typed models cost memory and drop unknown fields."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from kubernetes.aio.client.configuration import Configuration

from archsearch.operator import names
from archsearch.operator.answers import Lines, Tail, error_of_status, object_of
from archsearch.operator.connecting import configuration_from
from archsearch.operator.port import (
    POD,
    Change,
    ClusterError,
    Expired,
    Listing,
    NotFound,
    Object,
    Rejected,
    Resource,
    Unavailable,
)
from archsearch.operator.sending import Call, OnCall, Sender

PAGE = 500
"""Objects of a page of a list."""
_RESTARTS = 3
"""How often a list whose pages expire is begun again before it is asked for in one piece, as client-go does."""
_WATCH_SECONDS = (240, 290)
"""A watch is ended by the server after a time drawn from this range: not all of them at once, none older than that."""
_BYTES_A_LINE = 256
"""Length of a log's lines that the first question for its end reckons with."""
_MERGE_PATCH = "application/merge-patch+json"


class KubernetesPort:
    """ClusterPort (port.py) to a real API server. Made by `connect`; to be closed, or used by ``async with``."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        deadline: float = 10.0,
        idle: float = 90.0,
        on_call: OnCall | None = None,
        may_write: Callable[[], bool] | None = None,
    ) -> None:
        """A port for ``configuration``; needs a running event loop.

        Args:
            configuration: where the API server is, and who we are.
            deadline: seconds that a call may take, from its first to its last byte (a page of a list is a call).
            idle: seconds of silence after which a watch is ended, to be begun anew by its user. The API server sends a
                bookmark every minute, but none of a kind that has not changed since it was started.
            on_call: told of every call that was sent, or could not be sent.
            may_write: asked before every write (dry runs excepted); where it says no, the write is not sent and raises
                Unavailable. An operator that has lost its Lease while it hung does nothing more by that.
        """
        self._sender = Sender(configuration, deadline=deadline, on_call=on_call, may_write=may_write)
        self._idle = idle

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._sender.close()

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """One object. Raises NotFound."""
        return await self._sender.answer(Call("get", resource, namespace, _named(name)))

    async def list(self, resource: Resource, namespace: str | None, selector: str = "") -> Listing:
        """All objects with the labels that ``selector`` asks for, page by page; ``namespace`` None: of all."""
        for _ in range(_RESTARTS):
            try:
                items: list[Object] = []
                version = ""
                async with aclosing(self.pages(resource, namespace, selector)) as pages:
                    async for page in pages:
                        items += page.items
                        version = page.resource_version
                return Listing(tuple(items), version)
            except Expired:
                continue  # it changes faster than its pages come
        return (await self._page(resource, namespace, selector, limit=0, token=""))[0]

    async def pages(
        self, resource: Resource, namespace: str | None, selector: str = ""
    ) -> AsyncGenerator[Listing, None]:
        """The same list a page at a time, all as it was at one ``resource_version``. Raises Expired in its midst."""
        token = ""
        while True:
            page, token = await self._page(resource, namespace, selector, limit=PAGE, token=token)
            yield page
            if not token:
                return

    async def watch(
        self,
        resource: Resource,
        namespace: str | None,
        selector: str,
        resource_version: str,
        *,
        opened: Callable[[], None] | None = None,
    ) -> AsyncGenerator[Change, None]:
        """Changes since ``resource_version``, bookmarks among them; ends when the server ends it, or falls silent.

        To be closed when it is left early (`contextlib.aclosing`). Raises Expired, Unavailable.
        """
        query = [
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", resource_version),
            ("timeoutSeconds", str(random.randint(*_WATCH_SECONDS))),
        ]
        call = Call("watch", resource, namespace, query=(*query, *_selected(selector)))
        lines = Lines()
        async with self._sender.errors(call):
            response = await self._sender.open(call, idle=self._idle)
            try:
                if opened is not None:
                    opened()
                async for data in response.content.iter_any():
                    for line in lines.feed(data):
                        yield _change(line, call.what)
            except aiohttp.SocketTimeoutError:
                return  # Quiet, or dead? Whoever begins it anew will learn that.
            finally:
                response.close()

    async def create(self, resource: Resource, object: Object, *, dry_run: bool = False) -> Object:
        """Create ``object`` in its namespace. Raises AlreadyExists, Rejected.

        A dry run is strict: a field that the API server does not know is refused, not dropped with a warning.
        """
        query = [("fieldManager", names.FIELD_MANAGER)]
        if dry_run:
            query += [("dryRun", "All"), ("fieldValidation", "Strict")]
        namespace = object["metadata"].get("namespace")
        call = Call("create", resource, namespace, method="POST", query=query, body=object)
        return await self._sender.write(call) if not dry_run else await self._sender.answer(call)

    async def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: Mapping[str, Any],
        *,
        subresource: str | None = None,
    ) -> Object:
        """JSON merge patch of an object or its ``subresource``. Raises NotFound, Conflict, Rejected."""
        return await self._sender.write(
            Call(
                "patch",
                resource,
                namespace,
                _named(name),
                subresource or "",
                method="PATCH",
                query=[("fieldManager", names.FIELD_MANAGER)],
                body=patch,
                content=_MERGE_PATCH,
            )
        )

    async def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str, grace: int | None = None
    ) -> None:
        """Delete the object with that uid, what it owns in the background. An absent one is no error.

        ``grace`` is the seconds that a pod gets to end by itself; None: what the pod says. Raises Conflict where
        another object has the name.
        """
        options: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            "propagationPolicy": "Background",
        }
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        try:
            await self._sender.write(Call("delete", resource, namespace, _named(name), method="DELETE", body=options))
        except NotFound:
            return

    async def log(self, namespace: str, pod: str, container: str, *, tail_bytes: int) -> bytes:
        """The last ``tail_bytes`` of a container's log (of its newest file, where the kubelet has rotated it).

        The API counts lines from the end, and bytes only from the start. So it is asked for lines, more of them until
        there are enough bytes: most often one call, and the memory of two tails. Raises NotFound, Rejected.
        """
        lines = max(1, tail_bytes // _BYTES_A_LINE)
        while True:
            tail = await self._log(namespace, pod, container, lines, tail_bytes)
            # Half: the kubelet counts a long line as several, of 16 KiB each.
            if tail.bytes >= tail_bytes or tail.lines < lines // 2 or lines >= tail_bytes:
                return tail.end()
            lines = min(16 * lines, tail_bytes)

    async def _log(self, namespace: str, pod: str, container: str, lines: int, tail_bytes: int) -> Tail:
        query = [("container", container), ("tailLines", str(lines))]
        call = Call("get", POD, namespace, _named(pod), "log", query=query)
        tail = Tail(tail_bytes)
        async with self._sender.turns, self._sender.errors(call), asyncio.timeout(self._sender.deadline):
            response = await self._sender.open(call)
            try:
                async for data in response.content.iter_any():
                    tail.feed(data)
            finally:
                response.close()
        return tail

    async def _page(
        self, resource: Resource, namespace: str | None, selector: str, *, limit: int, token: str
    ) -> tuple[Listing, str]:
        query = _selected(selector)
        query += [("limit", str(limit))] if limit else []
        query += [("continue", token)] if token else []
        call = Call("list", resource, namespace, query=query)
        answer = await self._sender.answer(call)
        items, metadata = answer.get("items") or [], answer.get("metadata")
        is_list = isinstance(items, list) and all(isinstance(item, dict) for item in items)
        if not is_list or not isinstance(metadata, dict):
            raise Unavailable(f"{call.what}: the answer is not a list")
        for item in items:  # which a list of a built-in kind leaves out
            item.setdefault("apiVersion", resource.api_version)
            item.setdefault("kind", resource.kind)
        return Listing(tuple(items), str(metadata.get("resourceVersion", ""))), str(metadata.get("continue") or "")


async def connect(
    kubeconfig: Path | None = None,
    context: str | None = None,
    *,
    deadline: float = 10.0,
    idle: float = 90.0,
    on_call: OnCall | None = None,
    may_write: Callable[[], bool] | None = None,
) -> KubernetesPort:
    """A port to the cluster of ``kubeconfig`` (and its ``context``), or to the one that we run in (None).

    The other arguments are KubernetesPort's. Nothing is sent yet. Raises ClusterError: there is no such cluster.
    """
    configuration = await configuration_from(kubeconfig, context)
    return KubernetesPort(configuration, deadline=deadline, idle=idle, on_call=on_call, may_write=may_write)


def _named(name: str) -> str:
    """``name``; an empty one would make a call about one object one about all of them."""
    if not name:
        raise Rejected("the object's name is empty")
    return name


def _selected(selector: str) -> list[tuple[str, str]]:
    return [("labelSelector", selector)] if selector else []


def _change(line: bytes, what: str) -> Change:
    """The event in one line of a watch. Raises Expired or another ClusterError where the server says that it failed."""
    event = object_of(line, what)
    kind, changed = event.get("type"), event.get("object")
    if not isinstance(kind, str) or not isinstance(changed, dict):
        raise Unavailable(f"{what}: not an event: {json.dumps(event)[:200]}")
    if kind == "ERROR":
        raise _failed(changed, what)
    return Change(kind, changed)


def _failed(status: Object, what: str) -> ClusterError:
    """What ends a watch: never Rejected, since a watch is begun again anyway."""
    error = error_of_status(status, what)
    return error if isinstance(error, Expired) else Unavailable(str(error), error.status)

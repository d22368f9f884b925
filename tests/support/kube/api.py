"""A small asyncio client of the API server for what stands in for nodes: not the client that is under test."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self

import aiohttp

from kube.control_plane import ControlPlane

Object = dict[str, Any]
_TIMEOUT = aiohttp.ClientTimeout(total=20)
_WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=330)
_MERGE_PATCH = "application/merge-patch+json"
_STRATEGIC_PATCH = "application/strategic-merge-patch+json"


class Refused(Exception):  # noqa: N818 - it says what is the matter
    """The API server has answered with an error of the client's: ``status`` is 400 to 499."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """Requests of an administrator. They outlast outages: like a kubelet, it tries again until it has an answer."""

    def __init__(self, plane: ControlPlane) -> None:
        self._url = plane.url
        self._ssl = ssl.create_default_context(cafile=str(plane.authority_file))
        self._ssl.load_cert_chain(plane.administrator.certificate, plane.administrator.key)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self._ssl, limit=64))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Object:
        """One request; a PATCH is a merge patch.

        Raises:
            Refused: the answer is an error of the client's.
        """
        kind = _MERGE_PATCH if method == "PATCH" else "application/json"
        return await self._send(method, path, body, kind)

    async def patch_status(self, path: str, patch: Mapping[str, Any]) -> Object:
        """Patch the status of the object at ``path`` strategically: conditions merge by type.

        Raises:
            Refused: 404, it is not there; 409, another has its name (``patch`` has the uid); or the patch is bad.
        """
        return await self._send("PATCH", f"{path}/status", patch, _STRATEGIC_PATCH)

    async def watch(self, path: str, selector: str) -> AsyncIterator[tuple[str, Object]]:
        """What is at ``path`` as (ADDED, object), then every change, for ever; after a gap everything is ADDED again.

        Before what is listed comes ("LISTED", {}): what is not named between that and ("COMPLETE", {}) is gone.
        """
        while True:
            try:
                found = await self._send("GET", f"{path}?labelSelector={selector}", None, "application/json")
                yield "LISTED", {}
                for item in found["items"]:
                    yield "ADDED", item
                yield "COMPLETE", {}
                async for change in self._changes(path, selector, found["metadata"]["resourceVersion"]):
                    yield change["type"], change["object"]
            except (aiohttp.ClientError, OSError, _Gap):  # a TimeoutError is an OSError
                await asyncio.sleep(0.1)

    async def _changes(self, path: str, selector: str, version: str) -> AsyncIterator[Object]:
        query = f"{path}?labelSelector={selector}&watch=true&resourceVersion={version}"
        async with self._session.get(self._url + query, timeout=_WATCH_TIMEOUT) as answer:
            rest = b""
            async for part in answer.content.iter_any():
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
                    change: Object = json.loads(line)
                    if change["type"] == "ERROR":
                        raise _Gap
                    yield change
        raise _Gap

    async def _send(self, method: str, path: str, body: Mapping[str, Any] | None, kind: str) -> Object:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": kind}
        while True:
            try:
                async with self._session.request(
                    method, self._url + path, data=data, headers=headers, timeout=_TIMEOUT
                ) as answer:
                    found: Object = await answer.json(content_type=None)
                    if answer.status < 400:
                        return found
                    if answer.status < 500 and answer.status != 429:
                        raise Refused(answer.status, f"{method} {path}: {found.get('message', found)}")
            except (aiohttp.ClientError, OSError, json.JSONDecodeError):  # a TimeoutError is an OSError
                pass
            await asyncio.sleep(0.1)


class _Gap(Exception):  # noqa: N818 - not an error
    """A watch has ended; list again."""

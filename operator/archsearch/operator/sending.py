"""Sending calls to the API server: as many at once as it bears, each with a deadline, every failure a ClusterError."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import ConfigException
from yarl import URL

from archsearch.operator import names
from archsearch.operator.answers import error_of, object_of
from archsearch.operator.connecting import client_of
from archsearch.operator.port import Object, Resource, Unavailable

_CALLS_AT_ONCE = 32
"""Calls in flight; more wait for their turn. Watches do not count."""

OnCall = Callable[[str, str, int], None]
"""Told of every call: verb (get, list, watch, create, patch, delete), resource (``pods``, ``pods/log``), HTTP status
(0: there was no answer)."""


@dataclass(frozen=True)
class Call:
    """One request."""

    verb: str
    resource: Resource
    namespace: str | None
    name: str = ""
    subresource: str = ""
    method: str = "GET"
    query: Sequence[tuple[str, str]] = ()
    body: Mapping[str, Any] | None = None
    content: str = "application/json"

    @property
    def what(self) -> str:
        """The call in words, as errors begin."""
        kind = f"{self.resource.kind}{'/' + self.subresource if self.subresource else ''}"
        where = "/".join(part for part in (self.namespace, self.name) if part)
        return " ".join(part for part in (self.verb, kind, where) if part)

    @property
    def counted_as(self) -> str:
        """The resource as rights name it."""
        return f"{self.resource.plural}{'/' + self.subresource if self.subresource else ''}"

    @property
    def path(self) -> str:
        """Path and query of its URL."""
        resource = self.resource
        parts = ["apis", resource.group] if resource.group else ["api"]
        parts.append(resource.version)
        if self.namespace:
            parts += ["namespaces", self.namespace]
        parts += [part for part in (resource.plural, self.name, self.subresource) if part]
        path = "/" + "/".join(quote(part, safe="") for part in parts)
        return f"{path}?{urlencode(self.query, quote_via=quote)}" if self.query else path


class Sender:
    """Connections to one API server; to be closed."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        deadline: float,
        on_call: OnCall | None,
        may_write: Callable[[], bool] | None,
    ) -> None:
        """A sender for ``configuration``; needs a running event loop. The arguments are KubernetesPort's."""
        self._client, self._connector = client_of(configuration)
        self._host = str(configuration.host).rstrip("/")
        self.deadline = deadline
        self._on_call = on_call
        self._may_write = may_write
        self.turns = asyncio.Semaphore(_CALLS_AT_ONCE)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()
        await self._connector.close()

    async def write(self, call: Call) -> Object:
        """As `answer`, where it may be sent. Raises Unavailable where not."""
        if self._may_write is not None and not self._may_write():
            raise Unavailable(f"{call.what}: not sent: this operator does not hold its Lease")
        return await self.answer(call)

    async def answer(self, call: Call) -> Object:
        """Send ``call`` and read its answer, in time."""
        async with self.turns, self.errors(call), asyncio.timeout(self.deadline):
            response = await self.open(call)
            try:
                return object_of(await response.read(), call.what)
            finally:
                response.release()

    async def open(self, call: Call, idle: float | None = None) -> aiohttp.ClientResponse:
        """Send ``call``; its answer, of which only the head has been read, where the status says that it is good.

        ``idle`` is the seconds of silence allowed while its body is read.
        """
        status = 0
        try:
            async with asyncio.timeout(self.deadline):
                response = await self._send(call, idle)
                status = response.status
                if status >= HTTPStatus.MULTIPLE_CHOICES:
                    try:
                        raise error_of(status, await response.read(), call.what)
                    finally:
                        response.release()
        finally:
            if self._on_call is not None:
                self._on_call(call.verb, call.counted_as, status)
        return response

    async def _send(self, call: Call, idle: float | None) -> aiohttp.ClientResponse:
        headers = {"Accept": "application/json", "Content-Type": call.content, "User-Agent": names.FIELD_MANAGER}
        await self._client.update_params_for_auth(headers, [], ["BearerToken"], call.path, call.method, call.body)
        headers = {key: value.strip() for key, value in headers.items()}  # a token's file may end with a newline
        answer = await self._client.rest_client.request(
            call.method,
            URL(self._host + call.path, encoded=True),
            headers=headers,
            body=call.body,
            _request_timeout=aiohttp.ClientTimeout(total=None, sock_read=idle),
        )
        response: aiohttp.ClientResponse = answer.response
        return response

    @asynccontextmanager
    async def errors(self, call: Call) -> AsyncIterator[None]:
        """Everything that can go wrong below becomes a ClusterError."""
        try:
            yield
        except TimeoutError as error:
            raise Unavailable(f"{call.what}: no answer from {self._host} in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"{call.what}: {self._host}: {type(error).__name__}: {error}") from error
        except ConfigException as error:  # the token's file, while it is being replaced
            raise Unavailable(f"{call.what}: {error}") from error

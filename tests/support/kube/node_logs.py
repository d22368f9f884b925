"""The part of a kubelet that serves containers' logs: the API server fetches them here."""

import ssl
from collections.abc import Callable

from aiohttp import web

from kube.control_plane import ControlPlane

LogOf = Callable[[str, str, str], bytes | None]
"""The log of (namespace, pod, container); None where there is none yet."""


class NodeLogs:
    """Answers ``/containerLogs/NAMESPACE/POD/CONTAINER`` at ``port`` of 127.0.0.1 while it is open."""

    def __init__(self, plane: ControlPlane, log_of: LogOf) -> None:
        self._plane, self._log_of = plane, log_of
        self.port = 0

    async def open(self) -> None:
        """Begin to answer."""
        application = web.Application()
        application.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._plane.server.certificate, self._plane.server.key)
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context).start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Answer no more."""
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        names = request.match_info
        found = self._log_of(names["namespace"], names["pod"], names["container"])
        if found is None:
            return web.Response(status=400, text=f"container {names['container']} has not started\n")
        if "tailLines" in request.query:
            count = int(request.query["tailLines"])
            found = b"".join(found.splitlines(keepends=True)[-count:]) if count else b""
        if "limitBytes" in request.query:
            found = found[: int(request.query["limitBytes"])]
        return web.Response(body=found, content_type="text/plain")

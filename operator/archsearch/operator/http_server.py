"""The operator's own HTTP server: /metrics for Prometheus, /healthz and /readyz for the kubelet's probes."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.aiohttp import make_aiohttp_handler

Check = Callable[[], tuple[bool, str]]
"""Whether all is well, and a sentence that says what is or is not; must not block."""
CLOSE_SECONDS = 2.0
"""Time that requests under way have when the server closes."""


class HttpServer:
    """Serves ``registry`` and two checks on ``host``:``port`` (port 0: any free one).

    ======== ===============================================================================
    path     answer to GET and HEAD
    ======== ===============================================================================
    /metrics 200: the metrics, as OpenMetrics or Prometheus text, whichever is asked for
    /healthz 200 while ``health`` says so (passes end, watches live), else 503 with its text
    /readyz  200 while ``ready`` says so (it holds the Lease, or stands by), else 503
    ======== ===============================================================================

    Other paths are 404, other verbs 405. It can be started once.
    """

    def __init__(self, registry: CollectorRegistry, health: Check, ready: Check, *, host: str, port: int) -> None:
        application = web.Application()
        application.router.add_get("/metrics", make_aiohttp_handler(registry))
        application.router.add_get("/healthz", _answer(health))
        application.router.add_get("/readyz", _answer(ready))
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=CLOSE_SECONDS)
        self._host = host
        self._port = port

    async def start(self) -> int:
        """Listen; the port.

        Raises:
            OSError: the address cannot be listened on; the text names it.
        """
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise OSError(error.errno, f"cannot serve HTTP on {self._host}:{self._port}: {error.strerror}") from error
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Listen no more; requests under way are answered, for two seconds at most. Closing twice does nothing."""
        await self._runner.cleanup()


def _answer(check: Check) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handler(request: web.Request) -> web.Response:
        well, text = check()
        return web.Response(status=200 if well else 503, text=f"{text}\n")

    return handler

"""An operator in the test's own process and event loop, on a real control plane."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from archsearch.operator.port import ClusterPort
from archsearch.operator.program import Operator
from archsearch.operator.settings import Images, Settings

KEY = b"a key for tests, which is long enough"


def settings_for(kubeconfig: Path, namespace: str, **changes: object) -> Settings:
    """Settings of an operator for the searches of ``namespace``, its Lease there as well."""
    values: dict[str, object] = {
        "images": Images("localhost/archsearch/trial:test", "localhost/archsearch/controller:test"),
        "key": KEY,
        "namespaces": (namespace,),
        "lease_namespace": namespace,
        "identity": "operator-1",
        "resync": 5.0,
        "node_lost_after": 2.0,
        "http_port": 0,
        "http_host": "127.0.0.1",
        "kubeconfig": str(kubeconfig),
    }
    return Settings(**{**values, **changes})  # type: ignore[arg-type]


@asynccontextmanager
async def operator(
    settings: Settings, wrap: Callable[[ClusterPort], ClusterPort] | None = None
) -> AsyncIterator[Operator]:
    """An operator that runs inside the block and ends well after it; ``wrap`` is put before its port."""
    stop = asyncio.Event()
    running = Operator(settings, stop, wrap)
    task = asyncio.create_task(running.run())
    try:
        yield running
    finally:
        stop.set()
        async with asyncio.timeout(20):
            await task

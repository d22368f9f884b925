"""What kopf watches: searches, and nothing else. Its handlers only wake loops.

An event handler stores nothing, patches nothing and needs no finalizer: kopf's progress, its timers and its daemons
would write into resources that are not its own (docs/decisions). What an event says is a hint; passes read what is.
"""

from typing import Any

import kopf
from kubernetes.aio.client.configuration import Configuration

from archsearch.operator import names
from archsearch.operator.searches import Searches


def login_of(configuration: Configuration) -> kopf.ConnectionInfo:
    """kopf's way to the API server, the same as ours."""
    scheme, _, token = str((configuration.api_key or {}).get("BearerToken", "")).partition(" ")
    return kopf.ConnectionInfo(
        server=str(configuration.host),
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        scheme=scheme if token else None,
        token=token or None,
    )


def registry(searches: Searches, login: kopf.ConnectionInfo) -> kopf.OperatorRegistry:
    """Handlers of one operator, in a registry of their own: several operators can run in one process."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)  # type: ignore[untyped-decorator, unused-ignore]
    async def connect(**_: Any) -> kopf.ConnectionInfo:
        return login

    @kopf.on.startup(registry=handlers)  # type: ignore[untyped-decorator, unused-ignore]
    async def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.posting.enabled = False
        settings.scanning.disabled = True
        settings.peering.standalone = True
        settings.networking.request_timeout = 30
        settings.watching.server_timeout = 240
        settings.watching.client_timeout = 270
        settings.watching.reconnect_backoff = 0.5

    @kopf.on.event("archsearch.io", "v1alpha1", names.SEARCHES, registry=handlers)  # type: ignore[untyped-decorator, unused-ignore]
    async def seen(event: kopf.RawEvent, **_: Any) -> None:
        searches.seen(dict(event["object"]), deleted=event["type"] == "DELETED")

    return handlers

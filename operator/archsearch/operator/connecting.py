"""Where the API server is and who we are: a kubeconfig, or the service account of the pod that we run in."""

import copy
import os
import socket
from pathlib import Path

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from archsearch.operator.port import ClusterError

_SILENT_PEER = 30
"""Seconds after which the kernel gives up a connection whose other end no longer answers (its machine is gone)."""


def kubeconfig_file(asked: str | None = None) -> Path | None:
    """The kubeconfig to use: the one that was asked for, else the one that kubectl would read; None: we are in a pod.

    Of several in KUBECONFIG it is the first that there is.

    Raises:
        ClusterError: there is none.
    """
    if asked is not None:
        return Path(asked)
    named = [Path(part).expanduser() for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    candidates = named or [Path.home() / ".kube" / "config"]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    if "KUBERNETES_SERVICE_HOST" in os.environ and not named:
        return None
    looked = ", ".join(map(str, candidates))
    raise ClusterError(f"there is no kubeconfig ({looked}); set KUBECONFIG to the file that says where the cluster is")


async def configuration_from(kubeconfig: Path | None, context: str | None) -> Configuration:
    """How to reach the API server.

    Args:
        kubeconfig: the file to use; None: the pod's own service account (its token is read again as it is renewed).
        context: which of the file's contexts; None: its current one.

    Raises:
        ClusterError: the file, the context or the service account is missing or cannot be read.
    """
    configuration = Configuration()
    if kubeconfig is None:
        if context is not None:
            raise ClusterError(f"context {context!r} needs a kubeconfig: a pod's service account has no contexts")
        try:
            config.load_incluster_config(client_configuration=configuration)
        except (config.ConfigException, OSError) as error:
            raise ClusterError(f"not in a pod of a cluster, and no kubeconfig was given: {error}") from error
        return configuration
    if not kubeconfig.is_file():  # noqa: ASYNC240 - once, at the start
        raise ClusterError(f"kubeconfig {kubeconfig}: there is no such file")
    try:
        await config.load_kube_config(str(kubeconfig), context=context, client_configuration=configuration)
    except Exception as error:  # a file of any content: the loader raises what it stumbles over (YAML, types, keys)
        raise ClusterError(f"kubeconfig {kubeconfig}{f', context {context!r}' if context else ''}: {error}") from error
    return configuration


def client_of(configuration: Configuration) -> tuple[ApiClient, aiohttp.TCPConnector]:
    """A client and its connections, which whoever closes the client closes too. Needs a running event loop.

    Raises:
        ClusterError: a certificate or a key cannot be used.
    """
    configuration = copy.copy(configuration)  # several clients may be made of one, each with connections of its own
    try:
        client = ApiClient(configuration)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ClusterError(f"certificates for {configuration.host}: {error}") from error
    # No limit here: watches hold their connections for minutes, and calls are limited by the port.
    connector = aiohttp.TCPConnector(limit=0, ssl=client.rest_client.ssl_context, socket_factory=_socket)
    configuration.client_session_kwargs = {"connector": connector}
    return client, connector


def _socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """A socket that notices a machine that has vanished: a watch that only listens would never hear of it."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family=family, type=kind, proto=protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", _SILENT_PEER // 2),
        ("TCP_KEEPINTVL", _SILENT_PEER // 6),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", _SILENT_PEER * 1000),
    ):
        if hasattr(socket, option):  # Linux has all of them
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made

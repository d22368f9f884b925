"""The operator's command line: in its pod, or on a developer's machine with a kubeconfig."""

import asyncio
import os
import secrets
import socket
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from archsearch.operator.logs import LogFormat, LogLevel, set_up_logging
from archsearch.operator.port import ClusterError
from archsearch.operator.program import run
from archsearch.operator.settings import Images, Settings

app = typer.Typer(name="python -m archsearch.operator", add_completion=False, pretty_exceptions_enable=False)


def _release() -> str:
    try:
        return version("archsearch")
    except PackageNotFoundError:  # an image that holds the folders of the rooms and no package
        return os.environ.get("ARCHSEARCH_VERSION", "latest")


def _image(name: str) -> str:
    return f"ghcr.io/archsearch/{name}:{_release()}"


@app.command()
def main(
    namespace: Annotated[list[str], typer.Option(help="Run the searches of this namespace only; repeatable.")] = [],  # noqa: B006
    lease_namespace: Annotated[str, typer.Option(help="Namespace of the operator's Lease.")] = "archsearch",
    lease_name: Annotated[str, typer.Option(help="Name of the operator's Lease.")] = "archsearch-operator",
    identity: Annotated[str, typer.Option(help="Who holds the Lease: the pod's name. Default: this host's.")] = "",
    trial_image: Annotated[str, typer.Option(help="Image of trials where a manifest names none.")] = _image("trial"),
    controller_image: Annotated[str, typer.Option(help="Image of controllers.")] = _image("controller"),
    image_pull_policy: Annotated[str, typer.Option(help="When these images are pulled.")] = "IfNotPresent",
    image_pull_secret: Annotated[list[str], typer.Option(help="Secret to pull them with; repeatable.")] = [],  # noqa: B006
    key_file: Annotated[
        Path | None,
        typer.Option(help="File with the secret that every controller's token is derived from; without: a new one."),
    ] = None,
    resync: Annotated[float, typer.Option(min=1, help="Seconds between passes when nothing happens.")] = 30.0,
    node_lost_after: Annotated[
        float, typer.Option(min=1, help="Seconds until a pod that should be gone is lost with its node.")
    ] = 60.0,
    finished_ttl: Annotated[
        int, typer.Option(min=0, help="Seconds that a Job stays once its report is in the ledger.")
    ] = 3600,
    http_host: Annotated[str, typer.Option(help="Address of /metrics, /healthz and /readyz.")] = "0.0.0.0",  # noqa: S104
    http_port: Annotated[int, typer.Option(min=0, max=65535, help="Their port; 0: any free one.")] = 8080,
    log_level: Annotated[LogLevel, typer.Option(help="What is logged.")] = LogLevel.INFO,
    log_format: Annotated[LogFormat, typer.Option(help="For people, or for programs.")] = LogFormat.TEXT,
    kubeconfig: Annotated[
        str | None, typer.Option(help="Kubeconfig; without: $KUBECONFIG, ~/.kube/config or the pod's account.")
    ] = None,
    context: Annotated[str | None, typer.Option(help="Context of the kubeconfig.")] = None,
    port_forward: Annotated[
        bool, typer.Option("--port-forward", help="Reach controllers by kubectl port-forward: outside the cluster.")
    ] = False,
) -> None:
    """Run the archsearch operator: it looks after ArchitectureSearch resources until it is told to end (SIGTERM)."""
    set_up_logging(log_level, log_format)
    settings = Settings(
        images=Images(trial_image, controller_image, image_pull_policy, tuple(image_pull_secret)),
        key=_key(key_file),
        namespaces=tuple(namespace),
        lease_namespace=lease_namespace,
        lease_name=lease_name,
        identity=identity or f"{socket.gethostname()}-{os.getpid()}",
        resync=resync,
        node_lost_after=node_lost_after,
        finished_ttl=finished_ttl,
        http_port=http_port,
        http_host=http_host,
        port_forward=port_forward,
        kubeconfig=kubeconfig,
        context=context,
    )
    try:
        asyncio.run(run(settings))
    except (ClusterError, OSError) as error:
        print(f"archsearch operator: {error}", file=sys.stderr)
        raise typer.Exit(1) from None


_SHORTEST_KEY = 16


def _key(path: Path | None) -> bytes:
    """The operator's key. Without a file it lasts as long as this process: the next one makes controllers anew."""
    if path is None:
        return secrets.token_bytes(32)
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror}", param_hint="--key-file") from error
    if len(key) < _SHORTEST_KEY:
        problem = f"{path} holds {len(key)} bytes; a key has at least {_SHORTEST_KEY}"
        raise typer.BadParameter(problem, param_hint="--key-file")
    return key

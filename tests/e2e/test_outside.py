"""A developer's operator: outside the cluster, with a kubeconfig, reaching controllers by `kubectl port-forward`."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_search import NAME, manifest, succeeded
from node.whole import Node

CRDS = Path(__file__).resolve().parents[2] / "crds"
PATIENCE = 20


@pytest.fixture
def definitions(node: Node) -> Iterator[None]:
    """The resource definitions as a developer applies them; away again, for the chart brings its own."""
    files = sorted(str(file) for file in CRDS.glob("*.yaml"))
    for file in files:
        node.kubectl("apply", "--server-side", "-f", file)
    node.kubectl("wait", "--for=condition=Established", "--timeout=30s", *(f"--filename={file}" for file in files))
    yield
    for file in files:
        node.kubectl("delete", "-f", file, "--timeout=120s")


def test_an_operator_outside_the_cluster_runs_a_search(
    node: Node, definitions: None, namespace: str, tmp_path: Path
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "kubectl").symlink_to(node.kubectl_program)
    images = ("--trial-image", node.images["trial"], "--controller-image", node.images["controller"])
    places = ("--kubeconfig", str(node.kubeconfig), "--namespace", namespace, "--lease-namespace", namespace)
    command = [sys.executable, "-m", "archsearch.operator", *images, *places, "--port-forward", "--http-port", "0"]
    small = manifest()
    small["spec"]["trials"] = {"max": 2, "parallelism": 1}
    del small["spec"]["trial"]["resources"]["limits"]["nvidia.com/gpu"]
    small["metadata"] = {"name": NAME, "namespace": namespace}
    with (tmp_path / "log").open("wb") as log:
        environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
        operator = subprocess.Popen(command, stderr=log, env=environment)
        try:
            node.apply(small)
            search = succeeded(node, namespace)
        finally:
            operator.send_signal(signal.SIGTERM)
            code = operator.wait(PATIENCE)
    assert search["status"]["counts"]["succeeded"] == 2
    assert code == 0, (tmp_path / "log").read_text()

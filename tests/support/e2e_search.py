"""A search on the node as users run it, and what is seen of it from outside while it runs."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from node.whole import Node
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "examples" / "kubernetes" / "digits.yaml"
NAME = "digits-on-gpus"
TRIALS = "app.kubernetes.io/component=trial"
TERMINAL = ("Succeeded", "Failed")
Object = dict[str, Any]

LAPTOP = """
import json, subprocess, sys
cli = [sys.executable, "-c", "from archsearch.cli import main; main()"]
run = subprocess.run([*cli, "run", "/repository/examples/kubernetes/digits.yaml", "--out", "/tmp/run", "--quiet"])
assert run.returncode == 0, run.returncode
for what in ("trials", "show"):
    print(what, subprocess.run([*cli, what, "/tmp/run", "-o", "json"], capture_output=True, check=True).stdout.decode()
        .replace("\\n", " "))
"""


class Census(threading.Thread):
    """Counts the trial pods of a namespace that are not terminal, from every change that the API server tells of."""

    def __init__(self, node: Node, namespace: str) -> None:
        super().__init__(daemon=True)
        command = ["get", "pods", "-n", namespace, "-l", TRIALS, "--watch", "--output-watch-events", "-o", "json"]
        self._process = subprocess.Popen(
            [str(node.kubectl_program), "--kubeconfig", str(node.kubeconfig), *command],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._live: set[str] = set()
        self.most = 0
        """Most trial pods that were ever not terminal at once."""
        self.seen: set[str] = set()
        """Names of all trial pods."""

    def run(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = json.loads(line)
            self._take(event["type"], event["object"])

    def _take(self, kind: str, pod: Object) -> None:
        name, phase = pod["metadata"]["name"], pod.get("status", {}).get("phase")
        self.seen.add(name)
        if kind == "DELETED" or phase in TERMINAL:
            self._live.discard(name)
        else:
            self._live.add(name)
        self.most = max(self.most, len(self._live))

    def stop(self) -> None:
        """Count no more."""
        self._process.terminate()
        self._process.wait()
        self.join(10)
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def census(node: Node, namespace: str) -> Iterator[Census]:
    """A census while the block runs."""
    taking = Census(node, namespace)
    taking.start()
    try:
        yield taking
    finally:
        taking.stop()


def manifest() -> Object:
    """The example that users begin with."""
    with DIGITS.open() as file:
        return dict(YAML(typ="safe", pure=True).load(file))


def apply(node: Node, namespace: str) -> None:
    """kubectl apply of the example."""
    node.kubectl("apply", "-n", namespace, "-f", str(DIGITS))


def succeeded(node: Node, namespace: str, seconds: int = 900) -> Object:
    """kubectl wait, as the example says; the search as it is then."""
    flags = ("--for=condition=Succeeded", f"--timeout={seconds}s")
    done = node.kubectl("wait", "-n", namespace, f"archsearch/{NAME}", *flags, check=False)
    assert done.returncode == 0, done.stderr + story(node, namespace)
    return node.get("archsearch", NAME, "-n", namespace)


def story(node: Node, namespace: str) -> str:
    """What a person would look at when a search does not do well."""
    parts = [
        node.kubectl("describe", "archsearch", "-n", namespace, check=False).stdout,
        node.kubectl("get", "archtrial,jobs,pods", "-n", namespace, "-o", "wide", check=False).stdout,
        node.kubectl(
            "logs", "-n", "archsearch", "-l", "app.kubernetes.io/component=operator", "--tail=60", check=False
        ).stdout,
    ]
    return "\n".join(parts)


def ledger_of(node: Node, namespace: str) -> list[Object]:
    """The ArchitectureTrials, by index."""
    items = node.get("archtrial", "-n", namespace)["items"]
    return sorted(items, key=lambda item: int(item["spec"]["index"]))


def children(ledger: list[Object]) -> list[tuple[int, list[int], int, float | None, int | None]]:
    """What a search has learned from: index, genotype, policy version, reward, observation."""
    return [
        (
            item["spec"]["index"],
            item["spec"]["genotype"],
            item["spec"]["sampledBy"]["policyVersion"],
            item["status"].get("reward"),
            item["status"].get("observation"),
        )
        for item in ledger
    ]


def laptop_run(node: Node, namespace: str) -> tuple[Object, list[Object]]:
    """`archsearch run` of the same manifest inside the trial's own image, so with the same build of torch: what `show`
    and `trials` say. The controller's room comes from the repository, for no image of ours holds both."""
    mounts = [
        {"name": "repository", "mountPath": "/repository", "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},
    ]
    container = {
        "name": "laptop",
        "image": node.images["trial"],
        "command": ["python3", "-c", LAPTOP],
        "env": [{"name": "PYTHONPATH", "value": "/opt/archsearch/lib:/repository/controller_image"}],
        "volumeMounts": mounts,
    }
    volumes = [{"name": "repository", "hostPath": {"path": str(ROOT)}}, {"name": "tmp", "emptyDir": {}}]
    security = {"runAsUser": 0, "runAsNonRoot": False}  # the repository may lie in a folder that only root can read
    spec = {"restartPolicy": "Never", "securityContext": security, "containers": [container], "volumes": volumes}
    metadata = {"name": "laptop", "namespace": namespace}
    node.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    flags = ("--for=jsonpath={.status.phase}=Succeeded", "--timeout=900s")
    done = node.kubectl("wait", "pod/laptop", "-n", namespace, *flags, check=False)
    log = node.kubectl("logs", "laptop", "-n", namespace, check=False).stdout
    assert done.returncode == 0, done.stderr + log
    said = {
        line.split(" ", 1)[0]: line.split(" ", 1)[1]
        for line in log.splitlines()
        if line.startswith(("trials ", "show "))
    }
    return json.loads(said["show"]), json.loads(said["trials"])

"""Our images as containers of a real node, under the restricted Pod Security Standard: they report, and they end."""

import json
import os
import shutil
import subprocess
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from node.images import ROOMS
from node.whole import Node

from archsearch.report import Report, parse_report

ROOT = Path(__file__).resolve().parents[2]
LAYER = {"filterHeight": 3, "filterWidth": 3, "strideHeight": 1, "strideWidth": 1, "filters": 4, "inputs": [0]}
SPACE = {"convolutional": {"depth": {"initial": 4}}}
AT_ONCE = 8.0
"""Seconds in which a pod that ends at SIGTERM is gone on a busy machine; one that does not takes its grace, 30."""


def trial(epochs: int) -> str:
    task = {"imageClassification": {"dataset": {"digits": {}}, "epochs": epochs}}
    architecture = {"kind": "convolutional", "layers": [LAYER], "outputs": [1]}
    given = {"search": "s", "trial": "s-000000", "index": 0, "architecture": architecture, "task": task}
    return json.dumps({**given, "seed": 0, "attempt": 1})


def pod(image: str, environment: Mapping[str, str], *arguments: str, **more: Any) -> dict[str, Any]:
    """A pod's spec as the operator makes them: restricted, on a read-only root, without any token."""
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True}
    container = {
        "name": "main",
        "image": image,
        "args": list(arguments),
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "securityContext": security,
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
        **more,
    }
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }


def termination(found: Mapping[str, Any]) -> Mapping[str, Any]:
    state: dict[str, Any] = found["status"].get("containerStatuses", [{}])[0].get("state", {})
    return state.get("terminated") or {}


def test_a_bare_job_of_the_trial_image_trains_a_child_and_reports(node: Node, namespace: str) -> None:
    environment = {"ARCHSEARCH_TRIAL": trial(2), "ARCHSEARCH_REPORT": "/dev/termination-log"}
    template = {"spec": pod(node.images["trial"], environment)}
    spec = {"backoffLimit": 0, "template": template}
    metadata = {"name": "child", "namespace": namespace}
    before = time.time_ns()
    node.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec})
    node.kubectl("wait", "job/child", "-n", namespace, "--for=condition=Complete", "--timeout=120s")
    (made,) = node.get("pods", "-n", namespace, "--selector=job-name=child")["items"]
    assert termination(made)["exitCode"] == 0
    report = parse_report(termination(made)["message"].encode())
    assert isinstance(report, Report), report
    assert report.error is None
    assert 0 < report.metrics["accuracy"] <= 1
    assert report.metrics["epochs"] == 2
    assert report.times is not None
    assert before < report.times.started < report.times.ended < time.time_ns()
    log = node.kubectl("logs", "job/child", "-n", namespace).stdout
    assert '{"epoch": 2, ' in log
    assert "Traceback" not in log


def test_a_training_child_ends_at_once_when_its_pod_is_deleted(node: Node, namespace: str) -> None:
    environment = {"ARCHSEARCH_TRIAL": trial(10_000), "ARCHSEARCH_REPORT": "/dev/termination-log"}
    start(node, namespace, pod(node.images["trial"], environment))
    node.wait_until(lambda: '"epoch": 1,' in log_of(node, namespace), "the first epoch", 120)
    assert seconds_to_delete(node, namespace) < AT_ONCE


def test_a_controller_serves_without_a_token_of_the_cluster_and_ends_at_once(node: Node, namespace: str) -> None:
    config = json.dumps({"name": "s", "searchSpace": SPACE, "strategy": {"reinforce": {}}, "seed": 7})
    metadata = {"name": "config", "namespace": namespace}
    node.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"config.json": config}})
    arguments = ("--config", "/etc/archsearch/config.json", "--host", "0.0.0.0", "--port", "8080")
    mounts = [{"name": "tmp", "mountPath": "/tmp"}, {"name": "config", "mountPath": "/etc/archsearch"}]
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1}
    spec = pod(
        node.images["controller"], {"ARCHSEARCH_TOKEN": "t"}, *arguments, volumeMounts=mounts, readinessProbe=probe
    )
    spec["volumes"].append({"name": "config", "configMap": {"name": "config"}})
    start(node, namespace, spec)
    node.kubectl("wait", "pod/one", "-n", namespace, "--for=condition=Ready", "--timeout=120s")
    assert '{"port": 8080}' in log_of(node, namespace)
    assert seconds_to_delete(node, namespace) < AT_ONCE


@pytest.mark.parametrize("room", ROOMS)
def test_an_image_says_what_it_is_and_runs_as_nobody_in_particular(node: Node, room: str) -> None:
    found = inspected(node.images[room])["OCIv1"]
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    labels = {name.removeprefix("org.opencontainers.image."): text for name, text in found["config"]["Labels"].items()}
    assert labels["title"] == f"archsearch {room}"
    assert (labels["version"], labels["licenses"]) == (version, "Apache-2.0")
    assert {"source", "revision", "description"} <= set(labels)
    assert found["config"]["User"] == "65532:65532"
    assert found["config"]["Entrypoint"] == ["python3", "-m", f"archsearch.{room}"]
    assert not found["config"].get("Cmd")


@pytest.mark.parametrize("room", ROOMS)
def test_an_image_holds_core_and_its_own_room_only(node: Node, room: str) -> None:
    container = buildah("from", node.images[room])
    try:
        modules = {path.name for path in Path(buildah("mount", container), "opt/archsearch/lib/archsearch").iterdir()}
    finally:
        buildah("rm", container)
    assert modules & set(ROOMS) == {room}
    assert {"api", "engine", "report.py"} <= modules


def test_two_builds_of_the_same_files_are_the_same_image(node: Node, tmp_path: Path) -> None:
    context = tmp_path / "context"  # a copy: no file may change between the builds
    for name in ("core", "operator", "controller_image", "trial_image", "requirements", "tools"):
        shutil.copytree(ROOT / name, context / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "LICENSE", ".dockerignore"):
        shutil.copy(ROOT / name, context / name)
    told = {
        "BASE_IMAGE": node.base_image,
        "BUILDER": "buildah",
        "SOURCE_DATE_EPOCH": "1",
        "REGISTRY": "localhost/two",
    }
    ids = []
    for _ in range(2):
        command = [context / "tools" / "images", "controller"]
        done = subprocess.run(command, env={**os.environ, **told}, check=True, capture_output=True, text=True)
        ids.append(inspected(done.stdout.strip())["FromImageID"])
        buildah("rmi", done.stdout.strip())
    assert ids[0] == ids[1]


def buildah(*arguments: str) -> str:
    return subprocess.run(["buildah", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def inspected(image: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(buildah("inspect", "--type", "image", image))
    return found


def start(node: Node, namespace: str, spec: Mapping[str, Any]) -> None:
    node.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one", "namespace": namespace}, "spec": spec})


def log_of(node: Node, namespace: str) -> str:
    return node.kubectl("logs", "one", "-n", namespace, check=False).stdout


def seconds_to_delete(node: Node, namespace: str) -> float:
    before = time.monotonic()
    node.kubectl("delete", "pod", "one", "-n", namespace, "--timeout=60s")
    return time.monotonic() - before

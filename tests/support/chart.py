"""The chart as its tests see it: rendered by the real Helm, with and without a cluster."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kube.binaries import find
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "archsearch"
KUBERNETES = "1.34.0"
MONITORING = "monitoring.coreos.com/v1"
Object = dict[str, Any]
Values = Mapping[str, Any]


class HelmError(Exception):
    """Helm refused; the text is what it said."""


def helm(*arguments: str, input: str | None = None) -> str:
    """What `helm ARGUMENTS` prints.

    Raises:
        MissingProgram: Helm is not there.
        HelmError: it failed.
    """
    command = [str(find("helm")), *arguments]
    done = subprocess.run(command, input=input, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise HelmError(done.stderr)
    return done.stdout


def with_values(values: Values) -> str:
    """``values`` as a file for `--values -`: JSON is YAML."""
    return json.dumps(values)


def template(
    values: Values | None = None,
    *,
    release: str = "archsearch",
    namespace: str = "nas",
    apis: Sequence[str] = (),
    chart: Path = CHART,
) -> list[Object]:
    """Everything that the chart renders, tests included. Raises HelmError."""
    flags = [flag for api in apis for flag in ("--api-versions", api)]
    text = helm(
        "template", release, str(chart), "--namespace", namespace, "--kube-version", KUBERNETES, "--values", "-",
        *flags, input=with_values(values or {}),
    )  # fmt: skip
    return [found for found in YAML(typ="safe", pure=True).load_all(text) if found]


def of_kind(objects: Sequence[Object], kind: str) -> list[Object]:
    """Those of one kind."""
    return [found for found in objects if found["kind"] == kind]


def one(objects: Sequence[Object], kind: str, name: str | None = None) -> Object:
    """The only one of its kind (and name)."""
    (found,) = [each for each in of_kind(objects, kind) if name in (None, each["metadata"]["name"])]
    return found


def pod_specs(objects: Sequence[Object]) -> dict[str, Object]:
    """Every pod that would run, by ``Kind/name``."""
    specs = {}
    for found in objects:
        spec = found.get("spec", {})
        pod = spec if found["kind"] == "Pod" else spec.get("template", {}).get("spec")
        if pod is not None and "containers" in pod:
            specs[f"{found['kind']}/{found['metadata']['name']}"] = pod
    return specs


EVERYTHING: Values = {
    "crds": {"install": True, "keep": False},
    "serviceAccount": {"annotations": {"example.com/role": "nas"}},
    "images": {
        "registry": "registry.example:5000",
        "pullPolicy": "Always",
        "pullSecrets": ["team-registry", "other.registry"],
        "operator": {"tag": "1.10"},
        "controller": {"digest": f"sha256:{'a' * 64}"},
        "trial": {"repository": "team/trial", "tag": "cuda"},
    },
    "operator": {
        "watchNamespaces": ["vision", "speech"],
        "existingKeySecret": "our-key",
        "log": {"level": "debug", "format": "text"},
        "resyncSeconds": 7.5,
        "nodeLostAfterSeconds": 45,
        "finishedJobTTLSeconds": 1000000,
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": 2, "memory": "2Gi"}},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "control", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "system-cluster-critical",
        "podLabels": {"team": "vision", "app.kubernetes.io/component": "mine"},
        "podAnnotations": {"example.com/scrape": "false"},
        "terminationGracePeriodSeconds": 60,
    },
    "networkPolicy": {
        "metricsFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    },
    "metrics": {
        "serviceMonitor": {
            "enabled": True,
            "labels": {"release": "prometheus"},
            "interval": "1m",
            "scrapeTimeout": "20s",
        },
        "rules": {"enabled": True, "labels": {"release": "prometheus"}},
        "dashboards": {"enabled": True, "annotations": {"grafana_folder": "archsearch"}},
    },
}
"""A value other than the default for nearly every key."""

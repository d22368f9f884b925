"""Values: each is described, typed and closed, so that a slip of the pen is told and not ignored."""

import json
import re
from collections.abc import Iterator
from typing import Any

import chart
import pytest
from chart import CHART, EVERYTHING, HelmError, template
from ruamel.yaml import YAML

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
VALUES: dict[str, Any] = YAML(typ="safe", pure=True).load((CHART / "values.yaml").read_text())
FOREIGN = {"affinity", "claims", "nodeAffinity", "podAffinity", "podAntiAffinity", "ipBlock", "namespaceSelector"}
"""Kubernetes' own, checked by the API server."""


def objects_of(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield path, schema
        for key, value in schema.items():
            yield from objects_of(value, f"{path}.{key}" if key not in {"properties", "items"} else path)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects_of(value, path)


def test_every_object_of_ours_is_closed() -> None:
    found = dict(objects_of(SCHEMA))
    assert len(found) > 15
    foreign = FOREIGN | {"podSelector", "global"}
    opened = {path for path, schema in found.items() if "additionalProperties" not in schema}
    assert {path.rpartition(".")[2] for path in opened} <= foreign


def properties(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}{name}"
        if inner.get("type") == "object" and name != "resources":
            yield from properties(inner, f"{path}{name}.")


def keys(values: dict[str, Any], schema: dict[str, Any], path: str = "") -> Iterator[str]:
    for name, value in values.items():
        yield f"{path}{name}"
        inner = schema["properties"].get(name, {})
        if isinstance(value, dict) and "properties" in inner and name not in {"resources", "affinity"}:
            yield from keys(value, inner, f"{path}{name}.")


def test_values_and_schema_name_the_same_keys() -> None:
    schema = {path for path in properties(SCHEMA) if path != "global" and not path.startswith("operator.affinity.")}
    assert set(keys(VALUES, SCHEMA)) == schema


def test_every_value_is_described_where_it_stands() -> None:
    lines = (CHART / "values.yaml").read_text().splitlines()
    missing = []
    for number, line in enumerate(lines):
        leaf = re.match(r"\s+(\w+):\s*\S", line)
        if leaf is None or line.lstrip().startswith("#"):
            continue
        above = lines[number - 1].lstrip()
        if "#" not in line and not above.startswith("#") and leaf[1] not in SELF_EXPLAINING:
            missing.append(leaf[1])
    assert missing == []


SELF_EXPLAINING = {
    "repository", "annotations", "requests", "limits", "nodeSelector", "tolerations", "affinity", "priorityClassName",
    "podLabels", "podAnnotations", "interval", "scrapeTimeout", "labels", "digest", "tag",
}  # fmt: skip
"""Words of Kubernetes and of images, described at their first place."""


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"replicaCount": 2}, ["replicaCount", "not allowed"]),
        ({"nameOverride": "x"}, ["nameOverride"]),
        ({"image": {"tag": "1"}}, ["image"]),
        ({"crds": {"enabled": True}}, ["/crds", "enabled"]),
        ({"crds": {"keep": "yes"}}, ["/crds/keep", "want boolean"]),
        ({"rbac": {"wildcards": True}}, ["/rbac", "wildcards"]),
        ({"serviceAccount": {"name": "Not_A_Name"}}, ["/serviceAccount/name"]),
        ({"fullnameOverride": "-x"}, ["/fullnameOverride"]),
        ({"images": {"pullPolicy": "Sometimes"}}, ["/images/pullPolicy", "IfNotPresent"]),
        ({"images": {"pullSecrets": [{"name": "x"}]}}, ["/images/pullSecrets/0", "want string"]),
        ({"images": {"trial": {"tag": 1.1}}}, ["/images/trial/tag", "want string"]),
        ({"images": {"trial": {"digest": "sha256:abc"}}}, ["/images/trial/digest"]),
        ({"images": {"trial": {"repository": "Trial:"}}}, ["/images/trial/repository"]),
        ({"images": {"registry": "https://ghcr.io/"}}, ["/images/registry"]),
        ({"operator": {"replicas": 2}}, ["/operator", "replicas"]),
        ({"operator": {"watchNamespaces": "vision"}}, ["/operator/watchNamespaces", "want array"]),
        ({"operator": {"watchNamespaces": ["a", "a"]}}, ["/operator/watchNamespaces", "equal"]),
        ({"operator": {"watchNamespaces": ["*"]}}, ["/operator/watchNamespaces/0"]),
        ({"operator": {"log": {"level": "DEBUG"}}}, ["/operator/log/level", "debug"]),
        ({"operator": {"resyncSeconds": 0}}, ["/operator/resyncSeconds"]),
        ({"operator": {"resyncSeconds": "30s"}}, ["/operator/resyncSeconds", "want number"]),
        ({"operator": {"nodeLostAfterSeconds": 0.5}}, ["/operator/nodeLostAfterSeconds"]),
        ({"operator": {"finishedJobTTLSeconds": 1.5}}, ["/operator/finishedJobTTLSeconds", "want integer"]),
        ({"operator": {"resources": {"limit": {}}}}, ["/operator/resources", "limit"]),
        ({"operator": {"resources": {"limits": {"memory": "1Gb"}}}}, ["/operator/resources/limits/memory"]),
        ({"operator": {"tolerations": [{"keys": "x"}]}}, ["/operator/tolerations/0", "keys"]),
        ({"operator": {"podLabels": {"a": 1}}}, ["/operator/podLabels/a", "want string"]),
        ({"networkPolicy": {"metricsFrom": [{"podSelectors": {}}]}}, ["/networkPolicy/metricsFrom/0", "podSelectors"]),
        ({"metrics": {"enabled": True}}, ["/metrics", "enabled"]),
        ({"metrics": {"serviceMonitor": {"interval": 15}}}, ["/metrics/serviceMonitor/interval", "want string"]),
    ],
    ids=lambda value: json.dumps(value)[:70],
)  # fmt: skip
def test_a_slip_of_the_pen_is_refused_with_its_place(values: chart.Values, says: list[str]) -> None:
    with pytest.raises(HelmError) as caught:
        template(values)
    for words in says:
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"serviceAccount": {"create": False}}, "serviceAccount.name must name the one to use"),
        ({"fullnameOverride": "a" * 43}, "longer than 42"),
        ({"metrics": {"serviceMonitor": {"enabled": True}}}, "serviceMonitor.enabled is true, but this cluster lacks"),
        ({"metrics": {"rules": {"enabled": True}}}, "install the Prometheus operator first"),
    ],
)  # fmt: skip
def test_what_would_fail_later_is_refused_with_a_remedy(values: chart.Values, says: str) -> None:
    with pytest.raises(HelmError, match=re.escape(says)):
        template(values)


def test_an_old_cluster_is_refused() -> None:
    with pytest.raises(HelmError, match=r">=1\.29"):
        chart.helm("template", "archsearch", str(CHART), "--kube-version", "1.28.9")
    assert chart.helm("template", "archsearch", str(CHART), "--kube-version", "1.29.3-gke.100")


def test_everything_names_nearly_every_key() -> None:
    given = set(keys(dict(EVERYTHING), SCHEMA))
    unnamed = {path for path in keys(VALUES, SCHEMA) if path not in given}
    assert unnamed <= {
        "fullnameOverride", "rbac", "rbac.create", "rbac.aggregatedRoles", "serviceAccount.create",
        "serviceAccount.name",
        "images.operator.repository", "images.operator.digest", "images.controller.repository", "images.controller.tag",
        "images.trial.digest", "networkPolicy.enabled", "metrics.dashboards.labels",
    }  # fmt: skip


def test_every_value_that_the_page_names_is_one() -> None:
    page = (chart.ROOT / "docs" / "kubernetes.md").read_text()
    named = set(re.findall(r"--set '?([\w.]+)=", page))
    tops = "|".join(VALUES)
    named |= set(re.findall(rf"`((?:{tops})\.\w+(?:\.\w+)*)(?:=\w+)?[`:]", page))
    assert len(named) > 10
    assert named <= set(properties(SCHEMA))

"""What the chart renders: all of it, and only what was asked for."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import chart
import pytest
from chart import CHART, EVERYTHING, MONITORING, HelmError, Object, of_kind, one, template
from ruamel.yaml import YAML
from typer.main import get_command

from archsearch.api import GROUP
from archsearch.operator import names
from archsearch.operator.command import app
from archsearch.operator.port import SEARCH, TRIAL

OPERATOR = "archsearch-operator"
CRDS = {f"{SEARCH.plural}.{GROUP}", f"{TRIAL.plural}.{GROUP}"}
ALWAYS = {
    *(("CustomResourceDefinition", name) for name in CRDS),
    ("Deployment", OPERATOR),
    ("Service", OPERATOR),
    ("NetworkPolicy", OPERATOR),
    ("ServiceAccount", OPERATOR),
    ("Secret", f"{OPERATOR}-key"),
    ("Role", f"{OPERATOR}-lease"),
    ("RoleBinding", f"{OPERATOR}-lease"),
    ("ClusterRole", OPERATOR),
    ("ClusterRoleBinding", OPERATOR),
    ("ClusterRole", "archsearch-view"),
    ("ClusterRole", "archsearch-edit"),
    ("ClusterRole", "archsearch-admin"),
    ("ServiceAccount", "archsearch-selftest"),
    ("Role", "archsearch-selftest"),
    ("RoleBinding", "archsearch-selftest"),
    ("Pod", "archsearch-selftest"),
}
OPERATORS_CLUSTER_ROLE = {("ClusterRole", OPERATOR), ("ClusterRoleBinding", OPERATOR)}


def named(objects: list[Object]) -> set[tuple[str, str]]:
    found = [(each["kind"], each["metadata"]["name"]) for each in objects]
    assert len(found) == len(set(found)), "two objects of one kind and name"
    return set(found)


def flags(objects: list[Object]) -> list[str]:
    arguments: list[str] = chart.pod_specs(objects)[f"Deployment/{OPERATOR}"]["containers"][0]["args"]
    return arguments


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["default", "everything"])
def test_lint_has_nothing_to_say(values: chart.Values, tmp_path: Path) -> None:
    # Lint asks no cluster which kinds there are: it is not told of the Prometheus operator's.
    values = {**values, "metrics": {**values.get("metrics", {}), "serviceMonitor": {}, "rules": {}}}
    said = chart.helm("lint", "--strict", str(CHART), "--values", "-", "--kube-version", chart.KUBERNETES,
                      input=chart.with_values(values))  # fmt: skip
    assert "0 chart(s) failed" in said
    assert "WARNING" not in said


def test_the_chart_is_of_this_release() -> None:
    about = YAML(typ="safe", pure=True).load((CHART / "Chart.yaml").read_text())
    project = (chart.ROOT / "pyproject.toml").read_text()
    assert f'\nversion = "{about["appVersion"]}"\n' in project
    assert about["version"] == about["appVersion"]


def test_default_values_render_exactly_what_runs_a_cluster_wide_operator() -> None:
    assert named(template()) == ALWAYS


@pytest.mark.parametrize(
    ("values", "gone", "new"),
    [
        ({"crds": {"install": False}}, {("CustomResourceDefinition", name) for name in CRDS}, set()),
        ({"networkPolicy": {"enabled": False}}, {("NetworkPolicy", OPERATOR)}, set()),
        ({"operator": {"existingKeySecret": "ours"}}, {("Secret", f"{OPERATOR}-key")}, set()),
        ({"serviceAccount": {"create": False, "name": "ours"}}, {("ServiceAccount", OPERATOR)}, set()),
        (
            {"rbac": {"aggregatedRoles": False}},
            {("ClusterRole", f"archsearch-{role}") for role in ("view", "edit", "admin")},
            set(),
        ),
        (
            {"rbac": {"create": False}},
            {*OPERATORS_CLUSTER_ROLE, ("Role", f"{OPERATOR}-lease"), ("RoleBinding", f"{OPERATOR}-lease")},
            set(),
        ),
        (
            {"operator": {"watchNamespaces": ["vision"]}},
            OPERATORS_CLUSTER_ROLE,
            {("Role", OPERATOR), ("RoleBinding", OPERATOR)},
        ),
        ({"metrics": {"serviceMonitor": {"enabled": True}}}, set(), {("ServiceMonitor", OPERATOR)}),
        ({"metrics": {"dashboards": {"enabled": True}}}, set(), {("ConfigMap", f"{OPERATOR}-dashboards")}),
        (
            {"metrics": {"rules": {"enabled": True}}},
            set(),
            {("PrometheusRule", f"{OPERATOR}-{path.stem}") for path in (CHART / "files" / "rules").glob("*.yaml")},
        ),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, dict) else "",
)
def test_a_toggle_changes_what_it_says_and_nothing_else(
    values: chart.Values, gone: set[tuple[str, str]], new: set[tuple[str, str]]
) -> None:
    assert gone or new
    assert named(template(values, apis=[MONITORING])) == ALWAYS - gone | new


@pytest.mark.parametrize(
    ("release", "values", "name"),
    [
        ("archsearch", {}, "archsearch-operator"),
        ("team-archsearch", {}, "team-archsearch-operator"),
        ("nas", {}, "nas-archsearch-operator"),
        ("nas", {"fullnameOverride": "search"}, "search-operator"),
        ("a" * 53, {}, f"{'a' * 31}-archsearch-operator"),
        (f"archsearch-{'b' * 42}", {}, f"archsearch-{'b' * 31}-operator"),
    ],
)
def test_names_follow_the_release_and_fit_into_labels(release: str, values: chart.Values, name: str) -> None:
    objects = template(values, release=release)
    assert one(objects, "Deployment")["metadata"]["name"] == name
    assert max(len(each["metadata"]["name"]) for each in objects if each["kind"] != "CustomResourceDefinition") <= 63


def test_every_object_is_labelled_and_none_passes_for_the_operators_own() -> None:
    for found in template(EVERYTHING, apis=[MONITORING]):
        if found["kind"] == "CustomResourceDefinition":
            continue
        labels = found["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == "archsearch"
        assert labels[names.MANAGED_BY] == "Helm", "the operator would take it for something that it has made"


def test_the_operator_is_told_everything_by_flags() -> None:
    assert flags(template()) == [
        "--lease-namespace=$(POD_NAMESPACE)",
        "--lease-name=archsearch-operator",
        "--identity=$(POD_NAME)",
        "--trial-image=ghcr.io/archsearch/trial:0.1.0",
        "--controller-image=ghcr.io/archsearch/controller:0.1.0",
        "--image-pull-policy=IfNotPresent",
        "--key-file=/etc/archsearch/key/key",
        "--resync=30",
        "--node-lost-after=60",
        "--finished-ttl=3600",
        "--http-host=0.0.0.0",
        "--http-port=8080",
        "--log-level=info",
        "--log-format=json",
    ]
    assert flags(template(EVERYTHING, apis=[MONITORING])) == [
        "--namespace=vision",
        "--namespace=speech",
        "--lease-namespace=$(POD_NAMESPACE)",
        "--lease-name=archsearch-operator",
        "--identity=$(POD_NAME)",
        "--trial-image=registry.example:5000/team/trial:cuda",
        f"--controller-image=registry.example:5000/archsearch/controller@sha256:{'a' * 64}",
        "--image-pull-policy=Always",
        "--image-pull-secret=team-registry",
        "--image-pull-secret=other.registry",
        "--key-file=/etc/archsearch/key/key",
        "--resync=7.5",
        "--node-lost-after=45",
        "--finished-ttl=1000000",
        "--http-host=0.0.0.0",
        "--http-port=8080",
        "--log-level=debug",
        "--log-format=text",
    ]


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["default", "everything"])
def test_the_operators_own_command_line_takes_these_flags(values: chart.Values) -> None:
    given = flags(template(values, apis=[MONITORING]))
    context = get_command(app).make_context("operator", list(given))
    named = {flag.split("=")[0].removeprefix("--").replace("-", "_") for flag in given}
    assert named <= set(context.params)
    assert str(context.params["key_file"]) == "/etc/archsearch/key/key"


def test_values_of_the_pod_reach_the_pod() -> None:
    objects = template(EVERYTHING, apis=[MONITORING])
    given: dict[str, Any] = EVERYTHING["operator"]
    pod = chart.pod_specs(objects)[f"Deployment/{OPERATOR}"]
    container = pod["containers"][0]
    assert container["image"] == "registry.example:5000/archsearch/operator:1.10"
    assert container["resources"] == given["resources"]
    for field in ("nodeSelector", "tolerations", "affinity", "priorityClassName", "terminationGracePeriodSeconds"):
        assert pod[field] == given[field]
    assert pod["imagePullSecrets"] == [{"name": "team-registry"}, {"name": "other.registry"}]
    assert pod["volumes"][0]["secret"]["secretName"] == "our-key"
    metadata = one(objects, "Deployment")["spec"]["template"]["metadata"]
    assert metadata["annotations"]["example.com/scrape"] == "false"
    assert metadata["labels"]["team"] == "vision"
    assert metadata["labels"][names.COMPONENT] == "operator", "a user's label never replaces what selects the pod"


def test_a_registry_left_empty_leaves_whole_names() -> None:
    images = {"registry": "", "operator": {"repository": "localhost/archsearch/operator", "tag": "dev"}}
    pod = chart.pod_specs(template({"images": images}))[f"Deployment/{OPERATOR}"]
    assert pod["containers"][0]["image"] == "localhost/archsearch/operator:dev"


def test_service_probes_policy_and_monitor_mean_one_port_of_the_same_pods() -> None:
    objects = template({"metrics": {"serviceMonitor": {"enabled": True}}}, apis=[MONITORING])
    deployment = one(objects, "Deployment")
    pod_labels = deployment["spec"]["template"]["metadata"]["labels"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["ports"] == [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]
    assert {container[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe")} == {"/healthz"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    service, monitor = one(objects, "Service"), one(objects, "ServiceMonitor")
    for selector in (
        deployment["spec"]["selector"]["matchLabels"],
        service["spec"]["selector"],
        one(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= pod_labels.items()
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    assert monitor["spec"]["endpoints"][0]["honorLabels"] is True
    assert pod_labels["app.kubernetes.io/name"] == names.MANAGER, "policies of searches let in pods of that name"


def test_monitoring_files_are_handed_on_as_they_are() -> None:
    objects = template(EVERYTHING, apis=[MONITORING])
    yaml = YAML(typ="safe", pure=True)
    files = sorted((CHART / "files" / "rules").glob("*.yaml"))
    rules = of_kind(objects, "PrometheusRule")
    assert [rule["spec"] for rule in rules] == [yaml.load(path.read_text()) for path in files] != []
    config = one(objects, "ConfigMap")
    boards = sorted((CHART / "files" / "dashboards").glob("*.json"))
    assert {name: text.strip() for name, text in config["data"].items()} == {
        path.name: path.read_text().strip() for path in boards
    }
    assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert config["metadata"]["annotations"] == {"grafana_folder": "archsearch"}


def definitions(objects: list[Object]) -> dict[str, Object]:
    return {found["metadata"]["name"]: found for found in of_kind(objects, "CustomResourceDefinition")}


def test_definitions_are_those_of_the_project_and_kept_unless_said_otherwise() -> None:
    yaml = YAML(typ="safe", pure=True)
    generated = {(found := yaml.load(path.read_text()))["metadata"]["name"]: found
                 for path in (chart.ROOT / "crds").glob("*.yaml")}  # fmt: skip
    assert definitions(template({"crds": {"keep": False}})) == generated
    for name, found in definitions(template()).items():
        assert found["metadata"]["annotations"].pop("helm.sh/resource-policy") == "keep"
        assert found["spec"] == generated[name]["spec"]


def with_definition(folder: Path, text: str) -> Path:
    copy = folder / "archsearch"
    shutil.copytree(CHART, copy)
    shutil.rmtree(copy / "files" / "crds")
    (copy / "files" / "crds").mkdir()
    (copy / "files" / "crds" / "one.yaml").write_text(text)
    return copy


@pytest.mark.parametrize(
    "metadata",
    [
        "metadata:\n  name: things.example.com\n",
        "metadata:\n  annotations:\n    example.com/by: somebody\n  name: things.example.com\n",
        "metadata:\n  name: things.example.com\n  annotations:\n    example.com/by: somebody\n",
    ],
)
def test_keep_is_added_to_annotations_that_are_there_and_numbers_stay_integers(tmp_path: Path, metadata: str) -> None:
    text = f"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n{metadata}spec:\n  most: 1000000000\n"
    text += "  annotations:\n    deep: true\n"
    (found,) = definitions(template(chart=with_definition(tmp_path, text))).values()
    expected = {"helm.sh/resource-policy": "keep"}
    assert found["metadata"]["annotations"] == expected | ({"example.com/by": "somebody"} if "somebody" in text else {})
    assert found["spec"] == {"most": 1000000000, "annotations": {"deep": True}}
    assert isinstance(found["spec"]["most"], int)


def test_definitions_that_cannot_be_annotated_are_refused_instead_of_deleted_later(tmp_path: Path) -> None:
    copy = with_definition(tmp_path, "kind: CustomResourceDefinition\nmetadata: {name: things.example.com}\n")
    with pytest.raises(HelmError, match=r"one\.yaml: cannot be annotated"):
        template(chart=copy)


@pytest.mark.parametrize(
    ("remove", "values", "says"),
    [
        (lambda copy: shutil.rmtree(copy / "files" / "crds"), {}, "make crds"),
        (
            lambda copy: shutil.rmtree(copy / "files" / "rules"),
            {"metrics": {"rules": {"enabled": True}}},
            "files/rules",
        ),
        (
            lambda copy: shutil.rmtree(copy / "files" / "dashboards"),
            {"metrics": {"dashboards": {"enabled": True}}},
            "files/dashboards",
        ),
    ],
    ids=["definitions", "rules", "dashboards"],
)
def test_a_copy_that_lacks_files_says_so_instead_of_installing_less(
    tmp_path: Path, remove: Callable[[Path], None], values: chart.Values, says: str
) -> None:
    copy = tmp_path / "archsearch"
    shutil.copytree(CHART, copy)
    remove(copy)
    with pytest.raises(HelmError, match=says):
        template(values, chart=copy, apis=[MONITORING])


@pytest.mark.parametrize(
    ("values", "says", "silent"),
    [
        ({}, ["every namespace", "helm test archsearch --namespace nas", "deletes every search"], ["WARNING"]),
        ({"crds": {"keep": False}}, ["WARNING: crds.keep is false", "deletes ALL searches"], ["crds.keep)"]),
        ({"crds": {"install": False}}, ["must be those of archsearch 0.1.0"], ["WARNING"]),
        ({"operator": {"watchNamespaces": ["a", "b"]}}, ["the namespaces a, b", "kubectl apply --namespace a"], []),
        ({"rbac": {"create": False}}, ["nas/archsearch-operator has them"], []),
        ({"networkPolicy": {"enabled": False}}, ["No network policy"], []),
        ({"operator": {"existingKeySecret": "ours"}}, ["The Secret ours was not found", "openssl rand -hex 32"], []),
    ],
)  # fmt: skip
def test_notes_say_what_to_do_next_and_what_to_beware_of(
    tmp_path: Path, values: chart.Values, says: list[str], silent: list[str]
) -> None:
    # Helm shows notes only after it has spoken to a cluster; here another template shows them.
    copy = tmp_path / "archsearch"
    shutil.copytree(CHART, copy)
    show = '{kind: Notes, metadata: {name: n}, text: {{ include (print .Template.BasePath "/NOTES.txt") . | toJson }}}'
    (copy / "templates" / "notes.yaml").write_text(show)
    said = one(template(values, chart=copy), "Notes")["text"]
    for sentence in ["archsearch 0.1.0 runs searches in", "examples/kubernetes/digits.yaml", *says]:
        assert sentence in said
    for sentence in silent:
        assert sentence not in said
    path = chart.ROOT / "examples" / "kubernetes" / "digits.yaml"
    assert YAML(typ="safe", pure=True).load(path.read_text())["metadata"]["name"] in said

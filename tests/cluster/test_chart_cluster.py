"""The chart on a real API server: installed, upgraded, removed by the real Helm; rights and pods are judged there."""

import asyncio
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import chart
import pytest
from chart import CHART, EVERYTHING, MONITORING, HelmError, of_kind, one, pod_specs, template
from kube.binaries import CONTROL_PLANE, MissingProgram, find
from kube.control_plane import ControlPlane
from kube.processes import free_port
from prometheus_client import CollectorRegistry

from archsearch.operator.http_server import HttpServer
from archsearch.operator.selftest import Unwell, address_of, api_of_pod, check

DEFINITIONS = ("architecturesearches.archsearch.io", "architecturetrials.archsearch.io")
OPERATOR = "archsearch-operator"
EXAMPLES = sorted((chart.ROOT / "examples" / "kubernetes").glob("*.yaml"))
Helm = Callable[..., str]
# The API server once took more than a minute to delete a definition, on a busy machine.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane for these tests alone: they install, change and remove what the whole cluster shares."""
    try:
        for program in (*CONTROL_PLANE, "helm"):
            find(program)
    except MissingProgram as missing:
        if os.environ.get("CI", "").lower() in {"1", "true", "yes"}:
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))
    plane = ControlPlane(tmp_path_factory.mktemp("chart-cluster"))
    plane.start()
    yield plane
    plane.stop()


@pytest.fixture
def helm(plane: ControlPlane) -> Iterator[Helm]:
    """Helm on that control plane; what a test has installed goes with it, the definitions too."""

    def run(*arguments: str, values: chart.Values | None = None) -> str:
        given = ("--values", "-") if values is not None else ()
        return chart.helm(
            *arguments, *given, "--kubeconfig", str(plane.kubeconfig), input=chart.with_values(values or {})
        )

    yield run
    for release in json.loads(run("list", "--all-namespaces", "--all", "--output", "json")):
        run("uninstall", release["name"], "--namespace", release["namespace"])
    take_away_definitions(plane)


def take_away_definitions(plane: ControlPlane) -> None:
    """Delete the definitions. An API server that is asked for it soon after they were made may take minutes: it cannot
    list what it has not begun to store. There is nothing of theirs left, so its finalizer is not waited for."""
    deletion = ("delete", "customresourcedefinition", *DEFINITIONS, "--ignore-not-found", "--timeout=20s")
    if plane.kubectl(*deletion, check=False).returncode == 0:
        return
    for name in DEFINITIONS:
        released = ("--type=merge", '--patch={"metadata":{"finalizers":null}}')
        plane.kubectl("patch", "customresourcedefinition", name, *released, check=False)
    plane.kubectl(*deletion)


_numbers = itertools.count(1)


@pytest.fixture
def home(plane: ControlPlane) -> str:
    """A namespace that lets in restricted pods only."""
    name = f"nas-{next(_numbers)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    plane.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    plane.kubectl("wait", "--for=create", "--timeout=30s", "--namespace", name, "serviceaccount/default")
    return name


@pytest.fixture
def installed(plane: ControlPlane, helm: Helm, home: str) -> str:
    """The namespace in which the chart is installed with its default values."""
    helm("install", "archsearch", str(CHART), "--namespace", home)
    established(plane)
    return home


def established(plane: ControlPlane) -> None:
    names = [f"customresourcedefinition/{name}" for name in DEFINITIONS]
    plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", *names)


Ask = tuple[str, ...]
"""User, verb, resource, namespace and, where it matters, name."""


def answers(plane: ControlPlane, asks: Sequence[Ask]) -> list[bool]:
    """Whether each may be done: the API server's own answers, in one call of kubectl."""
    reviews = []
    for user, verb, resource, namespace, *name in asks:
        plural, _, group = resource.partition(".")
        attributes = {"verb": verb, "resource": plural, "group": group, "namespace": namespace, "name": "".join(name)}
        spec = {"user": user, "resourceAttributes": attributes}
        reviews.append({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec})
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": reviews})
    said = plane.kubectl("create", "-f", "-", "-o", 'jsonpath={.status.allowed}{"\\n"}', input=text).stdout.split()
    assert len(said) == len(reviews)
    assert set(said) <= {"true", "false"}
    return [word == "true" for word in said]


def may(plane: ControlPlane, *ask: str) -> bool:
    return answers(plane, [ask])[0]


def account(namespace: str, name: str = OPERATOR) -> str:
    return f"system:serviceaccount:{namespace}:{name}"


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["default", "everything"])
def test_a_real_api_server_takes_everything_that_is_rendered(
    plane: ControlPlane, home: str, values: chart.Values
) -> None:
    for namespace in ("vision", "speech"):
        plane.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    objects = template(values, namespace=home, apis=[MONITORING])
    foreign = [found for found in objects if found["apiVersion"] == MONITORING]
    ours = [found for found in objects if found["apiVersion"] != MONITORING and found["kind"] != "Pod"]
    assert len(ours) + len(foreign) + 1 == len(objects)
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": ours})
    said = plane.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", input=text)
    assert said.stdout.count("(server dry run)") == len(ours)
    assert "Warning" not in said.stderr, "a pod that is not restricted is warned of"


def test_the_api_server_admits_every_pod_as_restricted(plane: ControlPlane, installed: str) -> None:
    objects = template(namespace=installed)
    pods = pod_specs(objects)
    assert len(pods) == 2
    plane.apply(*(found for found in of_kind(objects, "ServiceAccount")))

    def create(pod: dict[str, Any]) -> Any:
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"generateName": "p-", "namespace": installed},
            "spec": pod,
        }
        return plane.kubectl("create", "--dry-run=server", "-f", "-", input=json.dumps(body), check=False)

    for pod in pods.values():
        admitted = create({**pod, "restartPolicy": "Never"})
        assert admitted.returncode == 0, admitted.stderr
        loose = create({**pod, "restartPolicy": "Never", "hostNetwork": True})
        assert "violates PodSecurity" in loose.stderr, "the namespace must be one that refuses other pods"


def test_the_key_stays_through_upgrades(plane: ControlPlane, helm: Helm, installed: str) -> None:
    def key() -> str:
        secret = plane.get("secret", f"{OPERATOR}-key", "--namespace", installed)
        return str(secret["data"]["key"])

    first = key()
    upgrade = ("upgrade", "archsearch", str(CHART), "--namespace", installed)
    helm(*upgrade, values={"operator": {"resyncSeconds": 5}})
    helm(*upgrade, "--reset-then-reuse-values")
    assert key() == first
    flags = plane.get("deployment", OPERATOR, "--namespace", installed)["spec"]["template"]["spec"]["containers"][0][
        "args"
    ]
    assert "--resync=5" in flags


def test_definitions_and_searches_outlive_the_release_and_are_taken_up_by_the_next(
    plane: ControlPlane, helm: Helm, home: str
) -> None:
    helm("install", "archsearch", str(CHART), "--namespace", home)
    established(plane)
    plane.kubectl("apply", "--namespace", home, "-f", str(EXAMPLES[0]))
    before = plane.get("architecturesearches", "--namespace", home)["items"]
    helm("uninstall", "archsearch", "--namespace", home)
    assert plane.kubectl("get", "clusterrole", OPERATOR, check=False).returncode != 0
    assert plane.get("architecturesearches", "--namespace", home)["items"] == before != []
    helm("install", "archsearch", str(CHART), "--namespace", home)
    helm("uninstall", "archsearch", "--namespace", home)
    with pytest.raises(HelmError, match="invalid ownership metadata"):
        helm("install", "other", str(CHART), "--namespace", home)
    helm("install", "other", str(CHART), "--namespace", home, "--take-ownership")


def test_definitions_go_with_the_release_where_that_was_asked_for(plane: ControlPlane, helm: Helm, home: str) -> None:
    helm("install", "archsearch", str(CHART), "--namespace", home, values={"crds": {"keep": False}})
    helm("uninstall", "archsearch", "--namespace", home)
    plane.kubectl(
        "wait", "--for=delete", "--timeout=30s", *(f"customresourcedefinition/{name}" for name in DEFINITIONS)
    )


def older(folder: Path) -> Path:
    """The chart as an earlier release might have been: its searches knew no seed and had no column for the best."""
    copy = folder / "older"
    shutil.copytree(CHART, copy)
    (path,) = (copy / "files" / "crds").glob("*architecturesearches.yaml")
    yaml = chart.YAML(typ="safe", pure=True)
    definition = yaml.load(path.read_text())
    version = definition["spec"]["versions"][0]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    del spec["properties"]["seed"], spec["x-kubernetes-validations"]
    version["additionalPrinterColumns"] = version["additionalPrinterColumns"][:1]
    name = definition.pop("metadata")["name"]
    lines = [f"{key}: {json.dumps(value)}" for key, value in definition.items()]
    path.write_text("\n".join([*lines, "metadata:", f"  name: {name}", ""]))
    return copy


def test_an_upgrade_brings_the_definitions_up_to_date_and_searches_stay(
    plane: ControlPlane, helm: Helm, home: str, tmp_path: Path
) -> None:
    helm("install", "archsearch", str(older(tmp_path)), "--namespace", home)
    established(plane)
    search = (chart.ROOT / "examples" / "kubernetes" / "digits.yaml").read_text()
    refused = plane.kubectl("apply", "--namespace", home, "--validate=strict", "-f", "-", input=search, check=False)
    assert 'unknown field "spec.seed"' in refused.stderr
    plane.kubectl("apply", "--namespace", home, "-f", "-", input=search.replace("\n  seed: 1\n", "\n"))
    uid = plane.get("archsearch", "digits-on-gpus", "--namespace", home)["metadata"]["uid"]

    helm("upgrade", "archsearch", str(CHART), "--namespace", home)
    established(plane)
    columns = plane.kubectl("get", "archsearch", "--namespace", home).stdout.splitlines()[0].split()
    assert "BEST" in columns
    kept = plane.get("archsearch", "digits-on-gpus", "--namespace", home)
    assert kept["metadata"]["uid"] == uid


def test_a_second_operator_of_the_whole_cluster_is_refused(plane: ControlPlane, helm: Helm, installed: str) -> None:
    plane.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "second"}})
    values = {"crds": {"install": False}, "rbac": {"aggregatedRoles": False}}
    with pytest.raises(HelmError, match=r'ClusterRole "archsearch-operator".*invalid ownership'):
        helm("install", "second", str(CHART), "--namespace", "second", values=values)
    values = {**values, "operator": {"watchNamespaces": ["second"]}}
    helm("install", "second", str(CHART), "--namespace", "second", values=values)


def test_people_with_the_usual_roles_may_do_the_usual_things(plane: ControlPlane, installed: str) -> None:
    for role in ("view", "edit", "admin"):
        name = f"{role}s"
        plane.kubectl(
            "create", "rolebinding", name, f"--clusterrole={role}", f"--user={role}", "--namespace", installed
        )
    plane.wait_until(
        lambda: (
            may(plane, "admin", "delete", "architecturetrials.archsearch.io", installed)
            and may(plane, "view", "get", "architecturesearches.archsearch.io", installed)
            and may(plane, "edit", "create", "architecturesearches.archsearch.io", installed)
        ),
        "the roles to be aggregated",
    )
    searches, trials = (name.split(".")[0] + ".archsearch.io" for name in DEFINITIONS)
    table = {
        ("get", searches): "view edit admin",
        ("list", trials): "view edit admin",
        ("watch", searches): "view edit admin",
        ("create", searches): "edit admin",
        ("patch", searches): "edit admin",
        ("update", searches): "edit admin",
        ("delete", searches): "edit admin",
        ("deletecollection", searches): "edit admin",
        ("create", trials): "",
        ("patch", trials): "",
        ("delete", trials): "admin",
    }
    asks = [(role, *what, installed) for what in table for role in ("view", "edit", "admin")]
    expected = [role in allowed.split() for allowed in table.values() for role in ("view", "edit", "admin")]
    assert dict(zip(asks, answers(plane, asks), strict=True)) == dict(zip(asks, expected, strict=True))
    assert not may(plane, "view", "get", searches, "default")


def test_an_operator_of_one_namespace_has_no_right_in_another(plane: ControlPlane, helm: Helm, home: str) -> None:
    values = {"operator": {"watchNamespaces": ["theirs"]}}
    for name in ("theirs", "others"):
        plane.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    helm("install", "archsearch", str(CHART), "--namespace", home, values=values)
    user, searches = account(home), "architecturesearches.archsearch.io"
    allowed = [(user, "create", "jobs.batch"), (user, "watch", "pods"), (user, "create", "secrets")]
    assert answers(plane, [(*ask, "theirs") for ask in allowed]) == [True] * 3
    secrets = [(user, verb, "secrets", "theirs") for verb in ("get", "list", "watch", "patch", "update", "delete")]
    elsewhere = [
        (user, *what, namespace)
        for namespace in ("others", home, "kube-system")
        for what in (("create", "jobs.batch"), ("list", searches), ("create", "secrets"))
    ]
    leases = [("patch", home, "another"), ("patch", "theirs", OPERATOR), ("list", home, "")]
    others = [(user, verb, "leases.coordination.k8s.io", namespace, name) for verb, namespace, name in leases]
    assert answers(plane, [*secrets, *elsewhere, *others]) == [False] * 18
    assert may(plane, user, "patch", "leases.coordination.k8s.io", home, OPERATOR)


def test_every_example_is_taken_as_it_is(plane: ControlPlane, installed: str) -> None:
    for path in EXAMPLES:
        said = plane.kubectl("apply", "--namespace", installed, "--validate=strict", "-f", str(path))
        assert "created" in said.stdout
        assert "Warning" not in said.stderr
    assert len(plane.get("archsearch", "--namespace", installed)["items"]) == len(EXAMPLES) > 5


def may_test(plane: ControlPlane, namespace: str) -> bool:
    return may(
        plane, account(namespace, "archsearch-selftest"), "create", "architecturesearches.archsearch.io", namespace
    )


def selftest_as_its_pod(plane: ControlPlane, folder: Path, namespace: str, port: int) -> None:
    """Apply what the test's pod is given, and run its program with its account's token."""
    objects = template(namespace=namespace)
    name = "archsearch-selftest"
    plane.apply(*(one(objects, kind, name) for kind in ("ServiceAccount", "Role", "RoleBinding")))
    plane.wait_until(lambda: may_test(plane, namespace), "the right to be there")
    token = plane.kubectl("create", "token", name, "--namespace", namespace).stdout
    (folder / "token").write_text(token)
    shutil.copy(plane.authority_file, folder / "ca.crt")
    host, _, api_port = plane.url.removeprefix("https://").partition(":")
    environment = {
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": api_port,
        "ARCHSEARCH_OPERATOR_SERVICE_HOST": "127.0.0.1",
    }
    address = address_of(f"archsearch-operator.{namespace}:{port}", environment)
    asyncio.run(_served(lambda: check(api_of_pod(environment, folder), namespace, address, 3.0), port))


async def _served(question: Callable[[], Any], port: int) -> None:
    ready = iter([(False, "starting"), (True, "stands by")])
    server = HttpServer(CollectorRegistry(), lambda: (True, "ok"), lambda: next(ready), host="127.0.0.1", port=port)
    await server.start()
    try:
        await question()
    finally:
        await server.close()


def test_the_self_test_passes_where_all_is_well_and_says_what_is_not(
    plane: ControlPlane, installed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    established(plane)
    port = free_port()
    selftest_as_its_pod(plane, tmp_path, installed, port)
    said = capsys.readouterr().out.splitlines()
    assert said == [
        f"the API server takes a search in namespace {installed} and refuses a wrong one",
        f"the operator at 127.0.0.1:{port} is ready: stands by",
    ]
    assert plane.get("archsearch", "--namespace", installed)["items"] == [], "dry runs make nothing"

    plane.kubectl("delete", "role", "archsearch-selftest", "--namespace", installed)
    plane.wait_until(lambda: not may_test(plane, installed), "the right to be gone")
    with pytest.raises(Unwell, match=r"403: .*lacks the right to create searches"):
        asyncio.run(_asked(plane, tmp_path, installed))


async def _asked(plane: ControlPlane, folder: Path, namespace: str) -> None:
    host, _, port = plane.url.removeprefix("https://").partition(":")
    environment = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    await check(api_of_pod(environment, folder), namespace, "127.0.0.1:1", 0.0)

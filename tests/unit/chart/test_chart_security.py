"""Rights and pods: nothing beyond what is listed, and restricted pods only."""

import chart
import pytest
from chart import EVERYTHING, MONITORING, Object, of_kind, one, pod_specs, template

from archsearch.operator import names, port

OPERATOR = "archsearch-operator"
RIGHTS = {
    ("archsearch.io", "architecturesearches"): {"get", "list", "watch"},
    ("archsearch.io", "architecturesearches/status"): {"patch"},
    ("archsearch.io", "architecturetrials"): {"get", "list", "create"},
    ("archsearch.io", "architecturetrials/status"): {"patch"},
    ("batch", "jobs"): {"get", "list", "watch", "create", "patch", "delete"},
    ("", "pods"): {"list", "watch", "create", "delete"},
    ("", "pods/log"): {"get"},
    ("", "services"): {"get", "create"},
    ("", "secrets"): {"create"},
    ("networking.k8s.io", "networkpolicies"): {"get", "create"},
    ("events.k8s.io", "events"): {"create"},
}
MODES = [{}, EVERYTHING]
everywhere = pytest.mark.parametrize("values", MODES, ids=["default", "everything"])


def rights(role: Object) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                assert (group, resource) not in found, "a right stands in two places"
                found[group, resource] = set(rule["verbs"])
    return found


@everywhere
def test_no_rule_has_a_wildcard(values: chart.Values) -> None:
    objects = template(values, apis=[MONITORING])
    roles = of_kind(objects, "Role") + of_kind(objects, "ClusterRole")
    assert len(roles) > 4
    for role in roles:
        for rule in role["rules"]:
            assert not any("*" in item for field in ("apiGroups", "resources", "verbs") for item in rule[field])
            assert "nonResourceURLs" not in rule


def test_the_operator_has_exactly_the_rights_listed_here_and_secrets_it_can_only_create() -> None:
    assert rights(one(template(), "ClusterRole", OPERATOR)) == RIGHTS
    assert RIGHTS["", "secrets"] == {"create"}


def test_every_kind_that_the_operator_handles_has_rights() -> None:
    kinds = [found for found in vars(port).values() if isinstance(found, port.Resource)]
    assert {(kind.group, kind.plural) for kind in kinds} - {("coordination.k8s.io", "leases")} == {
        (group, resource) for group, resource in RIGHTS if "/" not in resource
    }


def test_with_namespaces_listed_it_has_the_same_rights_there_and_none_of_the_cluster() -> None:
    objects = template({"operator": {"watchNamespaces": ["vision", "speech"]}})
    roles = [role for role in of_kind(objects, "Role") if role["metadata"]["name"] == OPERATOR]
    assert [role["metadata"]["namespace"] for role in roles] == ["vision", "speech"]
    assert [rights(role) for role in roles] == [RIGHTS, RIGHTS]
    assert of_kind(objects, "ClusterRoleBinding") == []
    assert {role["metadata"]["name"] for role in of_kind(objects, "ClusterRole")} == {
        "archsearch-view", "archsearch-edit", "archsearch-admin",
    }  # fmt: skip
    for namespace in ("vision", "speech"):
        (binding,) = [
            each
            for each in of_kind(objects, "RoleBinding")
            if (each["metadata"]["namespace"], each["metadata"]["name"]) == (namespace, OPERATOR)
        ]
        assert binding["roleRef"]["kind"] == "Role"
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": OPERATOR, "namespace": "nas"}]


def test_its_lease_is_its_own_by_name_and_beside_it() -> None:
    role = one(template(release="nas"), "Role", "nas-archsearch-operator-lease")
    assert role["metadata"]["namespace"] == "nas"
    named, unnamed = (rule for rule in sorted(role["rules"], key=lambda rule: "resourceNames" not in rule))
    assert named["resourceNames"] == ["nas-archsearch-operator"]
    assert named["verbs"] == ["get", "patch"]
    assert unnamed["verbs"] == ["create"]
    assert named["resources"] == unnamed["resources"] == ["leases"]


def test_the_self_test_may_create_searches_and_nothing_else() -> None:
    for values, namespace in (({}, "nas"), ({"operator": {"watchNamespaces": ["vision"]}}, "vision")):
        role = one(template(values), "Role", "archsearch-selftest")
        assert rights(role) == {("archsearch.io", "architecturesearches"): {"create"}}
        assert role["metadata"]["namespace"] == namespace
        (selftest,) = pod_specs(template(values))["Pod/archsearch-selftest"]["containers"]
        assert selftest["args"][:2] == [f"--namespace={namespace}", "--service=archsearch-operator.nas:8080"]


@everywhere
def test_every_pod_is_restricted(values: chart.Values) -> None:
    # The API server's own Pod Security admission judges the same pods in tests/cluster.
    pods = pod_specs(template(values, apis=[MONITORING]))
    assert set(pods) == {f"Deployment/{OPERATOR}", "Pod/archsearch-selftest"}
    for pod in pods.values():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 65532
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(pod)
        assert all(set(volume) - {"name"} <= {"secret", "emptyDir"} for volume in pod["volumes"])
        assert all(volume["emptyDir"]["sizeLimit"] for volume in pod["volumes"] if "emptyDir" in volume)
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["requests"]
            assert container["resources"]["limits"]["memory"]
            assert "hostPort" not in str(container.get("ports"))


def test_the_token_is_mounted_by_the_pod_that_needs_it_and_by_none_that_borrows_the_account() -> None:
    objects = template()
    assert all(account["automountServiceAccountToken"] is False for account in of_kind(objects, "ServiceAccount"))
    assert all(pod["automountServiceAccountToken"] is True for pod in pod_specs(objects).values())


def test_the_key_is_random_and_long() -> None:
    first, second = (one(template(), "Secret")["data"]["key"] for _ in range(2))
    assert first != second
    assert len(first) >= 64


def test_only_whom_you_list_may_read_metrics_and_the_self_test() -> None:
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    objects = template({"networkPolicy": {"metricsFrom": [peer]}})
    policy = one(objects, "NetworkPolicy")["spec"]
    (rule,) = policy["ingress"]
    assert rule["ports"] == [{"port": "http", "protocol": "TCP"}]
    assert rule["from"][0] == peer
    labels = one(objects, "Pod")["metadata"]["labels"]
    assert rule["from"][1]["podSelector"]["matchLabels"].items() <= labels.items()
    assert labels[names.COMPONENT] == "test", "the Service must not send questions to the self-test"
    assert policy["policyTypes"] == ["Ingress"]
    (open_rule,) = one(template(), "NetworkPolicy")["spec"]["ingress"]
    assert open_rule == {"ports": [{"port": "http", "protocol": "TCP"}]}

from copy import deepcopy
from typing import Any

import pytest
from cluster_objects import SETTINGS, UID, search, start

from archsearch.operator.builders.job import build_job
from archsearch.operator.builders.merge import PodTemplateError, merge
from archsearch.operator.port import Object

OURS: Object = build_job(search({"deadline": "90s"}), UID, "u", start(), SETTINGS)["spec"]["template"]


def merged(spec: Any = None, **metadata: Any) -> Object:
    patch = ({} if spec is None else {"spec": spec}) | ({"metadata": metadata} if metadata else {})
    return merge(OURS, patch)["spec"] if not metadata else merge(OURS, patch)


def trial(spec: Object) -> Object:
    return next(container for container in spec["containers"] if container["name"] == "trial")


def names(items: list[Object], key: str = "name") -> list[Any]:
    return [item[key] for item in items]


def test_an_empty_template_changes_nothing() -> None:
    assert merge(OURS, {}) == OURS


def test_neither_side_is_changed() -> None:
    patch = {"spec": {"containers": [{"env": [{"name": "A", "value": "1"}]}], "nodeSelector": {"gpu": "a100"}}}
    before, template = deepcopy(patch), deepcopy(OURS)
    made = merge(OURS, patch)
    made["spec"]["nodeSelector"]["gpu"] = "other"
    made["spec"]["containers"][0]["env"].clear()
    assert (patch, OURS) == (before, template)


def test_a_data_volume_joins_ours() -> None:
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": "cifar"}}
    spec = merged({"volumes": [claim], "containers": [{"volumeMounts": [{"name": "data", "mountPath": "/data"}]}]})
    assert names(spec["volumes"]) == ["tmp", "data"]
    assert names(trial(spec)["volumeMounts"], "mountPath") == ["/tmp", "/data"]
    assert trial(spec)["image"] == "team/trial:2"


@pytest.mark.parametrize("name", [{}, {"name": "trial"}])
def test_a_container_without_a_name_or_named_trial_is_ours(name: dict[str, str]) -> None:
    spec = merged({"containers": [{**name, "workingDir": "/data"}]})
    assert names(spec["containers"]) == ["trial"]
    assert trial(spec)["workingDir"] == "/data"


def test_a_container_of_another_name_stands_beside_ours() -> None:
    spec = merged(
        {"containers": [{"name": "logs", "image": "logs:1"}], "initContainers": [{"name": "get", "image": "g"}]}
    )
    assert names(spec["containers"]) == ["trial", "logs"]
    assert names(spec["initContainers"]) == ["get"]


def test_a_variable_of_the_same_name_takes_the_place_of_ours_whole() -> None:
    source = {"secretKeyRef": {"name": "s", "key": "k"}}
    spec = merged({"containers": [{"env": [{"name": "HOME", "valueFrom": source}, {"name": "NEW", "value": "1"}]}]})
    assert {"name": "HOME", "valueFrom": source} in trial(spec)["env"]
    assert sorted(names(trial(spec)["env"])) == sorted([*names(trial(OURS["spec"])["env"]), "NEW"])


def test_a_volume_of_the_same_name_takes_the_place_of_ours_whole() -> None:
    disk = {"name": "tmp", "ephemeral": {"volumeClaimTemplate": {}}}
    assert merged({"volumes": [disk]})["volumes"] == [disk]


def test_a_mount_at_the_same_path_is_merged() -> None:
    mounts = [{"mountPath": "/tmp", "name": "fast"}]
    spec = merged({"containers": [{"volumeMounts": mounts}], "volumes": [{"name": "fast", "emptyDir": {}}]})
    assert trial(spec)["volumeMounts"] == [{"name": "fast", "mountPath": "/tmp"}]


def test_tolerations_are_added_to_ours() -> None:
    gpu = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    tolerations = merged({"tolerations": [gpu]})["tolerations"]
    assert tolerations == [*OURS["spec"]["tolerations"], gpu]


def test_a_toleration_of_the_same_taint_takes_the_place_of_ours() -> None:
    patient = {
        "key": "node.kubernetes.io/unreachable",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 600,
    }
    tolerations = merged({"tolerations": [patient]})["tolerations"]
    assert [one for one in tolerations if one["key"] == patient["key"]] == [patient]
    assert len(tolerations) == 2


def test_two_tolerations_of_one_key_both_stand() -> None:
    both = [{"key": "team", "value": value, "effect": "NoSchedule"} for value in ("a", "b")]
    assert merged({"tolerations": both})["tolerations"][2:] == both


def test_objects_are_merged_field_by_field() -> None:
    context = merged({"securityContext": {"runAsUser": 1000, "supplementalGroups": [7]}})["securityContext"]
    assert context == OURS["spec"]["securityContext"] | {"runAsUser": 1000, "supplementalGroups": [7]}


def test_the_user_may_loosen_what_protects_their_own_pod() -> None:
    spec = merged({"containers": [{"securityContext": {"readOnlyRootFilesystem": False}}], "enableServiceLinks": True})
    assert trial(spec)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": False,
    }
    assert spec["enableServiceLinks"] is True


def test_the_grace_period_may_be_longer() -> None:
    assert merged({"terminationGracePeriodSeconds": 60})["terminationGracePeriodSeconds"] == 60


def test_null_deletes_a_field() -> None:
    spec = merged({"securityContext": {"fsGroup": None}, "tolerations": None, "nodeSelector": None})
    assert "fsGroup" not in spec["securityContext"]
    assert "tolerations" not in spec
    assert "nodeSelector" not in spec


@pytest.mark.parametrize(
    ("spec", "path", "expected"),
    [
        ({"securityContext": {"$patch": "replace", "runAsUser": 0}}, "securityContext", {"runAsUser": 0}),
        ({"securityContext": {"$patch": "delete"}}, "securityContext", None),
        ({"tolerations": [{"$patch": "replace"}]}, "tolerations", []),
        ({"tolerations": [{"$patch": "replace"}, {"key": "a"}]}, "tolerations", [{"key": "a"}]),
        ({"volumes": [{"name": "tmp", "$patch": "delete"}]}, "volumes", []),
        ({"volumes": [{"name": "absent", "$patch": "delete"}]}, "volumes", OURS["spec"]["volumes"]),
        ({"affinity": {"$patch": "merge", "nodeAffinity": {}}}, "affinity", {"nodeAffinity": {}}),
    ],
)
def test_directives_delete_and_replace(spec: dict[str, Any], path: str, expected: Any) -> None:
    assert merged(spec).get(path) == expected


def test_a_toleration_of_ours_can_be_deleted() -> None:
    gone = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "$patch": "delete"}
    assert names(merged({"tolerations": [gone]})["tolerations"], "key") == ["node.kubernetes.io/not-ready"]


def test_directives_do_not_stay_in_what_is_built() -> None:
    spec = {
        "containers": [{"$patch": "merge", "env": [{"name": "A", "value": "", "$patch": "merge"}]}],
        "volumes": [{"name": "data", "emptyDir": {}, "$patch": "merge"}],
        "affinity": {"podAffinity": {"$patch": "replace"}},
    }
    assert "$patch" not in str(merged(spec))


def test_ports_are_told_apart_by_protocol_too() -> None:
    ports = [{"containerPort": 53}, {"containerPort": 53, "protocol": "UDP"}]
    assert trial(merged({"containers": [{"ports": ports}]}))["ports"] == [
        {"containerPort": 53, "protocol": "TCP"},
        {"containerPort": 53, "protocol": "UDP"},
    ]


def test_pull_secrets_aliases_and_spread_are_added() -> None:
    spread = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {}}
    given = {
        "imagePullSecrets": [{"name": "a"}],
        "hostAliases": [{"ip": "10.0.0.1"}],
        "topologySpreadConstraints": [spread],
    }
    spec = merged(given)
    assert {key: spec[key] for key in given} == given


def test_keys_of_lists_mean_nothing_inside_labels_and_selectors() -> None:
    template = merged({"nodeSelector": {"env": "prod"}}, labels={"ports": "many"}, annotations={"volumes": "two"})
    assert template["spec"]["nodeSelector"] == {"env": "prod"}
    assert template["metadata"]["labels"]["ports"] == "many"
    assert template["metadata"]["annotations"] == {"volumes": "two"}


REFUSED = [
    ({"nodeSelector": {}}, "nodeSelector", "unknown field; allowed: metadata, spec"),
    ({"metadata": {"name": "x"}}, "metadata.name", "unknown field; allowed: annotations, labels"),
    ({"metadata": []}, "metadata", "[] is not allowed; needs an object"),
    ({"spec": "x"}, "spec", '"x" is not allowed; needs an object'),
    ({"spec": None}, "", "cannot be deleted"),
    ({"metadata": {"$patch": "delete"}}, "", "cannot be deleted"),
    ({"spec": {"containers": {}}}, "spec.containers", "{} is not allowed; needs a list"),
    ({"spec": {"containers": ["x"]}}, "spec.containers[0]", '"x" is not allowed; needs an object'),
    ({"spec": {"containers": [{"name": 1}]}}, "spec.containers[0].name", "1 is not allowed; needs a text"),
    ({"spec": {"containers": [{}, {"name": "trial"}]}}, "spec.containers[1]", 'name "trial" stands twice'),
    ({"spec": {"initContainers": [{"image": "x"}]}}, "spec.initContainers[0].name", "is missing"),
    ({"spec": {"volumes": [{"emptyDir": {}}]}}, "spec.volumes[0].name", "is missing"),
    ({"spec": {"volumes": [{"name": {}}]}}, "spec.volumes[0].name", "{} is not allowed"),
    ({"spec": {"tolerations": [{"key": []}]}}, "spec.tolerations[0].key", "[] is not allowed"),
    ({"spec": {"tolerations": {"key": "a"}}}, "spec.tolerations", "needs a list"),
    ({"spec": {"nodeSelector": "gpu"}}, "spec.nodeSelector", '"gpu" is not allowed; needs an object'),
    (
        {"spec": {"nodeSelector": {"gpu": True}}},
        "spec.nodeSelector.gpu",
        'true is not allowed; needs a text, as "true"',
    ),
    ({"metadata": {"labels": {"a": 1}}}, "metadata.labels.a", '1 is not allowed; needs a text, as "1"'),
    (
        {"spec": {"containers": [{"env": [{"name": "A", "value": 1}]}]}},
        "spec.containers[0].env[0].value",
        '1 is not allowed; needs a text, as "1"',
    ),
    (
        {"spec": {"volumes": [{"name": "a", "$patch": "remove"}]}},
        'spec.volumes[0]["$patch"]',
        "allowed: delete, merge, replace",
    ),
    ({"spec": {"$retainKeys": []}}, 'spec["$retainKeys"]', "unknown directive"),
    ({"spec": {"ports": {"$patch": 3}}}, 'spec.ports["$patch"]', "3 is not allowed"),
    ({"spec": {"restartPolicy": "Always"}}, "spec.restartPolicy", '"Always" is not allowed; needs "Never"'),
    ({"spec": {"restartPolicy": None}}, "spec.restartPolicy", 'null is not allowed; needs "Never"'),
    ({"spec": {"activeDeadlineSeconds": 5}}, "spec.activeDeadlineSeconds", "5 is not allowed; needs 90"),
    ({"spec": {"$patch": "replace"}}, "spec.restartPolicy", "null is not allowed"),
    ({"spec": {"containers": [{"name": "trial", "$patch": "delete"}]}}, "spec.containers", "cannot be deleted"),
    ({"spec": {"containers": [{"$patch": "replace"}, {"name": "x"}]}}, "spec.containers", "cannot be deleted"),
    ({"spec": {"containers": None}}, "spec.containers", "cannot be deleted"),
    (
        {"spec": {"containers": [{"name": "side"}, {"terminationMessagePath": "/x"}]}},
        "spec.containers[1].terminationMessagePath",
        '"/x" is not allowed; needs "/dev/termination-log"',
    ),
    (
        {"spec": {"containers": [{"terminationMessagePolicy": "FallbackToLogsOnError"}]}},
        "spec.containers[0].terminationMessagePolicy",
        "spec.trial.report.from",
    ),
    (
        {"spec": {"containers": [{"env": [{"name": "ARCHSEARCH_REPORT", "value": "/x"}]}]}},
        "spec.containers[0].env",
        "ARCHSEARCH_REPORT cannot be set",
    ),
    (
        {"spec": {"containers": [{"env": [{"name": "ARCHSEARCH_TRIAL", "$patch": "delete"}]}]}},
        "spec.containers[0].env",
        "ARCHSEARCH_TRIAL cannot be set, changed or deleted",
    ),
    ({"spec": {"containers": [{"env": None}]}}, "spec.containers[0].env", "ARCHSEARCH_REPORT cannot be"),
    (
        {"spec": {"containers": [{"env": [{"name": "ARCHSEARCH_TRIAL_FILE", "value": "x"}]}]}},
        "spec.containers[0].env",
        "ARCHSEARCH_TRIAL_FILE cannot be set",
    ),
    (
        {"metadata": {"labels": {"archsearch.io/index": "9"}}},
        'metadata.labels["archsearch.io/index"]',
        '"9" is not allowed; needs "3"',
    ),
    (
        {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}},
        'metadata.labels["app.kubernetes.io/managed-by"]',
        'null is not allowed; needs "archsearch"',
    ),
    (
        {"metadata": {"annotations": {"archsearch.io/gone": "true"}}},
        'metadata.annotations["archsearch.io/gone"]',
        "are the operator's",
    ),
]


@pytest.mark.parametrize(("patch", "path", "message"), REFUSED)
def test_what_cannot_be_used_is_refused_by_field_value_and_what_is_allowed(
    patch: dict[str, Any], path: str, message: str
) -> None:
    with pytest.raises(PodTemplateError) as refused:
        merge(OURS, patch)
    assert refused.value.path == f"spec.trial.podTemplate{'.' if path else ''}{path}"
    assert message in refused.value.message
    assert str(refused.value) == f"{refused.value.path}: {refused.value.message}"


@pytest.mark.parametrize(
    ("patch", "path"),
    [
        ({"volumes": [{"name": "archsearch-input", "emptyDir": {}}]}, "spec.volumes"),
        ({"containers": [{"volumeMounts": [{"mountPath": "/etc/archsearch", "name": "tmp"}]}]}, "volumeMounts"),
    ],
)
def test_the_file_with_a_large_input_stays(patch: dict[str, Any], path: str) -> None:
    given = start(task={"custom": {"text": "x" * 40_000}})
    with pytest.raises(PodTemplateError, match="the trial reads its input there") as refused:
        build_job(search({"podTemplate": {"spec": patch}}), UID, "u", given, SETTINGS)
    assert refused.value.path.endswith(path)

import json
from typing import Any

import pytest
from cluster_objects import SETTINGS, UID, search, start

from archsearch.operator.builders.job import build_job, trial_image, trial_threads
from archsearch.operator.builders.refusing import PodTemplateError, TrialInputError
from archsearch.operator.port import Object
from archsearch.operator.settings import Images, Settings
from archsearch.report import TrialInput


def built(trial: dict[str, Any] | None = None, settings: Settings = SETTINGS, **more: Any) -> Object:
    given = more.pop("given", start())
    return build_job(search(trial, **more), UID, "uid-of-the-trial", given, settings)


def container(job: Object) -> Object:
    (found,) = job["spec"]["template"]["spec"]["containers"]
    return dict(found)


def env(job: Object) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container(job)["env"]}


def test_a_job_is_one_attempt_and_never_retries_by_itself() -> None:
    spec = built()["spec"]
    assert (spec["backoffLimit"], spec["completions"], spec["parallelism"]) == (0, 1, 1)
    assert "ttlSecondsAfterFinished" not in spec  # set once the report is in the ledger
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_a_job_is_named_labelled_and_owned_by_its_trial() -> None:
    job = built()
    metadata = job["metadata"]
    assert (metadata["name"], metadata["namespace"]) == ("digits-000003-2", "team")
    assert metadata["labels"] == job["spec"]["template"]["metadata"]["labels"]
    assert metadata["labels"]["archsearch.io/index"] == "3"
    assert metadata["labels"]["archsearch.io/attempt"] == "2"
    assert metadata["labels"]["archsearch.io/search-uid"] == UID
    assert metadata["ownerReferences"] == [
        {
            "apiVersion": "archsearch.io/v1alpha1",
            "kind": "ArchitectureTrial",
            "name": "digits-000003",
            "uid": "uid-of-the-trial",
            "controller": True,
            "blockOwnerDeletion": False,
        }
    ]


def test_a_trial_is_given_its_input_and_where_to_report() -> None:
    job = built({"threads": 3})
    given = TrialInput.model_validate_json(env(job)["ARCHSEARCH_TRIAL"])
    assert given == start().input.model_copy(update={"threads": 3})
    assert env(job)["ARCHSEARCH_REPORT"] == container(job)["terminationMessagePath"] == "/dev/termination-log"
    assert container(job)["terminationMessagePolicy"] == "File"


def test_a_large_input_travels_as_a_file_from_an_annotation() -> None:
    given = start(task={"custom": {"text": "é" * 20_000}})
    job = built(given=given)
    template = job["spec"]["template"]
    assert "ARCHSEARCH_TRIAL" not in env(job)
    assert env(job)["ARCHSEARCH_TRIAL_FILE"] == "/etc/archsearch/trial.json"
    volume = next(volume for volume in template["spec"]["volumes"] if "downwardAPI" in volume)
    (item,) = volume["downwardAPI"]["items"]
    assert item == {
        "path": "trial.json",
        "fieldRef": {"fieldPath": "metadata.annotations['archsearch.io/trial-input']"},
    }
    mount = {"name": volume["name"], "mountPath": "/etc/archsearch", "readOnly": True}
    assert mount in container(job)["volumeMounts"]
    assert (
        TrialInput.model_validate_json(template["metadata"]["annotations"]["archsearch.io/trial-input"]) == given.input
    )


def test_an_input_beyond_what_a_pod_can_carry_is_refused_with_its_size() -> None:
    with pytest.raises(TrialInputError, match=r"input of digits-000003 takes 300\d\d\d bytes.*allowed: 245760"):
        built(given=start(task={"custom": {"text": "x" * 300_000}}))


@pytest.mark.parametrize(
    ("trial", "trials", "threads"),
    [
        ({}, {}, 1),
        ({"threads": 5}, {"reproducible": True}, 5),
        ({"resources": {"limits": {"cpu": "1500m"}}}, {}, 2),
        ({"resources": {"limits": {"cpu": 4}, "requests": {"cpu": 1}}}, {}, 4),
        ({"resources": {"requests": {"cpu": 2.5}}}, {}, 3),
        ({"resources": {"limits": {"cpu": 0}}}, {}, 1),
        ({"resources": {"limits": {"cpu": "1M"}}}, {}, 1024),
        ({"resources": {"limits": {"cpu": 4}}}, {"reproducible": True}, 1),
        ({"resources": {"limits": {"memory": "4Gi"}}}, {}, 1),
    ],
)
def test_threads_follow_the_cpus_of_the_pod(trial: dict[str, Any], trials: dict[str, Any], threads: int) -> None:
    assert trial_threads(search(trial, trials=trials)) == threads


def test_the_image_is_the_manifests_else_the_pinned_one_else_this_releases() -> None:
    own, default = search(), search({"image": None, "command": ["x"]})
    assert trial_image(own, SETTINGS, "pinned:1") == "team/trial:2"
    assert trial_image(default, SETTINGS, "pinned:1") == "pinned:1"
    assert trial_image(default, SETTINGS, None) == "trial:1"


def test_the_pull_policy_of_the_release_is_for_its_own_image() -> None:
    assert "imagePullPolicy" not in container(built())
    assert container(built({"image": None, "command": ["x"]}))["imagePullPolicy"] == "IfNotPresent"


def test_resources_command_deadline_and_pull_secrets_come_from_where_they_are_set() -> None:
    settings = Settings(images=Images("t", "c", pull_secrets=("one", "two")), key=b"")
    resources = {"limits": {"nvidia.com/gpu": 1, "memory": "4Gi", "cpu": 0.5}}
    job = built({"command": ["train", "--fast"], "deadline": "1h30m", "resources": resources}, settings)
    spec = job["spec"]["template"]["spec"]
    assert container(job)["command"] == ["train", "--fast"]
    assert container(job)["resources"] == {"limits": {"nvidia.com/gpu": "1", "memory": "4Gi", "cpu": "0.5"}}
    assert spec["activeDeadlineSeconds"] == 5400
    assert spec["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}]
    assert "activeDeadlineSeconds" not in job["spec"]  # it would count while the pod is pending


def test_pods_meet_the_restricted_standard_and_carry_no_token() -> None:
    spec = built()["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert {"name": "tmp", "mountPath": "/tmp"} in spec["containers"][0]["volumeMounts"]


def test_job_metadata_stands_on_the_job_and_not_on_its_pod() -> None:
    labels, notes = {"kueue.x-k8s.io/queue-name": "gpus"}, {"note": "mine"}
    job = built({"jobMetadata": {"labels": labels, "annotations": notes}})
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"
    assert job["metadata"]["annotations"] == notes
    assert "kueue.x-k8s.io/queue-name" not in job["spec"]["template"]["metadata"]["labels"]


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [("labels", "archsearch.io/index", "7"), ("annotations", "archsearch.io/stop-reason", "Suspended")],
)
def test_job_metadata_cannot_take_our_keys(kind: str, key: str, value: str) -> None:
    with pytest.raises(PodTemplateError) as refused:
        built({"jobMetadata": {kind: {key: value}}})
    assert refused.value.path == f'spec.trial.jobMetadata.{kind}["{key}"]'
    assert value in refused.value.message


def test_labels_of_ours_win_over_job_metadata() -> None:
    job = built({"jobMetadata": {"labels": {"app.kubernetes.io/managed-by": "me"}}})
    assert job["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "archsearch"


def test_equal_arguments_give_equal_bytes() -> None:
    resources = [{"limits": {"cpu": 1, "memory": "1Gi"}}, {"limits": {"memory": "1Gi", "cpu": 1}}]
    one, other = (json.dumps(built({"resources": each})) for each in resources)
    assert one == other

"""Everything that the operator builds, created for real where the restricted Pod Security Standard is enforced."""

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest
from cluster_objects import SETTINGS, START, search, start
from kube.control_plane import ControlPlane

from archsearch.api import ArchitectureSearch, Strategy
from archsearch.engine.model import Phase, Trial
from archsearch.operator.builders import controller as build
from archsearch.operator.builders.job import build_job
from archsearch.operator.builders.network import build_network_policies
from archsearch.operator.codec import read_trial, trial_object, trial_status
from archsearch.operator.port import Object
from archsearch.space import build as build_space

RANDOM = Strategy.model_validate_json('{"random": {}}')


@dataclass(frozen=True)
class Place:
    """A namespace with a search and one of its trials in it."""

    plane: ControlPlane
    namespace: str
    search: ArchitectureSearch
    uid: str
    trial: Trial
    trial_uid: str

    def create(self, object: Object) -> Object:
        """Create ``object``; a field that the API server does not know is refused."""
        made = self.plane.kubectl(
            "create", "--validate=strict", "-n", self.namespace, "-f", "-", "-o", "json", input=json.dumps(object)
        )
        assert "Warning" not in made.stderr
        return dict(json.loads(made.stdout))

    def job(self, trial: dict[str, Any] | None = None, attempt: int = 1, **given: Any) -> Object:
        """The Job of an attempt, created."""
        manifest = search(trial, namespace=self.namespace)
        return self.create(build_job(manifest, self.uid, self.trial_uid, start(3, attempt, **given), SETTINGS))

    def pod_of(self, job: Object) -> Object:
        """The pod that the Job controller makes for ``job``, admitted."""
        chosen = f"batch.kubernetes.io/job-name={job['metadata']['name']}"
        self.plane.kubectl("wait", "-n", self.namespace, "--for=create", "--timeout=30s", "pod", "-l", chosen)
        (pod,) = self.plane.get("pods", "-n", self.namespace, "-l", chosen)["items"]
        return dict(pod)


@pytest.fixture
def place(control_plane: ControlPlane, crds: tuple[str, ...], namespace: str) -> Place:
    restricted = (f"pod-security.kubernetes.io/{mode}=restricted" for mode in ("enforce", "warn"))
    control_plane.kubectl("label", "namespace", namespace, *restricted)
    manifest = search(namespace=namespace)
    bare = Place(control_plane, namespace, manifest, "", _trial(), "")
    made = bare.create(manifest.model_dump(mode="json", by_alias=True, exclude_none=True))
    uid = made["metadata"]["uid"]
    trial = bare.create(trial_object("digits", namespace, uid, _trial()))
    return replace(bare, uid=uid, trial_uid=trial["metadata"]["uid"])


def _trial() -> Trial:
    space = build_space(search().spec.search_space)
    return Trial(3, (1, 0), space.decode((1, 0)), policy_version=2, log_probability=-1.0, created=START)


def test_the_ledger_comes_back_from_an_api_server_as_it_was_written(place: Place) -> None:
    ended = replace(
        place.trial,
        phase=Phase.SUCCEEDED,
        reward=1.0,
        metrics={"accuracy": 1.0, "loss": 1e-300, "parameters": 1e18},
        observation=0,
        attempts=2,
        failures=1,
        seconds=3.0,
        started=START,
        completed=START.replace(microsecond=123_456),
    )
    running = replace(
        ended, phase=Phase.RUNNING, reward=None, metrics={}, observation=None, reason="Killed", message="m"
    )
    for trial, more in (
        (running, {}),
        (ended, {"node": "n", "process_started": 10**18 + 1, "process_ended": 10**18 + 2}),
    ):
        patch = json.dumps({"status": trial_status(trial, gpus=1, **more)})
        trial_name = ("architecturetrial", "digits-000003", "-n", place.namespace)
        place.plane.kubectl("patch", *trial_name, "--subresource=status", "--type=merge", "-p", patch)
    stored = place.plane.get("architecturetrial", "digits-000003", "-n", place.namespace)
    read = read_trial(stored, build_space(place.search.spec.search_space))
    assert replace(read, created=START) == ended
    assert json.dumps(read.architecture) == json.dumps(ended.architecture)
    assert stored["status"]["processStarted"] == "2001-09-09T01:46:40.000000001Z"
    assert stored["status"]["node"] == "n"
    assert "reason" not in stored["status"]


def test_what_a_controller_needs_is_accepted(place: Place) -> None:
    token, config = build.token(b"key", place.uid), build.config(place.search, RANDOM)
    place.create(build.build_secret(place.search, place.uid, token, config))
    place.create(build.build_service(place.search, place.uid))
    pod = place.create(build.build_controller_pod(place.search, place.uid, 1, token, config, "c:1", SETTINGS))
    for policy in build_network_policies(place.search, place.uid):
        place.create(policy)
    assert pod["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "100m", "memory": "768Mi"}


def test_a_job_of_ours_gets_its_pod(place: Place) -> None:
    job = place.job({"deadline": "90s", "resources": {"limits": {"nvidia.com/gpu": 1, "memory": "1Gi", "cpu": 0.5}}})
    pod = place.pod_of(job)
    assert pod["spec"]["activeDeadlineSeconds"] == 90
    assert pod["spec"]["containers"][0]["resources"]["limits"] == {
        "nvidia.com/gpu": "1",
        "memory": "1Gi",
        "cpu": "500m",
    }
    assert pod["spec"]["restartPolicy"] == "Never"


def test_a_large_input_is_carried_by_the_pod(place: Place) -> None:
    pod = place.pod_of(place.job(task={"custom": {"text": "x" * 200_000}}))
    assert len(pod["metadata"]["annotations"]["archsearch.io/trial-input"]) > 200_000


TEMPLATES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "a data volume": (
        {
            "spec": {
                "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "cifar", "readOnly": True}}],
                "containers": [{"volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": True}]}],
            }
        },
        ("persistentVolumeClaim", "/data"),
    ),
    "pull secrets": ({"spec": {"imagePullSecrets": [{"name": "registry"}]}}, ("registry",)),
    "tolerations and a node selector": (
        {
            "spec": {
                "nodeSelector": {"gpu": "a100"},
                "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
            }
        },
        ("a100", "nvidia.com/gpu", "node.kubernetes.io/unreachable"),
    ),
    "a variable from a secret, another home, another user": (
        {
            "spec": {
                "securityContext": {"runAsUser": 1000},
                "containers": [
                    {
                        "env": [
                            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                            {"name": "HOME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                        ]
                    }
                ],
            }
        },
        ("secretKeyRef", "metadata.name", "1000"),
    ),
    "ports, aliases, spread, a larger scratch volume": (
        {
            "metadata": {"labels": {"team": "vision"}, "annotations": {"note": "mine"}},
            "spec": {
                "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["data"]}],
                "topologySpreadConstraints": [
                    {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {}}
                ],
                "volumes": [{"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}],
                "containers": [{"ports": [{"containerPort": 53}, {"containerPort": 53, "protocol": "UDP"}]}],
            },
        },
        ("vision", "10.0.0.1", "ScheduleAnyway", "Memory", "UDP"),
    ),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_pod_template_of_the_users_is_admitted(place: Place, name: str) -> None:
    template, marks = TEMPLATES[name]
    text = json.dumps(place.pod_of(place.job({"podTemplate": template})))
    assert [mark for mark in marks if mark not in text] == []


def test_a_queue_label_stands_on_the_job(place: Place) -> None:
    label = {"kueue.x-k8s.io/queue-name": "gpus"}
    job = place.job({"jobMetadata": {"labels": label, "annotations": {"note": "mine"}}})
    assert job["metadata"]["labels"].items() >= label.items()
    assert job["metadata"]["annotations"]["note"] == "mine"


def test_a_job_whose_pod_is_deleted_is_over_and_makes_no_second(place: Place) -> None:
    """One slot is never held twice. The pod stays while it is being deleted, for no kubelet ends it."""
    job = place.job({"podTemplate": {"spec": {"nodeName": "nowhere", "terminationGracePeriodSeconds": 30}}})
    place.pod_of(job)
    name = job["metadata"]["name"]
    listed = ("-n", place.namespace, "-l", f"batch.kubernetes.io/job-name={name}")
    place.plane.kubectl("delete", "pod", *listed, "--wait=false")
    over = "--for=condition=FailureTarget"  # it has given up, and waits for the pod to be gone
    place.plane.kubectl("wait", "-n", place.namespace, over, "--timeout=20s", f"job/{name}")
    assert len(place.plane.get("pods", *listed)["items"]) == 1


def test_what_is_built_goes_with_its_owner(place: Place) -> None:
    job = place.job()
    place.plane.kubectl("delete", "architecturesearch", "digits", "-n", place.namespace)
    for kind in ("architecturetrial/digits-000003", f"job/{job['metadata']['name']}"):
        place.plane.kubectl("wait", "-n", place.namespace, "--for=delete", "--timeout=30s", kind)

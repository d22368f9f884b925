"""A search as the API server stores it is accepted, or refused in the words of `archsearch validate`."""

import json
from pathlib import Path
from typing import Any

import pytest

from archsearch.manifest import check_all
from archsearch.manifest.nodes import plain
from archsearch.manifest.reading import read
from archsearch.operator.acceptance import LONGEST, Accepted, Refused, accept, dry_run_refused, pod_template_error
from archsearch.operator.port import Rejected

MANIFESTS = Path(__file__).parents[2] / "data" / "manifests"
SPACES = {"choices": [{"name": "a", "values": [0, 1]}]}


def stored(spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    given = {"searchSpace": SPACES, "trial": {"task": {"custom": {}}, "command": ["x"]}}
    return {
        "apiVersion": "archsearch.io/v1alpha1",
        "kind": "ArchitectureSearch",
        "metadata": {
            "name": "digits",
            "namespace": "default",
            "uid": "0b0f9a3e-6f2e-4a55-8a5f-3c5d6f3b9f10",
            "generation": 3,
            "resourceVersion": "812",
            "creationTimestamp": "2026-01-31T12:00:00Z",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}" * 20_000},
            "managedFields": [{"manager": "kubectl", "operation": "Apply", "fieldsV1": {"f:spec": {}}}],
        }
        | metadata,
        "spec": given | (spec or {}),
        "status": {"observedGeneration": 2, "anything": True},
    }


def image_task(dataset: dict[str, Any]) -> dict[str, Any]:
    return {"imageClassification": {"dataset": dataset}}


def image_spec(dataset: dict[str, Any], **trial: Any) -> dict[str, Any]:
    space = {"depth": {"initial": 2, "final": 2}, "filters": [8], "filterHeights": [3], "filterWidths": [3]}
    return {"searchSpace": {"convolutional": space}, "trial": {"task": image_task(dataset)} | trial}


def refused(object: Any) -> Refused:
    found = accept(object)
    assert isinstance(found, Refused), found
    return found


def accepted(object: Any) -> Accepted:
    found = accept(object)
    assert isinstance(found, Accepted), found
    return found


def test_what_the_server_adds_is_no_part_of_the_manifest() -> None:
    search = accepted(stored()).search
    assert (search.metadata.name, search.metadata.namespace) == ("digits", "default")
    assert not search.metadata.annotations


def good_documents() -> list[Any]:
    files = sorted((MANIFESTS / "good").glob("*.yaml"))
    assert files
    return [plain(document.root) for file in files for document in read(file.read_bytes(), file.name)[0]]


@pytest.mark.parametrize("manifest", good_documents(), ids=lambda manifest: str(manifest["metadata"]["name"]))
def test_every_good_manifest_is_accepted_as_the_server_stores_it(manifest: Any) -> None:
    assert accepted(stored() | {"spec": manifest["spec"]}).search.spec


def bad_documents() -> list[Any]:
    """Documents that JSON can hold at all, with what validate says of them."""
    found = []
    for file in sorted((MANIFESTS / "bad").glob("*.yaml")):
        documents, errors = read(file.read_bytes(), file.name)
        checked, _ = check_all(file.read_bytes(), file.name)
        if errors or len(documents) != 1 or documents[0].errors:
            continue
        manifest = plain(documents[0].root)
        outside_of_spec = any(not error.path.startswith("spec.") for error in checked[0].errors)
        if isinstance(manifest, dict) and not outside_of_spec:
            found.append(pytest.param(manifest, checked[0].errors, id=file.stem))
    return found


def test_most_bad_manifests_are_in_the_table() -> None:
    assert len(bad_documents()) >= 30


@pytest.mark.parametrize(("manifest", "errors"), bad_documents())
def test_a_bad_manifest_is_refused_in_the_words_of_validate(manifest: Any, errors: Any) -> None:
    found = refused(manifest | {"metadata": stored()["metadata"]})
    assert found.reason == "InvalidManifest"
    assert sorted(found.message.split("\n")) == sorted(f"{error.path}: {error.message}" for error in errors)


@pytest.mark.parametrize(
    "object", [None, [], "text", 7, {}, {"metadata": 3}, {"spec": []}, {"metadata": {"name": "x"}, "spec": None}]
)
def test_what_is_no_search_at_all_is_refused_and_never_raises(object: Any) -> None:
    assert refused(object).message


def test_a_message_is_bounded_however_many_mistakes_there_are() -> None:
    spec = {f"unknown{number}" * 8: number for number in range(3000)}
    found = refused(stored(spec))
    assert len(found.message) <= LONGEST
    assert len(found.message.split("\n")) <= 51
    assert found.message.endswith("more")


@pytest.mark.parametrize(
    "text", ["\x85", "\u2028", "\x7f", "\ufeff", "😀", "tab\there", 'quote"', "back\\slash", "a: b"]
)
def test_text_means_in_yaml_what_it_means_in_json(text: str) -> None:
    spec = {"trial": {"task": {"custom": {"text": text}}, "command": ["x"]}}
    task = accepted(stored(spec)).search.spec.trial.task
    assert task.custom == {"text": text}


@pytest.mark.parametrize("number", [1e-05, 1e16, 6e-4, 0.1, 123456789.125, -0.5])
def test_numbers_mean_in_yaml_what_they_mean_in_json(number: float) -> None:
    spec = {"trial": {"task": {"custom": {"number": number}}, "command": ["x"]}}
    assert accepted(stored(spec)).search.spec.trial.task.custom == {"number": number}


@pytest.mark.parametrize("field", ["labels", "annotations"])
def test_what_names_the_operators_objects_cannot_be_set_on_jobs(field: str) -> None:
    trial = {"task": {"custom": {}}, "command": ["x"], "jobMetadata": {field: {"archsearch.io/index": "7"}}}
    found = refused(stored({"trial": trial}))
    assert found.message.startswith(f'spec.trial.jobMetadata.{field}["archsearch.io/index"]: "7" is not allowed')


def test_a_queue_label_on_jobs_is_fine() -> None:
    trial = {
        "task": {"custom": {}},
        "command": ["x"],
        "jobMetadata": {"labels": {"kueue.x-k8s.io/queue-name": "gpus"}},
    }
    assert not accepted(stored({"trial": trial})).warnings


def mounting(path: str) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "trial", "volumeMounts": [{"name": "data", "mountPath": path}]}]}}


@pytest.mark.parametrize(
    ("spec", "fragment"),
    [
        (image_spec({"imageFolder": {"folder": "pets"}}), 'imageFolder.folder: "pets" is relative'),
        (image_spec({"imageFolder": {"folder": "/pets/mine"}}), "no volumeMount of spec.trial.podTemplate holds it"),
        (image_spec({"cifar10": {"folder": "/data"}}, podTemplate=mounting("/database")), "no volumeMount"),
        (image_spec({"fashionMnist": {"folder": "/data"}}), "dataset.fashionMnist.folder"),
        (image_spec({"imageFolder": {"folder": "/d"}}, podTemplate={"spec": {"containers": [7, {}]}}), "volumeMount"),
        (
            {"trial": {"task": {"tabular": {"table": "nas.csv"}}}},
            'spec.trial.task.tabular.table: "nas.csv" is relative',
        ),
    ],
)
def test_data_of_a_laptop_is_warned_of(spec: dict[str, Any], fragment: str) -> None:
    (warning,) = accepted(stored(spec)).warnings
    assert fragment in warning


@pytest.mark.parametrize(
    "spec",
    [
        image_spec({"digits": {}}),
        image_spec({"cifar10": {"folder": "/tmp/cifar", "download": True}}),
        image_spec({"imageFolder": {"folder": "/data/pets"}}, podTemplate=mounting("/data")),
        image_spec({"imageFolder": {"folder": "/pets"}}, image="registry.example/pets:1"),
        image_spec({"imageFolder": {"folder": "pets"}}, command=["./train"]),
    ],
)
def test_data_that_may_be_there_is_not_warned_of(spec: dict[str, Any]) -> None:
    assert not accepted(stored(spec)).warnings


def test_a_refused_dry_run_names_every_cause() -> None:
    causes = ("spec.template.spec.containers[1].image: Required value", "spec.template.spec.tolerations[0]: Invalid")
    found = dry_run_refused(Rejected('Job "digits-000000-1" is invalid', 422, causes))
    assert found.reason == "InvalidPodTemplate"
    assert all(cause in found.message for cause in causes)
    assert "spec.trial.podTemplate" in found.message


def test_a_cause_that_the_message_holds_is_not_told_twice() -> None:
    found = dry_run_refused(Rejected("Job is invalid: spec.x: Required value", 422, ("spec.x: Required value",)))
    assert found.message.count("Required value") == 1


def test_a_forbidden_dry_run_points_at_the_namespace() -> None:
    found = dry_run_refused(Rejected("exceeded quota: jobs", 403))
    assert "quotas" in found.message
    assert "podTemplate" not in found.message


def test_an_error_without_words_is_told_by_its_status_and_a_long_one_is_cut() -> None:
    assert "HTTP status 422" in dry_run_refused(Rejected("", 422)).message
    assert len(dry_run_refused(Rejected("x" * 100_000, 422)).message) == LONGEST
    assert json.dumps(pod_template_error("spec.trial.podTemplate: \ud800 bad").message)

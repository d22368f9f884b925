"""The definitions on a real API server: accepted as they are, told by kubectl, and what may not change is refused."""

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from kube.control_plane import ControlPlane
from ruamel.yaml import YAML

from archsearch.api import ArchitectureSearch
from archsearch.manifest import check, load

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))
GOOD = sorted((ROOT / "tests" / "data" / "manifests" / "good").glob("*.yaml"))
Object = dict[str, Any]
pytestmark = pytest.mark.usefixtures("crds")

SEARCH: Object = {
    "apiVersion": "archsearch.io/v1alpha1",
    "kind": "ArchitectureSearch",
    "metadata": {"name": "one"},
    "spec": {
        "searchSpace": {"choices": [{"name": "width", "values": [1, 0.5, "a", True]}]},
        "trial": {"command": ["python3", "own.py"], "task": {"custom": {"rate": 0.1, "list": [1, {"deep": None}]}}},
    },
}
TRIAL: Object = {
    "apiVersion": "archsearch.io/v1alpha1",
    "kind": "ArchitectureTrial",
    "metadata": {"name": "one-000000"},
    "spec": {
        "searchName": "one",
        "index": 0,
        "genotype": [0, 3, 1],
        "architecture": {"layers": [{"filters": 24}], "width": 0.5},
        "sampledBy": {"policyVersion": 0, "logProbability": -1.5},
        "duplicateOf": 3,
    },
}
CONVOLUTIONAL: Object = copy.deepcopy(SEARCH)
CONVOLUTIONAL["spec"]["searchSpace"] = {"convolutional": {"depth": {"initial": 3}}}
CONVOLUTIONAL["spec"]["trial"] = {"task": {"imageClassification": {"dataset": {"digits": {}}}}}


class Server:
    """kubectl in one namespace."""

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
        self.plane, self.namespace = plane, namespace

    def __call__(self, *arguments: str, given: Object | None = None, check: bool = True) -> CompletedProcess[str]:
        text = None if given is None else json.dumps(given)
        return self.plane.kubectl("--namespace", self.namespace, *arguments, input=text, check=check)

    def create(self, given: Object) -> None:
        self("create", "-f", "-", given=given)

    def patch(self, kind: str, name: str, patch: Object, *more: str) -> CompletedProcess[str]:
        return self("patch", kind, name, "--type=merge", "-p", json.dumps(patch), *more, check=False)

    def stored(self, kind: str, name: str) -> Object:
        found: Object = json.loads(self("get", kind, name, "-o", "json").stdout)
        return found


@pytest.fixture(scope="module")
def shelf(control_plane: ControlPlane, crds: tuple[str, ...]) -> Iterator[str]:
    """One namespace for all of these: three calls of kubectl fewer for each."""
    control_plane.kubectl("create", "namespace", "shelf-of-crds")
    yield "shelf-of-crds"
    control_plane.kubectl("delete", "namespace", "shelf-of-crds", "--wait=false")


@pytest.fixture
def server(control_plane: ControlPlane, shelf: str) -> Iterator[Server]:
    yield Server(control_plane, shelf)
    control_plane.kubectl("--namespace", shelf, "delete", "nas", "--all")


def within(spec: Object, path: str, value: Any) -> Object:
    """A merge patch that sets ``path``."""
    patch = value
    for part in reversed(path.split(".")):
        patch = {part: patch}
    assert isinstance(patch, dict)
    return patch


def test_the_definitions_are_structural_established_and_accepted_without_a_warning(
    control_plane: ControlPlane, crds: tuple[str, ...]
) -> None:
    for name in crds:
        found = control_plane.get("customresourcedefinition", name)
        conditions = {one["type"]: one["status"] for one in found["status"]["conditions"]}
        assert conditions["Established"] == conditions["NamesAccepted"] == "True"
        assert conditions.get("NonStructuralSchema", "False") == "False"
        file = ROOT / "crds" / f"archsearch.io_{name.split('.')[0]}.yaml"
        said = control_plane.kubectl("apply", "--server-side", "--dry-run=server", "-f", str(file))
        assert "arning" not in said.stderr
        written = YAML(typ="safe", pure=True).load(file)["spec"]["versions"][0]["schema"]
        assert found["spec"]["versions"][0]["schema"] == written, "the API server has changed or dropped something"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("architecturesearch", ["A neural architecture search.", "How far the search is"]),
        (
            "archsearch.spec.trials.parallelism",
            ["Trials that run at once", "Unit: trials, from 0 to 10000. Default: 1."],
        ),
        ("archsearch.spec.trials", ["maxFailed\t<integer>", "enum: Reuse, Retrain"]),
        ("archsearch.spec.searchSpace.convolutional", ["depth\t<Object> -required-", "1611.01578"]),
        ("archsearch.status.conditions.reason", ["Why, in one CamelCase word."]),
        ("archsearch.status.policy.entropy", ["in nats"]),
        ("archtrial.spec.genotype", ["The tokens that the policy emitted."]),
        ("archtrial.status", ["phase\t<string>", "GPUs that each attempt held. Unit: s"]),
    ],
)
def test_kubectl_explains_in_our_words(control_plane: ControlPlane, path: str, words: list[str]) -> None:
    def explained() -> bool:  # published some time after the definition is established
        text = " ".join(control_plane.kubectl("explain", path, check=False).stdout.split())
        return all(" ".join(word.split()) in text for word in words)

    control_plane.wait_until(explained, f"kubectl explain {path}", 30)


def test_kubectl_get_tells_how_far_and_how_good(server: Server) -> None:
    server.create(SEARCH)
    server.create(TRIAL)
    condition = {
        "type": "Progressing",
        "status": "True",
        "reason": "Running",
        "lastTransitionTime": "2026-01-31T12:00:00Z",
    }
    server.patch(
        "archsearch",
        "one",
        {
            "status": {
                "conditions": [condition],
                "progress": "17/24",
                "bestReward": 0.9375,
                "counts": {"failed": 2, "reused": 3},
                "gpuSeconds": 12.5,
                "policy": {"strategy": "reinforce", "entropy": 0.75},
            }
        },
        "--subresource=status",
    )
    server.patch(
        "archtrial",
        "one-000000",
        {"status": {"phase": "Failed", "attempts": 2, "reason": "OutOfMemory", "node": "n1", "gpuSeconds": 4}},
        "--subresource=status",
    )
    assert table(server("get", "archsearch")) == [
        {"NAME": "one", "STATUS": "Running", "CHILDREN": "17/24", "BEST": "0.9375"}
    ]
    (wide,) = table(server("get", "archsearch", "one", "-o", "wide"))
    assert wide.items() >= {"FAILED": "2", "REUSED": "3", "GPU-SECONDS": "12.5", "STRATEGY": "reinforce"}.items()
    (trial,) = table(server("get", "archtrial", "-o", "wide"))
    assert trial.items() >= {"SEARCH": "one", "INDEX": "0", "PHASE": "Failed", "ATTEMPTS": "2"}.items()
    assert trial.items() >= {"REASON": "OutOfMemory", "NODE": "n1", "GPU-SECONDS": "4"}.items()
    both = server("get", "nas", "-o", "name").stdout.split()
    assert sorted(both) == ["architecturesearch.archsearch.io/one", "architecturetrial.archsearch.io/one-000000"]
    assert server("delete", "archsearch", "one").returncode == 0


def table(said: CompletedProcess[str]) -> list[dict[str, str]]:
    """What kubectl prints, by column; cells that are empty and the age are left out."""
    head, *rows = said.stdout.splitlines()
    columns = [(found.start(), found.group()) for found in re.finditer(r"\S+", head)]
    ends = [start for start, _ in columns[1:]] + [None]
    cells = [{name: row[start:end].strip() for (start, name), end in zip(columns, ends, strict=True)} for row in rows]
    return [{name: cell for name, cell in row.items() if cell and name != "AGE"} for row in cells]


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_an_example_is_stored_and_read_back_as_the_same_search(server: Server, file: Path) -> None:
    server("apply", "-f", str(file))
    same_when_read_back(server, load(file))


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_a_good_manifest_is_stored_and_read_back_as_the_same_search(server: Server, file: Path) -> None:
    # As JSON: kubectl reads YAML 1.1, in which some of these (options called yes and no) are other searches.
    search = load(file)
    given = json.loads(search.model_dump_json(by_alias=True, exclude_unset=True))
    given["metadata"].pop("namespace", None)
    server.create(given)
    same_when_read_back(server, search)


def same_when_read_back(server: Server, search: ArchitectureSearch) -> None:
    stored = server.stored("archsearch", search.metadata.name)
    metadata = {key: stored["metadata"].get(key, {}) for key in ("name", "labels")}
    kept = {**{key: stored[key] for key in ("apiVersion", "kind", "spec")}, "metadata": metadata}
    again, errors = check(json.dumps(kept), "stored")
    assert again is not None, errors
    assert again.spec == search.spec
    assert again.metadata.labels == search.metadata.labels
    # Every default is written out, so that another release's defaults change nothing.
    assert stored["spec"] == json.loads(search.spec.model_dump_json(by_alias=True, exclude_none=True))


FIXED = [
    (SEARCH, "objective.metric", "loss", "spec.objective"),
    (SEARCH, "objective.target", 0.5, "spec.objective"),
    (SEARCH, "searchSpace.choices", [{"name": "width", "values": [1, 0.5, "a", False]}], "spec.searchSpace"),
    (SEARCH, "searchSpace.choices", [{"name": "width", "values": [1, 0.5, "b", True]}], "spec.searchSpace"),
    (SEARCH, "searchSpace.choices", [{"name": "height", "values": [1, 0.5, "a", True]}], "spec.searchSpace"),
    (CONVOLUTIONAL, "searchSpace.convolutional.depth.final", 9, "spec.searchSpace"),
    (CONVOLUTIONAL, "searchSpace.convolutional.filters", [1], "spec.searchSpace"),
    (SEARCH, "strategy.random", {}, "spec.strategy"),
    (SEARCH, "strategy.reinforce.layers", 3, "spec.strategy"),
    (SEARCH, "trials.duplicates", "Retrain", "spec.trials.duplicates"),
    (SEARCH, "trials.reproducible", True, "spec.trials.reproducible"),
    (SEARCH, "controller.replicas", 2, "spec.controller.replicas"),
    (SEARCH, "trial.task.custom.rate", 0.2, "spec.trial.task"),
    (SEARCH, "trial.task.custom.list", [1, {"deep": 2}], "spec.trial.task"),
    (CONVOLUTIONAL, "trial.task.imageClassification.epochs", 99, "spec.trial.task"),
    (SEARCH, "trial.image", "mine:1", "spec.trial.image"),
    (SEARCH, "trial.command", ["python3", "other.py"], "spec.trial.command"),
    (CONVOLUTIONAL, "trial.command", ["python3"], "spec.trial.command"),
    (SEARCH, "trial.threads", 2, "spec.trial.threads"),
    (SEARCH, "trial.deadline", "2h", "spec.trial.deadline"),
    (SEARCH, "trial.report.from", "Log", "spec.trial.report"),
    (SEARCH, "seed", 8, "spec.seed"),
]


@pytest.mark.parametrize(
    ("made", "path", "value", "field"), FIXED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_would_make_another_search_cannot_change(
    server: Server, made: Object, path: str, value: Any, field: str
) -> None:
    server.create(made)
    refused = server.patch("archsearch", "one", {"spec": within(made, path, value)})
    assert refused.returncode != 0
    if path != "controller.replicas":  # of which the schema allows no other anyway
        assert f"{field} cannot change: the search would no longer be the same" in refused.stderr


def test_the_table_of_what_cannot_change_has_every_field_of_the_rules() -> None:
    schema = YAML(typ="safe", pure=True).load(ROOT / "crds" / "archsearch.io_architecturesearches.yaml")
    spec = schema["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    ruled = {f"spec{rule['fieldPath']}" for rule in spec["x-kubernetes-validations"] if "no longer" in rule["message"]}
    assert ruled == {field for *_, field in FIXED}


@pytest.mark.parametrize("path", ["trial.command", "trial.task.custom.rate", "trial.deadline", "trial.threads"])
def test_what_is_set_cannot_be_taken_away_either(server: Server, path: str) -> None:
    made = copy.deepcopy(SEARCH)
    made["spec"]["trial"] |= {"image": "own:1", "deadline": "1h", "threads": 2}
    server.create(made)
    refused = server.patch("archsearch", "one", {"spec": within(made, path, None)})
    assert "cannot change: the search would no longer be the same" in refused.stderr


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("suspend", True),
        ("trials.max", 7),
        ("trials.parallelism", 3),
        ("trials.lookahead", 2),
        ("trials.deadline", "2h"),
        ("trials.deadline", None),
        ("trials.maxFailed", 0),
        ("trials.maxConsecutiveDuplicates", 3),
        ("trials.retries", 0),
        ("trial.podTemplate", {"spec": {"nodeSelector": {"a": "b"}}, "anything": [1, "a", None]}),
        ("trial.resources.limits", {"nvidia.com/gpu": 1, "cpu": 0.5, "memory": "4Gi"}),
        ("trial.jobMetadata.labels", {"kueue.x-k8s.io/queue-name": "gpus"}),
        ("controller.resources.requests", {"cpu": "500m"}),
    ],
)
def test_how_much_and_where_may_change_at_any_time(server: Server, path: str, value: Any) -> None:
    made = copy.deepcopy(SEARCH)
    made["spec"]["trials"] = {"deadline": "1h"}
    server.create(made)
    changed = server.patch("archsearch", "one", {"spec": within(made, path, value)})
    assert changed.returncode == 0, changed.stderr
    assert "no change" not in changed.stdout


def test_a_reproducible_search_keeps_its_parallelism_and_lookahead(server: Server) -> None:
    made = copy.deepcopy(SEARCH)
    made["spec"]["trials"] = {"reproducible": True, "parallelism": 2}
    server.create(made)
    for field in ("parallelism", "lookahead"):
        refused = server.patch("archsearch", "one", {"spec": {"trials": {field: 3}}})
        assert f"spec.trials.{field} cannot change: the search is reproducible" in refused.stderr
    assert server.patch("archsearch", "one", {"spec": {"trials": {"max": 3}}}).returncode == 0


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("index", 1),
        ("genotype", [0, 3, 2]),
        ("architecture.width", 0.25),
        ("architecture.layers", [{"filters": 25}]),
        ("architecture.more", 1),
        ("sampledBy.policyVersion", 4),
        ("duplicateOf", None),
        ("reuseOf", 0),
        ("confirmOf", 0),
        ("ask", 3),
    ],
)
def test_what_was_sampled_never_changes(server: Server, path: str, value: Any) -> None:
    server.create(TRIAL)
    refused = server.patch("archtrial", "one-000000", {"spec": within(TRIAL, path, value)})
    assert "spec cannot change: it is the record of what was sampled" in refused.stderr


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Stopped"])
def test_a_trial_that_is_over_changes_no_more_but_for_its_observation_which_is_set_once(
    server: Server, phase: str
) -> None:
    def write(status: Object) -> CompletedProcess[str]:
        return server.patch("archtrial", "one-000000", {"status": status}, "--subresource=status")

    server.create(TRIAL)
    for status in ({"phase": "Running", "attempts": 1}, {"phase": "Pending"}, {"phase": phase, "reward": 0.5}):
        assert write(status).returncode == 0
    for status in ({"phase": "Running"}, {"reward": 0.6}, {"reward": None}, {"metrics": {"a": 1}}, {"message": "x"}):
        assert f"status.{next(iter(status))} cannot change any more: the trial is over" in write(status).stderr
    assert write({"observation": 4}).returncode == 0
    assert "status.observation cannot change any more: it is taught" in write({"observation": 5}).stderr
    assert server.patch("archtrial", "one-000000", {"metadata": {"labels": {"a": "b"}}}).returncode == 0


def test_names_leave_room_for_what_is_made_of_them(server: Server) -> None:
    for kind, made, longest in (("search", SEARCH, 46), ("trial", TRIAL, 53)):
        for name in ("a" * (longest + 1), "a.b"):
            refused = server("create", "-f", "-", given={**made, "metadata": {"name": name}}, check=False)
            assert f'"{name}" is not allowed; needs a text of 1 to {longest} characters' in refused.stderr, kind
        server.create({**made, "metadata": {"name": "a" * longest}})


def test_the_largest_trial_that_the_schema_allows_can_be_stored(server: Server) -> None:
    made = copy.deepcopy(TRIAL)
    made["spec"]["genotype"] = [7] * 100_000
    server.create(made)
    label = server.patch("archtrial", "one-000000", {"metadata": {"labels": {"a": "b"}}})
    assert label.returncode == 0, "comparing it costs more than the API server grants"

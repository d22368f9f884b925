"""Good manifests: read as they are meant, from text, bytes or file, and the same again after a round trip."""

import json
from pathlib import Path
from typing import Any

import pytest

from archsearch.api import ArchitectureSearch, Direction, Duplicates, ReportSource
from archsearch.manifest import InvalidManifestError, check, load

ROOT = Path(__file__).parents[3]
GOOD = sorted((ROOT / "tests" / "data" / "manifests" / "good").glob("*.yaml"))
EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))
HEAD = "apiVersion: archsearch.io/v1alpha1\nkind: ArchitectureSearch\nmetadata: {name: good}\nspec:\n"
SPACE = "  searchSpace: {choices: [{name: a, values: [0, 1]}]}\n"
OWN = "  trial: {command: [sh, x.sh], task: {custom: {}}}\n"


@pytest.mark.parametrize("file", [*GOOD, *EXAMPLES], ids=lambda file: file.stem)
def test_a_good_manifest_is_read_and_is_the_same_after_a_round_trip(file: Path) -> None:
    search = load(file)
    again = load(json.dumps(search.model_dump(mode="json")))
    assert again == search


def test_every_field_of_the_fullest_manifest_is_read() -> None:
    search = load(ROOT / "tests" / "data" / "manifests" / "good" / "every_field.yaml")
    spec = search.spec
    assert search.metadata.labels == {"example.com/team": "vision", "app": "nas"}
    assert spec.objective.direction is Direction.MAXIMIZE
    assert spec.objective.transform.power is not None
    assert spec.objective.transform.power.exponent == 3
    assert spec.search_space.convolutional is not None
    assert spec.search_space.convolutional.filters == (24, 36)
    assert spec.strategy.reinforce is not None
    assert spec.strategy.reinforce.learning_rate == 6e-4
    assert spec.trials.duplicates is Duplicates.RETRAIN
    assert spec.trials.deadline == "1d2h3m4s"
    assert spec.trial.report.source is ReportSource.LOG
    assert spec.trial.resources.limits == {"nvidia.com/gpu": 1, "cpu": 0.5, "memory": "4Gi"}
    assert spec.trial.pod_template["spec"] == {"nodeSelector": {"gpu": "a100"}, "tolerations": [{"key": "gpu"}]}
    assert spec.suspend


@pytest.mark.parametrize(
    ("lines", "path", "expected"),
    [
        ("  seed: 7\n", ("seed",), 7),
        ("  strategy: {reinforce: {learningRate: 6e-4}}\n", ("strategy", "reinforce", "learning_rate"), 6e-4),
        ("  strategy: {reinforce: {learningRate: 1}}\n", ("strategy", "reinforce", "learning_rate"), 1.0),
        ("  trials: {deadline: null}\n", ("trials", "deadline"), None),
        ("  trials: {deadline: 3650d}\n", ("trials", "deadline"), "3650d"),
        ("  trials: {parallelism: 0}\n", ("trials", "parallelism"), 0),
        ("  objective: {metric: whatever_my_program_says, target: -3}\n", ("objective", "target"), -3.0),
        ("  controller: {resources: {limits: {cpu: 500m, memory: 1e9}}}\n", ("controller", "replicas"), 1),
        ('  controller: {resources: {limits: {"a.b/c": "12e6"}}}\n', ("controller", "replicas"), 1),
    ],
)
def test_a_value_is_read_as_it_is_meant(lines: str, path: tuple[str, ...], expected: Any) -> None:
    found: Any = load(HEAD + SPACE + OWN + lines).spec
    for name in path:
        found = getattr(found, name)
    assert found == expected


def test_load_raises_with_every_mistake_and_calls_the_file_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(HEAD + SPACE + OWN + "  seed: -1\n  suspend: 1\n")
    with pytest.raises(InvalidManifestError) as caught:
        load(file, "s.yaml")
    assert [error.path for error in caught.value.errors] == ["spec.seed", "spec.suspend"]
    assert str(caught.value).splitlines() == [
        "s.yaml:7:9: spec.seed: -1 is not allowed; needs an integer from 0 to 2147483647",
        "s.yaml:8:12: spec.suspend: 1 is not allowed; needs true or false; did you mean true?",
    ]


@pytest.mark.parametrize(("name", "says"), [("absent.yaml", "No such file"), (".", "directory"), ("a\0b", "null byte")])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(InvalidManifestError, match="cannot be read") as caught:
        load(tmp_path / name)
    assert says in str(caught.value)


def test_two_searches_in_one_text_are_refused_where_one_is_asked_for() -> None:
    one = HEAD + SPACE + OWN
    search, errors = check(one + "---\n" + one, "two.yaml")
    assert search is None
    assert [(error.kind, error.line) for error in errors] == [("SeveralSearches", 8)]
    assert "there are 2 searches, on lines 1, 8" in errors[0].message


def test_snake_case_is_for_python_only() -> None:
    good = load(HEAD + SPACE + OWN)
    assert ArchitectureSearch.model_validate_json(json.dumps(good.model_dump(mode="json", by_alias=False))) == good
    search, errors = check(HEAD + SPACE.replace("searchSpace", "search_space") + OWN, "f")
    assert search is None
    assert {error.path for error in errors} == {"spec.search_space", "spec.searchSpace"}

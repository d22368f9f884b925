"""Which edits a living search allows: how much and where, never what it means."""

import json
from typing import Any

import pytest

from archsearch.api import ArchitectureSearch
from archsearch.manifest import immutable_changes

BASE: dict[str, Any] = {
    "apiVersion": "archsearch.io/v1alpha1",
    "kind": "ArchitectureSearch",
    "metadata": {"name": "a"},
    "spec": {
        "searchSpace": {"choices": [{"name": "w", "values": [1, 2]}]},
        "trial": {"command": ["x"], "task": {"custom": {"epochs": 3}}},
    },
}


def edited(path: str, value: Any, base: dict[str, Any] | None = None) -> dict[str, Any]:
    *above, last = path.split(".")
    result = {**(BASE if base is None else base)}
    node = result
    for key in above:
        node[key] = {**node.get(key, {})}
        node = node[key]
    node[last] = value
    return result


def search(data: dict[str, Any]) -> ArchitectureSearch:
    return ArchitectureSearch.model_validate_json(json.dumps(data))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.labels", {"a": "b"}),
        ("metadata.annotations", {"a": "b"}),
        ("spec.suspend", True),
        ("spec.trials.max", 7),
        ("spec.trials.parallelism", 7),
        ("spec.trials.lookahead", 7),
        ("spec.trials.deadline", "7h"),
        ("spec.trials.maxFailed", 7),
        ("spec.trials.maxConsecutiveDuplicates", 7),
        ("spec.trials.retries", 7),
        ("spec.trials.confirm", 7),
        ("spec.trial.podTemplate", {"spec": {"nodeSelector": {"a": "b"}}}),
        ("spec.trial.resources", {"limits": {"cpu": 1}}),
        ("spec.trial.jobMetadata", {"labels": {"a": "b"}}),
        ("spec.controller.resources", {"limits": {"cpu": 1}}),
    ],
)
def test_how_much_and_where_may_change_while_a_search_lives(path: str, value: Any) -> None:
    assert immutable_changes(search(BASE), search(edited(path, value))) == ()
    assert immutable_changes(search(edited(path, value)), search(BASE)) == ()


@pytest.mark.parametrize(
    ("path", "value", "field", "old", "new"),
    [
        ("metadata.name", "b", "metadata.name", "a", "b"),
        ("metadata.namespace", "b", "metadata.namespace", None, "b"),
        ("spec.objective.metric", "loss", "spec.objective.metric", "accuracy", "loss"),
        ("spec.objective.direction", "Minimize", "spec.objective.direction", "Maximize", "Minimize"),
        ("spec.objective.target", 0.5, "spec.objective.target", None, 0.5),
        ("spec.strategy", {"random": {}}, "spec.strategy.random", None, {}),
        (
            "spec.strategy",
            {"reinforce": {"layers": 1}},
            "spec.strategy.reinforce",
            None,
            {"preset": "Fast", "layers": 1},
        ),
        ("spec.trials.reproducible", True, "spec.trials.reproducible", False, True),
        ("spec.trials.duplicates", "Retrain", "spec.trials.duplicates", "Reuse", "Retrain"),
        ("spec.trial.command", ["y"], "spec.trial.command", ["x"], ["y"]),
        ("spec.trial.image", "y", "spec.trial.image", None, "y"),
        ("spec.trial.threads", 2, "spec.trial.threads", None, 2),
        ("spec.trial.deadline", "1m", "spec.trial.deadline", None, "1m"),
        ("spec.trial.report", {"from": "Log"}, "spec.trial.report.from", "TerminationMessage", "Log"),
        ("spec.trial.task", {"custom": {"epochs": 4}}, "spec.trial.task.custom.epochs", 3, 4),
        ("spec.trial.task", {"custom": {"epochs": 3.0}}, "spec.trial.task.custom.epochs", 3, 3.0),
        ("spec.trial.task", {"custom": {}}, "spec.trial.task.custom.epochs", 3, None),
        ("spec.seed", 1, "spec.seed", 0, 1),
        (
            "spec.searchSpace",
            {"choices": [{"name": "w", "values": [1, 3]}]},
            "spec.searchSpace.choices[0].values",
            [1, 2],
            [1, 3],
        ),
        (
            "spec.searchSpace",
            {"choices": [{"name": "w", "values": [1, 2]}, {"name": "v", "values": [1, 2]}]},
            "spec.searchSpace.choices",
            [{"name": "w", "values": [1, 2]}],
            [{"name": "w", "values": [1, 2]}, {"name": "v", "values": [1, 2]}],
        ),
    ],
)
def test_what_a_search_means_may_not_change(path: str, value: Any, field: str, old: Any, new: Any) -> None:
    (change,) = immutable_changes(search(BASE), search(edited(path, value)))
    assert (change.path, change.old, change.new) == (field, old, new)
    assert str(change).startswith(f"{field} cannot change from ")


@pytest.mark.parametrize("field", ["parallelism", "lookahead"])
def test_a_reproducible_search_keeps_its_parallelism_and_lookahead(field: str) -> None:
    base = edited("spec.trials", {"reproducible": True, "parallelism": 2, "lookahead": 1})
    (change,) = immutable_changes(search(base), search(edited(f"spec.trials.{field}", 5, base)))
    assert change.path == f"spec.trials.{field}"
    assert str(change).endswith(" to 5: the search is reproducible")
    assert immutable_changes(search(base), search(edited("spec.trials.max", 5, base))) == ()


def test_a_default_that_is_written_out_is_no_change() -> None:
    assert immutable_changes(search(BASE), search(edited("spec.objective", {"metric": "accuracy"}))) == ()


def test_all_forbidden_changes_are_told_at_once_with_old_and_new_value() -> None:
    new = edited("spec.seed", 1, edited("spec.trial.command", ["y"], edited("spec.suspend", True)))
    assert [str(change) for change in immutable_changes(search(BASE), search(new))] == [
        'spec.trial.command cannot change from ["x"] to ["y"]: the search would no longer be the same',
        "spec.seed cannot change from 0 to 1: the search would no longer be the same",
    ]

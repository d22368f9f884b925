"""Every bad manifest, by kubectl: refused by the API server, or stored and told by the words of the condition.

What kubectl cannot read never leaves it, and what it reads as something good cannot be told by anybody behind it: both
are listed here. Everything else that is not listed must be refused by the API server.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from kube.control_plane import ControlPlane

from archsearch.manifest import ManifestError, check, check_all

BAD = sorted((Path(__file__).parents[1] / "data" / "manifests" / "bad").glob("*.yaml"))
pytestmark = pytest.mark.usefixtures("crds")

NEVER_SENT = {
    *("alias_of_itself", "alias_unknown", "api_version_missing", "api_version_of_the_future", "colon_twice"),
    *("everything_missing", "flow_not_closed", "good_then_broken", "half_a_character", "indentation_wrong"),
    *("keys_not_text", "kind_misspelled", "list_at_the_top", "metadata_names", "metadata_wrong_types"),
    *("number_not_finite", "tab_indents", "text_at_the_top", "yaml_of_another_version"),
}
"""kubectl itself refuses them: no YAML, no JSON, or no kind that the API server knows."""
READ_AS_GOOD = {
    "binary_value": "decoded, it is the name of an image",
    "key_twice": "the last one counts",
    "kind_of_something_else": "a ConfigMap, which is none of our business",
    "number_with_leading_zero": "010 is 8 in YAML 1.1",
    "tagged_value": "tags are dropped",
    "unknown_field_at_the_top": "it is status, which an object on a cluster has",
}
"""kubectl makes a good manifest of them, so that only `archsearch validate FILE` sees the mistake."""
TOLD = {
    "choice_same_number": "stands twice",  # 1.0 is stored as 1
    "choice_value_twice": "stands twice",
    "tabular_options_of_many_characters": "a table spells each option with one character",
}
"""The API server stores them: CEL cannot read values of several types. The condition answers."""
WORD_FOR_WORD = {
    *("custom_without_program", "dataset_of_no_kind", "deadline_beyond_clocks", "deadline_of_nothing"),
    *("direction_left_out", "direction_of_the_worst", "metric_of_the_test_part", "metric_that_the_task_lacks"),
    *("name_too_long", "reproducible_without_slots", "reward_does_not_fit_direction", "reward_of_no_kind"),
    *("reward_of_two_kinds", "space_of_no_kind", "space_of_two_kinds", "strategy_of_two_kinds"),
    *("tabular_rewards_the_test_part", "task_does_not_fit_space", "task_of_two_kinds"),
    *("also_without_direction", "cells_that_the_task_does_not_build", "table_of_recurrent_cells"),
}
"""Refused by CEL with the sentence of `archsearch validate`, without the guess at what was meant."""
BUT_FOR_NUMBERS = {
    "also_limit_better_than_target": "is not allowed; limit must not be better than target",
    "also_metric_of_the_objective": "a metric of also counts already; every metric may count once",
    "also_metric_of_the_test_part": "a metric of also is not allowed; the test part is measured and never a reward",
    "also_metric_that_the_task_lacks": "a metric of also is not allowed; imageClassification reports accuracy, loss",
    "also_metric_twice": "a metric of also counts already; every metric may count once",
    "also_of_the_worst": "this would seek the worst loss; set a negative weight",
    "best_of_more_epochs_than_there_are": "is not allowed; there are fewer epochs to take the best of",
    "choice_names_twice": "one names two decisions; every name must be distinct",
    "confirm_beyond_the_ledger": "is not allowed; children and confirmations are at most 1000000 together",
    "convolutional_option_twice": "one stands twice in filters; every option must be distinct",
    "cell_operation_twice": "one stands twice in operations; every option must be distinct",
    "depth_shrinks": "is not allowed; final must not be below initial",
    "failure_better_than_any_loss": "no child's reward is above 0, so that to fail would be best; set it below 0",
    "failure_better_than_success": "no child's reward is above 1, so that to fail would be best; set it below 1",
    "recurrent_cell_base_no_power_of_two": "is not allowed; the tree needs a power of two: 2, 4, 8 or 16",
    "sample_above_population": "is not allowed; sample must not be above population",
    "target_in_per_cent": "is not allowed; accuracy is a fraction of 1, needs a number from 0 to 1",
}
"""Refused by CEL, whose messages can hold no number and no place in a list."""


def mistakes(file: Path) -> list[ManifestError]:
    documents, errors = check_all(file.read_bytes(), file.name)
    return [*(error for document in documents for error in document.errors), *errors]


@pytest.fixture(scope="module")
def shelf(control_plane: ControlPlane, crds: tuple[str, ...]) -> Iterator[str]:
    """One namespace for all: few of them are ever stored."""
    control_plane.kubectl("create", "namespace", "shelf-of-bad-manifests")
    yield "shelf-of-bad-manifests"
    control_plane.kubectl("delete", "namespace", "shelf-of-bad-manifests", "--wait=false")


def applied(plane: ControlPlane, namespace: str, file: Path) -> CompletedProcess[str]:
    """kubectl's answer; what was stored is taken away again, as they all have one name."""
    ended = plane.kubectl("--namespace", namespace, "create", "-f", str(file), "-o", "json", check=False)
    if ended.stdout:  # also where only a later document was refused
        plane.kubectl("--namespace", namespace, "delete", "nas", "--all")
    return ended


def condition(stored: str) -> tuple[ManifestError, ...]:
    """What is wrong with a stored object, apart from what servers alone write: what the operator has to say."""
    found = json.loads(stored)
    metadata = {key: value for key, value in found["metadata"].items() if key in ("name", "labels", "annotations")}
    kept = {**{key: found[key] for key in ("apiVersion", "kind", "spec")}, "metadata": metadata}
    _, errors = check(json.dumps(kept), "stored")
    return errors


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_each_bad_manifest_is_refused_or_told(control_plane: ControlPlane, shelf: str, file: Path) -> None:
    ended, name = applied(control_plane, shelf, file), file.stem
    if name in READ_AS_GOOD:
        assert ended.returncode == 0, ended.stderr
        assert name == "kind_of_something_else" or condition(ended.stdout) == ()
    elif name in TOLD:
        assert ended.returncode == 0, ended.stderr
        told = condition(ended.stdout)
        assert [error.path for error in told] == [error.path for error in mistakes(file)]
        assert TOLD[name] in told[0].message
    else:
        assert ended.returncode != 0
        answered = "Error from server" in ended.stderr or "is invalid" in ended.stderr
        assert answered == (name not in NEVER_SENT), ended.stderr
        for word in words(file):
            assert word in ended.stderr


def words(file: Path) -> list[str]:
    """What the API server's refusal must hold: the field at fault, and where CEL refuses, what is wrong with it."""
    found = [error for error in mistakes(file) if error.path]
    if file.stem in WORD_FOR_WORD:
        return [f"{error.path}: " for error in found] + [
            re.sub(r"; did you mean .*\?$", "", error.message) for error in found
        ]
    if file.stem in BUT_FOR_NUMBERS:
        return [BUT_FOR_NUMBERS[file.stem], *(re.split(r"\[", error.path)[0] for error in found)]
    return []


def test_at_least_60_bad_manifests_reach_the_api_server_and_none_is_listed_in_vain() -> None:
    names = {file.stem for file in BAD}
    listed = [NEVER_SENT, set(READ_AS_GOOD), set(TOLD), WORD_FOR_WORD, set(BUT_FOR_NUMBERS)]
    assert sum(map(len, listed)) == len(set().union(*listed))
    assert set().union(*listed) <= names
    answered = names - NEVER_SENT - set(READ_AS_GOOD)
    assert len(answered) >= 60
    kinds = {error.kind for file in BAD if file.stem in answered for error in mistakes(file)}
    assert len(kinds) >= 12, sorted(kinds)

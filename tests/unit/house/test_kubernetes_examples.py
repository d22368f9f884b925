"""Examples for Kubernetes: what only a cluster uses is as it must be, and what can be run here is run."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from archsearch.api import ArchitectureSearch
from archsearch.manifest import check
from archsearch.report import Report, TrialInput, find_report_in_log, parse_report

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = sorted((ROOT / "examples" / "kubernetes").glob("*.yaml"))
BOOLEANS = re.compile(r"(?i)^(?:y|yes|n|no|on|off)$")
"""Words that kubectl, which reads YAML 1.1, takes for true and false where they are not quoted."""


def read(path: Path) -> ArchitectureSearch:
    search, errors = check(path.read_bytes(), path.name)
    assert errors == ()
    assert search is not None
    return search


def test_the_first_search_asks_for_four_gpus_and_can_be_repeated() -> None:
    spec = read(ROOT / "examples" / "kubernetes" / "digits.yaml").spec
    assert (spec.trials.max, spec.trials.parallelism, spec.trials.lookahead) == (24, 4, 0)
    assert spec.trials.reproducible
    assert spec.trial.resources.limits["nvidia.com/gpu"] == 1
    assert spec.trial.task.image_classification is not None
    assert spec.trial.task.image_classification.dataset.kind == "digits", "no data to mount, and none to download"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_bounds_its_children_in_time_and_names_our_container_only(path: Path) -> None:
    trial = read(path).spec.trial
    assert trial.deadline is not None
    assert trial.resources.limits
    pod = YAML(typ="safe", pure=True).load(path.read_text())["spec"]["trial"].get("podTemplate", {}).get("spec", {})
    assert [container["name"] for container in pod.get("containers", [])] in ([], ["trial"])


def plain_scalars(node: object) -> list[str]:
    if isinstance(node, dict):
        return [word for pair in node.items() for item in pair for word in plain_scalars(item)]
    if isinstance(node, list):
        return [word for item in node for word in plain_scalars(item)]
    return [node] if isinstance(node, str) else []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_kubectl_reads_no_word_of_an_example_as_true_or_false(path: Path) -> None:
    words = plain_scalars(YAML(typ="safe", pure=True).load(path.read_text()))
    assert [word for word in words if BOOLEANS.match(word)] == []


def test_the_program_that_can_only_print_prints_a_report_that_is_found_in_its_log() -> None:
    spec = read(ROOT / "examples" / "kubernetes" / "log-report-own-image.yaml").spec
    trial = TrialInput(
        search="printed-report",
        trial="printed-report-000000",
        index=0,
        architecture={"kind": "choices", "values": {"a": 1, "b": -2, "c": 2}},
        task={"custom": {}},
        seed=1,
        attempt=1,
    )
    assert spec.trial.command is not None
    program = [sys.executable, *spec.trial.command[1:]]
    environment = {"PATH": os.environ["PATH"], "ARCHSEARCH_TRIAL": json.dumps(trial.model_dump(mode="json"))}
    log = subprocess.run(program, env=environment, check=True, capture_output=True, text=True).stdout
    report = parse_report(find_report_in_log(log))
    assert isinstance(report, Report)
    assert report.metrics == {"loss": 4.0}

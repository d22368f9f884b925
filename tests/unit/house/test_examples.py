"""Every example is a manifest that a reader can start from: valid, commented, and honouring the trial contract."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest

from archsearch.api import ArchitectureSearch
from archsearch.manifest import check
from archsearch.report import Report, TrialInput, parse_report
from archsearch.space import build

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))


def read(path: Path) -> ArchitectureSearch:
    search, errors = check(path.read_bytes(), path.name)
    assert errors == ()
    assert search is not None
    return search


def test_there_are_examples_of_every_space_task_and_data_set() -> None:
    searches = [read(path) for path in EXAMPLES]
    tasks = [search.spec.trial.task for search in searches]
    assert {search.spec.search_space.kind for search in searches} == {"convolutional", "choices", "cell"}
    assert {task.kind for task in tasks} == {"imageClassification", "tabular", "custom"}
    data = {task.image_classification.dataset.kind for task in tasks if task.image_classification is not None}
    assert data == {"digits", "cifar10", "fashionMnist", "imageFolder"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_example_is_valid_and_says_what_it_is_for(path: Path) -> None:
    search = read(path)
    assert path.read_text().startswith("# ")
    space = build(search.spec.search_space)
    assert space.size(space.stage(0)) > search.spec.trials.max // 2


def test_names_of_examples_are_distinct_so_that_their_folders_are() -> None:
    names = [read(path).metadata.name for path in EXAMPLES]
    assert sorted(names) == sorted(set(names))


def test_the_demo_is_as_large_as_the_readme_says() -> None:
    trials = read(ROOT / "examples" / "digits.yaml").spec.trials
    assert (trials.max, trials.parallelism) == (48, 2)


def run_spiral(tmp_path: Path, values: dict[str, object], seed: int = 3) -> Report:
    folder = ROOT / "examples" / "own-program"
    spec = read(folder / "search.yaml").spec
    trial = TrialInput(
        search="own-program",
        trial="own-program-000000",
        index=0,
        architecture={"kind": "choices", "values": values},
        task=json.loads(spec.trial.task.model_dump_json(exclude_none=True)),
        seed=seed,
        attempt=1,
    )
    report = tmp_path / "report.json"
    environment = {"ARCHSEARCH_TRIAL": trial.model_dump_json(), "ARCHSEARCH_REPORT": str(report)}
    command = [sys.executable, *(spec.trial.command or ())[1:]]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    parsed = parse_report(report.read_bytes())
    assert isinstance(parsed, Report)
    return parsed


@pytest.mark.parametrize("activation", ["tanh", "relu", "sin"])
def test_the_own_program_reports_finite_numbers_at_the_corners_of_its_space(tmp_path: Path, activation: str) -> None:
    space = read(ROOT / "examples" / "own-program" / "search.yaml").spec.search_space
    options = {choice.name: choice.values for choice in space.choices or ()}
    assert activation in options["activation"]
    for rate, momentum in itertools.product((options["rate"][0], options["rate"][-1]), (0.0, 0.9)):
        values = {"hidden": 2, "activation": activation, "rate": rate, "momentum": momentum}
        report = run_spiral(tmp_path, values)
        assert report.error is None
        assert set(report.metrics) == {"loss", "parameters"}
        assert report.metrics["parameters"] == 8


def test_the_own_program_repeats_itself_given_the_seed_and_learns(tmp_path: Path) -> None:
    good = {"hidden": 8, "activation": "sin", "rate": 0.1, "momentum": 0.5}
    poor = {"hidden": 2, "activation": "relu", "rate": 0.003, "momentum": 0.0}
    first = run_spiral(tmp_path, good)
    assert first == run_spiral(tmp_path, good)
    assert first.metrics["loss"] < 0.1
    assert run_spiral(tmp_path, poor).metrics["loss"] > 0.3

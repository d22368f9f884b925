"""The fast loop of the benches is the engine's: the same children, the same results taken over, child for child."""

import asyncio
import math
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from making import Problem
from offline import Child, Job, at, maker, measure, search, steps
from synthetic import of_table, problem_of

from archsearch.api import Strategy
from archsearch.bench import sample_efficiency
from archsearch.bench.table import read_table
from archsearch.controller.strategies import make
from archsearch.controller.strategy import Sampled
from archsearch.controller_contract import Observation
from archsearch.local.record import load_record
from archsearch.space.base import Genotype

CHILDREN = 60


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """125 networks of three decisions, of which a seventh is missing: those children fail."""
    path = tmp_path_factory.mktemp("tables") / "table.csv"
    lines = ["net,val_accuracy,test_accuracy"]
    for number, cell in enumerate(product("abcde", repeat=3)):
        if number % 7 != 3:
            lines.append(f"{''.join(cell)},{50 + math.sin(number) * 20:.4f},{number}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("in_flight", [1, 4])
def test_the_loop_agrees_with_the_engine_child_for_child(table: Path, tmp_path: Path, in_flight: int) -> None:
    name = "regularizedEvolution"
    given = {name: Strategy.model_validate({name: {}})}
    seeds = range(7001, 7002)
    benchmark = sample_efficiency.Benchmark(read_table(table), given, CHILDREN, seeds, in_flight, out=tmp_path)
    curves = asyncio.run(sample_efficiency.measure(benchmark, lambda done: None))
    record = load_record(tmp_path / name / "seed-7001")
    found = search(of_table(table), maker(name), 7001, CHILDREN, in_flight)
    assert [trial.genotype for trial in record.trials] == [child.genotype for child in found]
    assert [trial.reward for trial in record.trials] == [child.seen for child in found]
    assert [trial.duplicate_of for trial in record.trials] == [child.duplicate_of for child in found]
    assert curves[name][0].validation == tuple(child.true for child in found)
    assert sum(child.duplicate_of is not None for child in found) > 3
    assert sum(child.seen is None for child in found) > 3


class Scripted:
    """Asks for the genotypes of a list and remembers what it was told before each of them."""

    def __init__(self, genotypes: list[Genotype]) -> None:
        self.genotypes = genotypes
        self.told: list[float | None] = []
        self.before: list[int] = []

    def propose(self, index: int) -> Sampled:
        self.before.append(len(self.told))
        return Sampled(self.genotypes[index], 0.0, 0.0)

    def adopt(self, index: int, genotype: Genotype) -> None:
        assert genotype == self.genotypes[index]

    def observe(self, observation: Observation) -> None:
        assert observation.number == observation.index == len(self.told)
        self.told.append(observation.reward)


def noisy(failure: float | None = None) -> Problem:
    plain = problem_of("additive-0")
    return Problem(
        "noisy", plain.space, lambda one: None if one[0] == 1 else float(one[1]), 3.0, noise=0.5, failure=failure
    )


ZERO, ONE, BAD = (0, 0, 0, 0, 0, 0), (0, 1, 0, 0, 0, 0), (1, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(("in_flight", "before"), [(1, [0, 1, 2, 3, 4]), (2, [0, 0, 1, 2, 3]), (9, [0, 0, 0, 0, 0])])
def test_each_child_is_drawn_after_exactly_the_tells_that_it_may_see(in_flight: int, before: list[int]) -> None:
    script = Scripted([ZERO, ONE, BAD, ZERO, ONE])
    search(noisy(), lambda space, seed: script, 1, 5, in_flight)
    assert script.before == before


def test_noise_is_drawn_for_each_training_and_a_result_that_is_taken_over_keeps_it() -> None:
    def run(in_flight: int, seed: int = 1) -> list[Child]:
        return search(noisy(), lambda space, _: Scripted([ZERO, ONE, ZERO, ZERO, ONE]), seed, 5, in_flight)

    alone = run(1)
    assert [child.duplicate_of for child in alone] == [None, None, 0, 0, 1]
    assert [child.true for child in alone] == [0.0, 1.0, 0.0, 0.0, 1.0]
    assert alone[2].seen == alone[3].seen == alone[0].seen != 0.0
    assert run(1) == alone
    assert run(1, seed=2)[0].seen != alone[0].seen
    # With three in flight child 2 cannot know of child 0 yet: it is trained beside it, with noise of its own.
    beside = run(3)
    assert [child.duplicate_of for child in beside] == [None, None, 0, 0, 1]
    assert beside[2].seen not in (alone[2].seen, beside[0].seen)
    assert beside[3].seen == beside[0].seen == alone[0].seen


@pytest.mark.parametrize("failure", [None, -7.0])
def test_a_child_that_fails_teaches_what_the_problem_says(failure: float | None) -> None:
    script = Scripted([BAD, ZERO, BAD, ZERO])
    found = search(noisy(failure), lambda space, seed: script, 1, 4, 1)
    assert script.told == [failure, found[1].seen, failure]
    assert found[0].true is None
    assert found[2].duplicate_of == 0


def test_genotypes_of_one_network_are_duplicates() -> None:
    problem = problem_of("cell-0")
    one = problem.space.sample(lambda options: 1 % options, 0)
    one = (0, 1, 2, 3, *one[4:])  # block 1: another operation on each input
    twins = [one, (1, 0, 3, 2, *one[4:])]
    found = search(problem, lambda space, seed: Scripted(twins), 1, 2, 1)
    assert problem.space.canonical(twins[0]) == problem.space.canonical(twins[1])
    assert found[1].duplicate_of == 0
    assert found[1].true == found[0].true


def test_the_regret_is_that_of_the_child_that_looks_best_without_its_noise() -> None:
    found = [
        Child((0,), None, None, None),
        Child((1,), 5.0, 4.0, None),
        Child((2,), 7.0, 3.0, None),
        Child((3,), 2.0, 6.0, None),
        Child((4,), 9.0, 6.0, None),  # an equal changes nothing
    ]
    line = steps(10.0, found)
    assert line == [(2, 5.0), (4, 8.0)]
    assert [at(line, count) for count in range(1, 6)] == [None, 5.0, 5.0, 8.0, 8.0]


def test_results_are_kept_and_not_run_again(tmp_path: Path) -> None:
    out = tmp_path / "kept.jsonl"
    jobs = [Job("additive-0", name, seed, 12, 2) for seed in (1, 2) for name in ("random", "plainReinforce@mark")]
    first = list(measure(jobs, out, 1))
    assert [(line["strategy"], line["seed"]) for line in first] == [(job.strategy, job.seed) for job in jobs]
    text = out.read_text()
    assert len(text.splitlines()) == 4
    again = [{**line, "regret": [tuple(step) for step in line["regret"]]} for line in measure(jobs, out, 1)]
    assert again == first
    assert out.read_text() == text
    # More children, or another number in flight, are other searches.
    longer = list(measure([Job("additive-0", "random", 1, 13, 2), Job("additive-0", "random", 1, 12, 3)], out, 1))
    assert [line["children"] for line in longer] == [13, 12]
    assert len(out.read_text().splitlines()) == 6


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("random", {"random": {}}),
        ("localSearch:Best@x", {"localSearch": {"step": "Best"}}),
        (
            'regularizedEvolution{"population": 3, "sample": 2}',
            {"regularizedEvolution": {"population": 3, "sample": 2}},
        ),
    ],
)
def test_a_strategy_is_named_as_in_a_manifest(name: str, spec: dict[str, Any]) -> None:
    problem = problem_of("additive-0")
    strategy = Strategy.model_validate(spec, strict=False)
    expected = search(problem, lambda space, seed: make(strategy, space, seed), 3, 40)
    assert search(problem, maker(name), 3, 40) == expected


@pytest.mark.parametrize("name", ["plainReinforce", "tpe"])
def test_peers_climb_on_a_sum_of_effects(name: str) -> None:
    if name == "tpe":
        pytest.importorskip("optuna", reason="Optuna is a peer of the benches only: uv pip install optuna")
    problem = problem_of("additive-0")
    found = search(problem, maker(name), 5, 90, 3)
    rewards = [child.true or 0.0 for child in found]
    assert sum(rewards[-30:]) / 30 > sum(rewards[:30]) / 30 + 5

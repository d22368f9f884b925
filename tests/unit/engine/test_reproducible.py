"""Reproducible searches: the same child for child, however their trials were timed and whatever was killed."""

import hashlib
import random
from typing import Any

import pytest
from search_world import CrashError, FoldController, World, manifest

from archsearch.api import ArchitectureSearch
from archsearch.engine.leaderboard import counts, top
from archsearch.engine.model import (
    Attempt,
    AttemptState,
)


def lived_through(search: ArchitectureSearch, schedule: random.Random, options: int) -> World:
    """A search in which everything happens in an order drawn by ``schedule``; children report a figure of their own."""
    world = World(search, options)
    while world.outcome is None:
        event = schedule.random()
        if event < 0.08:
            world.controller = FoldController(options)
        elif event < 0.16:
            try:
                world.apply(world.plan(), schedule.randrange(6))
            except CrashError:
                world.restart(children_survive=schedule.random() < 0.5)
        elif event < 0.55 and world.running:
            index, attempt = schedule.choice(world.running)
            digest = hashlib.sha256(repr((world.seeds[index], world.disk[index].genotype)).encode()).digest()
            reward = digest[0] / 255
            world.end((index, attempt), "error" if digest[1] < 30 else "report", reward)
        elif event < 0.6 and world.running:
            key = schedule.choice(world.running)
            world.attempts[key] = Attempt(*key, AttemptState.LOST)
        else:
            world.apply(world.plan())
    return world


@pytest.mark.parametrize(
    ("name", "trials"),
    [
        ("budget", {"max": 30, "parallelism": 3}),
        ("lookahead", {"max": 30, "parallelism": 2, "lookahead": 3}),
        ("target", {"max": 200, "parallelism": 4, "target": 0.97}),
        ("failures", {"max": 200, "parallelism": 4, "maxFailed": 4}),
        ("duplicates", {"max": 200, "parallelism": 3, "maxConsecutiveDuplicates": 4}),
        ("confirmed", {"max": 30, "parallelism": 3, "confirm": 5}),
        ("target and confirmed", {"max": 200, "parallelism": 4, "target": 0.97, "confirm": 4}),
    ],
)
def test_a_reproducible_search_is_the_same_however_trials_were_timed_or_killed(
    name: str, trials: dict[str, Any]
) -> None:
    options = 2 if name == "duplicates" else 4
    search = manifest(options, reproducible=True, retries=0, **({"maxFailed": 100} | trials))
    stories = []
    for seed in range(12):
        world = lived_through(search, random.Random(seed), options)
        taught, counted = world.ledger.taught, counts(world.ledger)
        stories.append(
            (
                [(t.index, t.genotype, t.reward, t.phase, t.reuse_of, t.observation) for t in world.ledger][:taught],
                world.outcome,
                world.final_hash,
                [(t.confirm_of, t.reward, t.phase) for t in world.ledger if t.confirm_of is not None],
                [(trial.index, trial.reward) for trial in top(world.ledger, 25, world.search.spec.objective)],
                (counted.succeeded, counted.failed),
            )
        )
    assert all(story == stories[0] for story in stories)
    assert len(stories[0][0]) >= 5
    assert len(stories[0][3]) == trials.get("confirm", 0)

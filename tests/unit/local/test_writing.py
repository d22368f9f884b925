"""What a pass writes, as crash points name it, and when a replay has diverged."""

from collections.abc import Callable

import pytest

from archsearch.controller_contract import PolicyState
from archsearch.engine.divergence import divergences
from archsearch.engine.ledger import Ledger
from archsearch.engine.model import Outcome, Phase, Plan, Result, Start, Trial
from archsearch.local.writing import kinds_of
from archsearch.report import TrialInput

Make = Callable[..., Trial]
GIVEN = TrialInput(search="s", trial="s-000000", index=0, architecture={}, task={}, seed=0, attempt=1)


def state(version: int, asked: int, digest: str) -> PolicyState:
    return PolicyState(strategy="random", version=version, asked=asked, hash=digest)


def test_each_kind_of_write_has_its_name(trial: Make) -> None:
    running = trial(0, phase=Phase.RUNNING, reward=None, observation=None)
    again = trial(0, phase=Phase.PENDING, reward=None, observation=None)
    ended = trial(0, observation=None)
    repeat = trial(1, genotype=trial(0).genotype, phase=Phase.PENDING, reward=None, observation=None, confirm_of=0)
    outcome = Outcome(Result.SUCCEEDED, "MaxTrialsReached", "")
    for plan, before, kinds in (
        (Plan(), [running], []),
        (Plan(trials=(running,)), [], ["propose"]),
        (Plan(trials=(running,), starts=(Start(0, 1, GIVEN),)), [], ["propose", "start"]),
        (Plan(trials=(repeat,)), [trial(0)], ["confirm"]),
        (Plan(trials=(trial(0), repeat)), [ended], ["confirm", "number"]),
        (Plan(trials=(ended,)), [running], ["end"]),
        (Plan(trials=(again,)), [running], ["end"]),
        (Plan(trials=(trial(0),)), [ended], ["number"]),
        (Plan(trials=(trial(0),), outcome=outcome), [running], ["end", "number", "outcome"]),
    ):
        assert kinds_of(plan, Ledger(before)) == kinds


@pytest.mark.parametrize(
    ("replayed", "warned"),
    [
        (state(3, 4, "aaaa"), False),
        (state(3, 4, "bbbb"), True),
        (state(3, 5, "bbbb"), False),
        (state(4, 4, "bbbb"), False),
    ],
)
def test_only_another_hash_of_the_same_moment_is_a_divergence(replayed: PolicyState, warned: bool) -> None:
    found = divergences([replayed], [state(3, 4, "aaaa")])
    assert bool(found) is warned
    assert all("PolicyDiverged" in text and "bbbb, not aaaa" in text for text in found)

"""The human baseline is trained like a child: retried where a child would be, and never waited for without end."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from recording_runner import RecordingRunner

from archsearch.api import ArchitectureSearch
from archsearch.engine.model import Trial
from archsearch.engine.record import HumanBaseline, SearchRecord
from archsearch.local.attempts import DEADLINE_EXCEEDED, Attempts
from archsearch.local.folder import Attempt as Files
from archsearch.local.folder import Folder
from archsearch.local.human import human_limit, train_human
from archsearch.local.runner import Ended, Running, Status
from archsearch.warm_contract import WARM_ENDED

MakeSearch = Callable[..., ArchitectureSearch]
MakeTrial = Callable[..., Trial]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
GOOD = Ended(0, b'{"version": 1, "metrics": {"accuracy": 0.5}}', 2.0)
KILLED = Ended(-9, None, 1.0)
LOST = None
INTERRUPTED = Ended(0, None, 1.0, WARM_ENDED)
BROKEN = Ended(0, b'{"version": 1, "metrics": {}, "error": {"reason": "LossNotFinite", "message": "nan"}}', 1.0)


class Scripted(RecordingRunner):
    """A runner whose attempts end one after the other as the test says."""

    def __init__(self, ends: Sequence[Status | None]) -> None:
        self.ends = list(ends)
        super().__init__()

    def status(self, name: str, files: Files) -> Status | None:
        if self.stopped:
            return Ended(-15, None, 70.0, DEADLINE_EXCEEDED)
        assert name == self.started[-1].id
        return self.ends[len(self.started) - 1]


async def trained(search: ArchitectureSearch, runner: Scripted, tmp_path: Path, *, go_on: bool) -> HumanBaseline | None:
    async def next_event() -> bool:
        return go_on

    record = SearchRecord(search, search.spec.strategy.resolved(), (), (), None, NOW, 0.0)
    attempts = Attempts(search, Folder(tmp_path), tmp_path, runner)
    return await train_human(record, {"kind": "human"}, Folder(tmp_path), attempts, runner, next_event)


@pytest.mark.parametrize(
    ("ends", "started", "seconds", "reason"),
    [
        ([GOOD], 1, 2.0, None),
        ([KILLED, GOOD], 2, 3.0, None),
        ([KILLED, KILLED, GOOD], 3, 4.0, None),
        ([KILLED, KILLED, KILLED, GOOD], 3, 3.0, "Killed: the trial was ended by SIGKILL (out of memory?)"),
        ([LOST, LOST, LOST, GOOD], 4, 2.0, None),
        ([LOST, INTERRUPTED, LOST, LOST, GOOD], 4, 1.0, "AttemptLost: the processes that ran it are gone"),
        ([BROKEN, GOOD], 1, 1.0, "LossNotFinite: nan"),
    ],
)
async def test_it_is_tried_again_where_a_child_would_be_and_given_up_in_the_end(
    search: MakeSearch,
    tmp_path: Path,
    ends: list[Status | None],
    started: int,
    seconds: float,
    reason: str | None,
) -> None:
    runner = Scripted(ends)
    human = await trained(search(trials={"retries": 2}), runner, tmp_path, go_on=True)
    assert human is not None
    assert (len(runner.started), human.seconds, human.reason) == (started, seconds, reason)
    assert human.metrics == ({} if reason else {"accuracy": 0.5})
    assert [request.input.attempt for request in runner.started] == list(range(1, started + 1))
    assert len({request.input.seed for request in runner.started}) == 1


async def test_one_that_hangs_is_stopped_at_its_deadline_and_not_tried_again(
    search: MakeSearch, tmp_path: Path
) -> None:
    runner = Scripted([Running(61.0, stopping=False)])
    human = await trained(search(), runner, tmp_path, go_on=True)
    assert runner.stopped == [("human-1", DEADLINE_EXCEEDED)]
    assert human is not None
    assert human.reason is not None
    assert human.reason.startswith("DeadlineExceeded: it ran longer than 60 s, ten times the longest child's time")


async def test_one_that_is_interrupted_has_no_result_yet(search: MakeSearch, tmp_path: Path) -> None:
    assert await trained(search(), Scripted([Running(1.0, stopping=False)]), tmp_path, go_on=False) is None


@pytest.mark.parametrize(
    ("deadline", "longest", "expected"), [("90s", 100.0, 90.0), (None, 100.0, 1000.0), (None, 0.5, 60.0)]
)
def test_its_limit_is_the_manifests_or_ten_times_the_longest_child(
    search: MakeSearch, trial: MakeTrial, deadline: str | None, longest: float, expected: float
) -> None:
    given = {"task": {"custom": {}}, "command": ["true"]} | ({"deadline": deadline} if deadline else {})
    manifest = search(trial=given)
    trials = (trial(0, seconds=longest), trial(1, seconds=longest / 2))
    record = SearchRecord(manifest, manifest.spec.strategy.resolved(), trials, (), None, NOW, 0.0)
    limit, words = human_limit(record)
    assert limit == expected
    assert (deadline is not None) is words.startswith("spec.trial.deadline (90s)")

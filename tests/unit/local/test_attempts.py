"""What the loop sees of attempts: running, ended, lost, overdue; and how cores are shared out."""

from collections.abc import Callable
from pathlib import Path

import pytest
from recording_runner import RecordingRunner

from archsearch.api import ArchitectureSearch
from archsearch.engine.model import AttemptState, Phase, Start, Stop, Trial
from archsearch.engine.running import trial_seed
from archsearch.local.attempts import Attempts, threads
from archsearch.local.folder import Attempt as Files
from archsearch.local.folder import Folder
from archsearch.local.runner import Ended, Running, Status
from archsearch.report import TrialInput

MakeSearch = Callable[..., ArchitectureSearch]
MakeTrial = Callable[..., Trial]


class Recorded(RecordingRunner):
    """A runner whose statuses the test sets."""

    def __init__(self, statuses: dict[str, Status]) -> None:
        self.statuses = statuses
        super().__init__()

    def status(self, name: str, files: Files) -> Status | None:
        return self.statuses.get(name)


def trial_input(index: int) -> TrialInput:
    return TrialInput(
        search="small",
        trial="small-000000",
        index=index,
        architecture={},
        task={},
        seed=trial_seed(0, index),
        attempt=1,
    )


@pytest.mark.parametrize(
    ("spec", "cores", "expected"),
    [
        ({"trials": {"parallelism": 2}}, 8, 4),
        ({"trials": {"parallelism": 3}}, 8, 2),
        ({"trials": {"parallelism": 16}}, 8, 1),
        ({"trials": {"parallelism": 0}}, 8, 8),
        ({"trials": {"parallelism": 2, "reproducible": True}}, 8, 1),
    ],
)
def test_cores_are_shared_out_among_parallelism(
    search: MakeSearch, spec: dict[str, object], cores: int, expected: int
) -> None:
    assert threads(search(**spec), cores) == expected


@pytest.mark.parametrize("reproducible", [True, False])
def test_threads_of_the_manifest_are_taken_as_they_are(search: MakeSearch, reproducible: bool) -> None:
    trial = {"task": {"custom": {}}, "command": ["true"], "threads": 3}
    assert threads(search(trial=trial, trials={"parallelism": 2, "reproducible": reproducible}), 64) == 3


async def test_every_running_trial_is_reported_once_and_others_not_at_all(
    search: MakeSearch, trial: MakeTrial, tmp_path: Path
) -> None:
    runner = Recorded(
        {
            "000000-1": Running(1.0, stopping=False),
            "000001-2": Running(1.0, stopping=True),
            "000002-1": Ended(3, b"{", 2.0, "Suspended", cpu_seconds=3.5),
        }
    )
    attempts = Attempts(search(), Folder(tmp_path), tmp_path, runner)
    running = [
        trial(0, phase=Phase.RUNNING),
        trial(1, phase=Phase.RUNNING, attempts=2),
        trial(2, phase=Phase.RUNNING),
        trial(3, phase=Phase.RUNNING),
    ]
    seen, deadline = await attempts.observe([*running, trial(4, phase=Phase.PENDING)])
    assert [(a.index, a.attempt, a.state) for a in seen] == [
        (0, 1, AttemptState.RUNNING),
        (1, 2, AttemptState.STOPPING),
        (2, 1, AttemptState.EXITED),
        (3, 1, AttemptState.LOST),
    ]
    assert (seen[2].exit_code, seen[2].report, seen[2].reason, seen[2].seconds) == (3, b"{", "Suspended", 2.0)
    assert seen[2].cpu_seconds == 3.5
    assert deadline is None


@pytest.mark.parametrize(
    ("seconds", "stopped", "left"), [(59.0, False, 1.0), (60.0, True, None), (61.0, True, None), (0.0, False, 60.0)]
)
async def test_an_attempt_past_its_deadline_is_stopped(
    search: MakeSearch, trial: MakeTrial, tmp_path: Path, seconds: float, stopped: bool, left: float | None
) -> None:
    runner = Recorded({"000000-1": Running(seconds, stopping=False)})
    limited = search(trial={"task": {"custom": {}}, "command": ["true"], "deadline": "1m"})
    _, deadline = await Attempts(limited, Folder(tmp_path), tmp_path, runner).observe([trial(0, phase=Phase.RUNNING)])
    assert runner.stopped == ([("000000-1", "DeadlineExceeded")] if stopped else [])
    assert deadline == left


async def test_an_attempt_that_its_deadline_ended_says_so(search: MakeSearch, trial: MakeTrial, tmp_path: Path) -> None:
    runner = Recorded({"000000-1": Ended(-15, None, 60.1, "DeadlineExceeded")})
    limited = search(trial={"task": {"custom": {}}, "command": ["true"], "deadline": "1m"})
    seen, _ = await Attempts(limited, Folder(tmp_path), tmp_path, runner).observe([trial(0, phase=Phase.RUNNING)])
    assert seen[0].reason == "DeadlineExceeded"
    assert seen[0].message == "it ran longer than spec.trial.deadline (1m)"


async def test_a_start_finds_an_empty_folder_whatever_lay_there(search: MakeSearch, tmp_path: Path) -> None:
    runner = Recorded({})
    attempts = Attempts(search(), Folder(tmp_path / "run"), tmp_path, runner)
    stale = tmp_path / "run" / "trials" / "0" / "1" / "exit.json"
    stale.parent.mkdir(parents=True)
    stale.write_text("{}")
    await attempts.start(Start(0, 1, trial_input(0)))
    assert list(stale.parent.iterdir()) == []
    (request,) = runner.started
    assert (request.id, request.command, request.folder) == ("000000-1", ("true",), str(tmp_path))
    assert request.exit_file == str(stale)


async def test_a_stop_names_its_attempt(search: MakeSearch, tmp_path: Path) -> None:
    runner = Recorded({})
    await Attempts(search(), Folder(tmp_path), tmp_path, runner).stop(Stop(12, 3, "Suspended"))
    assert runner.stopped == [("000012-3", "Suspended")]

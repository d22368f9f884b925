"""The warm-process contract, with real forks, real training and real kills."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from archsearch.report import Report, parse_report
from archsearch.warm_contract import ChildExited

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="children are POSIX processes")

LAYER = {"filterHeight": 3, "filterWidth": 3, "strideHeight": 1, "strideWidth": 1, "filters": 4, "inputs": [0]}
NETWORK = {"kind": "convolutional", "layers": [LAYER], "outputs": [1]}
TRAINING = {"imageClassification": {"dataset": {"digits": {}}, "epochs": 1, "limit": 200}}
ENDLESS = {"imageClassification": {"dataset": {"digits": {}}, "epochs": 10_000, "limit": 200}}
PATIENCE = 60.0


class Warm:
    """A warm process and its conversation."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.errors = folder / "warm.log"
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "archsearch.trial.warm", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                bufsize=0,
                env=os.environ | {"SEEN_BY_CHILDREN": "yes"},
            )
        self._buffer = b""
        assert self.answer()["type"] == "ready"

    def ask(self, **request: Any) -> None:
        self.say(json.dumps(request).encode() + b"\n")

    def say(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    def start(self, name: str, task: Any = TRAINING, command: list[str] | None = None, **settings: Any) -> int:
        """Ask for a child; its process id."""
        self.request(name, task, command, **settings)
        answer = self.answer()
        assert (answer["type"], answer["id"]) == ("started", name)
        return int(answer["pid"])

    def request(self, name: str, task: Any = TRAINING, command: list[str] | None = None, **settings: Any) -> None:
        given = {"search": "s", "trial": "s-000000", "index": 0, "architecture": NETWORK, "task": task, "seed": 0}
        paths = {"report_file": "report.json", "exit_file": "exit.json", "log": "log.txt"}
        request = {key: str(self.folder / name / file) for key, file in paths.items()} | {"folder": str(self.folder)}
        self.ask(
            type="start",
            id=name,
            input=given | {"attempt": 1} | settings.pop("input", {}),
            command=command,
            **{camel(key): value for key, value in (request | settings).items()},
        )

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        until = time.monotonic() + PATIENCE
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self.process.stdout], [], [], until - time.monotonic())
            assert ready, "no answer"
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, self.errors.read_text()
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def exited(self, name: str) -> ChildExited:
        """Its end: the answer and the file must say the same."""
        answer = self.answer()
        assert (answer["type"], answer["id"]) == ("exited", name)
        assert json.loads((self.folder / name / "exit.json").read_text()) == answer
        return ChildExited.model_validate_json(json.dumps(answer))

    def log(self, name: str) -> str:
        return (self.folder / name / "log.txt").read_text()

    def report(self, name: str) -> Report:
        parsed = parse_report((self.folder / name / "report.json").read_bytes())
        assert isinstance(parsed, Report)
        return parsed

    def close(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(PATIENCE)


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


@contextlib.contextmanager
def warm_process(folder: Path, *arguments: str) -> Iterator[Warm]:
    warm = Warm(folder, *arguments)
    try:
        yield warm
    finally:
        warm.process.kill()
        warm.process.wait()
        for pipe in (warm.process.stdin, warm.process.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture(scope="module")
def forking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """One warm process that forks, for all tests that leave it as it was."""
    with warm_process(tmp_path_factory.mktemp("forking"), "--start-method", "fork") as warm:
        yield warm


@pytest.fixture(scope="module")
def spawning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """One that imports nothing: quick to start, for all that concerns commands."""
    with warm_process(tmp_path_factory.mktemp("spawning"), "--start-method", "spawn") as warm:
        yield warm


@contextlib.contextmanager
def watched(pids: list[int]) -> Iterator[list[int]]:
    """Descriptors that become readable when the processes end, however they are related to us."""
    descriptors = [os.pidfd_open(pid) for pid in pids]
    try:
        yield descriptors
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def all_end(descriptors: list[int], seconds: float = 20.0) -> bool:
    """Whether all watched processes end in time."""
    until, left = time.monotonic() + seconds, set(descriptors)
    while left and time.monotonic() < until:
        ready, _, _ = select.select(left, [], [], until - time.monotonic())
        left -= set(ready)
    return not left


def wait_for_line(file: Path, text: str) -> None:
    """Until ``file`` holds ``text``; polled, for the writer knows nothing of us."""
    until = time.monotonic() + PATIENCE
    while not (file.exists() and text in file.read_text()):
        assert time.monotonic() < until, f"{text!r} never came to {file}"
        select.select([], [], [], 0.01)


SHELL = ["sh", "-c"]


def test_a_forked_child_trains_and_reports(forking: Warm) -> None:
    before = time.time_ns()
    forking.start("000000-1")
    exited = forking.exited("000000-1")
    report = forking.report("000000-1")
    assert (exited.exit_code, exited.stop_reason) == (0, None)
    assert report.error is None
    assert 0 < report.metrics["startupSeconds"] < exited.seconds
    assert report.times is not None
    assert (
        before <= report.times.started < report.times.ended <= time.time_ns()
    )  # from its fork, not its parent's start
    assert exited.cpu_seconds > 0
    assert exited.max_rss_bytes > 50_000_000
    assert json.loads(forking.log("000000-1").splitlines()[0])["epoch"] == 1


def test_forked_children_with_several_threads_agree_bit_for_bit(forking: Warm) -> None:
    for name in ("000001-1", "000002-1"):
        forking.start(name, input={"threads": 2})
        assert forking.exited(name).exit_code == 0
    first, second = ({**forking.report(name).metrics} for name in ("000001-1", "000002-1"))
    for metrics in (first, second):
        for name in ("startupSeconds", "trainingSeconds", "examplesPerSecond"):
            del metrics[name]
    assert first == second


def test_many_children_at_once_each_end_once(forking: Warm) -> None:
    names = [f"00002{number}-1" for number in range(6)]
    for name in names:
        forking.request(name)
    answers = [forking.answer() for _ in range(12)]
    for kind in ("started", "exited"):
        assert sorted(answer["id"] for answer in answers if answer["type"] == kind) == names
    assert all(forking.report(name).error is None for name in names)


def test_relative_data_start_at_the_childs_folder_and_bad_data_are_the_report(forking: Warm) -> None:
    (forking.folder / "table.csv").write_text("cell,accuracy\n7,0.25\n")
    choices = {"architecture": {"kind": "choices", "values": {"a": 7}}}
    forking.start("000010-1", {"tabular": {"table": "table.csv"}}, input=choices)
    assert forking.exited("000010-1").exit_code == 0
    assert forking.report("000010-1").metrics == {"accuracy": 0.25}
    forking.start("000011-1", {"tabular": {"table": "nowhere.csv"}}, input=choices)
    assert forking.exited("000011-1").exit_code == 0
    error = forking.report("000011-1").error
    assert error is not None
    assert error.reason == "TableMissing"


def test_a_malformed_request_is_told_and_the_next_is_served(forking: Warm) -> None:
    forking.say(b'not json\n{"type": "dance"}\n{"type": "start", "id": "000012-1"}\n\n\xff\xfe\n')
    forking.ask(type="stop", id="never-started")
    forking.start("000013-1", {})
    assert forking.exited("000013-1").exit_code == 0
    error = forking.report("000013-1").error
    assert error is not None
    assert error.reason == "TaskInvalid"
    assert forking.errors.read_text().count("request refused") == 4


def test_a_child_is_stopped_at_once_and_the_reason_is_kept(forking: Warm) -> None:
    forking.start("000014-1", ENDLESS)
    wait_for_line(forking.folder / "000014-1" / "log.txt", '"epoch": 1')
    forking.ask(type="stop", id="000014-1", graceSeconds=PATIENCE, reason="DeadlineExceeded")
    exited = forking.exited("000014-1")
    assert (exited.exit_code, exited.stop_reason) == (-signal.SIGTERM, "DeadlineExceeded")
    assert not (forking.folder / "000014-1" / "report.json").exists()


def test_a_spawned_child_trains_and_reports(spawning: Warm) -> None:
    spawning.start("000000-1")
    assert spawning.exited("000000-1").exit_code == 0
    assert spawning.report("000000-1").error is None


def test_a_command_is_given_the_contract(spawning: Warm) -> None:
    program = (
        "import json, os; trial = json.loads(os.environ['ARCHSEARCH_TRIAL']); print(os.getcwd(), os.getpgrp() == "
        "os.getppid(), os.environ['SEEN_BY_CHILDREN'], os.environ['OMP_NUM_THREADS']); "
        "report = {'version': 1, 'metrics': {'seed': trial['seed']}}; "
        "open(os.environ['ARCHSEARCH_REPORT'], 'w').write(json.dumps(report))"
    )
    pid = spawning.start("000001-1", {"custom": {}}, [sys.executable, "-c", program], input={"seed": 77, "threads": 3})
    assert spawning.exited("000001-1").exit_code == 0
    assert pid > 0
    assert spawning.report("000001-1").metrics == {"seed": 77.0}
    assert spawning.log("000001-1").split() == [str(spawning.folder), "True", "yes", "3"]


def test_a_large_input_goes_by_file(spawning: Warm) -> None:
    task = {"custom": {"weights": "x" * 200_000}}
    program = [*SHELL, 'test -z "$ARCHSEARCH_TRIAL" && wc -c < "$ARCHSEARCH_TRIAL_FILE"']
    spawning.start("000002-1", task, program)
    assert spawning.exited("000002-1").exit_code == 0
    assert int(spawning.log("000002-1")) > 200_000


@pytest.mark.parametrize(
    ("name", "command", "code", "log"),
    [
        ("100001-1", [*SHELL, "exit 3"], 3, ""),
        ("100002-1", [*SHELL, "kill -SEGV $$"], -signal.SIGSEGV, ""),
        ("100003-1", [*SHELL, "kill -KILL $$"], -signal.SIGKILL, ""),
        ("100004-1", ["no-such-program"], 127, "'no-such-program' is not found"),
        ("100005-1", ["/etc/passwd"], 126, "is not executable"),
        ("100006-1", [*SHELL, "echo out; echo err >&2; cat"], 0, "out\nerr\n"),
    ],
)
def test_a_commands_end_is_told_as_it_was(spawning: Warm, name: str, command: list[str], code: int, log: str) -> None:
    spawning.start(name, {"custom": {}}, command)
    assert spawning.exited(name).exit_code == code
    assert log in spawning.log(name)


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("110001-1", {"folder": "/nowhere"}),
        ("110002-1", {"log": "/proc/log"}),
        ("110003-1", {"report_file": "/proc/x/y"}),
    ],
)
def test_a_child_that_cannot_begin_has_exited_with_126(spawning: Warm, name: str, paths: dict[str, str]) -> None:
    spawning.request(name, {"custom": {}}, ["true"], **paths)
    answers = [spawning.answer()]
    if answers[0]["type"] == "started":
        answers.append(spawning.answer())
    assert (answers[-1]["type"], answers[-1]["exitCode"]) == ("exited", 126)


def test_an_exit_file_that_cannot_be_written_does_not_silence_the_answer(spawning: Warm) -> None:
    spawning.start("120001-1", {"custom": {}}, ["true"], exit_file="/proc/nowhere/exit.json")
    assert spawning.answer()["type"] == "exited"
    assert "exit file cannot be written" in spawning.errors.read_text()


def test_a_command_that_ignores_sigterm_is_killed_after_its_grace(spawning: Warm) -> None:
    spawning.start("130001-1", {"custom": {}}, [*SHELL, "trap '' TERM; echo ready; while :; do sleep 1; done"])
    wait_for_line(spawning.folder / "130001-1" / "log.txt", "ready")
    spawning.ask(type="stop", id="130001-1", graceSeconds=0.2, reason="Suspended")
    exited = spawning.exited("130001-1")
    assert (exited.exit_code, exited.stop_reason) == (-signal.SIGKILL, "Suspended")
    assert exited.seconds < 10


def test_what_a_command_leaves_behind_is_killed(spawning: Warm) -> None:
    spawning.request("140001-1", {"custom": {}}, [*SHELL, "sleep 1000 & echo $!; read line < hold"])
    os.mkfifo(spawning.folder / "hold")
    assert spawning.answer()["type"] == "started"
    wait_for_line(spawning.folder / "140001-1" / "log.txt", "\n")
    with watched([int(spawning.log("140001-1"))]) as descriptors:
        (spawning.folder / "hold").write_text("go on\n")
        assert spawning.exited("140001-1").exit_code == 0
        assert all_end(descriptors)


def test_an_id_that_runs_is_not_started_twice(spawning: Warm) -> None:
    first = spawning.start("150001-1", {"custom": {}}, ["sleep", "1000"])
    spawning.request("150001-1", {"custom": {}}, ["sleep", "1000"])
    spawning.ask(type="stop", id="150001-1")
    assert spawning.exited("150001-1").exit_code == -signal.SIGTERM
    assert first > 0
    assert "runs already" in spawning.errors.read_text()


def _family(warm: Warm) -> list[int]:
    """A command with a process of its own, that both shrug SIGTERM off: their process ids."""
    script = "trap '' TERM; sleep 1000 & echo $$ $! ready; wait"
    pid = warm.start("900001-1", {"custom": {}}, [*SHELL, script])
    wait_for_line(warm.folder / "900001-1" / "log.txt", "ready")
    return [pid, *map(int, warm.log("900001-1").split()[:2])]


def test_no_child_outlives_a_warm_process_that_is_killed(tmp_path: Path) -> None:
    with warm_process(tmp_path, "--start-method", "fork") as warm:
        pids = _family(warm)
        pids.append(warm.start("900002-1", ENDLESS))
        wait_for_line(tmp_path / "900002-1" / "log.txt", '"epoch": 1')
        with watched(pids) as descriptors:
            warm.process.kill()
            assert all_end(descriptors)


def test_no_child_outlives_a_killed_warm_process_where_the_kernel_has_no_death_signal(tmp_path: Path) -> None:
    with warm_process(tmp_path, "--start-method", "spawn", "--no-death-signal") as warm:
        guards = [warm.start("900004-1", ENDLESS), _family(warm)[0]]
        for guard in guards:
            until = time.monotonic() + PATIENCE
            while not Path(f"/proc/{guard}/task/{guard}/children").read_text():
                assert time.monotonic() < until, "a guard never started its work"
        workers = [int(Path(f"/proc/{guard}/task/{guard}/children").read_text()) for guard in guards]
        with watched([*guards, *workers]) as descriptors:
            warm.process.kill()
            assert all_end(descriptors)


@pytest.mark.parametrize("how", ["stdin", "sigterm", "stdout"])
def test_a_warm_process_that_ends_takes_its_children_with_it(tmp_path: Path, how: str) -> None:
    with warm_process(tmp_path, "--start-method", "spawn") as warm:
        with watched(_family(warm)) as descriptors:
            if how == "stdin":
                assert warm.close() == 0
            elif how == "sigterm":
                warm.process.terminate()
            else:
                assert warm.process.stdout is not None
                warm.process.stdout.close()
                warm.ask(type="start")
                warm.request("900003-1", {"custom": {}}, ["true"])
            assert all_end(descriptors)
            assert warm.process.wait(PATIENCE) == 0
        exited = json.loads((tmp_path / "900001-1" / "exit.json").read_text())
    assert (exited["exitCode"], exited["stopReason"]) == (-signal.SIGKILL, "WarmProcessEnded")

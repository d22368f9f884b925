"""``python -m archsearch.trial.warm``: starts children as core/archsearch/warm_contract.py says.

It imports torch once and forks, so that a child costs milliseconds instead of seconds. A fork is safe only while there
is one thread and no tensor operation has been done (OpenMP's threads do not survive a fork, and a forked child that
needs them hangs): libraries are held to one thread, data are read with NumPy alone, and before each fork the threads
are counted; where there is more than one after all, the child is started as a fresh interpreter, slower but sound.
"""

import argparse
import contextlib
import gc
import importlib
import os
import select
import signal
import sys
import time
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from archsearch.trial.program import prefetch
from archsearch.trial.warm_children import Children
from archsearch.trial.warm_process import DeathSignal, Lifeline
from archsearch.trial.warm_start import Starter
from archsearch.warm_contract import WARM_ENDED, Ready, Request, StartChild, StopChild

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_PRELOADED = (
    "torch",
    "archsearch.trial.entry",
    "archsearch.trial.tasks.image_classification",
    "archsearch.trial.tasks.tabular",
)
_LAST_GRACE = 0.5
"""Seconds that children have between SIGTERM and SIGKILL when the warm process itself is to end."""


class Warm:
    """The warm process: one thread, one loop over requests, signals and deadlines."""

    def __init__(self, children: Children, wake: tuple[int, int], preload: bool) -> None:
        """``wake`` is a pipe that signals write to; ``preload``: read a search's data before forking its children."""
        self.children = children
        self.preload = preload
        self._requests: TypeAdapter[StartChild | StopChild] = TypeAdapter(Request)
        self._wake = wake
        self._sources = [0, wake[0]]
        self._buffer = b""
        self._terminated = False

    def run(self) -> None:
        """Serve until stdin closes, nobody reads the answers or SIGTERM arrives; then end every child."""
        self._watch_signals()
        self.children.say(Ready(pid=os.getpid()))
        ending = False
        while not ending or self.children.running:
            ready, _, _ = select.select(self._sources, [], [], self.children.wait_seconds())
            if self._wake[0] in ready:
                os.read(self._wake[0], 65536)
            if 0 in ready and self._read():
                self._sources.remove(0)
            if not ending and (0 not in self._sources or self.children.unheard or self._terminated):
                ending = True
                self.children.stop_all(_LAST_GRACE, WARM_ENDED)
            self.children.reap()
            self.children.kill_overdue()

    def _watch_signals(self) -> None:
        for descriptor in self._wake:
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(self._wake[1])
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._terminate)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _terminate(self, *_: object) -> None:
        self._terminated = True

    def _read(self) -> bool:
        """Read what has come and serve each whole line; True at the end of stdin."""
        data = os.read(0, 1 << 16)
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            if line.strip() and not self._terminated:
                self._serve(line)
        return not data

    def _serve(self, line: bytes) -> None:
        try:
            request = self._requests.validate_json(line)
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors())
            print(f"warm: request refused: {problems}: {line[:200]!r}", file=sys.stderr, flush=True)
            return
        if isinstance(request, StopChild):
            self.children.stop(request)
            return
        if self.preload and request.command is None:
            self._prefetch(request)
        self.children.start(request)

    def _prefetch(self, request: StartChild) -> None:
        """Have the data in memory before the fork; what is wrong with them the child itself reports."""
        try:
            prefetch(request.input.task, Path(request.folder))
        except Exception as error:
            print(f"warm: data not read ahead: {error}", file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the warm process."""
    parser = argparse.ArgumentParser(prog="python -m archsearch.trial.warm", description="Starts children.")
    parser.add_argument(
        "--start-method",
        choices=("fork", "spawn"),
        default="fork" if sys.platform == "linux" else "spawn",
        help="fork: from this process, with torch imported; spawn: a fresh interpreter for each child",
    )
    parser.add_argument(
        "--no-death-signal",
        action="store_true",
        help="bind every child by a guard, as on platforms without a parent-death signal",
    )
    options = parser.parse_args(arguments)
    method = options.start_method
    environment = dict(os.environ)
    answers = _private_stdout()
    with contextlib.suppress(PermissionError):
        os.setsid()
    if method == "fork":
        _import_once()
    wake = os.pipe()
    death = DeathSignal(wanted=not options.no_death_signal)
    starter = Starter(environment, death, Lifeline.open(), fork=method == "fork", private=(answers, *wake))
    Warm(Children(starter, answers), wake, preload=method == "fork").run()
    return 0


def _private_stdout() -> int:
    """The answers' own descriptor: whatever a library prints goes to stderr instead of between them."""
    answers = os.dup(1)
    os.dup2(2, 1)
    return answers


def _import_once() -> None:
    """Import what children need; one thread each, and nothing that the collector would touch in every child."""
    began = time.monotonic()
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    for module in _PRELOADED:
        importlib.import_module(module)
    # Objects of the imports are never freed: out of the collector's sight their pages stay shared with the children.
    gc.collect()
    gc.freeze()
    print(f"warm: imported in {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

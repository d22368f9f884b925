"""Programs of a test: each in a session of its own, logged, and ended even when the test run is killed."""

import os
import random
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

# Waits for the end of its stdin, the other end of which only the test run holds; then ends the program.
_WATCHDOG = """
while read -r _; do :; done
kill -TERM "$1" 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$1" 2>/dev/null || exit 0; sleep 0.3; done
kill -KILL "$1" 2>/dev/null
"""
_PATIENCE = 20.0


class ProgramDied(Exception):  # noqa: N818 - it says what is the matter
    """A program ended that should run; the message has the end of its log."""


class Program:
    """A program that may be started, stopped and started again; every run appends to ``log``."""

    def __init__(self, command: Sequence[str | Path], log: Path, environment: dict[str, str] | None = None) -> None:
        self.command = [str(part) for part in command]
        self.log = log
        self._environment = environment or {}
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """Name of the program."""
        return Path(self.command[0]).name

    @property
    def pid(self) -> int | None:
        """Its process, while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start it; a running one is left alone."""
        if self.pid is not None:
            return
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._environment},
                start_new_session=True,
            )
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", _WATCHDOG, "watchdog", str(self._process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it by ``number``, by SIGKILL if that takes more than 20 seconds; an ended one is no error."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(number)
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        watchdog, self._watchdog = self._watchdog, None
        if watchdog is not None:
            watchdog.kill()
            watchdog.communicate()

    def kill(self) -> None:
        """End it as a crash does: by SIGKILL."""
        self.stop(signal.SIGKILL)

    def check(self) -> None:
        """Raises ProgramDied where it has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise ProgramDied(f"{self.name} ended with exit code {self._process.returncode}:\n{self.tail()}")

    def tail(self, size: int = 3000) -> str:
        """The end of its log."""
        return self.log.read_bytes()[-size:].decode("utf-8", "replace") if self.log.exists() else "(no log)"


def free_port() -> int:
    """A free port of 127.0.0.1, below the range from which systems take the ports of outgoing connections.

    So nobody takes it while its server is down for a while, which is what tests of outages do.
    """
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port

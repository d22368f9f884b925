"""A real Prometheus for tests: Debian's package, on a free port of the loopback, with its data in a temporary folder.

It scrapes with ``honor_labels``, as the chart's ServiceMonitor does: ``namespace`` is the search's.
"""

import json
import math
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ABSENT = (
    "needs prometheus and promtool on the PATH: `sudo apt-get install prometheus` on Debian and Ubuntu (its service is "
    "not used), `brew install prometheus` on macOS"
)
START_SECONDS = 30.0
PAUSE = 0.1
"""Seconds between two looks at a server that has not come so far."""


def require() -> None:
    """Skip the test, saying what to install, where there is no Prometheus; on CI, fail it."""
    if shutil.which("prometheus") is not None and shutil.which("promtool") is not None:
        return
    if os.environ.get("CI", "").lower() in {"1", "true", "yes"}:
        pytest.fail(ABSENT, pytrace=False)
    pytest.skip(ABSENT)


def promtool(*arguments: str) -> None:
    """Run promtool; AssertionError with what it says where it finds a fault."""
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"promtool {' '.join(arguments)}\n{done.stdout}{done.stderr}"


@dataclass(frozen=True)
class Sample:
    """One element of an instant vector."""

    labels: Mapping[str, str]
    value: float


class Prometheus:
    """Asks a running server, whose ``url`` it is."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, expression: str) -> list[Sample]:
        """The instant vector (or scalar) that ``expression`` is now; AssertionError with the server's words if bad."""
        data = self._get("/api/v1/query", query=expression)
        if data["resultType"] in ("scalar", "string"):
            return [Sample({}, float(data["result"][1]))]
        return [Sample(one["metric"], float(one["value"][1])) for one in data["result"]]

    def label_values(self, query: str) -> set[str]:
        """What Grafana's ``label_values(selector, label)`` is."""
        match = re.fullmatch(r"label_values\((?P<selector>.*), *(?P<label>\w+)\)", query)
        assert match is not None, f"{query!r} is not label_values(selector, label)"
        return set(self._get(f"/api/v1/label/{match['label']}/values", **{"match[]": match["selector"]}))

    def ready(self) -> bool:
        """Whether it answers and is ready for queries."""
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _get(self, path: str, **parameters: str) -> Any:
        url = f"{self.url}{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                body = json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error
        assert body["status"] == "success", body
        assert not body.get("warnings"), body["warnings"]
        return body["data"]


@contextmanager
def running(
    folder: Path, targets: list[str], *, interval: str = "1s", rules: Path | None = None
) -> Iterator[Prometheus]:
    """A server that scrapes ``targets`` (``host:port``) each ``interval``; ends with the block."""
    require()
    configuration = {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": [str(rules)] if rules is not None else [],
        "scrape_configs": [
            {"job_name": "archsearch", "honor_labels": True, "static_configs": [{"targets": targets}]},
        ],
    }
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "prometheus.yml"
    file.write_text(json.dumps(configuration))  # JSON is YAML
    promtool("check", "config", str(file))
    port = _free_port()
    command = [
        "prometheus",
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        try:
            server = Prometheus(f"http://127.0.0.1:{port}")
            until(lambda: server.ready() or process.poll() is not None, START_SECONDS, "Prometheus is ready")
            assert process.poll() is None, (folder / "log").read_text(errors="replace")
            yield server
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for ``condition``; AssertionError that names ``what`` when ``seconds`` have passed."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(PAUSE)


@dataclass(frozen=True)
class Expression:
    """One query of a dashboard's panel."""

    panel: str
    text: str


def expressions(dashboard: Mapping[str, Any]) -> list[Expression]:
    """Every query of a dashboard, panels inside collapsed rows too."""
    found: list[Expression] = []
    for panel in dashboard["panels"]:
        found += [Expression(panel["title"], target["expr"]) for target in panel.get("targets", ())]
        found += expressions(panel) if panel.get("panels") else []
    return found


def filled_in(text: str, variables: Mapping[str, str]) -> str:
    """``text`` with Grafana's variables replaced; AssertionError where one is left."""
    for name in sorted(variables, key=len, reverse=True):
        text = text.replace(f"${name}", variables[name])
    assert "$" not in text, f"a variable is left in {text}"
    return text


def without_data(server: Prometheus, dashboard: Mapping[str, Any], variables: Mapping[str, str]) -> list[str]:
    """The queries of ``dashboard`` that have no number now: no element, or none that is finite."""
    silent = []
    for one in expressions(dashboard):
        samples = server.query(filled_in(one.text, variables))
        if not any(math.isfinite(sample.value) for sample in samples):
            silent.append(f"{one.panel}: {one.text}")
    return silent


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])

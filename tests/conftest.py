"""What every test shares: the data folder, deterministic hypothesis, and a guard against silently skipped layers."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
ON_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}

# Derandomised on CI: the same commit gives the same answer. On a desk, new examples are worth a surprise; those that
# failed are kept in .hypothesis and tried first.
settings.register_profile("desk", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "ci", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ci" if ON_CI else "desk")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of measured tables and image excerpts beside the checkout; tests that need it are skipped without."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data beside the checkout (nasbench201_cifar10.csv, cifar-10-batches-bin/)")
    return folder


class LayerGuard:
    """Counts, for each folder of tests, what ran and what was skipped."""

    def __init__(self) -> None:
        self.ran: Counter[str] = Counter()
        self.skipped: dict[str, set[str]] = {}

    def note(self, report: pytest.TestReport) -> None:
        """Take in one report; set-up and tear-down count only where they skip."""
        folder = report.nodeid.split("::")[0].rpartition("/")[0]
        if report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            self.skipped.setdefault(folder, set()).add(reason)
        elif report.when == "call":
            self.ran[folder] += 1

    def silent(self) -> Iterator[str]:
        """Folders of which not a single test ran, each with the reasons."""
        for folder, reasons in sorted(self.skipped.items()):
            if not self.ran[folder]:
                yield f"{folder}: every test was skipped ({'; '.join(sorted(reasons))})"


_guard = LayerGuard()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _guard.note(report)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """On CI a layer that was skipped as a whole has not been tested, and that is a failure."""
    if not ON_CI or exitstatus != pytest.ExitCode.OK:
        return
    silent = list(_guard.silent())
    if silent:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        for line in silent:
            if reporter is not None:
                reporter.write_line(f"CI: {line}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED

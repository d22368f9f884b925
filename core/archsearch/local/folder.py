"""Where everything of a search lies in its folder (``--out DIR``)."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Attempt:
    """The files of one attempt."""

    folder: Path

    @property
    def log(self) -> Path:
        """What the child printed."""
        return self.folder / "log.txt"

    @property
    def report(self) -> Path:
        """What it reported."""
        return self.folder / "report.json"

    @property
    def exit(self) -> Path:
        """How it ended: ChildExited of the warm contract."""
        return self.folder / "exit.json"


@dataclass(frozen=True)
class Folder:
    """The folder of a search; ``root`` is absolute."""

    root: Path

    @property
    def manifest(self) -> Path:
        """The manifest in force, as it was given."""
        return self.root / "search.yaml"

    @property
    def ledger(self) -> Path:
        """The SQLite ledger: the only file that a resume needs."""
        return self.root / "ledger.db"

    @property
    def trials(self) -> Path:
        """Logs and reports of every attempt."""
        return self.root / "trials"

    @property
    def human(self) -> Path:
        """The human baseline's attempt."""
        return self.root / "human"

    @property
    def best(self) -> Path:
        """The best child: architecture, metrics, log."""
        return self.root / "best"

    @property
    def page(self) -> Path:
        """The report."""
        return self.root / "report.html"

    @property
    def run_log(self) -> Path:
        """Tracebacks of unexpected errors."""
        return self.root / "run.log"

    def attempt(self, index: int, number: int) -> Attempt:
        """Attempt ``number`` of child ``index``."""
        return Attempt(self.trials / str(index) / str(number))

"""Where a search is: a folder here, or a cluster. Rooms contribute clusters by entry points."""

import importlib.metadata
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from archsearch.api.patterns import DNS_LABEL
from archsearch.cli import views
from archsearch.engine.model import Trial
from archsearch.engine.record import SearchRecord
from archsearch.local.errors import LocalError, UsageError
from archsearch.local.folder import Folder
from archsearch.local.lock import holder
from archsearch.local.record import load_record
from archsearch.report_parsing import printable

GROUP = "archsearch.sources"
"""Entry points by which rooms read searches from elsewhere: functions that are a :data:`Source`."""
_EXTRA = {"kubernetes", "kopf", "yarl"}
"""What the extra ``operator`` brings."""


@dataclass(frozen=True)
class Place:
    """Where on a cluster to look, as the command line says; None: as kubectl would."""

    namespace: str | None = None
    context: str | None = None

    @property
    def given(self) -> bool:
        """Whether the command line says that a cluster is meant."""
        return self.namespace is not None or self.context is not None


@dataclass(frozen=True)
class Found:
    """A search, wherever it was found."""

    record: SearchRecord
    state: str
    """What it is doing, in a word."""
    detail: str = ""
    """Why, where that is worth telling."""
    folder: Path | None = None
    """Its folder, where it has one."""
    pid: int | None = None
    """Process that runs it, where that is known."""
    log_of: Callable[[Trial], str | None] = lambda trial: None
    """Where what a child printed is to be found."""


Source = Callable[[str, Place], Found]
"""Reads the search of that name. Raises LocalError: there is none, or it cannot be read; the message says which."""


def find(name: str, place: Place) -> Found:
    """The search ``name``: its folder, else its name on a cluster. A folder comes first, unless ``place`` is given.

    Raises:
        LocalError: it is neither, or it cannot be read.
    """
    folder = Path(name)
    is_folder, may_be_name = Folder(folder).ledger.is_file(), re.fullmatch(DNS_LABEL, name) is not None
    if place.given and not may_be_name:
        text = "is no name of a search on a cluster; to read a folder, leave --namespace and --context out"
        raise UsageError(f"{printable(name)} {text}")
    if not place.given and (is_folder or not may_be_name):
        return in_folder(folder)
    try:
        return _source()(name, place)
    except LocalError as error:
        if place.given:
            raise
        raise UsageError(f"{name} is neither the folder of a search nor a search on a cluster: {error}") from error


def in_folder(folder: Path) -> Found:
    """The search in ``folder``.

    Raises:
        FolderError: it is not the folder of a search, or its ledger is damaged or of a newer archsearch.
    """
    record, pid = load_record(folder), holder(folder)

    def log_of(trial: Trial) -> str | None:
        log = Folder(folder).attempt(trial.index, trial.attempts).log
        return str(log) if log.is_file() else None

    return Found(record, views.state(record, pid), folder=folder, pid=pid, log_of=log_of)


def _source() -> Source:
    for point in importlib.metadata.entry_points(group=GROUP):
        try:
            source: Source = point.load()
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package not in _EXTRA:
                raise
            remedy = "pip install 'archsearch[operator]'"
            raise UsageError(f"{package} is not installed, but reads searches on clusters: {remedy}") from error
        return source
    raise UsageError("this installation knows no clusters: reinstall archsearch")

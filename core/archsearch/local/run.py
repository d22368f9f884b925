"""Running a search on this machine: the one function that commands, benchmarks and tests call."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from archsearch.api import ArchitectureSearch
from archsearch.engine.record import SearchRecord
from archsearch.local.errors import FolderError
from archsearch.local.folder import Folder
from archsearch.local.lock import FolderLock
from archsearch.local.loop import Extras, Loop
from archsearch.local.opening import open_store, versions
from archsearch.local.progress import Progress, Silent
from archsearch.local.refusals import refusals
from archsearch.local.resuming import how_to_go_on, other_versions
from archsearch.local.runner import Runner
from archsearch.local.store import Header, Store

__all__ = ["Extras", "run_search"]


async def run_search(
    search: ArchitectureSearch,
    folder: Path,
    *,
    base: Path | None = None,
    source: str | None = None,
    runner: Runner | None = None,
    progress: Progress | None = None,
    stop: asyncio.Event | None = None,
    extras: Extras | None = None,
) -> SearchRecord:
    """Run a search in ``folder``, or go on with the one that is there, until it ends, is suspended, or ``stop`` is set.

    One that a fault of every child had ended (data that were not there, say) goes on with the next children.

    Args:
        search: the manifest.
        folder: the search's folder; made if it is not there. Everything but the ledger can be lost.
        base: where the manifest's relative paths start; None: the current directory.
        source: the manifest's own text, to be kept in the folder.
        runner: who trains children; None: processes forked by the warm process. It is opened and closed here.
        progress: is told how far it is.
        stop: set it to have children stopped and the run end; the same call goes on later.
        extras: what is done beside the search.

    Returns:
        The record; its outcome is None if the search has not ended.

    Raises:
        FolderInUseError: another process runs a search there.
        FolderError: the folder holds something else, or is damaged.
        ManifestChangedError: the folder's search has another manifest, in fields that cannot change.
        ProcessFailedError: the controller or the warm process cannot be kept alive.
        MachineError: the system refuses what the run needs.
    """
    place, base = _prepare(folder, base)
    shown = progress or Silent()
    with FolderLock(place.root), open_store(place, search, datetime.now(UTC), source, shown.say) as store:
        header = store.header()
        if header.outcome is not None and header.finished:
            shown.say(how_to_go_on(header.outcome))
        else:
            _tell_versions(store, header, shown)
            await Loop(search, place, base, store, header, runner, shown, stop, extras or Extras()).to_the_end()
        return store.record()


def _tell_versions(store: Store, header: Header, progress: Progress) -> None:
    warning = other_versions(header.versions, versions())
    if warning is None:
        return
    progress.say(warning)
    if warning not in store.warnings():
        store.write(kinds=(), warnings=(warning,))


def _prepare(folder: Path, base: Path | None) -> tuple[Folder, Path]:
    with refusals(f"{folder} cannot be made", FolderError):
        place = Folder(folder.resolve())
        place.root.mkdir(parents=True, exist_ok=True)
        return place, (base or Path.cwd()).resolve()

"""A search's folder, read back."""

from pathlib import Path

from archsearch.engine.record import SearchRecord
from archsearch.local.errors import FolderError
from archsearch.local.folder import Folder
from archsearch.local.store import Store


def load_record(folder: Path) -> SearchRecord:
    """Everything of the search in ``folder``, as of one moment; also while a run is active.

    Raises:
        FolderError: it is not the folder of a search, or its ledger is damaged or of a newer archsearch.
    """
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise FolderError(f"{folder} {what}; give the folder of a search, as `archsearch run` printed it")
    with Store(Folder(folder.resolve()).ledger, readonly=True) as store:
        return store.record()


def is_finished(folder: Path) -> bool:
    """Whether the search in ``folder`` has ended and everything that follows has been written."""
    with Store(Folder(folder.resolve()).ledger, readonly=True) as store:
        return store.header().finished

"""Opening the folder of a search: a new ledger, or the one that is there, if the manifest still fits it."""

import importlib.metadata
import platform
from collections.abc import Callable, Mapping
from datetime import datetime
from io import StringIO

from ruamel.yaml import YAML

from archsearch.api import ArchitectureSearch
from archsearch.local.errors import FolderError, ManifestChangedError
from archsearch.local.folder import Folder
from archsearch.local.refusals import refusals
from archsearch.local.resuming import forgiven, reopened
from archsearch.local.store import Store
from archsearch.manifest import immutable_changes

_PACKAGES = ("archsearch", "torch", "numpy", "scikit-learn")


def versions() -> Mapping[str, str]:
    """Versions that a reward depends on."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def open_store(
    folder: Folder,
    search: ArchitectureSearch,
    now: datetime,
    source: str | None = None,
    say: Callable[[str], None] | None = None,
) -> Store:
    """The ledger of ``search`` in ``folder``, made if there is none; an edited manifest is taken over.

    A search that a fault of every child had ended is reopened: it goes on with the next children.

    Args:
        folder: must be locked by the caller.
        search: the manifest in force.
        now: start of a new search.
        source: the manifest's own text, kept beside the ledger; None: the manifest is written out.
        say: is told that a search is reopened.

    Raises:
        FolderError: the folder holds something else, or is damaged.
        ManifestChangedError: fields differ that cannot change while a search lives.
        MachineError: the system refuses what must be written.
    """
    with refusals(f"{folder.root} cannot be read", FolderError):
        there = folder.ledger.exists()
    if there:
        store = Store(folder.ledger)
        try:
            _amend(store, folder, search, say or _nobody)
        except BaseException:
            store.close()
            raise
    else:
        _refuse_leftovers(folder)
        store = Store.create(folder.ledger, search, search.spec.strategy.resolved(), now, versions())
    try:
        _keep_manifest(folder, source if source is not None else as_yaml(search))
    except BaseException:
        store.close()
        raise
    return store


def as_yaml(search: ArchitectureSearch) -> str:
    """The manifest as YAML, with the fields that were set."""
    text = StringIO()
    yaml = YAML()
    yaml.default_flow_style = None
    yaml.dump(search.model_dump(mode="json", exclude_unset=True), text)
    return text.getvalue()


def _nobody(text: str) -> None:
    """Tell nobody."""


def _amend(store: Store, folder: Folder, search: ArchitectureSearch, say: Callable[[str], None]) -> None:
    header = store.header()
    old = header.manifest
    observations = None if header.outcome is None else forgiven(header, store.trials())
    if old == search and (observations is None or not header.finished):
        return
    changed = immutable_changes(old, search)
    if changed:
        raise ManifestChangedError(
            f"{folder.root} holds the search {old.metadata.name!r}; undo the edit, or start a new search with --out:\n"
            + "\n".join(f"  {change}" for change in changed)
        )
    if header.outcome is None or observations is None:
        store.amend(search)
        return
    text = reopened(header.outcome, observations)
    store.amend(search, forgiven=observations, warnings=(text,))
    say(text)


def _refuse_leftovers(folder: Folder) -> None:
    if folder.trials.exists():
        raise FolderError(
            f"{folder.root} has trials/ but no {folder.ledger.name}: it is what is left of another search; "
            "remove it, or give another folder with --out"
        )


def _keep_manifest(folder: Folder, text: str) -> None:
    with refusals(f"{folder.manifest} cannot be kept"):
        if not folder.manifest.exists() or folder.manifest.read_bytes() != text.encode():
            partial = folder.manifest.with_suffix(".new")
            partial.write_bytes(text.encode())
            partial.replace(folder.manifest)

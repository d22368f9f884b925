"""The ledger's tables, and how its file is made, opened and refused."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from archsearch.local.crash import durable
from archsearch.local.errors import FolderError, LocalError
from archsearch.local.refusals import MachineError, database_remedy, refusal

APPLICATION_ID = 0x41534C31
"""Marks a SQLite file as a ledger of archsearch ("ASL1")."""

SCHEMA_VERSION = 2
"""Raised when an older archsearch would misread a table; newer files are refused. A column with a default may come.

1: every trial is a child. 2: a trial may be a confirmation (``confirm_of``); a ledger of version 1 is brought to 2 as a
run opens it, and its trials need no change.
"""

# What people want to query stands in generated columns: the JSON is the one truth, and the shell of SQLite reads both.
SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE search (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    manifest TEXT NOT NULL,
    strategy TEXT NOT NULL,
    started TEXT NOT NULL,
    versions TEXT NOT NULL,
    active_seconds REAL NOT NULL DEFAULT 0,
    outcome TEXT,
    human TEXT,
    finished INTEGER NOT NULL DEFAULT 0,
    forgiven INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE trials (
    child INTEGER PRIMARY KEY,
    payload TEXT NOT NULL CHECK (json_extract(payload, '$.index') = child),
    phase TEXT GENERATED ALWAYS AS (json_extract(payload, '$.phase')) VIRTUAL,
    reward REAL GENERATED ALWAYS AS (json_extract(payload, '$.reward')) VIRTUAL,
    observation INTEGER GENERATED ALWAYS AS (json_extract(payload, '$.observation')) VIRTUAL,
    confirm_of INTEGER GENERATED ALWAYS AS (json_extract(payload, '$.confirm_of')) VIRTUAL
) STRICT;
CREATE UNIQUE INDEX trials_observation ON trials (observation) WHERE observation IS NOT NULL;
CREATE TABLE policy (version INTEGER PRIMARY KEY, payload TEXT NOT NULL) STRICT;
CREATE TABLE warnings (position INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL UNIQUE) STRICT;
"""


def create(path: Path, row: tuple[str, str, str, str]) -> None:
    """Write a new ledger with one search: manifest, strategy, start and versions. Its name appears once it is whole.

    Raises:
        FolderError: the system refuses it.
    """
    building = path.with_name(path.name + ".new")
    try:
        for suffix in ("", "-wal", "-shm"):
            building.with_name(building.name + suffix).unlink(missing_ok=True)
        with closing(sqlite3.connect(building, isolation_level=None)) as database:
            database.executescript(SCHEMA)
            database.execute(
                "INSERT INTO search (id, manifest, strategy, started, versions) VALUES (1, ?, ?, ?, ?)", row
            )
            database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        with durable(("create",)):
            building.rename(path)
            _sync(path.parent)
    except OSError as error:
        raise FolderError(f"{path} cannot be written: {refusal(error)}") from error
    except sqlite3.Error as error:
        raise FolderError(f"{path} cannot be written: {error}; {database_remedy(error) or 'mend it'}") from error


def _sync(folder: Path) -> None:
    """Make the names in ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    """Open a ledger.

    Raises:
        FolderError: it is absent, damaged, of another program, or of a newer archsearch.
        MachineError: the system refuses it.
    """
    if not path.is_file():
        raise FolderError(f"{path.parent} is not the folder of a search: it has no {path.name}")
    try:
        database = _open(path, readonly)
        try:
            _check(database, path, thorough=not readonly)
        except BaseException:
            database.close()
            raise
        if not readonly:
            database.execute("PRAGMA synchronous = FULL")
            _add_columns(database)
    except sqlite3.Error as error:
        raise unreadable(path, error, "is damaged or not a ledger of archsearch") from error
    return database


def unreadable(path: Path, error: sqlite3.Error, otherwise: str) -> LocalError:
    """The error for a person: the system's refusal with what to do, or ``otherwise`` the file is at fault."""
    remedy = database_remedy(error)
    if remedy is None:
        return FolderError(f"{path} {otherwise}: {error}")
    return MachineError(f"{path} cannot be used: {error}; nothing is lost; {remedy}")


def _open(path: Path, readonly: bool) -> sqlite3.Connection:
    uri = path.absolute().as_uri()
    database = _connection(uri + "?mode=rw")
    if not readonly:
        return database
    try:
        # Not mode=ro: such a reader would leave the files of the write-ahead log behind.
        database.execute("PRAGMA query_only = ON")
        database.execute("SELECT 1 FROM sqlite_schema").fetchall()
    except sqlite3.OperationalError:
        database.close()
        if os.access(path.parent, os.W_OK):
            raise
        # A folder that may not be written (a mounted archive): no run is active there, so no shared memory is needed.
        return _of_archive(path, uri)
    return database


def _of_archive(path: Path, uri: str) -> sqlite3.Connection:
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size:
        raise FolderError(
            f"{path.parent} is read-only and its run was cut off: {log.name} has not been folded into {path.name}; "
            "copy the folder to a place that may be written, and read it there"
        )
    return _connection(uri + "?immutable=1")


def _connection(uri: str) -> sqlite3.Connection:
    database = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30.0)
    database.row_factory = sqlite3.Row
    return database


def _add_columns(database: sqlite3.Connection) -> None:
    """Bring a ledger of an earlier archsearch up to date; a kill between two steps leaves one that is done again."""
    if "forgiven" not in _columns(database, "search"):
        database.execute("ALTER TABLE search ADD COLUMN forgiven INTEGER NOT NULL DEFAULT 0")
    if "confirm_of" not in _columns(database, "trials"):
        column = "confirm_of INTEGER GENERATED ALWAYS AS (json_extract(payload, '$.confirm_of')) VIRTUAL"
        database.execute(f"ALTER TABLE trials ADD COLUMN {column}")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version < SCHEMA_VERSION:
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _columns(database: sqlite3.Connection, table: str) -> set[str]:
    return {row["name"] for row in database.execute(f"PRAGMA table_xinfo({table})")}


def _check(database: sqlite3.Connection, path: Path, *, thorough: bool) -> None:
    (application,) = database.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise FolderError(f"{path} is a SQLite file of another program, not a ledger of archsearch")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise FolderError(
            f"{path} was written by a newer archsearch "
            f"(ledger version {version}; this one reads up to {SCHEMA_VERSION})"
        )
    if thorough:
        problems = [row[0] for row in database.execute("PRAGMA quick_check")]
        if problems != ["ok"]:
            raise FolderError(f"{path} is damaged: {problems[0]}")

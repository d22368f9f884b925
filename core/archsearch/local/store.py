"""The durable ledger: one SQLite file, one transaction per plan, so that a kill at any instruction loses nothing."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError

from archsearch.api import ArchitectureSearch, Strategy
from archsearch.controller_contract import PolicyState
from archsearch.engine.model import Outcome, Trial
from archsearch.engine.record import HumanBaseline, SearchRecord
from archsearch.local.crash import durable
from archsearch.local.errors import FolderError
from archsearch.local.schema import connect, create, unreadable

_TRIAL = TypeAdapter(Trial)
_OUTCOME = TypeAdapter(Outcome)
_HUMAN = TypeAdapter(HumanBaseline)
_VERSIONS = TypeAdapter(dict[str, str])


@dataclass(frozen=True)
class Header:
    """What the ledger knows of the search besides its trials."""

    manifest: ArchitectureSearch
    strategy: Strategy
    started: datetime
    active_seconds: float
    versions: Mapping[str, str]
    outcome: Outcome | None
    human: HumanBaseline | None
    finished: bool
    """Whether best/, the human baseline and the report have been written after the outcome."""
    forgiven: int = 0
    """Observations numbered below it lie before the last reopening: the shared-fault rule does not look at them."""


class Store:
    """An open ledger; ``readonly`` ones may be read while a run writes."""

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        """Open the ledger of a search.

        Raises:
            FolderError: it is absent, damaged, of another program, or of a newer archsearch.
        """
        self._path = path
        self._database = connect(path, readonly=readonly)

    @classmethod
    def create(
        cls, path: Path, search: ArchitectureSearch, strategy: Strategy, now: datetime, versions: Mapping[str, str]
    ) -> Self:
        """Write a new, empty ledger. It appears under its name only once it is whole.

        Raises:
            FolderError: the file system refuses.
        """
        row = (_json(search), _json(strategy), now.isoformat(), _VERSIONS.dump_json(dict(versions)).decode())
        create(path, row)
        return cls(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the write-ahead log is folded into it."""
        self._database.close()

    # --- reading ------------------------------------------------------------------------------------------------------

    def header(self) -> Header:
        """The search's row."""
        with self._reading("the search"):
            row = self._database.execute("SELECT * FROM search WHERE id = 1").fetchone()
            if row is None:
                raise FolderError(f"{self._path} is damaged: it holds no search")
            return Header(
                manifest=ArchitectureSearch.model_validate_json(row["manifest"]),
                strategy=Strategy.model_validate_json(row["strategy"]),
                started=datetime.fromisoformat(row["started"]),
                active_seconds=row["active_seconds"],
                versions=_VERSIONS.validate_json(row["versions"]),
                outcome=_OUTCOME.validate_json(row["outcome"]) if row["outcome"] else None,
                human=_HUMAN.validate_json(row["human"]) if row["human"] else None,
                finished=bool(row["finished"]),
                # A ledger of an earlier archsearch that is only read has no such column yet.
                forgiven=row["forgiven"] if "forgiven" in row.keys() else 0,  # noqa: SIM118 - a row's values, not keys
            )

    def trials(self) -> tuple[Trial, ...]:
        """Every trial, by index."""
        trials = []
        for row in self._rows("SELECT child, payload FROM trials ORDER BY child"):
            with self._reading(f"trial {row['child']}"):
                trials.append(_TRIAL.validate_json(row["payload"]))
        return tuple(trials)

    def policy(self) -> tuple[PolicyState, ...]:
        """The states of the policy that were kept, by version."""
        states = []
        for row in self._rows("SELECT version, payload FROM policy ORDER BY version"):
            with self._reading(f"policy state {row['version']}"):
                states.append(PolicyState.model_validate_json(row["payload"]))
        return tuple(states)

    def warnings(self) -> tuple[str, ...]:
        """What the user was told, in order."""
        return tuple(row["text"] for row in self._rows("SELECT text FROM warnings ORDER BY position"))

    def record(self) -> SearchRecord:
        """Everything, as of one moment."""
        with self._transaction("BEGIN"):
            header = self.header()
            return SearchRecord(
                manifest=header.manifest,
                strategy=header.strategy,
                trials=self.trials(),
                policy=self.policy(),
                outcome=header.outcome,
                started=header.started,
                active_seconds=header.active_seconds,
                human=header.human,
                warnings=self.warnings(),
                versions=header.versions,
            )

    def _rows(self, query: str) -> list[sqlite3.Row]:
        with self._reading("the ledger"):
            return self._database.execute(query).fetchall()

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise unreadable(self._path, error, f"is damaged: {what} cannot be read") from error
        except (ValidationError, ValueError) as error:
            raise FolderError(f"{self._path} is damaged: {what} cannot be read: {error}") from error

    # --- writing ------------------------------------------------------------------------------------------------------

    def write(
        self,
        *,
        kinds: Iterable[str],
        trials: Iterable[Trial] = (),
        policy: Iterable[PolicyState] = (),
        warnings: Iterable[str] = (),
        active_seconds: float | None = None,
        search: Mapping[str, Any] | None = None,
    ) -> None:
        """Write all of it or nothing, durably; ``kinds`` names the crash points, ``search`` columns of its row."""
        columns = dict(search or {})
        if active_seconds is not None:
            columns["active_seconds"] = active_seconds
        with durable(kinds), self._transaction("BEGIN IMMEDIATE"):
            self._database.executemany(
                "INSERT INTO trials (child, payload) VALUES (?, ?) "
                "ON CONFLICT (child) DO UPDATE SET payload = excluded.payload",
                [(trial.index, _TRIAL.dump_json(trial).decode()) for trial in trials],
            )
            # A state with decision distributions is not replaced by a poorer one of the same moment.
            self._database.executemany(
                "INSERT INTO policy (version, payload) VALUES (?, ?) ON CONFLICT (version) DO UPDATE "
                "SET payload = excluded.payload WHERE json_extract(excluded.payload, '$.decisions') IS NOT NULL "
                "OR json_extract(payload, '$.decisions') IS NULL",
                [(state.version, _json(state)) for state in policy],
            )
            self._database.executemany(
                "INSERT OR IGNORE INTO warnings (text) VALUES (?)", [(text,) for text in warnings]
            )
            if columns:
                names = ", ".join(f"{name} = ?" for name in columns)
                self._database.execute(f"UPDATE search SET {names} WHERE id = 1", tuple(columns.values()))  # noqa: S608 - our own column names

    def amend(self, search: ArchitectureSearch, *, forgiven: int | None = None, warnings: Iterable[str] = ()) -> None:
        """Take a manifest over, edited or not; a search that had ended is decided anew.

        Args:
            search: the manifest.
            forgiven: observations that the shared-fault rule no longer looks at; None: as many as before.
            warnings: what the user is told about it.
        """
        columns = {"manifest": _json(search), **outcome_columns(None)}
        if forgiven is not None:
            columns["forgiven"] = forgiven
        self.write(kinds=("amend",), warnings=warnings, search=columns)

    def put_human(self, human: HumanBaseline) -> None:
        """Keep the human baseline."""
        self.write(kinds=("human",), search={"human": _HUMAN.dump_json(human).decode()})

    def finish(self) -> None:
        """Everything that follows the outcome has been written."""
        self.write(kinds=("finish",), search={"finished": 1})

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        try:
            self._database.execute(begin)
            yield
            self._database.execute("COMMIT")
        except BaseException as error:
            # What SQLite cannot roll back now it rolls back when the file is opened next.
            with suppress(sqlite3.Error):
                self._database.rollback()
            if isinstance(error, sqlite3.Error):
                raise unreadable(self._path, error, "cannot be written; nothing is lost") from error
            raise


def outcome_columns(outcome: Outcome | None) -> dict[str, Any]:
    """Columns for :meth:`Store.write` that set the outcome; None: the search goes on after all."""
    return {"outcome": None if outcome is None else _OUTCOME.dump_json(outcome).decode(), "finished": 0}


def _json(model: ArchitectureSearch | Strategy | PolicyState) -> str:
    return model.model_dump_json(exclude_none=True)

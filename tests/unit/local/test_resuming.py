"""Going on with a search: what another command does, and what a person is told to do."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from archsearch.api import ArchitectureSearch
from archsearch.engine.model import Outcome, Phase, Result, Trial
from archsearch.local.folder import Folder
from archsearch.local.opening import open_store
from archsearch.local.record import load_record
from archsearch.local.resuming import forgiven, how_to_go_on, other_versions
from archsearch.local.store import Store, outcome_columns

MakeSearch = Callable[..., ArchitectureSearch]
MakeTrial = Callable[..., Trial]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
FAULT = Outcome(Result.FAILED, "DataMissing", "child 1 says that every child will fail alike: no such folder")


@pytest.mark.parametrize(
    ("result", "reason", "wanted", "unwanted"),
    [
        (Result.SUCCEEDED, "MaxTrialsReached", "raise spec.trials.max ", "maxFailed"),
        (Result.FAILED, "TooManyFailures", "raise spec.trials.maxFailed ", "spec.trials.max "),
        (Result.SUCCEEDED, "DeadlineReached", "raise spec.trials.deadline ", "spec.trials.max "),
        (Result.SUCCEEDED, "PolicyCollapsed", "raise spec.trials.maxConsecutiveDuplicates ", "spec.trials.max "),
        (Result.SUCCEEDED, "TargetReached", "remove the folder", "raise"),
        (Result.SUCCEEDED, "SpaceExhausted", "remove the folder", "raise"),
    ],
)
def test_what_ended_a_search_says_how_to_go_on(result: Result, reason: str, wanted: str, unwanted: str) -> None:
    told = how_to_go_on(Outcome(result, reason, "because"))
    assert told.startswith(f"this search has ended already ({reason}: because); ")
    assert wanted in told
    assert unwanted not in told
    assert "--out" in told


def _faulty(make: MakeTrial, index: int, **fields: Any) -> Trial:
    values: dict[str, Any] = {
        "phase": Phase.FAILED,
        "reward": None,
        "metrics": {},
        "reason": "DataMissing",
        "shared_fault": True,
    }
    return make(index, **(values | fields))


@pytest.mark.parametrize(
    ("outcome", "before", "fields", "expected"),
    [
        (FAULT, 0, {}, 2),
        (FAULT, 1, {}, 2),
        (FAULT, 2, {}, None),
        (FAULT, 0, {"shared_fault": False}, None),
        (FAULT, 0, {"observation": None}, None),
        (replace(FAULT, reason="TooManyFailures"), 0, {}, None),
        (replace(FAULT, result=Result.SUCCEEDED), 0, {}, None),
        (None, 0, {}, None),
    ],
)
def test_only_a_shared_fault_that_ended_the_search_is_forgiven(
    store: Store,
    trial: MakeTrial,
    outcome: Outcome | None,
    before: int,
    fields: dict[str, Any],
    expected: int | None,
) -> None:
    header = replace(store.header(), outcome=outcome, forgiven=before)
    trials = (trial(0), _faulty(trial, 1, **fields), trial(2, phase=Phase.STOPPED, observation=None))
    assert forgiven(header, trials) == expected


@pytest.mark.parametrize("edited", [False, True])
def test_the_same_command_reopens_a_search_that_a_shared_fault_has_ended(
    store: Store, search: MakeSearch, trial: MakeTrial, tmp_path: Path, edited: bool
) -> None:
    store.write(kinds=(), trials=(_faulty(trial, 0), _faulty(trial, 1)), search=outcome_columns(FAULT))
    store.finish()
    store.close()
    said: list[str] = []
    manifest = search(trials={"max": 7}) if edited else search()
    with open_store(Folder(tmp_path), manifest, NOW, say=said.append) as opened:
        header = opened.header()
    assert (header.outcome, header.finished, header.forgiven, header.manifest) == (None, False, 2, manifest)
    assert len(said) == 1
    assert "failed after 2 children (DataMissing" in said[0]
    assert "goes on with the next children" in said[0]
    assert load_record(tmp_path).warnings == tuple(said)


def test_what_follows_a_fault_is_finished_before_the_search_is_reopened(
    store: Store, search: MakeSearch, trial: MakeTrial, tmp_path: Path
) -> None:
    store.write(kinds=(), trials=(_faulty(trial, 0),), search=outcome_columns(FAULT))
    store.close()
    with open_store(Folder(tmp_path), search(), NOW) as opened:
        assert (opened.header().outcome, opened.header().forgiven) == (FAULT, 0)


def test_other_ends_are_not_reopened_by_the_same_command(store: Store, search: MakeSearch, tmp_path: Path) -> None:
    outcome = Outcome(Result.FAILED, "TooManyFailures", "11 trials failed")
    store.write(kinds=(), search=outcome_columns(outcome))
    store.finish()
    store.close()
    with open_store(Folder(tmp_path), search(), NOW) as opened:
        assert opened.header().outcome == outcome


def test_a_ledger_from_before_forgiving_is_read_and_brought_up_to_date(
    store: Store, search: MakeSearch, tmp_path: Path
) -> None:
    store.close()
    with sqlite3.connect(tmp_path / "ledger.db") as old:
        old.execute("ALTER TABLE search DROP COLUMN forgiven")
    old.close()
    with Store(tmp_path / "ledger.db", readonly=True) as read:
        assert read.header().forgiven == 0
    with open_store(Folder(tmp_path), search(), NOW) as opened:
        opened.amend(search(), forgiven=3)
        assert opened.header().forgiven == 3


@pytest.mark.parametrize(
    ("present", "told"),
    [
        ({"python": "3.11", "torch": "2.15"}, None),
        ({"python": "3.11", "torch": "2.15", "numpy": "2.0"}, None),
        ({"python": "3.11", "torch": "2.16"}, "torch 2.16 (it began with 2.15)"),
        ({"python": "3.11"}, "torch none (it began with 2.15)"),
        ({"python": "3.12", "torch": "2.16"}, "python 3.12 (it began with 3.11), torch 2.16 (it began with 2.15)"),
    ],
)
def test_other_versions_than_the_search_began_with_are_told(present: dict[str, str], told: str | None) -> None:
    warning = other_versions({"python": "3.11", "torch": "2.15"}, present)
    assert warning is None if told is None else warning is not None and told in warning

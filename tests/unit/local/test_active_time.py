"""The clock of a search's deadline: a kill forgets half a minute of it at most, and writing is rare."""

from pathlib import Path

import pytest

from archsearch.local.active import ActiveTime
from archsearch.local.record import load_record
from archsearch.local.store import Store


@pytest.mark.parametrize(("passed", "kept"), [(0.0, 0.0), (29.9, 0.0), (30.0, 130.0), (3600.0, 3700.0)])
def test_time_is_kept_though_nothing_else_is_written(store: Store, tmp_path: Path, passed: float, kept: float) -> None:
    now = 5.0
    active = ActiveTime(store, 100.0, clock=lambda: now)
    now += passed
    active.keep()
    assert active.seconds == 100.0 + passed
    assert load_record(tmp_path).active_seconds == pytest.approx(kept)


def test_time_is_kept_at_most_every_half_minute(store: Store, tmp_path: Path) -> None:
    now = 0.0
    active = ActiveTime(store, 0.0, clock=lambda: now)
    for now in (31.0, 40.0, 60.0):  # noqa: B007 - the clock reads it
        active.keep()
    assert load_record(tmp_path).active_seconds == 31.0
    now = 61.0
    active.keep()
    assert load_record(tmp_path).active_seconds == 61.0

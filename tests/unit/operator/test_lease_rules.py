"""When a Lease may be taken: by how long it has not changed on our own clock, whatever the times in it say."""

import pytest

from archsearch.operator.lease import Lease
from archsearch.operator.port import Object
from archsearch.operator.sighting import Sighting, sight


def record(holder: str, renewed: str = "2026-01-01T00:00:00.000000Z", duration: int = 15) -> Object:
    return {"spec": {"holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": duration}}


def test_a_lease_is_free_once_it_has_not_changed_for_its_duration_since_we_first_saw_it() -> None:
    first = sight(record("a"), None, now=100.0)
    later = sight(record("a"), first, now=114.9)
    assert (first.since, later.since) == (100.0, 100.0)
    assert not later.free_for("b", 114.9)
    assert later.free_for("b", 115.0)


@pytest.mark.parametrize("renewed", ["1999-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z"])
def test_the_clocks_of_others_do_not_matter(renewed: str) -> None:
    seen = sight(record("a", renewed), None, now=0.0)
    assert not seen.free_for("b", 14.0)
    assert seen.free_for("b", 15.0)


def test_each_renewal_begins_the_wait_anew() -> None:
    first = sight(record("a", "1"), None, now=0.0)
    second = sight(record("a", "2"), first, now=14.0)
    assert second.since == 14.0
    assert not second.free_for("b", 28.9)


@pytest.mark.parametrize(
    ("spec", "free"),
    [
        (record("")["spec"], True),
        ({}, True),
        (None, True),
        (record("b")["spec"], True),
        (record("a")["spec"], False),
        ({"holderIdentity": "a"}, True),
    ],
    ids=["given back", "empty", "no spec", "ours", "another's", "without a duration"],
)
def test_what_may_be_taken_at_first_sight(spec: Object | None, free: bool) -> None:
    lease: Object = {} if spec is None else {"spec": spec}
    assert sight(lease, None, now=0.0).free_for("b", 0.0) is free


def test_the_holders_own_duration_counts_not_ours() -> None:
    seen = sight(record("a", duration=60), None, now=0.0)
    assert seen == Sighting("a", 60.0, 0, seen.spec, 0.0)
    assert not seen.free_for("b", 59.0)


@pytest.mark.parametrize(("duration", "period"), [(15, 0.0), (15, -1.0), (15, 6.0), (3, 1.1)])
def test_a_period_that_leaves_no_second_try_is_refused(duration: int, period: float) -> None:
    with pytest.raises(ValueError, match=f"period {period} s must be above 0"):
        Lease(None, namespace="n", name="l", identity="i", duration=duration, period=period)  # type: ignore[arg-type]


def test_an_empty_identity_is_refused() -> None:
    with pytest.raises(ValueError, match="identity is empty"):
        Lease(None, namespace="n", name="l", identity="")  # type: ignore[arg-type]

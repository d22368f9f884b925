"""Whose an object is that has a name that is wanted."""

from typing import Any

import pytest

from archsearch.operator import names
from archsearch.operator.leftovers import refuse_stranger
from archsearch.operator.port import Conflict, Rejected

OWNED = [{"kind": "ArchitectureSearch", "uid": "old"}]


def thing(uid: str | None, **metadata: Any) -> dict[str, Any]:
    labels = {} if uid is None else {names.SEARCH_UID_LABEL: uid}
    return {"kind": "Service", "metadata": {"name": "s-controller", "labels": labels, **metadata}}


def test_what_is_the_searchs_own_is_left_as_it_is() -> None:
    refuse_stranger(thing("new", ownerReferences=OWNED), "new")


@pytest.mark.parametrize("metadata", [{"ownerReferences": OWNED}, {"deletionTimestamp": "2026-01-01T00:00:00Z"}])
def test_what_is_about_to_go_is_waited_for(metadata: dict[str, Any]) -> None:
    with pytest.raises(Conflict, match=r"Service s-controller is there already.*about to go"):
        refuse_stranger(thing("old", **metadata), "new")


@pytest.mark.parametrize(
    ("uid", "words"), [("old", "kept when the search old was deleted"), (None, "not archsearch's")]
)
def test_what_stays_is_told_with_what_to_do(uid: str | None, words: str) -> None:
    with pytest.raises(Rejected, match=f"{words}; delete it, or give the search another name"):
        refuse_stranger(thing(uid), "new")

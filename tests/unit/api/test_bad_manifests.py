"""Every bad manifest under tests/data/manifests/bad: all of its mistakes are told, each on its line, and nothing else.

A comment on the line of a mistake says what is expected: ``#! Kind path :: fragment :: fragment`` (``-`` for the
document as a whole), several of them where a line holds several. The fragments (value given, what is allowed, nearest
legal name) must stand in the message.
"""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from archsearch.api import schema
from archsearch.manifest import ManifestError, check_all
from archsearch.manifest.sentences import KINDS

DATA = Path(__file__).parents[2] / "data" / "manifests"
BAD = sorted((DATA / "bad").glob("*.yaml"))


class Expected(NamedTuple):
    line: int
    kind: str
    path: str
    fragments: tuple[str, ...]


def expectations(text: str) -> list[Expected]:
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        for comment in line.split("#! ")[1:]:
            head, *fragments = [part.strip() for part in comment.split(" :: ")]
            kind, path = head.split(" ", 1)
            found.append(Expected(number, kind, "" if path == "-" else path, tuple(fragments)))
    return found


def mistakes(file: Path) -> list[ManifestError]:
    documents, errors = check_all(file.read_bytes(), file.name)
    return [*(error for document in documents for error in document.errors), *errors]


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_every_mistake_is_told_on_its_line_and_nothing_else(file: Path) -> None:
    expected = expectations(file.read_text(encoding="utf-8"))
    assert expected, "the file says nothing of what is expected"
    found = mistakes(file)
    assert sorted((error.line, error.path, error.kind) for error in found) == sorted(
        (one.line, one.path, one.kind) for one in expected
    )
    for one in expected:
        messages = [error.message for error in found if (error.line, error.path, error.kind) == one[:1] + one[2:0:-1]]
        assert any(all(fragment in message for fragment in one.fragments) for message in messages), (one, messages)


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_a_suggestion_and_what_is_allowed_stand_in_the_message(file: Path) -> None:
    for error in mistakes(file):
        assert error.column >= 1
        if error.suggestion is not None:
            assert f"did you mean {error.suggestion}?" in error.message or error.kind == "Conflict"
        for allowed in error.allowed:
            assert allowed in error.message or error.kind in ("SeveralSet", "Conflict")


def test_there_are_at_least_60_bad_manifests_of_at_least_20_kinds() -> None:
    kinds = {one.kind for file in BAD for one in expectations(file.read_text(encoding="utf-8"))}
    assert len(BAD) >= 60
    assert len(kinds) >= 20, sorted(kinds)
    assert set(KINDS.values()) <= kinds, "a kind of the table of sentences is never seen"


def test_every_field_of_the_api_is_hit() -> None:
    paths = {
        re.sub(r"\[[0-9]+\]", "[]", one.path)
        for file in BAD
        for one in expectations(file.read_text(encoding="utf-8"))
        if one.kind != "UnknownField"
    }
    under = {path.split('["')[0] for path in paths}  # metadata.labels["a/b"] hits metadata.labels
    missed = [".".join(path) for path, *_ in schema.walk() if ".".join(path) not in paths | under]
    assert not missed, f"no bad manifest hits {missed}"

"""From bytes to documents: YAML 1.2 as an API server's clients mean it, and whatever is not that, with its line."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsearch.manifest import check, check_all
from archsearch.manifest.composing import MAX_DEPTH, MAX_DOCUMENTS, MAX_VALUES
from archsearch.manifest.nodes import plain
from archsearch.manifest.reading import MAX_BYTES, read
from archsearch.manifest.scalars import ScalarProblem, resolve


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("6e-4", 6e-4),
        ("1e3", 1000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-0.5", -0.5),
        ("+12", 12),
        ("0", 0),
        ("-0", 0),
        ("0x1F", 31),
        ("0o17", 15),
        ("1_000", "1_000"),
        ("0b1", "0b1"),
        ("12:30", "12:30"),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("n", "n"),
        ("true", True),
        ("False", False),
        ("tRue", "tRue"),
        ("null", None),
        ("~", None),
        ("", None),
        ("nan", "nan"),
        ("inf", "inf"),
        ("1.2.3", "1.2.3"),
        ("e3", "e3"),
        ("-", "-"),
        (".", "."),
        ("2026-01", "2026-01"),
    ],
)
def test_an_unquoted_scalar_has_the_type_that_an_api_server_gives_it(text: str, expected: Any) -> None:
    found = resolve(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("text", ["6e-4", "yes", "010", "2026-01-31", ".nan", "null", "true", "5", "<<"])
@pytest.mark.parametrize("quoted", ["'{}'", '"{}"', "!!str {}"])
def test_quotes_and_str_tags_make_any_scalar_a_text(text: str, quoted: str) -> None:
    documents, errors = read("a: " + quoted.format(text), "f")
    assert not errors
    assert not documents[0].errors
    assert plain(documents[0].root) == {"a": text}


def wall(depth: int) -> str:
    return "a: " + "[" * (depth - 1) + "]" * (depth - 1)


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 20)
)
LADDER = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 80))


@pytest.mark.parametrize(
    ("data", "kind", "line", "column", "says"),
    [
        (b"", "Empty", 1, 1, "needs an ArchitectureSearch"),
        (b"\n\n# nothing\n", "Empty", 1, 1, "empty"),
        (b"---\n---\n", "Empty", 1, 1, "empty"),
        (b"a: 1\nb: \xff\n", "NotUtf8", 2, 4, "byte 0xff is not UTF-8"),
        (b"a: \xc3\xa9\nb: \xc3", "NotUtf8", 2, 4, "byte 0xc3"),
        ("a: 1".encode("utf-16"), "NotUtf8", 1, 1, "UTF-16"),
        (b"a: 1\nb: x\x01\n", "ForbiddenCharacter", 2, 5, "U+0001"),
        (b"a: 1\nb: \0\n", "ForbiddenCharacter", 2, 4, "U+0000"),
        (b"\x89PNG\r\n", "NotUtf8", 1, 1, "0x89"),
        (b"#" * (MAX_BYTES + 1), "TooLarge", 1, 1, "1 MiB"),
        (BOMB.encode(), "TooManyValues", 5, 35, f"more than {MAX_VALUES} values"),
        (LADDER.encode(), "TooDeep", 63, 12, f"deeper than {MAX_DEPTH} levels"),
        (wall(MAX_DEPTH + 1).encode(), "TooDeep", 1, 3 + MAX_DEPTH, "deeper"),
        (b"[" * 100_000, "TooDeep", 1, MAX_DEPTH + 1, "deeper"),
        (b"---\n" * (MAX_DOCUMENTS + 1), "TooManyDocuments", MAX_DOCUMENTS + 1, 1, "more than 100 documents"),
        (b"a:\n\t- b\n", "Tab", 2, 1, "tab"),
        (b"a:\tb\n", "Tab", 1, 3, "tab"),
        (b'a: "\\q"\n', "Syntax", 1, 6, "unknown escape"),
        (b'a: "\\UFFFFFFFF"\n', "Syntax", 1, 1, "not YAML"),
        (b"a: 'b\n", "Syntax", 2, 1, "unexpected end"),
        (b"a: `b`\n", "Syntax", 1, 4, "cannot start any token"),
        (b"%YAML 2.0\n---\na: 1\n", "Syntax", 1, 1, "version 1.* is required"),
    ],
)
def test_text_that_cannot_be_read_is_told_with_its_place(
    data: bytes, kind: str, line: int, column: int, says: str
) -> None:
    search, errors = check(data, "f.yaml")
    assert search is None
    assert [(error.kind, error.path, error.line, error.column) for error in errors] == [(kind, "", line, column)]
    assert says in errors[0].message
    assert str(errors[0]).startswith(f"f.yaml:{line}:{column}: ")


def test_a_byte_order_mark_and_windows_line_ends_are_read() -> None:
    documents, errors = read(b"\xef\xbb\xbfa: 1\r\nb: [2,\r\n 3]\r\n", "f")
    assert not errors
    assert plain(documents[0].root) == {"a": 1, "b": [2, 3]}


def test_modest_anchors_are_read_as_what_they_stand_for() -> None:
    documents, errors = read("a: &sizes [1, 2]\nb: *sizes\nc: {d: *sizes}\n", "f")
    assert not errors
    assert plain(documents[0].root) == {"a": [1, 2], "b": [1, 2], "c": {"d": [1, 2]}}


def test_anchors_end_with_their_document() -> None:
    documents, errors = read("a: &x 1\n---\nb: *x\n", "f")
    assert [plain(document.root) for document in documents] == [{"a": 1}]
    assert [(error.kind, error.line) for error in errors] == [("UnknownAnchor", 3)]


def test_the_deepest_nesting_that_is_allowed_is_read() -> None:
    documents, errors = read(wall(MAX_DEPTH), "f")
    assert not errors
    assert len(documents) == 1


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_arbitrary_bytes_never_raise(data: bytes) -> None:
    documents, errors = check_all(data, "f")
    assert documents or errors


@given(st.text(st.sampled_from("ab:-?[]{}&*!|>'\"%@`#,\n \t0.<~1e\\"), max_size=60))
@settings(deadline=None, max_examples=500)
def test_arbitrary_yaml_signs_never_raise_and_always_give_a_line(text: str) -> None:
    documents, errors = check_all(text, "f")
    found = [*errors, *(error for document in documents for error in document.errors)]
    assert found, "nothing of the kind is a search"
    assert all(error.line >= 1 and error.column >= 1 and error.message for error in found)


GOOD = """apiVersion: archsearch.io/v1alpha1
kind: ArchitectureSearch
metadata: {name: digits, labels: {app: x}}
spec:
  objective: {metric: accuracy, target: 0.9}
  searchSpace:
    choices: [{name: a, values: [1, 2.5, x, true]}]
  trials: {max: 10, deadline: 1h}
  trial: {command: [python3, x.py], task: {custom: {a: [1, {b: null}]}}}
"""


PIECES = ["", "null", "[]", "{}", ": ", "\n", "  ", "- ", "1e9", "&a ", "*a", '"', "true", ".nan", "!!set ", "é"]


@given(st.data())
@settings(deadline=None, max_examples=200)
def test_mutations_of_a_manifest_never_raise(data: st.DataObject) -> None:
    text = GOOD
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(start + 8, len(text))))
        text = text[:start] + data.draw(st.sampled_from(PIECES)) + text[end:]
    search, errors = check(text, "f")
    assert (search is None) == bool(errors)


def test_a_problem_of_a_scalar_names_its_kind() -> None:
    assert resolve("2026-01-31") == ScalarProblem(
        "Timestamp", "is a date or time; put it in quotes if text is meant", '"2026-01-31"'
    )

"""Answers of the API server as typed errors, and streams cut into lines whatever their pieces are."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsearch.operator.answers import Lines, Tail, error_of
from archsearch.operator.port import AlreadyExists, ClusterError, Conflict, Expired, NotFound, Rejected, Unavailable


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (400, "BadRequest", Rejected),
        (401, "Unauthorized", Unavailable),
        (403, "Forbidden", Rejected),
        (404, "NotFound", NotFound),
        (405, "MethodNotAllowed", Rejected),
        (408, "Timeout", Unavailable),
        (409, "AlreadyExists", AlreadyExists),
        (409, "Conflict", Conflict),
        (409, "", Conflict),
        (410, "Expired", Expired),
        (410, "Gone", Expired),
        (413, "RequestEntityTooLarge", Rejected),
        (415, "UnsupportedMediaType", Rejected),
        (422, "Invalid", Rejected),
        (429, "TooManyRequests", Unavailable),
        (301, "", Unavailable),
        (500, "InternalError", Unavailable),
        (503, "ServiceUnavailable", Unavailable),
        (504, "Timeout", Unavailable),
    ],
)
def test_the_kind_of_error_follows_from_status_and_reason(status: int, reason: str, kind: type[ClusterError]) -> None:
    body = json.dumps({"kind": "Status", "code": status, "reason": reason, "message": "why"}).encode()
    error = error_of(status, body, "get Job n/a")
    assert type(error) is kind
    assert error.status == status
    assert str(error) == f"get Job n/a: {status}{' ' + reason if reason else ''}: why"
    assert error.causes == ("why",)


@pytest.mark.parametrize(
    "details",
    [None, 3, [], {"causes": None}, {"causes": 3}, {"causes": [None, 3, {"field": "a"}, {"message": ""}]}],
)
def test_a_status_with_odd_details_is_read_all_the_same(details: object) -> None:
    body = json.dumps({"kind": "Status", "message": "why", "details": details}).encode()
    assert error_of(422, body, "x").causes == ("why",)


def test_each_cause_is_a_sentence_with_its_field() -> None:
    causes = [{"field": "spec.a", "message": "Required value"}, {"message": "and more"}]
    body = json.dumps({"kind": "Status", "details": {"causes": causes}}).encode()
    assert error_of(422, body, "x").causes == ("spec.a: Required value", "and more")


@given(st.binary(max_size=300), st.integers(300, 599))
def test_any_bytes_make_a_typed_error(body: bytes, status: int) -> None:
    error = error_of(status, body, "x")
    assert error.status == status
    assert len(error.causes) == 1


def _pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(at)]


@given(st.lists(st.binary(max_size=8).filter(lambda line: b"\n" not in line)), st.lists(st.integers(0, 60)))
def test_lines_are_the_same_however_the_stream_is_cut(lines: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(line + b"\n" for line in lines) + b"unfinished"
    cutter = Lines()
    assert [line for piece in _pieces(stream, cuts) for line in cutter.feed(piece)] == [line for line in lines if line]


@given(st.binary(max_size=60), st.lists(st.integers(0, 60)), st.integers(1, 70))
def test_a_tail_is_the_last_bytes_however_the_stream_is_cut(data: bytes, cuts: list[int], size: int) -> None:
    tail = Tail(size)
    for piece in _pieces(data, cuts):
        tail.feed(piece)
    assert tail.end() == data[-size:]
    assert (tail.bytes, tail.lines) == (len(data), data.count(b"\n"))

"""Reading a trial's report: each kind of bad report has its own reason, and nothing ever raises."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsearch.report import (
    LIMIT,
    ErrorScope,
    Report,
    ReportError,
    ReportProblem,
    ReportTimes,
    find_report_in_log,
    parse_report,
    render_report,
)

GOOD = b'{"version": 1, "metrics": {"accuracy": 0.9312, "parameters": 1234567}, "error": null}'


def metrics(text: str) -> bytes:
    return b'{"version": 1, "metrics": {' + text.encode() + b"}}"


def error(text: str) -> bytes:
    return b'{"version": 1, "error": ' + text.encode() + b"}"


def times(text: str) -> bytes:
    return b'{"version": 1, "times": ' + text.encode() + b"}"


# name, bytes, reason, what the message must say
BAD: list[tuple[str, bytes | None, str, str]] = [
    ("absent", None, "ReportMissing", "ARCHSEARCH_REPORT"),
    ("empty", b"", "ReportEmpty", "0 bytes"),
    ("white space", b" \n\t\r\n", "ReportEmpty", "5 bytes"),
    ("too large", GOOD + b"x" * LIMIT, "ReportTooLarge", f"at most {LIMIT}"),
    ("a gigabyte would be too large", b"\0" * (LIMIT + 1), "ReportTooLarge", f"{LIMIT + 1} bytes"),
    ("binary", b"\x89PNG\r\n\x1a\n", "ReportNotText", "byte 0x89"),
    ("NUL", b'{"version": 1}\0', "ReportNotText", "NUL byte at byte 14"),
    ("UTF-16", '{"version": 1}'.encode("utf-16-le"), "ReportNotText", "NUL"),
    ("Latin-1", '{"version": 1, "error": {"reason": "é"}}'.encode("latin-1"), "ReportNotText", "0xe9"),
    ("byte order mark", b"\xef\xbb\xbf" + GOOD, "ReportByteOrderMark", "byte order mark"),
    ("cut in a number", b'{"version": 1, "metrics": {"accuracy": 0.', "ReportTruncated", "byte 41"),
    ("cut in a word", b'{"version": 1, "error": nul', "ReportTruncated", "ends early"),
    ("cut in a name", b'{"version": 1, "met', "ReportTruncated", "ends early"),
    ("cut after a comma", b'{"version": 1,', "ReportTruncated", "ends early"),
    ("cut in an escape", b'{"version": 1, "error": {"reason": "A", "message": "\\u12', "ReportTruncated", "ends early"),
    ("cut in a character", '{"version": 1, "error": {"message": "é'.encode()[:-1], "ReportTruncated", "character"),
    ("tail only, as a kubelet keeps it", b'9312}, "error": null}', "ReportTrailingText", "text follows"),
    ("text", b"accuracy 0.93", "ReportNotJson", "before"),
    ("single quotes", b"{'version': 1}", "ReportNotJson", "property name"),
    ("trailing comma", b'{"version": 1,}', "ReportNotJson", "property name"),
    ("line break in a string", b'{"version": 1, "a": "x\ny"}', "ReportNotJson", "control character"),
    ("bad escape", b'{"version": 1, "a": "\\x"}', "ReportNotJson", "escape"),
    ("two reports", GOOD + b"\n" + GOOD, "ReportTrailingText", "text follows"),
    ("text behind", GOOD + b" done", "ReportTrailingText", '"done"'),
    ("list", b"[1]", "ReportNotObject", "[1]"),
    ("null", b"null", "ReportNotObject", "null"),
    ("number", b"0.93", "ReportNotObject", "0.93"),
    ("NaN alone", b"NaN", "ReportNotObject", "NaN"),
    ("nested without end", b"[" * 2000, "ReportTooDeep", "2000 levels"),
    ("nested in a metric", metrics('"a": ' + "[" * 500 + "]" * 500), "ReportTooDeep", "502 levels"),
    ("key twice", b'{"version": 1, "version": 1}', "ReportDuplicateKey", '"version"'),
    ("metric twice", metrics('"a": 1, "a": 2'), "ReportDuplicateKey", '"a"'),
    ("version absent", b'{"metrics": {"accuracy": 0.9}}', "ReportVersion", '"version": 1'),
    ("version 2", b'{"version": 2}', "ReportVersion", "version is 2"),
    ("version as text", b'{"version": "1"}', "ReportVersion", 'version is "1"'),
    ("version as fraction", b'{"version": 1.0}', "ReportVersion", "1.0"),
    ("version as boolean", b'{"version": true}', "ReportVersion", "true"),
    ("version null", b'{"version": null}', "ReportVersion", "null"),
    (
        "unknown field",
        b'{"version": 1, "accuracy": 0.9}',
        "ReportUnknownField",
        '"accuracy"; allowed: version',
    ),
    ("metrics as list", b'{"version": 1, "metrics": [0.9]}', "MetricsInvalid", "[0.9]"),
    ("metrics as number", b'{"version": 1, "metrics": 0.9}', "MetricsInvalid", "0.9"),
    ("metrics null", b'{"version": 1, "metrics": null}', "MetricsInvalid", "null"),
    ("metric as text", metrics('"accuracy": "0.93"'), "MetricNotNumber", 'accuracy is "0.93"'),
    ("metric unavailable", metrics('"accuracy": "unavailable"'), "MetricNotNumber", "unavailable"),
    ("metric null", metrics('"accuracy": null'), "MetricNotNumber", "null"),
    ("metric as boolean", metrics('"accuracy": true'), "MetricNotNumber", "true"),
    ("metric as list", metrics('"accuracy": [0.9]'), "MetricNotNumber", "[0.9]"),
    ("metric as object", metrics('"accuracy": {}'), "MetricNotNumber", "{}"),
    ("metric NaN", metrics('"accuracy": NaN'), "MetricNotFinite", "accuracy is NaN"),
    ("metric infinite", metrics('"accuracy": Infinity'), "MetricNotFinite", "Infinity"),
    ("metric negative infinite", metrics('"accuracy": -Infinity'), "MetricNotFinite", "-Infinity"),
    ("metric beyond doubles", metrics('"accuracy": 1e999'), "MetricNotFinite", "finite"),
    ("metric of 320 digits", metrics('"n": ' + "9" * 320), "MetricNotFinite", "n is 999"),
    ("metric of 1900 digits", metrics('"n": ' + "9" * 1900), "MetricNotFinite", "n is Infinity"),
    ("metric name empty", metrics('"": 1'), "MetricNameInvalid", '""'),
    ("metric name with spaces", metrics('"top 1": 1'), "MetricNameInvalid", '"top 1"'),
    ("metric name with line break", metrics('"a\\n": 1'), "MetricNameInvalid", '"a\\n"'),
    ("metric name too long", metrics(f'"{"a" * 64}": 1'), "MetricNameInvalid", "63"),
    ("metric name of half a character", metrics('"\\ud800": 1'), "MetricNameInvalid", "ud800"),
    ("too many metrics", metrics(", ".join(f'"m{i}": {i}' for i in range(65))), "TooManyMetrics", "65 metrics"),
    ("error as text", error('"boom"'), "ErrorInvalid", '"boom"'),
    ("error false", error("false"), "ErrorInvalid", "false"),
    ("error empty", error("{}"), "ErrorInvalid", "error.reason is null"),
    ("error reason not CamelCase", error('{"reason": "out of memory", "message": ""}'), "ErrorInvalid", "CamelCase"),
    ("error reason ends a line", error('{"reason": "Boom\\n", "message": ""}'), "ErrorInvalid", "CamelCase"),
    ("error without message", error('{"reason": "Boom"}'), "ErrorInvalid", "error.message is null"),
    ("error message too long", error(f'{{"reason": "Boom", "message": "{"x" * 1025}"}}'), "ErrorInvalid", "1024"),
    ("error scope unknown", error('{"reason": "A", "message": "", "scope": "X"}'), "ErrorInvalid", "Child, Search"),
    ("error scope a list", error('{"reason": "A", "message": "", "scope": []}'), "ErrorInvalid", "[]"),
    (
        "error with unknown field",
        error('{"reason": "A", "message": "", "code": 1}'),
        "ReportUnknownField",
        'error."code"',
    ),
    ("times as list", times("[1, 2]"), "TimesInvalid", "times is [1, 2]"),
    ("times as number", times("1795000000000000000"), "TimesInvalid", "started and ended"),
    ("times without end", times('{"started": 1}'), "TimesInvalid", "times.ended is null"),
    ("times as text", times('{"started": "1", "ended": 2}'), "TimesInvalid", 'times.started is "1"'),
    ("times as fraction", times('{"started": 1.5, "ended": 2}'), "TimesInvalid", "whole nanoseconds"),
    ("times as boolean", times('{"started": true, "ended": 2}'), "TimesInvalid", "times.started is true"),
    ("times before 1970", times('{"started": -1, "ended": 2}'), "TimesInvalid", "times.started is -1"),
    ("times after 2262", times('{"started": 1, "ended": 9223372036854775808}'), "TimesInvalid", "times.ended"),
    ("times of 1900 digits", times('{"started": 1, "ended": ' + "9" * 1900 + "}"), "TimesInvalid", "Infinity"),
    ("times the wrong way round", times('{"started": 3, "ended": 2}'), "TimesInvalid", "times.started is 3, after"),
    ("times with unknown field", times('{"started": 1, "ended": 2, "zone": 0}'), "ReportUnknownField", 'times."zone"'),
]


@pytest.mark.parametrize(("data", "reason", "says"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_bad_report_has_its_own_reason(data: bytes | None, reason: str, says: str) -> None:
    found = parse_report(data)
    assert isinstance(found, ReportProblem)
    assert found.reason == reason
    assert says in found.message
    assert len(found.message) < 400
    assert found.message.isprintable()


def test_the_table_holds_at_least_35_cases_and_every_reason_in_the_docstring() -> None:
    assert len(BAD) >= 35
    documented = (parse_report.__doc__ or "").split("Reasons: ")[1].split(".")[0]
    assert {row[2] for row in BAD} == set(documented.replace("\n", " ").replace(" ", "").split(","))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (GOOD, Report(metrics={"accuracy": 0.9312, "parameters": 1234567.0})),
        (b"\r\n \t" + GOOD + b"\n\n", Report(metrics={"accuracy": 0.9312, "parameters": 1234567.0})),
        (b'{"version": 1}', Report()),
        (times("null"), Report()),
        (times('{"started": 7, "ended": 7}'), Report(times=ReportTimes(started=7, ended=7))),
        (metrics('"a": -0.0, "b": 1e-400, "c": 1E3'), Report(metrics={"a": -0.0, "b": 0.0, "c": 1000.0})),
        (metrics(f'"{"a" * 63}": 9007199254740993'), Report(metrics={"a" * 63: 9007199254740992.0})),
        (
            error('{"reason": "DataMissing", "message": "no é", "scope": "Search"}'),
            Report(error=ReportError(reason="DataMissing", message="no é", scope=ErrorScope.SEARCH)),
        ),
        (
            error('{"reason": "A", "message": "\\u001b[2J\\u0000\\ud800\\n"}'),
            Report(error=ReportError(reason="A", message="\ufffd[2J\ufffd\ufffd\n")),
        ),
        (GOOD[:-1] + b" " * (LIMIT - len(GOOD)) + b"}", Report(metrics={"accuracy": 0.9312, "parameters": 1234567.0})),
    ],
)
def test_a_good_report_is_read(data: bytes, expected: Report) -> None:
    assert parse_report(data) == expected


LONG = (
    b'{"version": 1, "metrics": {"a": -1.5e-07, "b": 12}, "error": {"reason": "A", "message": '
    b'"caf\xc3\xa9 \\u00e9 \\ud83d\\ude00 \\"", "scope": "Child"}}'
)


@pytest.mark.parametrize("length", range(1, len(LONG)))
def test_every_beginning_of_a_report_is_told_as_truncated(length: int) -> None:
    found = parse_report(LONG[:length])
    assert isinstance(found, ReportProblem)
    assert found.reason == "ReportTruncated"


@given(st.binary(max_size=LIMIT + 50))
def test_arbitrary_bytes_never_raise(data: bytes) -> None:
    assert isinstance(parse_report(data), Report | ReportProblem)


PIECES = [b"NaN", b"1e999", b"{", b"[", b'"', b"\\", b"null", b"true", b",", b"}"]


@given(st.data())
@settings(max_examples=300)
def test_mutations_of_a_report_never_raise_and_never_let_a_bad_number_through(data: st.DataObject) -> None:
    report = bytearray(LONG)
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(report)))
        end = data.draw(st.integers(start, min(start + 5, len(report))))
        report[start:end] = data.draw(st.binary(max_size=4) | st.sampled_from(PIECES))
    found = parse_report(bytes(report))
    if isinstance(found, Report):
        assert all(math.isfinite(value) for value in found.metrics.values())
        json.loads(render_report(found))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["version", "metrics", "error", "x"]), JSON | st.just(1), max_size=4))
def test_any_json_never_raises(value: Any) -> None:
    found = parse_report(json.dumps(value).encode())
    assert isinstance(found, ReportProblem) or found.version == 1


# --- reports in logs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("", None),
        ("epoch 1\nepoch 2\n", None),
        ('{"accuracy": 0.9}\n{"level": "info", "version": "2"}\n', None),
        ("epoch 1\n" + GOOD.decode() + "\n", GOOD),
        (GOOD.decode() + "\nbye\n\n", GOOD),
        ("\r\n  " + GOOD.decode() + " \r\n", GOOD),
        (metrics('"a": 1').decode() + "\n" + metrics('"a": 2').decode(), metrics('"a": 2')),
        ("12%\r57%\r" + GOOD.decode() + "\n", GOOD),
        ("result: " + GOOD.decode(), None),
    ],
)
def test_the_last_line_that_is_a_report_counts(log: str, expected: bytes | None) -> None:
    assert find_report_in_log(log) == expected


def test_a_bad_last_report_is_not_hidden_by_an_older_good_one() -> None:
    found = parse_report(find_report_in_log(GOOD.decode() + "\n" + metrics('"accuracy": NaN').decode()))
    assert isinstance(found, ReportProblem)
    assert found.reason == "MetricNotFinite"


@given(st.text())
def test_any_log_never_raises(log: str) -> None:
    parse_report(find_report_in_log(log + '\n{"version": 1, "metrics": {' + log))

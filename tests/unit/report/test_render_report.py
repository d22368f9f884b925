"""Writing a report: what is written is read back the same, and always fits."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsearch.report import (
    LIMIT,
    ErrorScope,
    Report,
    ReportError,
    ReportTimes,
    error_report,
    parse_report,
    render_report,
)

NAMES = st.from_regex(r"\A[A-Za-z][A-Za-z0-9_]{0,20}\Z")
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
CLEAN = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=100)
ERRORS = st.none() | st.builds(
    ReportError, reason=st.from_regex(r"\A[A-Z][A-Za-z0-9]{0,20}\Z"), message=CLEAN, scope=st.sampled_from(ErrorScope)
)
TIMES = st.none() | st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1)).map(
    lambda pair: ReportTimes(started=min(pair), ended=max(pair))
)


@given(st.dictionaries(NAMES, NUMBERS, max_size=20), ERRORS, TIMES)
def test_what_is_written_is_read_back(
    metrics: dict[str, float], error: ReportError | None, times: ReportTimes | None
) -> None:
    report = Report(metrics=metrics, error=error, times=times)
    assert parse_report(render_report(report)) == report


@given(st.text(), st.dictionaries(NAMES, NUMBERS, max_size=20))
def test_an_error_of_any_length_fits_and_keeps_its_beginning(message: str, metrics: dict[str, float]) -> None:
    report = Report(metrics=metrics, error=error_report("Boom", message * 50).error)
    data = render_report(report)
    read = parse_report(data)
    assert len(data) <= LIMIT
    assert isinstance(read, Report)
    assert read.error is not None
    assert report.error is not None
    assert report.error.message.startswith(read.error.message.removesuffix("…"))


@pytest.mark.parametrize("character", ["x", "é", "\U0001f600", '"', "\\", "\n"])
def test_a_long_message_is_cut_to_the_last_byte_that_fits(character: str) -> None:
    metrics = {f"metric{i}": i / 7 for i in range(45)}
    report = Report(metrics=metrics, error=ReportError(reason="Boom", message=character * 1024))
    data = render_report(report)
    read = parse_report(data)
    assert isinstance(read, Report)
    assert read.error is not None
    assert read.error.message.endswith("…")
    assert LIMIT - 6 < len(data) <= LIMIT


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_metric_that_is_not_finite_is_named(value: float) -> None:
    with pytest.raises(ValueError, match="accuracy"):
        Report(metrics={"accuracy": value})
    unchecked = Report.model_construct(metrics={"loss": 1.0, "accuracy": value})
    with pytest.raises(ValueError, match=f"metric accuracy is {value}"):
        render_report(unchecked)


def test_metrics_that_leave_no_room_for_the_times_go_without_them() -> None:
    room = LIMIT - len(render_report(Report(metrics={"m": 0.5})))
    names = {f"m{i:02d}{'x' * 30}": 0.5 for i in range(room // 40)}
    times = ReportTimes(started=1_795_000_000_000_000_000, ended=1_795_000_000_000_000_001)
    report = Report(metrics={"m": 0.5} | names, times=times)
    assert parse_report(render_report(report)) == report.model_copy(update={"times": None})


def test_metrics_that_do_not_fit_are_told() -> None:
    report = Report(metrics={f"{'m' * 50}{i}": i / 7 for i in range(60)})
    with pytest.raises(ValueError, match=r"60 metrics take .* bytes; a report has at most 2048"):
        render_report(report)


def test_a_message_that_harms_a_terminal_is_cleaned() -> None:
    report = error_report("Boom", "a\x1b[31mb\x00c\ud800d", ErrorScope.SEARCH)
    assert json.loads(render_report(report)) == {
        "version": 1,
        "metrics": {},
        "error": {"reason": "Boom", "message": "a\ufffd[31mb\ufffdc\ufffdd", "scope": "Search"},
    }


def test_a_metric_name_that_no_report_may_hold_is_refused_when_it_is_made() -> None:
    with pytest.raises(ValueError, match="metrics"):
        Report(metrics={"top 1": 0.5})

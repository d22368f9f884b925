"""Reading a report file: a child may have put anything there, and nothing of it may block or fill the memory."""

import os
from pathlib import Path

import pytest

from archsearch.local.runner import read_report
from archsearch.report import LIMIT


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.mkdir()


def _link(path: Path) -> None:
    (path.parent / "elsewhere").write_text("{}")
    path.symlink_to(path.parent / "elsewhere")


def _nothing(path: Path) -> None:
    """Leave it absent."""


@pytest.mark.parametrize("make", [_fifo, _folder, _link, _nothing])
def test_what_is_no_plain_file_is_no_report(tmp_path: Path, make: object) -> None:
    make(tmp_path / "report.json")  # type: ignore[operator]
    assert read_report(tmp_path / "report.json") is None


def test_a_report_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_bytes(b"\x00{}\xff")
    assert read_report(tmp_path / "report.json") == b"\x00{}\xff"


def test_of_a_huge_report_just_enough_is_read_to_see_that_it_is_too_large(tmp_path: Path) -> None:
    with (tmp_path / "report.json").open("wb") as file:
        file.truncate(1 << 30)
    read = read_report(tmp_path / "report.json")
    assert read is not None
    assert len(read) == LIMIT + 1

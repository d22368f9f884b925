"""Task tabular: the child's metrics come from a table, and a bad table is told with its line."""

import subprocess
import sys
from pathlib import Path

import pytest

from archsearch.report import Report, TrialInput
from archsearch.trial import program
from archsearch.trial.tasks import tabular

GOOD = "cell,val_accuracy,test_accuracy\n00,10.5,9\n01,90,91.25\n"


def trial(values: dict[str, object], table: str = "table.csv", kind: str = "choices") -> TrialInput:
    return TrialInput.model_validate(
        {
            "search": "s",
            "trial": "s-000000",
            "index": 0,
            "architecture": {"kind": kind, "values": values},
            "task": {"tabular": {"table": table}},
            "seed": 0,
            "attempt": 1,
        }
    )


def look_up(folder: Path, text: str | bytes, values: dict[str, object] | None = None) -> Report:
    (folder / "table.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    return tabular.run(trial(values or {"a": 0, "b": 1}), base=folder)


def test_the_metrics_bear_the_names_of_the_columns(tmp_path: Path) -> None:
    assert look_up(tmp_path, GOOD) == Report(metrics={"val_accuracy": 90.0, "test_accuracy": 91.25})


def test_a_byte_order_mark_and_empty_lines_do_no_harm(tmp_path: Path) -> None:
    assert look_up(tmp_path, b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n\r\n").encode()).error is None


@pytest.mark.parametrize(
    ("values", "spelling"), [({"a": 3, "b": "x"}, "3x"), ({"b": "x", "a": 3}, "x3"), ({"a": "0"}, "0")]
)
def test_a_child_is_spelled_by_its_values_in_order(values: dict[str, object], spelling: str) -> None:
    assert tabular.spell(trial(values)) == spelling


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: the file is empty"),
        ("cell\n00\n", "line 1: 1 columns"),
        ("cell,9lives\n00,1\n", "line 1: column '9lives'"),
        ("cell,a,a\n00,1,2\n", "line 1: two columns are named 'a'"),
        ("cell,a\n", "line 2: no network follows"),
        ("cell,a\n00,1\n01\n", "line 3: 1 columns"),
        ("cell,a\n00,1\n01,1,2\n", "line 3: 3 columns"),
        ("cell,a\n00,1\n01,much\n", "line 3: a is 'much'"),
        ("cell,a\n00,1\n01,\n", "line 3: a is ''"),
        ("cell,a\n00,nan\n", "line 2: a is 'nan'"),
        ("cell,a\n00,1e999\n", "line 2: a is '1e999'"),
        ("cell,a\n00,1\n00,2\n", "line 3: network '00' occurs twice"),
        ("cell,a\n00,1\n001,2\n", "line 3: network '001' has 3 decisions"),
        ("cell,a\n,1\n", "line 2: the first column is empty"),
        ('cell,a\n"00,1\n', "unexpected end of data"),
        (b"cell,a\n\xff\xfe,1\n", "not UTF-8 text"),
    ],
)
def test_a_bad_table_is_told_with_its_line(tmp_path: Path, text: str | bytes, problem: str) -> None:
    error = look_up(tmp_path, text).error
    assert error is not None
    assert (error.reason, error.scope) == ("TableInvalid", "Search")
    assert problem in error.message
    assert "table.csv" in error.message


@pytest.mark.parametrize(
    ("values", "kind", "reason", "scope", "message"),
    [
        ({"a": 9, "b": 9}, "choices", "NotInTable", "Child", "'99'"),
        ({"a": 1}, "choices", "NotInTable", "Child", "'1'"),
        ({"a": 10, "b": 1}, "choices", "ArchitectureUnsupported", "Search", "'a' is 10"),
        ({"a": True, "b": 1}, "choices", "ArchitectureUnsupported", "Search", "'a' is True"),
        ({"a": 1, "b": 1}, "convolutional", "ArchitectureUnsupported", "Search", "'convolutional'"),
    ],
)
def test_a_child_that_the_table_lacks(
    tmp_path: Path, values: dict[str, object], kind: str, reason: str, scope: str, message: str
) -> None:
    (tmp_path / "table.csv").write_text(GOOD)
    error = tabular.run(trial(values, kind=kind), base=tmp_path).error
    assert error is not None
    assert (error.reason, error.scope) == (reason, scope)
    assert message in error.message


def test_no_table_and_a_folder_in_its_place(tmp_path: Path) -> None:
    missing = tabular.run(trial({"a": 0}), base=tmp_path).error
    (tmp_path / "table.csv").mkdir()
    folder = tabular.run(trial({"a": 0}), base=tmp_path).error
    assert missing is not None
    assert folder is not None
    assert (missing.reason, missing.scope) == ("TableMissing", "Search")
    assert (folder.reason, folder.scope) == ("TableUnreadable", "Search")


def test_a_changed_table_is_read_again(tmp_path: Path) -> None:
    assert look_up(tmp_path, GOOD).metrics["val_accuracy"] == 90
    assert look_up(tmp_path, GOOD.replace("90,", "12345,")).metrics["val_accuracy"] == 12345


def test_another_task_is_refused(tmp_path: Path) -> None:
    other = trial({"a": 0}).model_copy(update={"task": {"imageClassification": {"dataset": {"digits": {}}}}})
    error = tabular.run(other, base=tmp_path).error
    assert error is not None
    assert error.reason == "TaskUnsupported"


def test_the_measured_table_goes_through_the_program(shared_data: Path) -> None:
    lines = (shared_data / "nasbench201_cifar10.csv").read_text().splitlines()
    for line in (lines[1], lines[7777], lines[-1]):
        cell, validation, test = line.split(",")
        report = program.run(
            trial(dict(zip("abcdef", map(int, cell), strict=True)), "nasbench201_cifar10.csv"), shared_data
        )
        assert report == Report(metrics={"val_accuracy": float(validation), "test_accuracy": float(test)})


def test_looking_up_needs_neither_torch_nor_numpy() -> None:
    code = (
        "import sys, archsearch.trial.tasks.tabular, archsearch.trial.entry; print({'torch', 'numpy'} & {*sys.modules})"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"

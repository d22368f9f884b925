"""Reading a table of measured networks: what is found, and a clear word for whatever is wrong."""

from pathlib import Path

import pytest

from archsearch.bench.errors import BenchError
from archsearch.bench.table import read_table

HEADER = "cell,val_accuracy,test_accuracy\n"


def test_decisions_and_options_are_what_the_first_column_spells(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(HEADER + "ax,1.5,1\nbx,3.25,2\ncz,2,3\n\n")
    table = read_table(path)
    assert table.options == (("a", "b", "c"), ("x", "z"))
    assert (table.best, table.networks, table.path) == (3.25, 3, path.resolve())


def test_columns_are_found_by_name_in_any_order_and_beside_others(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("id,parameters,test_accuracy,val_accuracy\n0,9,5,7\n1,9,6,8\n")
    assert read_table(path).best == 8


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1: the file is empty"),
        ("cell,accuracy\n00,1\n", "lacks the column val_accuracy; columns after the first: accuracy"),
        ("cell,val_accuracy\n00,1\n", "lacks the column test_accuracy"),
        ("val_accuracy,test_accuracy\n1,1\n", "lacks the column val_accuracy"),
        ("cell,val_accuracy,val_accuracy,test_accuracy\n0,1,1,1\n", "line 1: two columns are named 'val_accuracy'"),
        (HEADER, "no network follows the header"),
        (HEADER + "00,1,1\n01,1\n", "line 3: 2 columns; the header has 3"),
        (HEADER + "00,1,1\n01,1,1,1\n", "line 3: 4 columns; the header has 3"),
        (HEADER + "00,1,1\n010,1,1\n", "line 3: network '010' has 3 decisions; those above have 2"),
        (HEADER + "00,1,1\n00,2,1\n", "line 3: network '00' occurs twice"),
        (HEADER + ",1,1\n", "line 2: the first column is empty"),
        (HEADER + "0" * 257 + ",1,1\n", "the first column spells 257 decisions; allowed: 256 at most"),
        (HEADER + "00,high,1\n", "line 2: val_accuracy is 'high'; allowed: a finite number"),
        (HEADER + "00,1,nan\n", "line 2: test_accuracy is 'nan'; allowed: a finite number"),
        (HEADER + "00,inf,1\n", "line 2: val_accuracy is 'inf'"),
        (HEADER + '00,"1,1\n', "not a CSV: unexpected end of data"),
        (HEADER + "".join(f"{chr(0x4E00 + n)},1,1\n" for n in range(65)), "decision 1 has 65 different characters"),
    ],
)
def test_a_bad_table_is_refused_with_its_row_and_what_is_allowed(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(BenchError, match=told) as caught:
        read_table(path)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("name", "told"), [("absent.csv", "No such file"), (".", "Is a directory")])
def test_a_table_that_cannot_be_opened_is_named(tmp_path: Path, name: str, told: str) -> None:
    with pytest.raises(BenchError, match=told):
        read_table(tmp_path / name)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(HEADER.encode() + b"00,\xff\xfe,1\n")
    with pytest.raises(BenchError, match="not UTF-8 text"):
        read_table(path)

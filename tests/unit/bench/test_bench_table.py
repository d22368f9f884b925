"""Reading a table of measured networks: what is found, and a clear word for whatever is wrong."""

import hashlib
from pathlib import Path

import pytest

from archsearch.bench.errors import BenchError
from archsearch.bench.table import read_table
from archsearch.bench.wide import Layout

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
        (
            "cell,accuracy\n00,1\n",
            r"lacks the column val_accuracy; columns of metrics: accuracy \(--metric names one\)",
        ),
        ("val_accuracy,test_accuracy\n1,1\n", "lacks the column val_accuracy"),
        ("cell,val_accuracy,val_accuracy,test_accuracy\n0,1,1,1\n", "line 1: two columns are named 'val_accuracy'"),
        (HEADER, "no network follows the header"),
        (HEADER + "00,1,1\n01,1\n", "line 3: 2 columns; the header has 3"),
        (HEADER + "00,1,1\n01,1,1,1\n", "line 3: 4 columns; the header has 3"),
        (HEADER + "00,1,1\n010,1,1\n", "line 3: network '010' has 3 decisions; those above have 2 .*--separator"),
        ("e1,e2,val_accuracy\n0,skip,1\n", "line 2: e2 is 'skip'; allowed: a finite number .*--decisions N"),
        ("e1,e2,val_accuracy\n0,0,1\n0,1,2\n", "line 3: network '0' occurs twice .*--decisions N"),
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


@pytest.mark.parametrize(("columns", "test"), [("val_accuracy,test_accuracy", "test_accuracy"), ("val_accuracy", None)])
def test_a_table_need_not_have_a_test_accuracy(tmp_path: Path, columns: str, test: str | None) -> None:
    path = tmp_path / "table.csv"
    path.write_text(f"cell,{columns}\n0{',1' * len(columns.split(','))}\n")
    assert read_table(path).test == test


def test_the_reward_is_the_column_that_is_named(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(HEADER + "0,1,7\n1,2,5\n")
    table = read_table(path, "test_accuracy")
    assert (table.metric, table.test, table.best) == ("test_accuracy", None, 7)


WIDE = "e1,e2,val_accuracy\nskip,conv 3x3,1\n\nnone, conv 1x1,2.5\nskip,conv 1x1,2\n"
SEPARATED = "net,val_accuracy\nskip|conv 3x3,1\n\nnone| conv 1x1,2.5\nskip|conv 1x1,2\n"


@pytest.mark.parametrize(("text", "layout"), [(WIDE, Layout(columns=2)), (SEPARATED, Layout(separator="|"))])
def test_options_of_several_characters_become_one_each_in_their_order(
    tmp_path: Path, text: str, layout: Layout
) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    table = read_table(path, layout=layout)
    assert (table.options, table.best, table.networks) == ((("0", "1"), ("0", "1")), 2.5, 3)
    copy = table.placed(tmp_path / "searches")
    assert copy == tmp_path / "searches" / f"table-{hashlib.sha256(copy.read_bytes()).hexdigest()[:16]}.csv"
    # e1: none, skip; e2: conv 1x1, conv 3x3.
    assert copy.read_text().split() == ["network,val_accuracy", "11,1", "00,2.5", "10,2"]
    again = read_table(copy)
    assert (again.options, again.best, again.placed(tmp_path)) == (table.options, table.best, copy)
    path.write_text(text.replace("2.5", "3.5"))
    other = read_table(path, layout=layout).placed(tmp_path / "searches")
    assert (other != copy, copy.read_text().split()[2]) == (True, "00,2.5")


@pytest.mark.parametrize(
    ("text", "layout", "told"),
    [
        ("", Layout(columns=2), "line 1: 0 columns; needed: 2 of decisions, then metrics"),
        ("e1,val_accuracy\n1,1\n", Layout(columns=2), "line 1: 2 columns; needed: 2 of decisions, then metrics"),
        ("e1,e2,val_accuracy\n", Layout(columns=2), "line 2: no network follows the header"),
        ("e1,e2,val_accuracy\na,b,1\na,,1\n", Layout(columns=2), "line 3: decision 2 is empty"),
        ("e1,e2,val_accuracy\na,b,1\na\n", Layout(columns=2), r"line 3: network \(a\) has 1 decisions; .* have 2"),
        ("e1,e2,val_accuracy\na,b,1\na,b,2\n", Layout(columns=2), r"line 3: network \(a, b\) occurs twice"),
        ("e1,e2,val_accuracy\na,b,1\n\n\na,c,much\n", Layout(columns=2), "line 5: val_accuracy is 'much'"),
        ("e1,e2,val_accuracy\na,b,1\na,c,1,2\n", Layout(columns=2), "line 3: 3 columns; the header has 2"),
        ("net,val_accuracy\na|b,1\na|b|c,1\n", Layout(separator="|"), r"line 3: network \(a, b, c\) has 3 decisions"),
        ("net,val_accuracy\na|b,1\na|,1\n", Layout(separator="|"), "line 3: decision 2 is empty"),
        ('net,val_accuracy\na|"b,1\n"', Layout(separator="|"), "not a CSV"),
        (
            "e1,e2,val_accuracy\n" + "".join(f"a,{n},1\n" for n in range(65)),
            Layout(columns=2),
            "decision 2 has 65 different options; allowed: 64 at most .is it a metric",
        ),
    ],
)
def test_decisions_that_are_not_laid_out_so_are_told(tmp_path: Path, text: str, layout: Layout, told: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(BenchError, match=told) as caught:
        read_table(path, layout=layout)
    assert str(path) in str(caught.value)


def test_bytes_that_are_no_text_are_refused_in_any_layout(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"e1,e2,val_accuracy\na,\xff\xfe,1\n")
    with pytest.raises(BenchError, match="not UTF-8 text"):
        read_table(path, layout=Layout(columns=2))

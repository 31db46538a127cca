"""Tables of people: found by any name, told by line where they are wrong."""

from pathlib import Path

import pytest

from framecast.core.errors import DataError
from framecast.data.tables import read_table

COLUMNS = {"time": ("time", "T", "date"), "size": ("size",), "name": ("name",)}


def read(tmp_path: Path, text: str, **options):
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    return read_table(path, COLUMNS, **{"required": ("time",), **options})


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_columns_are_found_whatever_they_are_called_and_others_left_alone(tmp_path, separator):
    text = "# made by hand\nNAME,t,colour,Size\na,noon,red, 3\n\n# no more of a\nb,night,,\n".replace(",", separator)
    table = read(tmp_path, text)
    assert table.columns == {"time", "size", "name"}
    first, second = table.records
    assert (first.text("time"), first.number("size"), first.text("name")) == ("noon", 3.0, "a")
    assert "size" not in second and second.text("size") == ""
    assert second.place == "t.csv, line 6"


def test_a_byte_order_mark_and_quotes_do_no_harm(tmp_path):
    (record,) = read(tmp_path, '\ufefftime,name\n1,"a, b"\n').records
    assert record.text("name") == "a, b"


def test_a_file_of_one_column_needs_no_names(tmp_path):
    assert [r.text("time") for r in read(tmp_path, "2017\n2018\n", unnamed="time").records] == ["2017", "2018"]
    assert [r.text("time") for r in read(tmp_path, "date\n2018\n", unnamed="time").records] == ["2018"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", r"t.csv is empty: its first line must name the columns time"),
        ('time,name\n1,"a\n2,b\n', r"t\.csv, line 2 has a quotation mark that is not closed there"),
        ("time,name\n1," + 10**6 * "a", r"t\.csv, line 2 has 1000002 characters; at most 131072"),
        ('time,name\n1,a\n"' + 40 * (10**4 * "a" + "\n"), r"t\.csv, line 3 has a quotation mark that is not closed"),
        ("size,name\n1,a\n", r"has the columns size, name; it needs time \(or T, date\)"),
    ],
)
def test_a_table_of_another_kind(tmp_path, text, complaint):
    with pytest.raises(DataError, match=complaint):
        read(tmp_path, text)


def test_cells_of_no_use_are_told_with_their_line(tmp_path):
    record = read(tmp_path, "time,size\n1,big\n").records[0]
    with pytest.raises(DataError, match=r"t\.csv, line 2 has size 'big'"):
        record.number("size")
    with pytest.raises(DataError, match=r"t\.csv, line 2 has no name"):
        record.read("name", str, "a name")


def test_files_that_are_none(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        read_table(tmp_path / "none.csv", COLUMNS, required=("time",))
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DataError, match="is not UTF-8 text"):
        read_table(tmp_path / "b.csv", COLUMNS, required=("time",))

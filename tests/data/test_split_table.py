"""Splits as tables: what is written divides the same way, and what cannot be true is refused."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from framecast.core.errors import ConfigError, DataError
from framecast.data.split_table import SIDES, TableSplit, checksum, compare, read_sides, write_split
from framecast.data.splits import TimeSplit
from framecast.data.windows import Window, WindowList

START = np.datetime64("2017-08-08T00:00", "ns")
HOUR = np.timedelta64(3600 * 10**9, "ns")
BY_TIME = TimeSplit(train_end="2017-08-09", validation_start="2017-08-09T06:00", test_start="2017-08-09T18:00")


@pytest.fixture
def windows() -> WindowList:
    found = []
    for region in ("a", "b"):
        for first in range(60):
            times = [START + k * HOUR for k in range(first, first + 4)]
            found.append(Window(region, tuple(range(first, first + 4)), times[1], times[0], times[-1]))
    return WindowList(tuple(found), Counter())


def write(tmp_path, text: str):
    path = tmp_path / "split.csv"
    path.write_text(text)
    return path


def test_a_table_that_was_written_divides_as_the_split_did(windows, tmp_path):
    division = BY_TIME.divide(windows)
    write_split(tmp_path / "deep" / "split.csv", division)
    again = TableSplit(table=str(tmp_path / "deep" / "split.csv")).divide(windows)
    assert {side: set(members) for side, members in again.items()} == {s: set(m) for s, m in division.items()}
    text = (tmp_path / "deep" / "split.csv").read_text()
    assert f"# train: {len(division['train'])} windows, {checksum(division, 'train')}" in text
    assert compare(division, tmp_path / "deep" / "split.csv").keys() == {(s, s) for s in (*SIDES, "dropped")}


def test_names_may_hold_what_separates_cells(windows, tmp_path):
    names = {"a": "#1, west", "b": 'the "second"; b'}
    renamed = WindowList(tuple(replace(window, sequence=names[window.sequence]) for window in windows), Counter())
    division = BY_TIME.divide(renamed)
    write_split(tmp_path / "split.csv", division)
    assert compare(division, tmp_path / "split.csv").keys() == {(s, s) for s in (*SIDES, "dropped")}


def test_windows_that_are_not_named_are_dropped(windows, tmp_path):
    path = write(tmp_path, "window,side\na@2017-08-08T01:00,train\nb@2017-08-10T01:00,Validation\n")
    division = TableSplit(table=str(path)).divide(windows)
    assert {side: len(members) for side, members in division.items()} == {
        "train": 1,
        "validation": 1,
        "test": 0,
        "dropped": 118,
    }


def test_sequences_may_be_named(windows, tmp_path):
    path = write(tmp_path, "sequence;split\na;train\nb;test\n")
    division = TableSplit(table=str(path)).divide(windows)
    assert {window.sequence for window in division["train"]} == {"a"}
    assert len(division["test"]) == 60
    with pytest.raises(ConfigError, match="tables of windows"):
        compare(division, path)


def test_differences_are_counted(windows, tmp_path):
    division = BY_TIME.divide(windows)
    write_split(tmp_path / "split.csv", division)
    text = (tmp_path / "split.csv").read_text()
    write(
        tmp_path,
        text.replace("a@2017-08-08T01:00,train", "a@2017-08-08T01:00,test").replace("b@2017-08-08T01:00,", "c,"),
    )
    found = {pair: count for pair, count in compare(division, tmp_path / "split.csv").items() if pair[0] != pair[1]}
    assert found == {("train", "test"): 1, ("train", "absent"): 1, ("absent", "train"): 1}


def test_a_table_that_changed_is_refused(windows, tmp_path):
    path = write(tmp_path, "sequence,side\na,train\nb,test\n")
    split = TableSplit(table=str(path)).pinned()
    split.divide(windows)
    path.write_text("sequence,side\na,train\nb,validation\n")
    with pytest.raises(DataError, match="has changed since the split was made"):
        split.divide(windows)
    path.unlink()
    with pytest.raises(DataError, match=r"cannot be read: No such file"):
        split.divide(windows)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("window,side\na@2017-08-08T01:00,train\na@2017-08-08T03:00,test\n", "they share a frame: drop the windows"),
        ("window,side\nz@2017-08-08T01:00,train\n", "none of these windows, such as a@2017-08-08T01:00"),
        ("window,side\na,left\n", "line 2 has side 'left'; it can be train, validation, test or dropped"),
        ("window,side\na,train\na,test\n", "line 3 puts a on a different side"),
        ("name,side\na,train\n", "lists no windows: it needs the column window"),
        ("window\na\n", "it needs side"),
    ],
)
def test_tables_of_no_use(windows, tmp_path, text, complaint):
    with pytest.raises(DataError, match=complaint):
        TableSplit(table=str(write(tmp_path, text))).divide(windows)


def test_read_sides(tmp_path):
    assert read_sides(write(tmp_path, "# c\nwindow,side\nx,train\n")) == {"x": "train"}

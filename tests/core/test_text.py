"""Text of others on a terminal and in tables."""

import csv
import io

import pytest

from framecast.core.text import LONGEST, cell_text, one_line, plain_cell, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rain 64 × 64, Å", "rain 64 × 64, Å"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("a\nb\rc\td", r"a\x0ab\x0dc\x09d"),
        ("\x9b31m", r"\x9b31m"),
        ("abc\u202egnp.exe", r"abc\u202egnp.exe"),
        ("\u2066\u2069\u200e\u200f\u061c\u2028\u2029\ufeff", r"\u2066\u2069\u200e\u200f\u061c\u2028\u2029\ufeff"),
        ("\udcff.zarr", r"\udcff.zarr"),
        ("\U000e0041", r"\U000e0041"),
        (None, "None"),
    ],
)
def test_what_has_no_shape_is_shown_as_an_escape(text, shown):
    assert visible(text) == shown


def test_the_middle_of_a_long_text_is_left_out():
    shown = visible("a" * 10**6 + "z" * 10**6)
    assert len(shown) < LONGEST + 60
    assert shown.startswith("aaa") and shown.endswith("zzz")
    assert f"{2 * 10**6 - LONGEST * 2 // 3 - LONGEST // 3} characters left out" in shown
    assert visible("x" * LONGEST) == "x" * LONGEST


def test_one_line_joins_lines():
    assert one_line("a\n  b\t\tc\x1b") == r"a b c\x1b"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''", "plain", "", "'quoted'"])
def test_a_cell_begins_no_formula_and_is_read_as_it_was(text):
    cell = plain_cell(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert cell_text(cell) == text


def test_names_from_files_begin_no_formula_in_tables():
    from framecast.verification.rows import as_csv

    rows = [{"forecast": "=HYPERLINK(1)", "value": -1.5}]
    ((first, second),) = list(csv.reader(io.StringIO(as_csv(rows))))[1:]
    assert (first, second) == ("'=HYPERLINK(1)", "-1.5")

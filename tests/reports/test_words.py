"""Numbers and times as one reads them."""

import math

import pytest

from framecast.reports.wording import Clock, counted, listed, percent, short, span


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.nan, "–"),
        (0.0, "0"),
        (-3.14159, "−3.14"),
        (123.456, "123.5"),
        (12345.6, "12\u202f346"),
        (-2.5e7, "−2.50 × 10⁷"),
        (0.00012, "1.20 × 10⁻⁴"),
    ],
)
def test_figures_have_as_many_digits_as_one_reads(value: float, text: str) -> None:
    assert short(value) == text


def test_shares_and_intervals() -> None:
    assert percent(0.4567) == "45.7\u202f%"
    assert percent(-0.02, signed=True) == "−2.0\u202f%"
    assert percent(math.nan) == "–"
    assert span((1.0, 2.0)) == "1 … 2"
    assert span((-0.1, 0.25), as_percent=True) == "−10.0 … 25.0"
    assert span((math.nan, 1.0)) == ""


def test_lists_and_numbers_of_things() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert (counted(1, "sample"), counted(0, "sample")) == ("1 sample", "0 samples")


@pytest.mark.parametrize(
    ("longest", "seconds", "text"),
    [
        (60, 12, "+12 s"),
        (3600, 300, "+5 min"),
        (43200, -7200, "−2 h"),
        (43200, 5400, "+1.5 h"),
        (864000, 86400, "+1 d"),
    ],
)
def test_lead_times_are_told_in_the_unit_that_suits_the_longest(longest: float, seconds: float, text: str) -> None:
    assert Clock.of(longest).text(seconds, sign=True) == text

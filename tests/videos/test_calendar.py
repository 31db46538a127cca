import numpy as np
import pytest

from framecast.core.errors import DataError
from framecast.videos.calendar import Calendar

DAYS = Calendar(name="360_day", origin="2000-01-01")
STEPS = Calendar(name="none", origin="")


@pytest.mark.parametrize(
    ("calendar", "text"),
    [
        (Calendar(), "2021-07-14T12:30:00"),
        (DAYS, "2000-02-30T06:00:00"),
        (Calendar(name="noleap", origin="1970-01-01"), "2004-03-01T00:00:00"),
    ],
)
def test_a_date_is_written_as_it_is_read(calendar, text):
    assert calendar.iso(calendar.parse(text)) == text


def test_steps_are_durations_and_never_dates():
    assert STEPS.iso(STEPS.parse("90s")) == "90s"
    assert STEPS.moment(STEPS.parse("2h")) == "2h"
    assert Calendar().moment(np.datetime64("2021-07-14T12:00", "ns")) == "2021-07-14 12:00 UTC"


@pytest.mark.parametrize(("calendar", "text"), [(Calendar(), "2021-02-30"), (Calendar(), "soon"), (DAYS, "2000-02-31")])
def test_what_is_no_date_of_the_calendar_is_refused(calendar, text):
    with pytest.raises(DataError, match=f"'{text}' is not a time of the calendar {calendar.name}"):
        calendar.parse(text)


def test_clocks_of_other_origins_are_brought_together():
    later = Calendar(name="360_day", origin="2100-01-01")
    time = "2100-05-07T00:00:00"
    assert DAYS.on_this_clock(np.array([later.parse(time)]), later)[0] == DAYS.parse(time)
    with pytest.raises(DataError, match="360_day and noleap"):
        DAYS.on_this_clock(np.array([later.parse(time)]), Calendar(name="noleap"))


def test_the_length_of_a_year():
    assert DAYS.year == np.timedelta64(360, "D")
    assert Calendar(name="noleap").year == np.timedelta64(365, "D")
    assert Calendar().year == np.timedelta64(31_556_952, "s")

"""Times as tables write them."""

import numpy as np
import pytest

from framecast.domains.solar.times import moment


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2017-09-06", "2017-09-06T00:00:00"),
        ("2017-09-06T11:53", "2017-09-06T11:53:00"),
        ("2017-09-06 11:53:30.5Z", "2017-09-06T11:53:30.5"),
        ("2017/9/6 1153", "2017-09-06T11:53:00"),
        ("2017.09.06_11:53:00_TAI", "2017-09-06T11:52:23"),  # TAI is 37 s ahead of UTC in 2017
        ("2010.05.01_00:00:00_TAI", "2010-04-30T23:59:26"),  # and was 34 s in 2010
        ("2017.09.06_11:53_UTC", "2017-09-06T11:53:00"),
        ("2017.09.06", "2017-09-06T00:00:00"),
    ],
)
def test_forms(text: str, expected: str) -> None:
    assert moment(text) == np.datetime64(expected, "ns")


@pytest.mark.parametrize(
    "text", ["", "noon", "2017", "2017-02-30", "06.09.2017", "2017-09-06T25:00", "1600-01-01", "9999-12-31"]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError):
        moment(text)

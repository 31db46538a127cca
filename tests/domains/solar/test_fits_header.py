"""Cards that say what cannot be: told in one line, whichever file they come from."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from framecast.core.errors import DataError
from framecast.domains.solar.fits_header import interpret

CARDS: dict[str, Any] = {
    "DATE-OBS": "2017-08-08T00:00:09.35",
    "WAVELNTH": 171,
    "EXPTIME": 2.0,
    "CRPIX1": 32.5,
    "CRPIX2": 32.5,
    "CDELT1": 38.4,
    "CDELT2": 38.4,
    "CROTA2": 0.0,
    "CRLN_OBS": 112.0,
    "CRLT_OBS": 6.26,
    "DSUN_OBS": 1.5167e11,
}


@pytest.mark.parametrize(
    ("card", "value", "complaint"),
    [
        ("QUALITY", "NaN", "QUALITY .NaN"),
        ("QUALITY", "inf", "QUALITY .inf"),
        ("QUALITY", "good", "QUALITY .good"),
        ("QUALITY", "", "QUALITY ..,"),
        ("QUALITY", 0.5, "QUALITY .0.5"),
        ("QUALITY", "0x1FFFFFFFFF", "not a bit mask"),
        ("DATE-OBS", "2017-12-31T23:59:60", "does not exist"),
        ("WAVELNTH", "NaN", "no wavelength"),
        ("WAVELNTH", "inf", "no wavelength"),
        ("TIMESYS", "swatch", "TIMESYS 'SWATCH'"),
        ("DATE-OBS", "1600-01-01T00:00:00", "1600"),
        ("DATE-OBS", "9999-12-31T00:00:00", "9999"),
    ],
)
def test_what_cannot_be_is_told(card: str, value: str, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint) as caught:
        interpret(Path("sun.fits"), CARDS | {card: value}, (64, 64))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("card", ["CRLN_OBS", "CRLT_OBS", "DSUN_OBS"])
@pytest.mark.parametrize("value", ["NaN", "inf"])
def test_an_observer_who_is_nowhere_is_computed(card: str, value: str) -> None:
    absent = {name: known for name, known in CARDS.items() if name != card}
    computed, found = (
        interpret(Path("sun.fits"), cards, (64, 64)).observer for cards in (absent, absent | {card: value})
    )
    assert found == computed
    assert np.isfinite([found.longitude, found.latitude, found.distance]).all()


@pytest.mark.parametrize(
    ("value", "bits"),
    [
        (0, 0),
        (None, 0),
        (1073741824, 1 << 30),
        ("0x40000000", 1 << 30),
        ("0x00000000", 0),
        ("131072", 1 << 17),
        (b"0x100", 1 << 8),
        (-2147483648, 1 << 31),
        (256.0, 1 << 8),
    ],
)
def test_quality_is_read_however_it_is_written(value: object, bits: int) -> None:
    assert interpret(Path("sun.fits"), CARDS | {"QUALITY": value}, (64, 64)).quality == bits


@pytest.mark.parametrize(
    ("cards", "name", "expected"),
    [
        ({"EXPTIME": "N/A", "EXPOSURE": 3.0}, "exposure", 3.0),
        ({"EXPTIME": "", "XPOSURE": "2.5"}, "exposure", 2.5),
        ({"WAVELNTH": "", "WAVE_STR": "171_THIN"}, "wavelength", 171),
        ({"DATE-OBS": "unknown", "T_OBS": "2017-08-08T00:00:10Z"}, "time", np.datetime64("2017-08-08T00:00:10", "ns")),
        ({"DATE-OBS": "2016-12-31T23:59:60.5"}, "time", np.datetime64("2017-01-01T00:00:00.5", "ns")),
        ({"DATE-OBS": "2017.01.01_00:00:36.5_TAI"}, "time", np.datetime64("2017-01-01T00:00:00.5", "ns")),
    ],
)
def test_a_good_card_beside_a_useless_one_is_read(cards: dict[str, object], name: str, expected: object) -> None:
    assert getattr(interpret(Path("sun.fits"), CARDS | cards, (64, 64)), name) == expected

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
        ("QUALITY", "NaN", "QUALITY nan"),
        ("QUALITY", "inf", "QUALITY inf"),
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

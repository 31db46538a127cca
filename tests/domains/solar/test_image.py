"""Pointing against astropy's own WCS, and pixels brought to a rate."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from framecast.core.errors import DataError
from framecast.domains.solar.fits_header import interpret
from framecast.domains.solar.image import SolarImage
from framecast.domains.solar.projection import Observer


def cards(**changes: object) -> dict[str, object]:
    plain = {
        "WAVELNTH": 171,
        "DATE-OBS": "2017-08-08T00:00:00.35",
        "EXPTIME": 2.0,
        "CTYPE1": "HPLN-TAN",
        "CTYPE2": "HPLT-TAN",
        "CUNIT1": "arcsec",
        "CUNIT2": "arcsec",
        "CRVAL1": 0.0,
        "CRVAL2": 0.0,
        "CDELT1": 2.4,
        "CDELT2": 2.4,
        "CRPIX1": 513.44,
        "CRPIX2": 512.96,
        "CRLN_OBS": 112.1,
        "CRLT_OBS": 6.26,
        "DSUN_OBS": 1.5167e11,
    }
    merged = {name.replace("__", "-"): value for name, value in (plain | changes).items()}
    return {name: value for name, value in merged.items() if value is not None}


def header_of(**changes: object):
    return interpret(Path("sun.fits"), cards(**changes), (1024, 1024))


@pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"CROTA2": 33.0, "CRVAL1": 600.0, "CRVAL2": -450.0},
        {"CROTA2": 180.0},
        {"CROTA2": 10.0, "CDELT2": 2.6},
        {"PC1_1": 0.8, "PC1_2": -0.6, "PC2_1": 0.6, "PC2_2": 0.8, "CRVAL1": -900.0},
        {"CD1_1": 1.2, "CD1_2": -0.9, "CD2_1": 0.9, "CD2_2": 1.2, "CDELT1": None, "CDELT2": None},
        {"CUNIT1": "deg", "CUNIT2": "deg", "CDELT1": 2.4 / 3600, "CDELT2": 2.4 / 3600, "CRVAL1": 0.1},
    ],
)
def test_pointing_is_astropys(changes: dict[str, object]) -> None:
    pointing = header_of(**changes).pointing
    wcs = WCS(fits.Header(list(cards(**changes).items())))
    columns, rows = np.meshgrid(np.linspace(0, 1023, 7), np.linspace(0, 1023, 5))
    x, y = (np.asarray(a) * 3600 for a in wcs.wcs_pix2world(columns, rows, 0))
    back = pointing.pixels(x, y)
    assert np.abs(back[0] - columns).max() < 1e-6
    assert np.abs(back[1] - rows).max() < 1e-6


def test_scale_and_roll_are_those_of_the_header() -> None:
    pointing = header_of(CROTA2=12.0).pointing
    assert pointing.scale == pytest.approx(2.4)
    assert np.degrees(np.arctan2(pointing.matrix[1][0], pointing.matrix[0][0])) == pytest.approx(12.0)


def test_rate_divides_by_the_exposure_once() -> None:
    data = np.full((4, 4), 10.0, np.float32)
    assert SolarImage(header=header_of(EXPTIME=2.5), data=data).rate == pytest.approx(4.0)
    assert SolarImage(header=header_of(EXPTIME=2.5, BUNIT="DN/s"), data=data).rate == pytest.approx(10.0)
    for exposure in (None, 0.0, -1.0):
        with pytest.raises(DataError, match="exposure time"):
            _ = SolarImage(header=header_of(EXPTIME=exposure), data=data).rate


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ({"DATE__OBS": "2017-08-08T00:00:00.35Z"}, "2017-08-08T00:00:00.350"),
        ({"DATE__OBS": "2017-08-08", "TIME__OBS": "01:02:03.5"}, "2017-08-08T01:02:03.500"),
        ({"DATE__OBS": None, "DATE_OBS": "2017/08/08 12:00:00"}, "2017-08-08T12:00:00.000"),
        ({"DATE__OBS": "2017-08-08T00:00:37", "TIMESYS": "TAI"}, "2017-08-08T00:00:00.000"),
        ({"DATE__OBS": None, "T_OBS": "2017.08.08_00:00:37_TAI"}, "2017-08-08T00:00:00.000"),
    ],
)
def test_dates_of_all_layouts(text: dict[str, object], meant: str) -> None:
    assert header_of(**text).time == np.datetime64(meant, "ns")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"DATE__OBS": None}, "no date"),
        ({"DATE__OBS": "yesterday"}, "has date 'yesterday'"),
        ({"WAVELNTH": None}, "no wavelength"),
        ({"CRPIX1": None}, "no pointing .CRPIX1 missing"),
        ({"CDELT1": None, "CDELT2": None}, "no pointing .CDELT1, CDELT2 missing"),
        ({"CDELT1": 0.0}, "pixels of 0 by 2.4 arcsec"),
        ({"CDELT1": 2400.0, "CDELT2": 2400.0}, "pixels of 2400 by 2400"),
        ({"CDELT1": 2.4, "CDELT2": 24.0}, "nearly square"),
        ({"CDELT1": -2.4}, "mirrored"),
        ({"CTYPE1": "CRLN-CAR"}, "helioprojective"),
        ({"CUNIT1": "furlong"}, "furlong"),
        ({"RSUN_OBS": 946.5, "R_SUN": 300.0}, "contradicts itself"),
        ({"DSUN_OBS": 5.0}, "impossible observer"),
    ],
)
def test_headers_that_cannot_be_used_say_why_in_one_line(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(DataError, match=complaint) as caught:
        header_of(**changes)
    assert "\n" not in str(caught.value)


def test_binned_level_keeps_the_unbinned_radius() -> None:
    assert header_of(RSUN_OBS=946.5, R_SUN=946.5 / 0.6).pointing.scale == pytest.approx(2.4)


def test_nanometres_are_angstrom_times_ten() -> None:
    assert header_of(WAVELNTH=17.1, WAVEUNIT="nm").wavelength == 171


def test_missing_observer_is_the_earth_and_is_noted() -> None:
    header = header_of(CRLN_OBS=None, CRLT_OBS=None, DSUN_OBS=None)
    assert header.observer.longitude == pytest.approx(112.1, abs=0.2)
    assert header.observer.latitude == pytest.approx(6.26, abs=0.05)
    assert header.observer.distance == pytest.approx(1.5167e11, rel=1e-3)
    assert any("Earth" in note for note in header.notes)
    assert header_of(CROTA2=0.0).notes == ()


def test_distance_follows_from_the_apparent_radius() -> None:
    true = Observer(longitude=0.0, latitude=0.0, distance=1.5167e11)
    assert header_of(DSUN_OBS=None, RSUN_OBS=true.limb).observer.distance == pytest.approx(1.5167e11)


def test_header_is_a_value() -> None:
    assert dataclasses.replace(header_of(), quality=0) == header_of()


@pytest.mark.parametrize(
    ("unit", "rate"),
    [
        ("DN", False),
        ("DN/pixel", False),
        ("counts", False),
        ("DN/s", True),
        ("DN / (pix s)", True),
        ("DN/pix/s", True),
        ("DN/s/pixel", True),
        ("DN s**-1", True),
        ("electron s-1 pix-1", True),
    ],
)
def test_a_unit_that_is_a_rate_already_is_not_divided_by_the_exposure_again(unit, rate):
    image = SolarImage(header=header_of(BUNIT=unit), data=np.full((2, 2), 100, np.float32))
    assert image.header.per_second == rate
    np.testing.assert_array_equal(image.rate, 100 if rate else 50)


@pytest.mark.parametrize(
    ("unit", "final"),
    [("Gauss", "G"), ("G", "G"), ("W m-2 sr-1", "W m-2 sr-1"), ("MK", "MK"), ("DN", "DN/s"), ("photon", "photon/s")],
)
def test_only_counts_are_divided_by_the_exposure(unit, final):
    image = SolarImage(header=header_of(BUNIT=unit), data=np.full((2, 2), -100, np.float32))
    assert image.header.final_unit == final
    np.testing.assert_array_equal(image.rate, -50 if image.header.counts else -100)
    if not image.header.counts:  # a magnetogram has no exposure
        unexposed = SolarImage(header=header_of(BUNIT=unit, EXPTIME=None), data=image.data)
        np.testing.assert_array_equal(unexposed.rate, -100)

"""Pictures of the whole disk without a header: options say where the Sun is in them."""

import re
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from PIL import Image
from sunpy.coordinates import HeliographicCarrington, Helioprojective, get_earth
from sunpy.coordinates.sun import angular_radius
from sunpy.sun.models import differential_rotation

from framecast.core.errors import ConfigError, DataError
from framecast.data.archive.reader import Archive
from framecast.domains.solar.disk_pictures import read_picture, read_picture_header
from framecast.domains.solar.observations import scan
from framecast.domains.solar.offline import offline
from framecast.domains.solar.options import Disk, PrepareOptions
from framecast.domains.solar.prepare import prepare

MIDDLE, RADIUS, SIZE = (63.5, 61.0), 52.0, 128
DISK = Disk(column=MIDDLE[0], row=MIDDLE[1], radius=RADIUS, zero=128, step=2.0, unit="G", wavelength=6173)
OPTIONS = {"disk": (*MIDDLE, RADIUS), "levels": (128.0, 2.0), "unit": "G", "wavelengths": (6173,)}
TIMES = [np.datetime64("2026-02-10T12:00") + np.timedelta64(6 * k, "h") for k in range(3)]


def on_disk(time: np.datetime64, longitude: float, latitude: float) -> tuple[float, float]:
    """Column and row from the top of a place of the Sun, by sunpy."""
    with offline():
        earth = get_earth(str(time))
        point = SkyCoord(
            longitude * u.deg,
            latitude * u.deg,
            695_700 * u.km,
            frame=HeliographicCarrington(obstime=str(time), observer=earth),
        ).transform_to(Helioprojective(obstime=str(time), observer=earth))
        limb = angular_radius(str(time)).to_value(u.arcsec)
        return MIDDLE[0] + point.Tx.arcsec / limb * RADIUS, MIDDLE[1] - point.Ty.arcsec / limb * RADIUS


def save(folder: Path, time: np.datetime64, pixels: np.ndarray, ending: str = "png") -> Path:
    path = folder / f"HMI.m{str(time)[:16].replace('-', '.').replace('T', '_').replace(':', '.')}.00.{ending}"
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures of a grey disk with a spot, which sunpy carries around: at 15° N, 10° east of the meridian."""
    place = tmp_path_factory.mktemp("pictures")
    with offline():
        drift = float(differential_rotation(1 * u.day, 15 * u.deg).to_value(u.deg)) - 14.1844
        meridian = get_earth(str(TIMES[0])).transform_to(HeliographicCarrington(observer="self", obstime=str(TIMES[0])))
    rows, columns = np.mgrid[:SIZE, :SIZE]
    for time in TIMES:
        days = (time - TIMES[0]) / np.timedelta64(1, "D")
        column, row = on_disk(time, meridian.lon.deg - 10 + drift * days, 15.0)
        disk = np.where(np.hypot(columns - MIDDLE[0], rows - MIDDLE[1]) <= RADIUS, 128.0, 0.0)
        save(place, time, disk + 100 * np.exp(-((columns - column) ** 2 + (rows - row) ** 2) / 4.5))
    (place / "places.csv").write_text(
        f"id,time,carrington_longitude,latitude\nspot,{TIMES[0]},{meridian.lon.deg - 10},15\n"
    )
    return place


def test_places_on_the_disk_are_where_sunpy_says(tmp_path):
    path = save(tmp_path, TIMES[0], np.full((SIZE, SIZE), 128))
    header = read_picture_header(path, DISK)
    assert header.time == TIMES[0]
    with offline():
        earth = get_earth(str(TIMES[0]))
    assert header.observer.latitude == pytest.approx(earth.lat.deg, abs=1e-4)
    column, row = on_disk(TIMES[0], header.observer.longitude + 30, -20.0)
    longitude, latitude = np.radians(30), np.radians(-20)
    limb = np.radians(header.observer.limb / 3600)
    assert limb == pytest.approx(angular_radius(str(TIMES[0])).to_value(u.rad), rel=1e-5)
    b = np.radians(header.observer.latitude)
    x = np.cos(latitude) * np.sin(longitude)
    y = np.sin(latitude) * np.cos(b) - np.cos(latitude) * np.cos(longitude) * np.sin(b)
    depth = 1 / np.sin(limb) - (np.sin(latitude) * np.sin(b) + np.cos(latitude) * np.cos(longitude) * np.cos(b))
    seen = header.pointing.pixels(np.degrees(x / depth) * 3600, np.degrees(y / depth) * 3600)
    np.testing.assert_allclose(seen, [column, SIZE - 1 - row], atol=0.02)


def test_values_come_from_levels_and_the_first_row_is_the_southernmost(tmp_path):
    pixels = np.full((SIZE, SIZE), 128)
    pixels[:64] = 140  # the northern half
    image = read_picture(read_picture_header(save(tmp_path, TIMES[0], pixels), DISK))
    assert image.header.unit == "G"
    assert image.data[100, 63] == 24.0
    assert image.data[30, 63] == 0.0
    assert np.isnan(image.data[0, 0])
    radius = np.hypot(*(np.mgrid[:SIZE, :SIZE] - np.array([SIZE - 1 - MIDDLE[1], MIDDLE[0]])[:, None, None]))
    np.testing.assert_array_equal(np.isnan(image.data), radius > RADIUS)


def test_pictures_become_an_archive_that_follows_the_sun(folder, tmp_path):
    summary = prepare(folder, tmp_path / "a.zarr", **OPTIONS, size=16, pixel=18.0, minimum_frames=3,
                      regions=folder / "places.csv")  # fmt: skip
    archive = Archive.open(tmp_path / "a.zarr")
    assert (archive.unit, archive.domain.name, archive.channels) == ("G", "magnetograms", ("6173",))
    assert [item.path.name for item in summary.rejected] == ["places.csv"]
    frames = archive.sequence("spot")["intensity"].values[:, 0]
    rows, columns = np.mgrid[:16, :16] - 7.5
    for frame in frames:
        weight = np.clip(frame, 0, None)
        assert weight.max() > 120
        assert abs((weight * columns).sum() / weight.sum()) < 0.3
        assert abs((weight * rows).sum() / weight.sum()) < 0.3


def test_headers_of_pictures_are_remembered_by_what_the_options_say(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("FRAMECAST_CACHE", str(tmp_path))
    monkeypatch.setattr("framecast.domains.solar.header_cache.WORTH_KEEPING", 1)
    first = scan(folder, disk=DISK)
    assert repr(scan(folder, disk=DISK).frames) == repr(first.frames)
    other = Disk(column=60.0, row=61.0, radius=50.0, zero=0, step=1.0, unit="level", wavelength=171)
    assert {frame.wavelength for frame in scan(folder, disk=other).frames} == {171}


def test_what_is_not_a_picture_of_the_disk_is_told(tmp_path):
    grey = np.full((SIZE, SIZE), 128)
    with pytest.raises(DataError, match=re.escape("--time-pattern")):
        path = tmp_path / "magnetogram.png"
        Image.fromarray(grey.astype(np.uint8)).save(path)
        read_picture_header(path, DISK)
    with pytest.raises(DataError, match="grey"):
        read_picture_header(save(tmp_path, TIMES[0], np.dstack([grey, grey + 1, grey])), DISK)
    with pytest.raises(DataError, match=re.escape("column 63.5 and row 61")):
        read_picture_header(save(tmp_path, TIMES[1], grey[:40, :40]), DISK)
    text = tmp_path / "2026-02-10T00.fits"
    text.write_text("SIMPLE")
    with pytest.raises(DataError, match="picture"):
        read_picture_header(text, DISK)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"levels": (128.0, 1.0)}, "--disk"),
        ({"unit": "G"}, "--disk"),
        ({"disk": (1.0, 1.0, 50.0)}, "--wavelengths"),
        ({"disk": (1.0, 1.0, 50.0), "wavelengths": (171, 193)}, "--wavelengths"),
        ({"disk": (1.0, 1.0, 0.0), "wavelengths": (171,)}, "radius"),
        ({"disk": (1.0, 1.0, 50.0), "wavelengths": (171,), "levels": (0.0, 0.0)}, "step"),
    ],
)
def test_options_that_do_not_go_together(options, word):
    with pytest.raises(ConfigError, match=word):
        PrepareOptions(**options)

"""sunpy's Maps in and out, with sunpy as the judge of positions."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sunpy", reason="the Sun needs pip install 'framecast[solar]'")

import astropy.units as u
import sunpy.map
import xarray as xr
from astropy.coordinates import SkyCoord
from sunpy.coordinates import HeliographicCarrington, Helioprojective, RotatedSunFrame, get_earth

from framecast.core.errors import ConfigError, DataError
from framecast.domains.solar.maps import from_map, to_maps, write_maps
from framecast.domains.solar.offline import offline
from framecast.domains.solar.positions import positions
from framecast.domains.solar.reader import read_image

pytestmark = pytest.mark.thorough

ISSUE = np.datetime64("2017-08-13T12:00", "ns")


def region(hours: list[float], x: float, y: float) -> xr.Dataset:
    """The coordinates of an archive's region, followed by sunpy from ``x``, ``y`` at `ISSUE`, as the Earth sees it."""
    found: dict[str, list[float]] = {"x": [], "y": [], "longitude": [], "latitude": [], "distance": []}
    times = [ISSUE + np.timedelta64(round(hour * 3600), "s") for hour in hours]
    for hour, time in zip(hours, times, strict=True):
        place = turned(x, y, hour)
        found["x"].append(place.Tx.to_value(u.arcsec))
        found["y"].append(place.Ty.to_value(u.arcsec))
        with offline():
            earth = get_earth(str(time))
            below = SkyCoord(earth).transform_to(HeliographicCarrington(obstime=str(time), observer="self"))
        found["longitude"].append(below.lon.to_value(u.deg))
        found["latitude"].append(earth.lat.to_value(u.deg))
        found["distance"].append(earth.radius.to_value(u.m))
    names = {"x": "hpc_x", "y": "hpc_y"} | {n: f"observer_{n}" for n in ("longitude", "latitude", "distance")}
    coords = {names[name]: ("time", np.array(values)) for name, values in found.items()}
    return xr.Dataset(coords={"time": np.array(times), **coords}, attrs={"rotation": "howard"})


def turned(x: float, y: float, hours: float) -> SkyCoord:
    """Where sunpy takes the point seen at ``x``, ``y`` (arcsec) at `ISSUE`, as the Earth sees it."""
    with offline():
        start, end = str(ISSUE), str(ISSUE + np.timedelta64(round(hours * 3600), "s"))
        point = SkyCoord(x * u.arcsec, y * u.arcsec, frame=Helioprojective(obstime=start, observer=get_earth(start)))
        moved = RotatedSunFrame(base=point, rotated_time=end)
        return SkyCoord(moved).transform_to(Helioprojective(obstime=end, observer=get_earth(end)))


@pytest.mark.parametrize(("x", "y"), [(170.0, -130.0), (-600.0, 300.0)])
def test_positions_of_frames_to_come_are_sunpys(x: float, y: float) -> None:
    seen = region([-4.0, -2.0, 0.0], x, y)
    times = seen["time"].values[-1] + np.array([0, 2, 6, 12], "timedelta64[h]")
    found = positions(seen, times)
    for k, hours in enumerate((0, 2, 6, 12)):
        place = turned(x, y, hours)
        assert found["hpc_x"][k] == pytest.approx(place.Tx.to_value(u.arcsec), abs=1.0)
        assert found["hpc_y"][k] == pytest.approx(place.Ty.to_value(u.arcsec), abs=1.0)
    assert np.ptp(positions(seen.assign_attrs(pointing_arcsec=[x, y]), times)["hpc_x"]) == 0
    assert positions(seen.drop_vars("observer_distance"), times) == {}


def a_forecast() -> xr.Dataset:
    values = np.random.default_rng(0).gamma(2.0, 100.0, (5, 2, 1, 8, 12)).astype(np.float32)
    lead = np.array([2, 4], "timedelta64[h]").astype("timedelta64[ns]")
    return xr.Dataset(
        {"forecast": (("member", "lead_time", "channel", "y", "x"), values)},
        coords={
            "member": np.arange(5),
            "lead_time": lead,
            "channel": ["171"],
            "y": 4.8 * (np.arange(8) - 3.5),
            "x": 4.8 * (np.arange(12) - 5.5),
            "issue_time": ISSUE,
            "hpc_x": ("lead_time", [190.0, 208.0]),
            "hpc_y": ("lead_time", [-131.0, -132.0]),
            "observer_longitude": ("lead_time", [39.0, 37.9]),
            "observer_latitude": ("lead_time", [6.6, 6.6]),
            "observer_distance": ("lead_time", [1.515e11, 1.515e11]),
        },
        attrs={"unit": "DN/s", "model": "sun", "created": "2017-08-13T12:30:00Z", "seed": 0},
    )


def test_forecasts_leave_as_maps_with_their_own_time_and_place(tmp_path: Path) -> None:
    forecast = a_forecast()
    made = to_maps(forecast, "mean", "spread", "members", 0.9)
    assert list(made) == ["mean", "spread", "member00", "member01", "member02", "member03", "member04", "q0.9"]
    assert [len(maps) for maps in made.values()] == [2] * 8
    for k, each in enumerate(made["mean"]):
        assert np.allclose(each.data, forecast["forecast"].values[:, k, 0].mean(axis=0), rtol=1e-5)
        assert each.date.isot[:19] == str(ISSUE + forecast["lead_time"].values[k])[:19]
        assert each.observer_coordinate.radius.to_value(u.m) == pytest.approx(1.515e11, rel=1e-3)
        assert each.unit == u.Unit("DN / s")
        # The middle of pixel (7, 2), from 0, by sunpy.
        place = each.pixel_to_world(7 * u.pix, 2 * u.pix)
        assert place.Tx.to_value(u.arcsec) == pytest.approx(float(forecast["hpc_x"][k] + forecast["x"][7]), abs=1e-3)
        assert place.Ty.to_value(u.arcsec) == pytest.approx(float(forecast["hpc_y"][k] + forecast["y"][2]), abs=1e-3)
    assert np.allclose(made["spread"][0].data, forecast["forecast"].values[:, 0, 0].std(axis=0, ddof=1), rtol=1e-5)
    with pytest.raises(ConfigError, match="not a statistic"):
        to_maps(forecast, "median")
    with pytest.raises(DataError, match="has no positions"):
        to_maps(forecast.drop_vars("hpc_x"))
    written = write_maps(forecast, tmp_path / "maps", "mean", 0.9)  # type: ignore[arg-type]
    assert written[0].name == "171_mean_20170813T140000.fits"
    again = sunpy.map.Map(written[0])
    assert np.array_equal(again.data, made["mean"][0].data)
    assert again.meta["date-iss"] == "2017-08-13T12:00:00"


def test_a_map_that_comes_in_is_the_file_that_it_was_made_of(real_data: Path) -> None:
    path = sorted((real_data / "aia-cutouts-2012-07-19" / "aia193").glob("*.fits"))[1]
    by_file, by_map = read_image(path), from_map(sunpy.map.Map(path))
    assert np.array_equal(by_file.data, by_map.data)
    assert by_map.saturation == by_file.saturation == 15_000
    for name in ("time", "wavelength", "exposure", "pointing", "observer", "final_unit"):
        assert getattr(by_map.header, name) == getattr(by_file.header, name), name

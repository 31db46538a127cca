"""A user's array is checked as an archive is, and its forecast has the order and the coordinates of the input."""

import cftime
import numpy as np
import pytest
import torch
import xarray as xr

from framecast.core.errors import DataError
from framecast.videos.frames import FrameSpec
from framecast.videos.labelled import field_tensor, to_ensemble, to_tensor

FRAMES = FrameSpec(past_channels=("u",), future_channels=("u",), past=3, future=2, cadence=3600, height=4, width=6)
HOURS = np.datetime64("2020-01-01", "ns") + np.arange(3) * np.timedelta64(1, "h")
VALUES = np.arange(72.0).reshape(1, 3, 4, 6)
LATITUDE = {"standard_name": "latitude", "units": "degrees_north"}


def past(**coords: object) -> xr.DataArray:
    return xr.DataArray(
        VALUES,
        dims=("channel", "time", "y", "x"),
        coords={"channel": ["u"], "time": HOURS, **coords},
        attrs={"units": "m/s"},
    )


def ensemble(given: xr.DataArray, frames: FrameSpec = FRAMES) -> tuple[np.ndarray, xr.DataArray]:
    """Return the past as the model sees it, and a forecast that is its last frame."""
    seen = to_tensor(given, frames, unit="m/s")
    members = seen[None, :, -1:].expand(5, -1, frames.future, -1, -1)
    return seen.numpy(), to_ensemble(members, given, frames, attrs={})


@pytest.mark.parametrize(
    ("coords", "south", "west"),
    [
        ({}, False, False),
        ({"y": [50.0, 51, 52, 53]}, False, False),
        ({"y": [53.0, 52, 51, 50]}, True, False),
        ({"y": [53.0, 52, 51, 50], "x": [5, 4, 3, 2, 1, 0]}, True, True),
        ({"lat": ("y", [53.0, 52, 51, 50], LATITUDE)}, True, False),
        ({"y": range(4), "lat": (("y", "x"), np.repeat([[4.0], [3], [2], [1]], 6, 1), LATITUDE)}, True, False),
        ({"y": [3, 2, 1, 0], "lat": (("y", "x"), np.repeat([[1.0], [2], [3], [4]], 6, 1), LATITUDE)}, False, False),
        ({"x": ("x", [357.0, 358, 359, 0, 1, 2], {"units": "degrees_east"})}, False, False),
        ({"x": ("x", [2.0, 1, 0, 359, 358, 357], {"units": "degrees_east"})}, False, True),
    ],
)
def test_rows_and_columns_are_turned_by_their_coordinates_and_back(coords, south, west) -> None:
    given = past(**coords)
    seen, forecast = ensemble(given)
    expected = VALUES[..., :: -1 if south else 1, :: -1 if west else 1]
    np.testing.assert_array_equal(seen, expected)
    np.testing.assert_array_equal(forecast.values[0, 0, 0], VALUES[0, -1])
    for name in coords:
        np.testing.assert_array_equal(forecast[name], given[name])
        assert forecast[name].attrs == given[name].attrs


@pytest.mark.parametrize("y", [[50.0, 51, 52, 53], [53.0, 52, 51, 50], None])
@pytest.mark.parametrize("own", [[50.0, 51, 52, 53], [53.0, 52, 51, 50], None])
def test_fields_are_turned_by_their_own_coordinates_else_by_those_of_the_past(y, own) -> None:
    field = xr.DataArray(VALUES[0], dims=("time", "y", "x"), name="sst")
    field = field if own is None else field.assign_coords(y=own)
    falls = (own or y or [0, 1])[0] == 53
    for given in (field, field.transpose("x", "time", "y")):
        found = field_tensor(given, past() if y is None else past(y=y), FRAMES)
        np.testing.assert_array_equal(found, VALUES[0, :, ::-1] if falls else VALUES[0])
    np.testing.assert_array_equal(field_tensor(xr.DataArray([1.0, 2], dims="time"), past(), FRAMES), [1, 2])
    with pytest.raises(DataError, match="rename them to time, y, x"):
        field_tensor(field.rename(y="lat", x="lon"), past(), FRAMES)


def test_fields_of_other_times_are_refused() -> None:
    field = xr.DataArray(np.arange(5.0), dims="time", coords={"time": HOURS[0] + np.arange(5) * (HOURS[1] - HOURS[0])})
    np.testing.assert_array_equal(field_tensor(field, past(), FRAMES), np.arange(5))
    later = field.assign_coords(time=field["time"] + np.timedelta64(1, "h"))
    for wrong, words in ((later, "1h after"), (later[::-1], "1h after"), (field[1:], "1h after")):
        with pytest.raises(DataError, match=words):
            field_tensor(wrong, past(), FRAMES)


def test_what_has_no_coordinates_is_taken_as_it_is() -> None:
    for given in (VALUES, torch.from_numpy(VALUES)):
        np.testing.assert_array_equal(to_tensor(given, FRAMES, unit="m/s"), VALUES)


def test_units_are_converted_or_refused() -> None:
    knots = past() / 0.514444444
    knots.attrs["units"] = "knots"
    np.testing.assert_allclose(to_tensor(knots, FRAMES, unit="m s**-1"), VALUES, rtol=1e-5)
    knots.attrs["units"] = "K"
    with pytest.raises(DataError, match="in K and the model takes m/s"):
        to_tensor(knots, FRAMES, unit="m/s")
    del knots.attrs["units"]
    np.testing.assert_allclose(to_tensor(knots, FRAMES, unit="m/s"), knots, rtol=1e-6)


def test_variables_of_a_dataset_keep_their_units() -> None:
    frames = FrameSpec(
        past_channels=("u", "t"), future_channels=("u",), past=3, future=2, cadence=3600, height=4, width=6
    )
    u = past().isel(channel=0, drop=True)
    celsius = (u - 273.15).assign_attrs(units="degC")
    expected = np.concatenate([VALUES, VALUES])
    for data in (xr.Dataset({"t": celsius, "u": u}), xr.Dataset({"t": celsius, "u": u.assign_attrs(units="")})):
        np.testing.assert_allclose(to_tensor(data, frames, unit="m/s, K"), expected, atol=1e-4)
    with pytest.raises(DataError, match="in degC and the model takes m/s"):
        to_tensor(xr.Dataset({"u": celsius}), FRAMES, unit="m/s")


def test_masked_values_are_unknown_and_complex_ones_refused() -> None:
    masked = np.ma.array(VALUES, mask=VALUES < 5)
    np.testing.assert_array_equal(to_tensor(masked, FRAMES, unit="m/s"), np.where(VALUES < 5, np.nan, VALUES))
    for given in (VALUES + 1j, torch.from_numpy(VALUES + 1j), past() + 1j):
        with pytest.raises(DataError, match="complex: give their magnitude"):
            to_tensor(given, FRAMES, unit="m/s")


def test_times_of_every_calendar_are_checked_and_go_on() -> None:
    dates = cftime.num2date([0, 1, 2], "hours since 2001-02-28 22:00", calendar="noleap")
    _, forecast = ensemble(past().assign_coords(time=dates))
    assert [str(date) for date in forecast.valid_time.values] == ["2001-03-01 01:00:00", "2001-03-01 02:00:00"]
    _, forecast = ensemble(past().assign_coords(time=HOURS - HOURS[0]))
    np.testing.assert_array_equal(forecast.valid_time, np.array([3, 4], "m8[h]"))
    for times in (dates[::-1], (HOURS - HOURS[0]) * 2):
        with pytest.raises(DataError, match="the model takes one every 1h"):
            ensemble(past().assign_coords(time=times))


def test_months_go_on_by_months() -> None:
    frames = FrameSpec(
        past_channels=("u",), future_channels=("u",), past=3, future=2, cadence=30 * 86400, height=4, width=6
    )
    months = np.array(["2019-12-01", "2020-01-01", "2020-02-01"], "M8[ns]")
    _, forecast = ensemble(past().assign_coords(time=months), frames)
    np.testing.assert_array_equal(forecast.valid_time, np.array(["2020-03-01", "2020-04-01"], "M8[ns]"))

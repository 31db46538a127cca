"""Files as other people write them: right by value, or refused in one line."""

from dataclasses import replace
from pathlib import Path

import cftime
import h5netcdf
import h5py
import numpy as np
import pytest
import xarray as xr
import zarr
from typer.testing import CliRunner

from framecast.cli import app
from framecast.core.errors import ConfigError, DataError, FramecastError
from framecast.data.archive.reader import Archive
from framecast.data.split_table import SIDES, TableSplit, write_split
from framecast.data.splits import AutoSplit, TimeSplit
from framecast.data.windows import find_windows
from framecast.importers.decoding import decode
from framecast.importers.importing import Imported, import_data
from framecast.videos.frames import FrameSpec

pytestmark = pytest.mark.thorough

HOURS = np.datetime64("2020-01-01", "ns") + np.arange(24) * np.timedelta64(1, "h")
COLUMNS = np.broadcast_to(np.arange(6.0, dtype=np.float32), (24, 4, 6))
ROWS = np.broadcast_to(np.arange(4.0, dtype=np.float32)[:, None], (24, 4, 6))


def field(values: np.ndarray, dims: tuple[str, ...] = ("time", "lat", "lon"), **coords: object) -> xr.Dataset:
    return xr.Dataset(
        {"t": (dims, values.astype("f4"), {"units": "K"})}, coords={"time": HOURS[: len(values)], **coords}
    )


def brought_in(data: xr.Dataset, tmp_path: Path, **options: object) -> tuple[Archive, Imported]:
    encoding = options.pop("encoding", None)
    data.to_netcdf(tmp_path / "in.nc", engine="h5netcdf", encoding=encoding)
    return archived(tmp_path / "in.nc", tmp_path, **options)


def archived(source: Path, tmp_path: Path, **options: object) -> tuple[Archive, Imported]:
    imported = import_data(source, tmp_path / "out.zarr", overwrite=True, **options)
    return Archive.open(tmp_path / "out.zarr"), imported


def with_times(numbers: np.ndarray, **attrs: str) -> xr.Dataset:
    data = field(COLUMNS[: len(numbers)]).drop_vars("time")
    return data.assign_coords(time=("time", numbers, attrs))


# Where pixels are.


@pytest.mark.parametrize(
    ("longitudes", "expected"),
    [
        ([357, 358, 359, 0, 1, 2], [-3, -2, -1, 0, 1, 2]),
        ([177, 178, 179, -180, -179, -178], [177, 178, 179, 180, 181, 182]),
        ([180, 240, 300, 0, 60, 119], [180, 240, 300, 360, 420, 479]),
        ([-3, -2, -1, 0, 1, 2], [-3, -2, -1, 0, 1, 2]),
    ],
)
def test_longitudes_that_jump_stay_west_to_east(longitudes, expected, tmp_path) -> None:
    archive, imported = brought_in(field(COLUMNS, lon=np.array(longitudes, float)), tmp_path)
    x = archive.sequence("in").x.values
    np.testing.assert_array_equal(archive.read("in", [0])[0, 0, 0], np.arange(6.0))
    np.testing.assert_allclose((x - np.array(expected) + 180) % 360, 180)
    assert (np.diff(x) > 0).all()
    assert any("unwrapped" in note for note in imported.notes) == (longitudes[0] > 0)
    # from east to west: turned, each value with its longitude
    archive, imported = brought_in(field(COLUMNS[..., ::-1], lon=np.array(longitudes[::-1], float)), tmp_path)
    np.testing.assert_array_equal(archive.read("in", [0])[0, 0, 0], np.arange(6.0))
    np.testing.assert_array_equal(archive.sequence("in").x.values, x)
    assert "to the right" in imported.understood


LATITUDE = {"units": "degrees_north", "standard_name": "latitude"}
NORTH_FIRST = np.array([55.0, 54, 53, 52])
TWO = np.broadcast_to(NORTH_FIRST[:, None], (4, 6))


@pytest.mark.parametrize(
    ("dims", "coords", "carried"),
    [
        (("time", "lat", "lon"), {"lat": ("lat", NORTH_FIRST, LATITUDE)}, "y"),
        (("time", "nlat", "nlon"), {"latitude": ("nlat", NORTH_FIRST, LATITUDE)}, "y"),
        (("time", "y", "x"), {"lat": (("y", "x"), TWO, LATITUDE)}, "lat"),
        (("time", "y", "x"), {"y": np.arange(4.0), "lat": (("y", "x"), TWO, LATITUDE)}, "lat"),
        (("time", "y", "x"), {"XLAT": (("y", "x"), TWO, {"units": "degree_north"})}, "lat"),
        (("time", "y", "x"), {"y": ("y", 1e3 * NORTH_FIRST, {"standard_name": "projection_y_coordinate"})}, "y"),
    ],
)
def test_rows_run_upward_whatever_says_so(dims, coords, carried, tmp_path) -> None:
    archive, imported = brought_in(field(ROWS, dims, **coords), tmp_path)
    assert "upward" in imported.understood
    sequence = archive.sequence("in")
    np.testing.assert_array_equal(sequence.intensity.values[0, 0, :, 0], [3, 2, 1, 0])
    values = sequence[carried].values
    values = values[:, 0] if values.ndim == 2 else values
    np.testing.assert_allclose(values / (1e3 if values[0] > 1e3 else 1), NORTH_FIRST[::-1])


def test_positions_and_reference_system_come_along_trimmed_and_averaged(tmp_path) -> None:
    lat, lon = np.meshgrid(np.linspace(60, 51, 10), np.linspace(359, 366, 8) % 360, indexing="ij")
    values = np.random.default_rng(0).normal(size=(24, 10, 8))
    data = field(values, ("time", "y", "x"), lat=(("y", "x"), lat, LATITUDE), lon=(("y", "x"), lon), crs=0)
    data = data.assign_coords(y=("y", -2e3 * np.arange(10), {"units": "m", "standard_name": "projection_y_coordinate"}))
    data["crs"].attrs = {"grid_mapping_name": "polar_stereographic", "straight_vertical_longitude_from_pole": -45.0}
    data["t"].attrs["grid_mapping"] = "crs"
    archive, imported = brought_in(data, tmp_path, coarsen=2, multiple=2)
    found = archive.sequence("in")
    np.testing.assert_allclose(found.y, [-15e3, -11e3, -7e3, -3e3])
    np.testing.assert_allclose(found.lat[:, 0], [53.5 - 1, 55.5 - 1, 57.5 - 1, 59.5 - 1])
    np.testing.assert_allclose(found.lon[0], [-0.5, 1.5, 3.5, 5.5])
    assert found.crs.attrs["grid_mapping_name"] == "polar_stereographic"
    assert found.intensity.encoding.get("grid_mapping", found.intensity.attrs.get("grid_mapping")) == "crs"
    assert any("trimmed from 10×8 to 8×8" in note for note in imported.notes)
    with xr.open_zarr(tmp_path / "out.zarr", group="in") as plain:
        assert {"lat", "lon", "y", "x"} <= set(plain.coords)


def test_a_direction_that_is_contradicted_is_refused(tmp_path) -> None:
    with pytest.raises(DataError, match="flip-y contradicts lat"):
        brought_in(field(ROWS, lat=("lat", NORTH_FIRST[::-1], LATITUDE)), tmp_path, flip_y=True)
    with pytest.raises(DataError, match="lat is not monotonic"):
        brought_in(field(ROWS, lat=("lat", NORTH_FIRST[[0, 2, 1, 3]], LATITUDE)), tmp_path)
    archive, _ = brought_in(field(ROWS, ("time", "y", "x"), y=np.arange(4)), tmp_path, flip_y=True)
    np.testing.assert_array_equal(archive.read("in", [0])[0, 0, :, 0], [3, 2, 1, 0])


@pytest.mark.parametrize("carried", ["variable", "each frame", "moving"])
@pytest.mark.parametrize("rows", [NORTH_FIRST, NORTH_FIRST[::-1]])
def test_latitudes_that_are_not_declared_as_coordinates(rows, carried, tmp_path) -> None:
    lat = np.broadcast_to(rows[:, None], (4, 6))
    frames = np.repeat(lat[None], 24, axis=0) + (np.arange(24)[:, None, None] if carried == "moving" else 0)
    data = field(lat + np.arange(24)[:, None, None], ("time", "y", "x"))
    if carried == "variable":  # in files of one frame
        (tmp_path / "in").mkdir()
        for k in range(24):
            frame = data.isel(time=k).assign(lat=(("y", "x"), lat, LATITUDE))
            frame.to_netcdf(tmp_path / "in" / f"{k:02d}.nc", engine="h5netcdf")
        archive, imported = archived(tmp_path / "in", tmp_path)
    else:
        archive, imported = brought_in(data.assign(lat=(("time", "y", "x"), frames, LATITUDE)), tmp_path)
    assert imported.channels == ("t",)
    sequence = archive.sequence("in")
    np.testing.assert_array_equal(sequence.intensity.values[3, 0, :, 0], NORTH_FIRST[::-1] + 3)
    assert ("lat" in sequence.coords) == (carried != "moving")


# What values mean.


@pytest.mark.parametrize("declared", [False, True])
def test_the_fill_value_of_zarr_2_is_a_value_unless_it_is_declared(declared, tmp_path) -> None:
    group = zarr.open_group(tmp_path / "in.zarr", mode="w", zarr_format=2)
    rain = np.where(ROWS > 1, ROWS, 0)
    for name, values, dims, attrs in (
        ("rain", rain, ["time", "y", "x"], {"units": "mm/h"} | ({"_FillValue": 0.0} if declared else {})),
        ("time", np.arange(24), ["time"], {"units": "hours since 2020-01-01"}),
        ("y", np.arange(4.0), ["y"], {}),
    ):
        array = group.create_array(name, shape=values.shape, dtype=values.dtype, chunks=values.shape)
        array[:] = values
        array.attrs.update(_ARRAY_DIMENSIONS=dims, **attrs)
    archive, imported = archived(tmp_path / "in.zarr", tmp_path)
    assert len(archive.times("in")) == 24
    np.testing.assert_array_equal(archive.read("in")[0], np.where(rain == 0, np.nan, rain) if declared else rain)
    assert any("--missing 0" in note for note in imported.notes) != declared


def test_missing_values_match_as_they_are_stored_or_it_is_said(tmp_path) -> None:
    values = ROWS.astype(np.float64).copy()
    values[:, 0, 0] = np.float32(-999.9)
    data = field(values).astype(np.float64)
    data["t"].attrs["units"] = "K"
    archive, imported = brought_in(data, tmp_path, missing=-999.9)
    assert np.isnan(archive.read("in")).sum() == 24
    assert min(imported.low) == 0
    _, imported = brought_in(data, tmp_path, missing=-1)
    assert any("--missing -1 matches no stored value" in note for note in imported.notes)
    assert any("24 values are -999.9, far from all others (0 to 3)" in note for note in imported.notes)
    _, imported = brought_in(field(ROWS), tmp_path)
    assert imported.notes == ()


@pytest.mark.parametrize(("kind", "stated"), [("f4", -999.9), ("f4", 1e20)])
def test_declared_missing_values_of_another_precision_are_unknown(kind, stated, tmp_path) -> None:
    written = float(str(stated))
    values = np.where(ROWS == 0, written, ROWS).astype(kind)
    data = xr.Dataset({"t": (("time", "y", "x"), values, {"units": "K", "missing_value": stated})}, {"time": HOURS})
    archive, imported = brought_in(data, tmp_path)
    np.testing.assert_array_equal(archive.read("in")[0], np.where(ROWS == 0, np.nan, ROWS))
    assert imported.notes == ()


def test_latitudes_in_radians_are_stored_in_degrees(tmp_path) -> None:
    angles = {"lat": ("latitude", [53.0, 52, 51, 50]), "lon": ("longitude", [0.0, 1, 2, 3, 4, 5])}
    coords = {
        dim: (dim, np.deg2rad(values), {"units": "radian", "standard_name": name})
        for dim, (name, values) in angles.items()
    }
    archive, _ = brought_in(field(ROWS[:3], **coords), tmp_path)
    np.testing.assert_allclose(archive.positions("in")["y"], [50, 51, 52, 53])
    assert archive.positions("in")["y"].attrs["units"] == "degrees_north"
    np.testing.assert_array_equal(archive.read("in")[0, 0, :, 0], [3, 2, 1, 0])


@pytest.mark.parametrize("kind", ["i2", "f4"])
def test_packing_and_missing_values_written_as_text_are_numbers(kind, tmp_path) -> None:
    stored = np.tile(np.array([10, 20, -99, -98], kind), (3, 4, 1))
    attrs = {"units": "K", "scale_factor": "0.1", "add_offset": "273.15", "missing_value": "-99, -98"}
    data = xr.Dataset({"t": (("time", "y", "x"), stored, attrs)}, {"time": HOURS[:3]})
    archive = brought_in(data, tmp_path)[0]
    expected = np.array([274.15, 275.15, np.nan, np.nan], np.float32)
    np.testing.assert_array_equal(archive.read("in")[0, 0, 0], expected)
    data["t"].attrs["scale_factor"] = "a tenth"
    with pytest.raises(DataError, match="scale_factor of t is 'a tenth'"):
        decode(data)


@pytest.mark.parametrize("power", [-30, 16, 27, 35])
def test_values_of_any_magnitude(power, tmp_path) -> None:
    archive, imported = brought_in(field(ROWS * 10.0**power), tmp_path)
    np.testing.assert_allclose(archive.read("in")[0], ROWS * 10.0**power, rtol=1e-6)
    assert max(imported.high) == pytest.approx(3 * 10.0**power)


@pytest.mark.parametrize("factor", [1e40, 1e-42, 9.969209968386869e36])
def test_what_float32_cannot_hold_is_refused_or_scaled(factor, tmp_path) -> None:
    data = xr.Dataset(
        {"t": (("time", "y", "x"), ROWS.astype(np.float64) * factor, {"units": "cm-3"})}, coords={"time": HOURS}
    )
    if factor < 1e40 and factor > 1:  # what the NetCDF library writes where nothing was written
        archive, _ = brought_in(data, tmp_path)
        np.testing.assert_array_equal(np.isnan(archive.read("in")[0]), ROWS == 1)
        return
    with pytest.raises(DataError, match=r"float32.*--scale and --unit"):
        brought_in(data, tmp_path)
    archive, _ = brought_in(data, tmp_path, scale=1 / factor, unit="1e40 cm-3")
    np.testing.assert_allclose(archive.read("in")[0], ROWS, rtol=1e-6)


@pytest.mark.parametrize(
    ("sentinel", "noted"), [(-8888.0, True), (-99.99, True), (1e20, True), (-1.0, True), (0.5, False), (4.0, False)]
)
def test_a_value_apart_from_all_others_is_asked_about_whatever_it_is(sentinel, noted, tmp_path) -> None:
    values = ROWS.copy()
    values[:, 0, :2] = sentinel
    for missing in ((), (sentinel,)):
        archive, imported = brought_in(field(values), tmp_path, missing=missing)
        found = [note for note in imported.notes if "--missing" in note]
        assert bool(found) == (noted and not missing)
        assert np.isnan(archive.read("in")).sum() == (48 if missing else 0)
    if noted:
        assert f"48 values are {sentinel:.10g}, " in "".join(
            note for note in brought_in(field(values), tmp_path)[1].notes
        )


def test_values_beyond_what_the_unit_or_the_source_allows_are_kept_and_said(tmp_path) -> None:
    codes = np.random.default_rng(0).integers(0, 182, (24, 4, 6))
    data = field(codes, ("time", "y", "x"))
    data["t"].attrs.update(units="dBZ", scale_note="dBZ = 0.5 value - 32")
    archive, imported = brought_in(data, tmp_path)
    np.testing.assert_array_equal(archive.read("in")[0], codes)
    (note,) = imported.notes
    assert "dBZ are -60 to 90" in note and "scale_note: dBZ = 0.5 value - 32" in note
    archive, imported = brought_in(data, tmp_path, scale=0.5, offset=-32)
    assert imported.notes == () and max(imported.high) == codes.max() / 2 - 32
    data["t"].attrs = {"units": "K", "valid_min": 0.0, "valid_max": 100.0}
    assert "0 to 100 as valid" in "".join(brought_in(data, tmp_path)[1].notes)
    data["t"].attrs |= {"valid_max": 181.0}
    assert brought_in(data, tmp_path)[1].notes == ()


def test_infinite_values_are_unknown_and_counted(tmp_path) -> None:
    values = ROWS.copy()
    values[3, 1, 2], values[4, 1, 2] = np.inf, -np.inf
    archive, imported = brought_in(field(values), tmp_path)
    np.testing.assert_array_equal(np.isnan(archive.read("in")[0]), ~np.isfinite(values))
    assert any("2 values are infinite" in note for note in imported.notes)


def test_a_channel_without_a_unit_is_named_as_one(tmp_path) -> None:
    data = field(ROWS)
    del data["t"].attrs["units"]
    with pytest.raises(DataError, match=r"^channel t has no unit .* --unit 1 for plain numbers"):
        brought_in(data, tmp_path)


def test_variables_of_one_unit_are_channels_without_being_named(tmp_path) -> None:
    data = field(ROWS).assign(v=lambda each: each.t * 2)
    data["v"].attrs["units"] = "K"
    data["quality"] = data["t"].copy(data=ROWS.astype("i1")).assign_attrs(flag_values=np.arange(3, dtype="i1"))
    archive, _ = brought_in(data, tmp_path)
    assert archive.channels == ("t", "v")
    data["v"].attrs["units"] = "m"
    with pytest.raises(DataError, match="--variable t --variable v"):
        brought_in(data, tmp_path)
    with pytest.raises(FramecastError, match="--unit names w"):
        brought_in(data, tmp_path, variables=("t", "v"), unit="w=km")


# When frames are.


@pytest.mark.parametrize("since", [1900, 1970, 2000])
@pytest.mark.parametrize("gap", [False, True])
def test_times_rounded_to_float32_are_the_even_ones_they_stand_for(since, gap, tmp_path) -> None:
    times = np.datetime64("2020-01-01") + np.arange(180) * np.timedelta64(1, "h")
    times = np.delete(times, [50, 51, 120]) if gap else times
    days = ((times - np.datetime64(f"{since}-01-01")) / np.timedelta64(1, "D")).astype("f4")
    values = np.random.default_rng(0).normal(size=(len(times), 4, 6)).astype("f4")
    data = xr.Dataset({"t": (("time", "y", "x"), values, {"units": "K"})})
    data = data.assign_coords(time=("time", days, {"units": f"days since {since}-01-01"}))
    archive, imported = brought_in(data, tmp_path)
    np.testing.assert_array_equal(archive.times("in"), times)
    assert (imported.cadence, imported.gaps) == (3600, 2 if gap else 0)


def test_times_coarser_than_their_step_lose_no_frame(tmp_path) -> None:
    hours = (1051896 + np.arange(12) / 6).astype("f4")  # every 10 min, stored to 7.5 min
    archive, imported = brought_in(with_times(hours, units="hours since 1900-01-01"), tmp_path)
    assert imported.frames == 12
    apart = archive.times("in") - np.datetime64("2020-01-01") - np.arange(12) * np.timedelta64(10, "m")
    assert np.abs(apart).max() <= np.timedelta64(225, "s")


def test_uneven_times_stay_as_they_are(tmp_path) -> None:
    days = np.cumsum(np.random.default_rng(0).uniform(0.5, 1.5, 20))
    archive, imported = brought_in(with_times(days, units="days since 2020-01-01"), tmp_path)
    stored = (archive.times("in") - np.datetime64("2020-01-01")) / np.timedelta64(1, "D")
    np.testing.assert_allclose(stored, days, atol=1e-10)
    assert imported.notes == ()


@pytest.mark.parametrize(
    ("calendar", "origin"),
    [("noleap", 2001), ("365_day", 12), ("360_day", 1850), ("all_leap", 2000), ("julian", 1500), ("noleap", 9)],
)
def test_every_calendar_counts_its_own_days(calendar, origin, tmp_path) -> None:
    data = with_times(np.arange(24.0) * 20, units=f"days since {origin:04d}-01-01", calendar=calendar)
    archive, imported = brought_in(data, tmp_path)
    assert (imported.cadence, imported.gaps) == (20 * 86400, 0)
    expected = cftime.num2date(np.arange(24) * 20, f"days since {origin:04d}-01-01", calendar=calendar)
    assert (archive.sequence("in").time.values == expected).all()
    with xr.open_zarr(tmp_path / "out.zarr", group="in") as plain:
        assert (plain.time.values == expected).all()
    assert archive.calendar.text(archive.times("in")[3]).startswith(f"{origin:04d}-0")


def test_dates_long_after_the_year_one_are_ordinary(tmp_path) -> None:
    hours = np.arange(24) * 6 + (np.datetime64("2020-01-01") - np.datetime64("0001-01-01")) / np.timedelta64(1, "h")
    data = with_times(hours, units="hours since 0001-01-01", calendar="proleptic_gregorian")
    archive, _ = brought_in(data, tmp_path)
    assert archive.calendar.ordinary
    assert archive.times("in")[1] == np.datetime64("2020-01-01T06")


@pytest.mark.parametrize(
    ("numbers", "attrs", "step"),
    [
        (np.arange(24.0), {"units": "months since 2000-01-01"}, 30),
        (np.arange(5.0), {"units": "years since 2000-01-01"}, 360),
        (np.arange("2000-01", "2002-01", dtype="M8[M]"), {}, 30),
        (np.arange("2000-01", "2002-01", dtype="M8[M]").astype("M8[D]") + 14, {}, 30),
    ],
)
def test_months_are_even_steps(numbers, attrs, step, tmp_path) -> None:
    if numbers.dtype.kind == "M":
        attrs = {"units": "days since 1999-01-01"}
        numbers = (numbers.astype("M8[D]") - np.datetime64("1999-01-01")).astype(float)
    archive, imported = brought_in(with_times(numbers, **attrs), tmp_path)
    assert (imported.cadence, imported.gaps) == (step * 86400, 0)
    dates = archive.sequence("in").time.values
    if step == 30:
        assert [(date.year, date.month) for date in dates] == [(2000 + k // 12, k % 12 + 1) for k in range(24)]
    else:
        assert [date.year for date in dates] == [2000, 2001, 2002, 2003, 2004]


def test_simulations_have_no_dates_and_none_is_invented(tmp_path) -> None:
    archive, imported = brought_in(with_times(np.arange(24.0) * 0.5, units="s"), tmp_path)
    assert imported.cadence == 0.5
    assert archive.calendar.name == "none"
    assert archive.calendar.text(archive.times("in")[3]) == "1.5s"
    np.testing.assert_array_equal(
        archive.sequence("in").time.values, (np.arange(24) * 500).astype("m8[ms]").astype("m8[ns]")
    )
    steps = with_times(np.arange(24) * 100 + 500)
    with pytest.raises(DataError, match="--cadence"):
        brought_in(steps, tmp_path)
    for data in (steps, field(COLUMNS).drop_vars("time")):
        archive, imported = brought_in(data, tmp_path, cadence=60)
        assert archive.calendar.text(archive.times("in")[2]) == "2min"
        assert imported.cadence == 60
    result = CliRunner().invoke(app, ["info", str(tmp_path / "out.zarr")])
    assert "1970" not in result.output
    assert "0s to 23min" in result.output


LONG = xr.Dataset({"t": (("time", "y", "x"), np.repeat(COLUMNS[:1], 120, 0), {"units": "K"})})


@pytest.mark.parametrize("calendar", ["360_day", "noleap", "none"])
def test_windows_and_splits_show_times_of_the_archive_and_no_other(calendar, tmp_path) -> None:
    attrs = {"units": "seconds"} if calendar == "none" else {"units": "days since 2001-02-01", "calendar": calendar}
    archive, _ = brought_in(LONG.assign_coords(time=("time", np.arange(120.0), attrs)), tmp_path)
    frames = FrameSpec(
        past=2, future=2, cadence=archive.cadence, past_channels=("t",), future_channels=("t",), height=4, width=6
    )
    windows = find_windows(archive, frames)
    ids = [window.id for window in windows]
    assert len(set(ids)) == len(ids) == 117
    assert ids[0] == {"none": "in@1s"}.get(calendar, "in@2001-02-02T00:00:00")
    assert ids[29] == {"none": "in@30s", "noleap": "in@2001-03-03T00:00:00"}.get(calendar, "in@2001-03-01T00:00:00")
    split = AutoSplit().resolve(windows)
    assert "1970" not in " ".join([*ids, str(split)])
    assert split.test_start.endswith("s" if calendar == "none" else f" {calendar}")
    sides = TimeSplit(**{name: getattr(split, name) for name in split.__dataclass_fields__}).divide(windows)
    # Of 119 steps 3 windows of 3 are set aside and 2 gaps of 3: of the other 104 train gets 70 %, the two 15 % each.
    assert [len(sides[side]) for side in SIDES] == ([74, 17, 16] if calendar == "none" else [73, 16, 16])
    assert max(w.end_time for w in sides["train"]) < min(w.start_time for w in sides["validation"])
    write_split(tmp_path / "split.csv", sides)
    assert "1970" not in (tmp_path / "split.csv").read_text(encoding="utf-8")
    again = TableSplit(table=str(tmp_path / "split.csv")).divide(windows)
    assert {side: [w.id for w in again[side]] for side in SIDES} == {s: [w.id for w in sides[s]] for s in SIDES}
    with pytest.raises(ConfigError, match="julian"):
        replace(split, train_end="2001-02-03 julian").divide(windows)
    split.check(archive.calendar)
    with pytest.raises(ConfigError, match=r"2001-05-01.* write all of them like"):
        replace(split, train_end="2001-05-01").check(archive.calendar)


def test_storms_of_other_decades_are_divided_by_the_time_that_was_observed(tmp_path) -> None:
    hours = np.arange(60) * np.timedelta64(1, "h")
    times = np.concatenate([np.datetime64("1987-04-09", "ns") + hours, np.datetime64("2007-10-01", "ns") + hours])
    archive, _ = brought_in(LONG.assign_coords(time=times), tmp_path)
    frames = FrameSpec(past=2, future=2, cadence=3600, past_channels=("t",), future_channels=("t",), height=4, width=6)
    sides = AutoSplit().divide(find_windows(archive, frames))
    assert [len(sides[side]) for side in SIDES] == [57 + 14, 15, 16]


def test_a_cadence_that_no_frames_have_is_refused_and_films_are_numbered_by_it(tmp_path) -> None:
    with pytest.raises(DataError, match=r"no two frames are 5min apart.* 1h"):
        brought_in(field(COLUMNS), tmp_path, cadence="5min")
    archive, _ = brought_in(with_times(np.arange(24) * 0.04, units="s"), tmp_path, cadence="1h")
    assert archive.calendar.text(archive.times("in")[2]) == "2h"


def test_numbers_that_are_dates_weeks_and_offsets_from_utc(tmp_path) -> None:
    archive, _ = brought_in(with_times(np.array([20200131, 20200201, 20200202])), tmp_path)
    assert (
        archive.times("in").tolist() == np.arange("2020-01-31", "2020-02-03", dtype="M8[D]").astype("M8[ns]").tolist()
    )
    assert brought_in(with_times(np.arange(3.0), units="weeks since 2020-01-01"), tmp_path)[1].cadence == 7 * 86400
    archive, _ = brought_in(with_times(np.arange(3), units="hours since 2020-01-01 00:00:00 +01:00"), tmp_path)
    assert archive.times("in")[0] == np.datetime64("2019-12-31T23:00")


def test_times_as_text_and_as_numbered_days(tmp_path) -> None:
    stamps = [str(time).replace("T", "_") for time in HOURS.astype("M8[s]")]
    for kind in ("S1", object):
        data = field(COLUMNS).drop_vars("time")
        if kind == "S1":
            data["Times"] = ("time", np.array(stamps, "S19"))  # stored as characters along a dimension of their own
        else:
            data = data.assign_coords(time=("time", np.array(stamps, dtype=object)))
        archive, _ = brought_in(data, tmp_path)
        np.testing.assert_array_equal(archive.times("in"), HOURS)
    numbers = 20200130 + np.array([0, 0.25, 0.5, 0.75, 1])
    archive, _ = brought_in(with_times(numbers, units="day as %Y%m%d.%f"), tmp_path)
    assert archive.times("in")[3] == np.datetime64("2020-01-30T18")


def test_units_of_time_in_the_values_are_values(tmp_path) -> None:
    data = field(ROWS)
    data["t"].attrs["units"] = "seconds"  # a wave period
    archive, _ = brought_in(data, tmp_path)
    assert archive.unit == "seconds"
    np.testing.assert_array_equal(archive.read("in")[0], ROWS)
    np.testing.assert_array_equal(archive.sequence("in").intensity.values[:, 0], ROWS)


# What things are called.


def test_names_are_read_as_a_person_would_write_them(tmp_path) -> None:
    values = np.zeros((2, 24, 4, 6), np.float32) + np.arange(2)[:, None, None, None]
    for labels, expected in (
        (np.array([b"red", b"near infrared"]), ("red", "near infrared")),
        (np.array([171.0, 193.5]), ("171", "193.5")),
        (np.array(["rot", "grün"], dtype=object), ("rot", "grün")),
    ):
        with h5netcdf.File(tmp_path / "in.nc", "w") as file:
            file.dimensions = {"band": 2, "time": 24, "y": 4, "x": 6}
            file.create_variable("light", ("band", "time", "y", "x"), data=values).attrs["units"] = np.bytes_(b"DN/s")
            times = file.create_variable("time", ("time",), data=np.arange(24))
            times.attrs["units"] = "hours since 2020-01-01"
            if labels.dtype.kind == "O":
                file.create_variable("band", ("band",), dtype=h5py.string_dtype())[:] = labels
            else:
                file.create_variable("band", ("band",), data=labels)
        archive, _ = archived(tmp_path / "in.nc", tmp_path)
        assert archive.channels == expected
        assert archive.unit == "DN/s"
    data = xr.Dataset(
        {"t": (("storm", "time", "y", "x"), values, {"units": "K"})},
        coords={"time": HOURS, "storm": np.array(["São Tomé/1", "x" * 200], dtype=object)},
    )
    archive, _ = brought_in(data, tmp_path)
    assert archive.sequences == ("Sao-Tome-1", "x" * 100)


def test_groups_are_named_and_can_be_taken(tmp_path) -> None:
    data = field(ROWS)
    data.to_netcdf(tmp_path / "g.nc", engine="h5netcdf", group="PRODUCT/Grid")
    data.to_zarr(tmp_path / "g.zarr", group="PRODUCT/Grid")
    for source in (tmp_path / "g.nc", tmp_path / "g.zarr"):
        with pytest.raises(FramecastError, match=r"PRODUCT/Grid: .*--group") as error:
            archived(source, tmp_path)
        assert "\n" not in str(error.value)
        with pytest.raises(FramecastError, match=r"'Grid' .* PRODUCT/Grid"):
            archived(source, tmp_path, group="Grid")
        archive, _ = archived(source, tmp_path, group="PRODUCT/Grid")
        np.testing.assert_array_equal(archive.read("g")[0], ROWS)


# Where a forecast is.


SMALL = [
    "training.precision=float32", "network.width=8", "network.multipliers=[1,2]", "network.blocks=1",
    "training.steps=2",
    "training.batch=2", "training.warmup=1", "training.validate_every=2", "training.checkpoint_every=2",
    "training.validation_windows=2", "data.past=3", "data.future=3",
]  # fmt: skip


def run(*command: str) -> str:
    result = CliRunner().invoke(app, list(command))
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(
    "calendar", ["noleap", *(pytest.param(other, marks=pytest.mark.slow) for other in ("standard", None))]
)
def test_forecasts_bear_the_places_the_reference_system_and_the_calendar_of_the_archive(calendar, tmp_path) -> None:
    values = np.random.default_rng(0).normal(size=(120, 18, 16))
    lat, lon = np.meshgrid(np.linspace(60, 43, 18), np.linspace(352, 367, 16) % 360, indexing="ij")
    data = xr.Dataset(
        {"u": (("time", "y", "x"), values.astype("f4"), {"units": "m s-1", "grid_mapping": "crs"})},
        coords={
            "lat": (("y", "x"), lat, LATITUDE),
            "lon": (("y", "x"), lon),
            "y": ("y", -1e3 * np.arange(18), {"units": "m", "standard_name": "projection_y_coordinate"}),
            "crs": ((), 0, {"grid_mapping_name": "polar_stereographic"}),
        },
    )
    attrs = {"units": "hours since 2001-02-20", "calendar": calendar} if calendar else {"units": "s"}
    data.assign_coords(time=("time", np.arange(120), attrs)).to_netcdf(tmp_path / "in.nc", engine="h5netcdf")
    archive, out = str(tmp_path / "a.zarr"), str(tmp_path / "f.zarr")
    run("import", str(tmp_path / "in.nc"), archive, "--multiple", "8")
    printed = run("train", "tiny", "--data", archive, "--out", str(tmp_path / "run"), *SMALL)
    assert "stretch: u linear (signed" in " ".join(printed.split())
    assert "u linear (signed" in " ".join(run("info", str(tmp_path / "run")).replace("stretch", "").split())
    run("forecast", str(tmp_path / "run"), archive, out, "--members", "2", "--limit", "2", "--steps", "2")
    with (
        xr.open_zarr(out, decode_timedelta=True) as forecast,
        xr.open_zarr(archive, group="in", decode_timedelta=True) as source,
    ):
        for name in ("y", "x", "lat", "lon"):
            np.testing.assert_array_equal(forecast[name], source[name])
        assert forecast.lat.attrs["units"] == "degrees_north"
        assert forecast.crs.attrs["grid_mapping_name"] == "polar_stereographic"
        assert forecast.forecast.attrs["units"] == "m s-1"
        assert forecast.forecast.min() < 0
        assert set(forecast.issue_time.values) <= set(source.time.values)
    shown = run("info", out)
    assert "1970" not in shown

"""Gridded files as archives: every value in its place, nothing invented, one line where it cannot be."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from framecast.cli import app
from framecast.core.errors import DataError, FramecastError
from framecast.data.archive.reader import Archive
from framecast.importers.base import Recording
from framecast.importers.importing import import_data
from framecast.videos.units import by_channel

TIMES = np.datetime64("2020-01-01", "ns") + np.arange(6) * np.timedelta64(10, "m")
VALUES = np.random.default_rng(0).normal(size=(6, 5, 8)).astype(np.float32)


def rain(**attrs: str) -> xr.Dataset:
    """Six frames of 5×8 pixels, latitude from north to south."""
    return xr.Dataset(
        {"rain": (("time", "lat", "lon"), VALUES.copy(), {"units": "mm/h", **attrs})},
        coords={
            "time": TIMES,
            "lat": ("lat", np.linspace(60, 50, 5), {"units": "degrees_north"}),
            "lon": np.arange(8.0),
        },
    )


@pytest.fixture(params=["netcdf", "zarr"])
def stored(request: pytest.FixtureRequest, tmp_path: Path):
    def store(data: xr.Dataset) -> Path:
        if request.param == "netcdf":
            data.to_netcdf(tmp_path / "rain 2020.nc", engine="h5netcdf")
            return tmp_path / "rain 2020.nc"
        data.to_zarr(tmp_path / "rain 2020.zarr", zarr_format=2)
        return tmp_path / "rain 2020.zarr"

    return store


@pytest.mark.thorough
def test_values_times_units_and_positions_arrive(stored, tmp_path: Path) -> None:
    imported = import_data(stored(rain()), tmp_path / "out.zarr")
    archive = Archive.open(tmp_path / "out.zarr")
    assert (archive.unit, archive.cadence, archive.channels) == ("mm/h", 600.0, ("rain",))
    (name,) = archive.sequences
    assert name == "rain-2020"
    np.testing.assert_array_equal(archive.read(name, range(6), ["rain"])[0], VALUES[:, ::-1])  # rows run upward
    np.testing.assert_array_equal(archive.times(name), TIMES)
    sequence = archive.sequence(name)
    np.testing.assert_allclose(sequence["y"], np.linspace(50, 60, 5))
    assert sequence["y"].attrs["units"] == "degrees_north"
    assert (("upward" in imported.understood), imported.gaps, imported.unknown, imported.frames) == (True, 0, 0.0, 6)
    assert min(imported.low) == VALUES.min()


def test_packed_values_are_unpacked_and_missing_ones_become_nan(tmp_path: Path) -> None:
    packed = rain()
    packed["rain"].values[2, 1, 3] = np.nan
    packed.to_netcdf(
        tmp_path / "p.nc",
        engine="h5netcdf",
        encoding={"rain": {"dtype": "int16", "scale_factor": 0.01, "add_offset": 1.0, "_FillValue": -32768}},
    )
    imported = import_data(tmp_path / "p.nc", tmp_path / "out.zarr")
    found = Archive.open(tmp_path / "out.zarr").read("p", range(6), ["rain"])[0]
    np.testing.assert_allclose(found, packed["rain"].values[:, ::-1], atol=0.0051)
    assert np.isnan(found).sum() == 1
    assert imported.unknown == 1 / (6 * 5 * 8)


def test_scale_offset_missing_coarsen_and_multiple(tmp_path: Path) -> None:
    counts = np.random.default_rng(1).integers(0, 200, (6, 9, 11)).astype(np.uint8)
    data = xr.Dataset({"dbz": (("time", "y", "x"), counts, {"units": "dBZ"})}, coords={"time": TIMES})
    data.to_netcdf(tmp_path / "d.nc", engine="h5netcdf")
    reading = {"scale": 0.5, "offset": -32, "missing": 7, "coarsen": 2, "multiple": 2, "flip_y": True}
    import_data(tmp_path / "d.nc", tmp_path / "out.zarr", **reading)
    archive = Archive.open(tmp_path / "out.zarr")
    assert (archive.height, archive.width) == (4, 4)
    physical = np.where(counts == 7, np.nan, 0.5 * counts.astype(float) - 32)[:, ::-1][:, 0:8, 1:9]
    expected = physical.reshape(6, 4, 2, 4, 2).mean((2, 4))
    np.testing.assert_allclose(archive.read("d", range(6), ["dbz"])[0], expected, rtol=1e-6)


def test_frames_are_put_in_order_and_gaps_counted(tmp_path: Path) -> None:
    order = [3, 0, 5, 1, 1]  # 2 and 4 are missing, 1 comes twice
    data = rain().isel(time=order)
    times = data["time"].values.copy()
    data = xr.concat([data, data.isel(time=[0]).assign_coords(time=[np.datetime64("NaT", "ns")])], "time")
    data.to_netcdf(tmp_path / "g.nc", engine="h5netcdf")
    imported = import_data(tmp_path / "g.nc", tmp_path / "out.zarr", cadence=600)
    archive = Archive.open(tmp_path / "out.zarr")
    np.testing.assert_array_equal(archive.times("g"), np.unique(times))
    np.testing.assert_array_equal(archive.read("g", range(4), ["rain"])[0], VALUES[[0, 1, 3, 5], ::-1])
    assert (imported.gaps, imported.repeated, imported.undated) == (2, 1, 1)


def test_sequences_and_channels(tmp_path: Path) -> None:
    values = np.random.default_rng(2).normal(size=(2, 6, 3, 4, 5)).astype(np.float32)
    data = xr.Dataset(
        {"light": (("region", "frame", "wave", "y", "x"), values, {"units": "DN/s"})},
        coords={
            "when": (("region", "frame"), np.stack([TIMES, TIMES + np.timedelta64(9, "D")])),
            "wave": [171, 193, 211],
            "region": ["AR 1", "AR 2"],
        },
    )
    data.to_netcdf(tmp_path / "s.nc", engine="h5netcdf")
    import_data(tmp_path / "s.nc", tmp_path / "out.zarr", independent=True)
    archive = Archive.open(tmp_path / "out.zarr")
    assert archive.channels == ("171", "193", "211")
    assert archive.sequences == ("AR-1", "AR-2")
    assert archive.attrs["independent_sequences"] is True
    np.testing.assert_array_equal(archive.read("AR-2", [4], ["193"])[0, 0], values[1, 4, 1])
    assert archive.times("AR-2")[0] == TIMES[0] + np.timedelta64(9, "D")


def test_several_variables_are_channels_each_with_its_unit(tmp_path: Path) -> None:
    data = rain()
    data["snow"] = data["rain"] * 2
    data["snow"].attrs["units"] = "mm/h"
    data.to_netcdf(tmp_path / "v.nc", engine="h5netcdf")
    import_data(tmp_path / "v.nc", tmp_path / "o.zarr", variables=("snow", "rain"))
    archive = Archive.open(tmp_path / "o.zarr")
    assert archive.channels == ("snow", "rain")
    both = archive.read("v", [0], ["rain", "snow"])
    np.testing.assert_allclose(both[1], 2 * both[0])
    data["snow"].attrs["units"] = "cm"
    data.to_netcdf(tmp_path / "w.nc", engine="h5netcdf")
    imported = import_data(tmp_path / "w.nc", tmp_path / "p.zarr", variables=("snow", "rain"))
    assert imported.understood.startswith("snow in cm, rain in mm/h: ")
    archive = Archive.open(tmp_path / "p.zarr")
    assert by_channel(archive.unit, 2) == ("cm", "mm/h")
    np.testing.assert_array_equal(archive.read("w", [0], ["snow", "rain"])[1], both[0])


@pytest.mark.thorough
def test_what_cannot_be_imported_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "text.nc").write_text("no")
    rain(units="").to_netcdf(tmp_path / "bare.nc", engine="h5netcdf")
    rain().isel(time=[0]).to_netcdf(tmp_path / "one.nc", engine="h5netcdf")
    for name, words in (
        ("absent.nc", "there is nothing at"),
        ("text.nc", "cannot be read as a NetCDF file"),
        ("bare.nc", "give the unit of its values with --unit"),
        ("one.nc", "a video has at least two"),
        ("", r"text.nc cannot be read as a NetCDF file"),
    ):
        with pytest.raises(FramecastError, match=words) as error:
            import_data(tmp_path / name, tmp_path / "out.zarr")
        assert "\n" not in str(error.value)
    assert not list(tmp_path.glob("*out.zarr*"))
    rain().to_netcdf(tmp_path / "r.nc", engine="h5netcdf")
    import_data(tmp_path / "r.nc", tmp_path / "made.zarr")
    with pytest.raises(FramecastError, match="archive already"):
        import_data(tmp_path / "made.zarr", tmp_path / "out.zarr")
    with pytest.raises(DataError, match="fewer than the 16"):
        import_data(tmp_path / "r.nc", tmp_path / "out.zarr", multiple=16)


def test_the_command_says_what_it_took_for_what(tmp_path: Path) -> None:
    rain().to_netcdf(tmp_path / "r.nc", engine="h5netcdf")
    result = CliRunner().invoke(app, ["import", str(tmp_path / "r.nc"), str(tmp_path / "out.zarr")])
    print(result.output)
    assert result.exit_code == 0, result.output
    assert result.stdout.rstrip().splitlines()[-1] == str(tmp_path / "out.zarr")
    for words in (
        "rain in mm/h: time time, rows lat (flipped to increase upward), columns lon",
        "1 sequence, 6 frames of 5×8 pixels, 1 channel (rain), every 10min",
        "0 % of pixels masked; no gaps in time",
    ):
        assert words in result.output


@pytest.mark.parametrize(
    "folder, file, options, shape, frames",
    [
        ("era5-t2m-uk-2019-03", "era5_t2m_uk_2019-03_hourly.nc", {}, (33, 49), 744),
        pytest.param(
            "knmi-radar-2021",
            "radar_5min_2km.nc",
            {"scale": 0.5, "offset": -32, "coarsen": 2},
            (191, 175),
            360,
            marks=pytest.mark.slow,
        ),
    ],
)
def test_real_files(real_data: Path, tmp_path: Path, folder: str, file: str, options: dict, shape, frames: int) -> None:
    imported = import_data(real_data / folder / file, tmp_path / "out.zarr", **options)
    assert ((imported.height, imported.width), imported.frames, imported.gaps) == (shape, frames, 0)
    archive = Archive.open(tmp_path / "out.zarr")
    with xr.open_dataset(real_data / folder / file) as data:
        if folder.startswith("era5"):
            assert imported.unit == "K"
            np.testing.assert_array_equal(
                archive.read(archive.sequences[0], [700], ["t2m"])[0, 0], data["t2m"][700][::-1]
            )
        else:
            stored = data["reflectivity"][7, 30].values[:, :].astype(float)
            expected = (0.5 * stored - 32).reshape(191, 2, 175, 2).mean((1, 3))
            found = archive.read(archive.sequences[7], [30], ["reflectivity"])[0, 0]
            np.testing.assert_allclose(found, expected, atol=1e-4)


def test_sequences_keep_letters_of_every_alphabet(tmp_path: Path) -> None:
    data = xr.Dataset(
        {"rain": (("region", "time", "y", "x"), np.zeros((4, 2, 2, 2), np.float32), {"units": "mm"})},
        coords={
            "region": ["Łódź", "Århus", "東京", "Straße"],
            "time": np.datetime64("2020-01-01", "ns") + np.arange(2) * np.timedelta64(1, "h"),
        },
    )
    data.to_netcdf(tmp_path / "rain.nc", engine="h5netcdf")
    import_data(tmp_path / "rain.nc", tmp_path / "rain.zarr", progress=False)
    assert set(Archive.open(tmp_path / "rain.zarr").sequences) == {"Lodz", "Arhus", "u6771u4eac", "Strasse"}


def test_a_coordinate_with_unknown_values_is_refused(tmp_path: Path) -> None:
    data = xr.Dataset(
        {"rain": (("time", "lat", "lon"), np.zeros((3, 3, 2), np.float32), {"units": "mm"})},
        coords={
            "time": np.datetime64("2020-01-01", "ns") + np.arange(3) * np.timedelta64(1, "h"),
            "lat": [1.0, np.nan, 3.0],
            "lon": [0.0, 1.0],
        },
    )
    data.to_netcdf(tmp_path / "rain.nc", engine="h5netcdf")
    with pytest.raises(DataError, match="1 of the 3 values of lat"):
        import_data(tmp_path / "rain.nc", tmp_path / "rain.zarr", progress=False)


def test_the_cadence_of_sequences_with_other_steps_is_one_of_them(tmp_path: Path) -> None:
    for minutes in (5, 10):
        times = TIMES[0] + np.arange(6) * np.timedelta64(minutes, "m")
        rain().assign_coords(time=times).to_netcdf(tmp_path / f"{minutes}.nc", engine="h5netcdf")
    files = sorted(tmp_path.glob("*.nc"))
    imported = import_data(files, tmp_path / "out.zarr", sequence="file", progress=False)
    assert (imported.cadence, imported.uneven) == (300.0, 0.0)


def test_masked_frames_of_an_importer_are_counted_as_unknown(tmp_path: Path) -> None:
    class Masked(Recording):
        channels, unit, height, width = ("rain",), "mm/h", 5, 8

        def times(self, sequence: int) -> np.ndarray:
            return TIMES

        def frames(self, sequence: int, indices: np.ndarray) -> Iterator[np.ndarray]:
            yield from (np.ma.masked_less(VALUES[index : index + 1], 0) for index in indices)

    (tmp_path / "a").touch()
    imported = import_data(tmp_path / "a", tmp_path / "out.zarr", importer=lambda path: Masked(), progress=False)
    assert imported.unknown == pytest.approx((VALUES < 0).mean())
    np.testing.assert_array_equal(
        Archive.open(tmp_path / "out.zarr").read("a")[0], np.where(VALUES < 0, np.nan, VALUES)
    )

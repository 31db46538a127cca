"""Members as pysteps reads them: by its own importer, value for value."""

import numpy as np
import pytest
import xarray as xr

from framecast.core.errors import ConfigError, DataError, FramecastError
from framecast.data.forecasts import SampleInfo, write_forecast
from framecast.data.pysteps import _mapping, write_pysteps
from framecast.videos.frames import FrameSpec


@pytest.fixture
def rain(tmp_path):
    def write(unit="mm/h", channels=("rain",)):
        frames = FrameSpec(
            past_channels=channels, future_channels=channels, past=2, future=3, cadence=300, height=6, width=8
        )
        random = np.random.default_rng(0)
        past, truth, members = (
            random.gamma(0.3, size=(*shape, len(channels), n, 6, 8)).astype(np.float32)
            for shape, n in (((), 2), ((), 3), ((4,), 3))
        )
        members[:, :, :, 0, 0] = np.nan
        sample = SampleInfo(sequence="a", issue_time=np.datetime64("2020-01-01T12:35", "ns"))
        path = tmp_path / "rain.zarr"
        positions = {"y": ("y", np.arange(6) * 2.0, {"units": "km"}), "x": ("x", np.arange(8) * 2.0, {"units": "km"})}
        with write_forecast(
            path, frames=frames, samples=[sample], members=4, unit=unit, attrs={}, dressing=None, positions=positions
        ) as writer:
            writer.write(0, past=past, truth=truth, forecast=members)
        return path, past, members

    return write


def test_its_variables_are_those_that_pysteps_looks_for(rain, tmp_path):
    path, past, members = rain()
    write_pysteps(path, tmp_path / "nowcast.nc")
    with xr.open_dataset(tmp_path / "nowcast.nc", engine="h5netcdf") as file:
        values = file["precip_intensity"]
        assert values.dims == ("ens_number", "time", "y", "x")
        assert values.attrs["units"] == "mm/h"
        np.testing.assert_array_equal(values[:, 1:].values, members[:, 0, :, ::-1])
        np.testing.assert_array_equal(values[2, 0].values, past[0, -1, ::-1])
        assert (np.diff(file["y"].values) == -2000).all()
        assert file["time"].values[3] == np.datetime64("2020-01-01T12:50")


@pytest.mark.slow
def test_pysteps_reads_it(rain, tmp_path):
    pytest.importorskip("netCDF4")
    io = pytest.importorskip("pysteps.io")
    path, _, members = rain()
    write_pysteps(path, tmp_path / "nowcast.nc")
    values, about = io.import_netcdf_pysteps(str(tmp_path / "nowcast.nc"), onerror="raise")
    np.testing.assert_array_equal(values[:, 1:], members[:, 0, :, ::-1])
    assert list(about["leadtimes"]) == [0, 5, 10, 15]
    assert (about["unit"], about["xpixelsize"], about["accutime"]) == ("mm/h", 2000, 5)


def test_what_pysteps_cannot_read_is_refused(rain, tmp_path):
    with pytest.raises(DataError, match="mm/h"):
        write_pysteps(rain(unit="K")[0], tmp_path / "nowcast.nc")


def test_an_existing_file_and_an_unknown_sample_are_refused(rain, tmp_path):
    path, *_ = rain()
    with pytest.raises(ConfigError, match="from 0 to 0"):
        write_pysteps(path, tmp_path / "nowcast.nc", sample=1)
    write_pysteps(path, tmp_path / "nowcast.nc")
    with pytest.raises(FramecastError, match="exists"):
        write_pysteps(path, tmp_path / "nowcast.nc")


def test_a_polar_projection_has_the_parameters_that_pysteps_asks_for():
    stored = {
        "grid_mapping_name": "polar_stereographic",
        "straight_vertical_longitude_from_pole": 0.0,
        "standard_parallel": 60.0,
    }
    name, attrs = _mapping(stored)
    assert name == "polar_stereographic"
    assert attrs["latitude_of_projection_origin"] == 90
    assert attrs["false_easting"] == attrs["false_northing"] == 0
    assert _mapping(stored | {"standard_parallel": -71.0})[1]["latitude_of_projection_origin"] == -90
    assert _mapping({"grid_mapping_name": "mercator"}) == ("crs", {"grid_mapping_name": "mercator"})

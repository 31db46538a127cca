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


@pytest.mark.slow
def test_pysteps_blends_it_with_a_weather_model(tmp_path):
    """What `docs/forecasting.md` shows: close to the nowcast at first, and to the model at the end."""
    pytest.importorskip("netCDF4")
    blending, io = (pytest.importorskip(f"pysteps.{name}") for name in ("blending.steps", "io"))
    y, x = np.mgrid[:64, :64]
    random, leads = np.random.default_rng(0), 5
    spots = random.uniform(0, 64, (40, 2))

    def rain(k: int, more: float = 1.0) -> np.ndarray:
        field = sum(np.exp(-(((x - cx - k + 32) % 64 - 32) ** 2 + (y - cy) ** 2) / 30) for cx, cy in spots)
        return np.where(field > 0.3, 8 * more * field, 0).astype(np.float32)

    frames = FrameSpec(
        past_channels=("rain",), future_channels=("rain",), past=3, future=leads, cadence=300, height=64, width=64
    )
    positions = {axis: (axis, np.arange(64) * 2.0, {"units": "km"}) for axis in "yx"}
    members = np.stack([[rain(k + 1, more) for k in range(leads)] for more in (0.8, 1.2)])[:, None]
    past = np.stack([rain(k) for k in (-2, -1, 0)])[None]
    issued = np.datetime64("2020-01-01T12:35", "ns")
    sample = SampleInfo(sequence="a", issue_time=issued)
    with write_forecast(
        tmp_path / "f.zarr", frames=frames, samples=[sample], members=2, unit="mm/h", attrs={}, positions=positions
    ) as writer:
        writer.write(0, past=past, truth=members[0], forecast=members)
    nowcast = write_pysteps(tmp_path / "f.zarr", tmp_path / "nowcast.nc")

    values, about = io.import_netcdf_pysteps(str(nowcast), onerror="raise", dtype="double")
    level = lambda rate: np.where(rate >= 0.1, 10 * np.log10(np.maximum(rate, 0.1)), -15.0)  # noqa: E731
    own = level(values)
    model = level(np.flip(np.stack([rain(k + 20) for k in range(leads + 1)]), 1))[None]
    flow = np.stack([np.ones((64, 64)), np.zeros((64, 64))])
    blended = blending.forecast(
        own[0, :1].repeat(3, axis=0),
        model,
        flow,
        flow[None, None].repeat(leads + 1, axis=1),
        leads,
        about["accutime"],
        issued.astype("datetime64[s]").item(),
        2,
        precip_nowcast=own,
        nowcasting_method="external_nowcast",
        noise_method=None,
        vel_pert_method=None,
        n_cascade_levels=4,
        precip_thr=-10.0,
        kmperpixel=about["xpixelsize"] / 1000,
        outdir_path_skill=str(tmp_path / "skill"),
        seed=1,
    )
    assert blended.shape == (2, leads, 64, 64)
    likeness = [np.corrcoef(blended[:, 0].ravel(), other.ravel())[0, 1] for other in (own[:, 1], model[[0, 0], 1])]
    assert likeness[0] > max(0.9, likeness[1] + 0.2)


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

"""A model that is told the hour and a plane: trained, forecasting an archive, forecasting in Python; and anomalies."""

import numpy as np
import pytest
import xarray as xr

import framecast as fc
from framecast.core.errors import ConfigError, DataError
from framecast.data.forecasts import open_forecast

pytestmark = pytest.mark.thorough

SIZE, COUNT = (16, 24), 40


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Temperature that follows the hour, and a lamp that is known in advance and shines on it an hour later."""
    random = np.random.default_rng(0)
    times = np.datetime64("2020-03-01", "ns") + np.arange(COUNT) * np.timedelta64(1, "h")
    lamp = random.normal(size=(COUNT, 1, 1)) * np.ones(SIZE)
    warm = (
        10
        + 3 * np.cos(2 * np.pi * np.arange(COUNT) / 24)[:, None, None]
        + lamp
        + 0.1 * random.normal(size=(COUNT, *SIZE))
    )
    data = xr.Dataset(
        {
            name: (("time", "y", "x"), values.astype(np.float32), {"units": "K"})
            for name, values in (("t", warm), ("lamp", lamp))
        },
        coords={"time": times},
    )
    folder = tmp_path_factory.mktemp("forced")
    data.to_netcdf(folder / "forced.nc", engine="h5netcdf")
    fc.import_data(folder / "forced.nc", folder / "forced.zarr", variables=("t", "lamp"), progress=False)
    return folder / "forced.zarr"


@pytest.fixture(scope="module")
def run(archive, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "forced"
    changes = {
        "data": {"past": 2, "future": 3, "past_channels": ["t"], "forcings": ["hour", "lamp"]},
        "training": {"steps": 4, "batch": 4, "validate_every": 4, "validation_windows": 2, "learning_rate": 1e-2},
        "network": {"width": 8},
    }
    fc.train(fc.load_recipe("tiny", changes), archive, out=out, progress=False)
    return out


def test_the_archive_tells_the_model_what_is_known(run, archive, tmp_path):
    model = fc.load(run)
    assert model.config.forcings == ("hour", "lamp")
    assert model.conditioning.channels == 1 + 2 * 3
    fc.forecast(model, archive, tmp_path / "f.zarr", members=2, limit=2, progress=False, steps=2)
    with open_forecast(tmp_path / "f.zarr") as file:
        assert np.isfinite(file["forecast"].values).all()
        assert list(file["past_channel"].values) == ["t"]


def past_of(archive):
    video = fc.open_archive(archive)
    return video.sequence(video.sequences[0])["intensity"].isel(time=slice(4, 6))


def test_python_takes_the_clock_from_the_past_and_the_rest_from_the_caller(run, archive, tmp_path):
    model, past = fc.load(run), past_of(archive)
    told = {"lamp": np.arange(5.0)}
    ensemble = model.forecast(past, members=2, forcings=told, steps=2)
    other = model.forecast(past, members=2, forcings={"lamp": -np.arange(5.0)}, steps=2)
    later = past.assign_coords(time=past["time"] + np.timedelta64(9, "h"))
    assert not np.array_equal(ensemble.values, other.values)
    assert not np.array_equal(ensemble.values, model.forecast(later, members=2, forcings=told, steps=2).values)
    planes = {"lamp": np.broadcast_to(np.arange(5.0)[:, None, None], (5, *SIZE))}
    np.testing.assert_array_equal(ensemble.values, model.forecast(past, members=2, forcings=planes, steps=2).values)


def test_a_longer_forecast_is_told_of_all_its_frames(run, archive):
    model, past = fc.load(run), past_of(archive)
    ensemble = model.forecast(past, members=2, forcings={"lamp": np.arange(6.0)}, horizon="4h", steps=2)
    assert ensemble.sizes["lead_time"] == 4
    with pytest.raises(DataError, match="4 future"):
        model.forecast(past, members=2, forcings={"lamp": np.arange(5.0)}, horizon="4h", steps=2)


def test_what_is_missing_or_unknown_is_refused(run, archive):
    model, past = fc.load(run), past_of(archive)
    with pytest.raises(ConfigError, match="lamp"):
        model.forecast(past, members=2)
    with pytest.raises(ConfigError, match="sun"):
        model.forecast(past, members=2, forcings={"lamp": np.arange(5.0), "sun": np.arange(5.0)})
    with pytest.raises(ConfigError, match="dates"):
        model.forecast(past.values[:, :1].swapaxes(0, 1), members=2, forcings={"lamp": np.arange(5.0)})
    with pytest.raises(DataError, match="moon"):
        recipe = fc.load_recipe("tiny", {"data": {"forcings": ["moon"], "past": 2, "future": 2}})
        fc.train(recipe, archive, out=run.parent / "none", progress=False)


def test_a_model_of_anomalies_is_stored_and_forecasts_around_the_cycle(archive, tmp_path):
    data = {"past": 2, "future": 3, "past_channels": ["t"], "forcings": ["hour"], "anomalies": ["hour"]}
    training = {"steps": 2, "batch": 2, "validate_every": 2, "validation_windows": 2, "learning_rate": 1e-9}
    changes = {"data": data, "training": training, "network": {"width": 8}, "diffusion": None, "one_shot": {}}
    fc.train(fc.load_recipe("tiny", changes), archive, out=tmp_path / "run", progress=False)
    model, past = fc.load(tmp_path / "run"), past_of(archive).sel(channel=["t"])
    assert model.config.anomalies.clocks == ("hour",)
    hours = past["time"].dt.hour.values[-1] + np.arange(4)
    cycle = 3 * np.cos(2 * np.pi * hours / 24)
    forecast = model.forecast(past, members=8).mean("member")  # hardly trained: the persistence of the anomaly
    change = (forecast - past.isel(time=-1, drop=True)).mean(("channel", "y", "x")).values
    assert np.corrcoef(change, cycle[1:] - cycle[0])[0, 1] > 0.8
    fc.forecast(model, archive, tmp_path / "f.zarr", members=2, limit=2, progress=False)
    with open_forecast(tmp_path / "f.zarr") as file:
        assert np.isfinite(file["forecast"].values).all()
    with pytest.raises(ConfigError, match="dates"):
        model.forecast(past.values.swapaxes(0, 1), members=2)


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [("data", "forcings", []), ("data", "curve", "log1p"), ("data", "patch", 8), ("training", "flips", ["x"])],
)
def test_what_does_not_go_with_anomalies_is_refused(section, name, value):
    changes = {"data": {"forcings": ["hour"], "anomalies": ["hour"]}}
    changes[section] = changes.get(section, {}) | {name: value}
    with pytest.raises(ConfigError, match=rf"data\.anomalies|{section}\.{name}"):
        fc.load_recipe("tiny", changes)

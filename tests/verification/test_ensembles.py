"""Ensembles of any model, paired with their truth by time and place."""

import numpy as np
import pytest
import xarray as xr

import framecast as fc
from framecast.core.errors import DataError
from framecast.verification.evaluation import evaluate

REFERENCE = np.datetime64("2020-03-01T00:00", "ns")
HOUR = np.timedelta64(3600 * 10**9, "ns")
LAT, LON = 50.0 - 0.5 * np.arange(6), 2.0 + 0.5 * np.arange(8)


@pytest.fixture
def data():
    """Members ``[member, time, lat, lon]`` in K from north to south, and the truth, two pixels wider all around."""
    random = np.random.default_rng(2)
    truth = 280 + random.normal(size=(8, 10, 12)).astype(np.float32)
    members = truth[2:6, 2:-2, 2:-2] + random.normal(size=(5, 4, 6, 8)).astype(np.float32)
    times = REFERENCE + np.arange(-1, 7) * 6 * HOUR
    observed = xr.DataArray(
        truth[:, ::-1] - 273.15,  # from south to north, in degrees Celsius
        dims=("time", "latitude", "longitude"),
        coords={
            "time": times,
            "latitude": ("latitude", (51.0 - 0.5 * np.arange(10))[::-1], {"units": "degrees_north"}),
            "longitude": ("longitude", 1.0 + 0.5 * np.arange(12), {"units": "degrees_east"}),
        },
        attrs={"units": "degC"},
        name="t2m",
    )
    ensemble = xr.DataArray(
        members,
        dims=("number", "time", "lat", "lon"),
        coords={
            "number": np.arange(5),
            "time": times[2:6],
            "lat": ("lat", LAT, {"units": "degrees_north"}),
            "lon": ("lon", LON, {"units": "degrees_east"}),
            "forecast_reference_time": ((), REFERENCE, {"standard_name": "forecast_reference_time"}),
        },
        attrs={"units": "K"},
        name="t2m",
    )
    return ensemble, observed, truth


def save(path, array):
    path.parent.mkdir(exist_ok=True)
    array.to_dataset().to_netcdf(path, engine="h5netcdf")
    return path


def test_paired_by_time_unit_direction_and_place(data, tmp_path, capsys):
    ensemble, observed, truth = data
    found = evaluate(save(tmp_path / "ens.nc", ensemble), truth=save(tmp_path / "obs.nc", observed), weights="none")
    expected = fc.score(ensemble.values, truth[2:6, 2:-2, 2:-2])
    assert found.scores["ens"]["crps"].value == pytest.approx(float(expected["crps"]), rel=1e-4)
    assert found.scores.lead_times_h == [6, 12, 18, 24] and found.scores.unit == "K"
    last = truth[1, 2:-2, 2:-2]  # the frame at the reference time
    error = np.abs(truth[2:6, 2:-2, 2:-2] - last).mean()
    assert found.scores["persistence"]["crps"].value == pytest.approx(error, rel=1e-4)
    assert "converted from degC to K" in capsys.readouterr().err


@pytest.mark.thorough
@pytest.mark.parametrize("total", ["forecast", "truth", None])
def test_totals_since_the_start_of_a_run_are_told_of(total, data, tmp_path, capsys):
    ensemble, observed, _ = data
    rain = [abs(ensemble - 280).assign_attrs(units="mm"), abs(observed - 7).assign_attrs(units="mm")]
    rain = [own.cumsum("time").assign_attrs(own.attrs) if total == which else own
            for own, which in zip(rain, ("forecast", "truth"), strict=True)]  # fmt: skip
    rain = [own.assign_coords(each.coords) for own, each in zip(rain, data[:2], strict=True)]
    evaluate(save(tmp_path / "ens.nc", rain[0]), truth=save(tmp_path / "obs.nc", rain[1]), weights="none")
    said = " ".join(capsys.readouterr().err.split())
    assert (f"t2m of the {total} never falls" in said) == (total is not None)
    assert ("never falls" in said) == (total is not None)


@pytest.mark.thorough
def test_a_file_for_each_member(data, tmp_path):
    ensemble, observed, _ = data
    whole = evaluate(save(tmp_path / "ens.nc", ensemble), truth=save(tmp_path / "obs.nc", observed), weights="none")
    for k in range(5):
        save(tmp_path / f"members/{k}.nc", ensemble.isel(number=k, drop=True))
    for given in (tmp_path / "members", tmp_path / "members/*.nc"):
        parts = evaluate(given, truth=tmp_path / "obs.nc", weights="none")
        assert parts.cases.models == ["members"] and parts.cases.members["members"] == 5
        assert parts.scores["members"]["crps"].value == whole.scores["ens"]["crps"].value


@pytest.mark.thorough
def test_files_of_members_that_differ_are_refused(data, tmp_path):
    ensemble, observed, _ = data
    save(tmp_path / "obs.nc", observed)
    save(tmp_path / "members/0.nc", ensemble.isel(number=0, drop=True))
    other = ensemble.isel(number=1, drop=True)
    for changed, words in (
        ((other - 273.15).assign_attrs(units="degC"), r"t2m in K and t2m in degC"),
        (other.assign_coords(lat=ensemble["lat"] + 1), r"the files of .* different grids \(y"),
    ):
        save(tmp_path / "members/1.nc", changed)
        with pytest.raises(DataError, match=words):
            evaluate(tmp_path / "members", truth=tmp_path / "obs.nc")
    save(tmp_path / "members/1.nc", other.assign_coords(lat=ensemble["lat"].astype("f4")).assign_attrs(units="kelvin"))
    assert evaluate(tmp_path / "members", truth=tmp_path / "obs.nc").cases.members["members"] == 2


@pytest.mark.thorough
def test_runs_by_reference_time_and_step(data, tmp_path):
    """As cfgrib and WeatherBench lay them out: ``time`` is the reference time."""
    ensemble, observed, truth = data
    two = xr.concat([ensemble.isel(time=slice(0, 2)), ensemble.isel(time=slice(2, 4))], "run", join="override")
    two = xr.DataArray(
        two.values,
        dims=("time", "number", "step", "lat", "lon"),
        coords={
            "time": REFERENCE + np.array([0, 12]) * HOUR,
            "step": ("step", np.array([6, 12]) * HOUR),
            "lat": ensemble["lat"],
            "lon": ensemble["lon"],
        },
        attrs={"units": "K"},
        name="t2m",
    )
    found = evaluate(save(tmp_path / "ens.nc", two), truth=save(tmp_path / "obs.nc", observed), weights="none")
    expected = np.abs(np.sort(ensemble.values, 0).mean(0) - truth[2:6, 2:-2, 2:-2]).mean()
    assert len(found.cases) == 2 and found.scores.lead_times_h == [6, 12]
    assert found.scores["ens"]["mae"].value == pytest.approx(expected, rel=1e-4)


def test_another_grid_is_refused(data, tmp_path):
    ensemble, observed, _ = data
    coarse = observed.isel(latitude=slice(None, None, 2))
    with pytest.raises(DataError, match=r"different grids.*5 values"):
        evaluate(save(tmp_path / "ens.nc", ensemble), truth=save(tmp_path / "obs.nc", coarse))
    lat, lon = np.meshgrid(LAT, LON, indexing="ij")
    numbered = ensemble.drop_vars(["lat", "lon"]).rename(lat="y", lon="x").assign_coords(y=np.arange(6), x=np.arange(8))
    for moved in (0.0, 2.0):  # the numbers of rows and columns are the same
        placed = [
            own.assign_coords(lat=(("y", "x"), lat + k * moved), lon=(("y", "x"), lon))
            for k, own in enumerate((numbered, numbered.isel(number=0, drop=True)))
        ]
        pair = [save(tmp_path / name, own) for name, own in zip(("e.nc", "o.nc"), placed, strict=True)]
        if moved:
            with pytest.raises(DataError, match=r"different grids \(lat"):
                evaluate(pair[0], truth=pair[1])
        else:
            evaluate(pair[0], truth=pair[1])
    plain = observed.isel(latitude=slice(1, None)).drop_vars(["latitude", "longitude"])
    with pytest.raises(DataError, match="9×12"):
        evaluate(tmp_path / "ens.nc", truth=save(tmp_path / "plain.nc", plain))


@pytest.mark.thorough
def test_other_times_and_other_units_are_refused(data, tmp_path):
    ensemble, observed, _ = data
    path = save(tmp_path / "ens.nc", ensemble)
    late = observed.assign_coords(time=observed["time"].values + 1000 * HOUR)
    with pytest.raises(DataError, match=r"2020-03-01 06:00 to 2020-03-02 00:00.*2020-04"):
        evaluate(path, truth=save(tmp_path / "late.nc", late))
    with pytest.raises(DataError, match="m/s cannot be converted to K"):
        evaluate(path, truth=save(tmp_path / "wind.nc", observed.assign_attrs(units="m/s")))
    with pytest.raises(DataError, match=r"q, r.*--variable"):
        both = xr.Dataset({"q": ensemble, "r": ensemble})
        both.to_netcdf(tmp_path / "both.nc", engine="h5netcdf")
        evaluate(tmp_path / "both.nc", truth=save(tmp_path / "obs.nc", observed), weights="none")


@pytest.mark.thorough
def test_what_is_not_observed_yet_is_said_and_left_out(data, tmp_path, capsys):
    ensemble, observed, truth = data
    found = evaluate(
        save(tmp_path / "e.nc", ensemble),
        truth=save(tmp_path / "o.nc", observed.isel(time=slice(0, 4))),
        weights="none",
    )
    assert "2 of 4 frames" in capsys.readouterr().err
    expected = fc.score(ensemble.values[:, :2], truth[2:4, 2:-2, 2:-2])
    assert found.scores["e"]["crps"].value == pytest.approx(float(expected["crps"]), rel=1e-4)


@pytest.mark.thorough
def test_without_a_reference_time_the_first_frame_is_a_step_ahead_and_that_is_said(data, tmp_path, capsys):
    ensemble, observed, _ = data
    bare = ensemble.drop_vars("forecast_reference_time")
    found = evaluate(save(tmp_path / "e.nc", bare), truth=save(tmp_path / "o.nc", observed))
    assert found.scores.lead_times_h == [6, 12, 18, 24]
    assert "no reference time" in capsys.readouterr().err


@pytest.mark.thorough
def test_a_forecast_of_the_future_is_judged_when_the_truth_has_come(gaussian_forecast, tmp_path):
    """One's own file, Zarr or NetCDF, by an archive of later."""
    from framecast.data.archive.writer import ArchiveWriter
    from framecast.data.forecasts import open_forecast
    from framecast.data.netcdf import write_netcdf

    path = gaussian_forecast(tmp_path / "f.zarr", samples=2, sequences=2, oracle=False, draws=0)
    data = open_forecast(path)
    with ArchiveWriter(
        tmp_path / "later.zarr", channels=("171",), unit="DN/s", cadence=7200.0, height=12, width=16
    ) as writer:
        for k in range(2):
            times = data["issue_time"].values[k] + np.concatenate([[np.timedelta64(0, "ns")], data["lead_time"].values])
            pixels = np.concatenate([data["past"].values[k, -1:, 1:], data["truth"].values[k]])
            frames = xr.Dataset({"intensity": (("time", "channel", "y", "x"), pixels)}, coords={"time": times})
            writer.add(str(data["sequence"].values[k]), frames)
    as_written = evaluate(path, replicates=100)
    paired = evaluate(path, truth=tmp_path / "later.zarr", replicates=100)
    write_netcdf(path, tmp_path / "g.nc")
    from_netcdf = evaluate(tmp_path / "g.nc", truth=tmp_path / "later.zarr", replicates=100)
    for name in ("crps", "rmse", "spread_skill"):
        expected = as_written.scores["gaussian"][name].value
        assert paired.scores["f"][name].value == expected
        assert from_netcdf.scores["g"][name].value == expected
    assert paired.scores["persistence"]["crps"].value == as_written.scores["persistence"]["crps"].value

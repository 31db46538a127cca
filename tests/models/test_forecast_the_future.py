"""Forecasts of what nobody has seen yet, further than the model's frames, and as NetCDF."""

import csv
import dataclasses

import numpy as np
import pytest
import xarray as xr
import zarr
from typer.testing import CliRunner

import framecast as fc
from framecast.cli import app
from framecast.core.errors import ConfigError, DataError, FramecastError
from framecast.data.archive.writer import ArchiveWriter
from framecast.data.forecasts import open_forecast
from framecast.models.archive_forecast import plan_forecast, sample_key
from framecast.models.selection import Selection

pytestmark = pytest.mark.thorough

START = np.datetime64("2021-07-14T06:00", "ns")
HOUR = np.timedelta64(3600 * 10**9, "ns")


@pytest.fixture(scope="module")
def past_only(tmp_path_factory):
    """Write an archive of two channels, with the frames that are asked for; ``edit`` changes the pixels."""

    def make(sequences, edit=lambda pixels: pixels, name="new.zarr"):
        path = tmp_path_factory.mktemp("new") / name
        random = np.random.default_rng(0)
        pixels = (20 + 5 * random.normal(size=(40, 2, 16, 16))).astype(np.float32)
        y = xr.Variable("y", 50.0 + 0.25 * np.arange(16), {"standard_name": "latitude", "units": "degrees_north"})
        x = xr.Variable("x", 0.25 * np.arange(16), {"standard_name": "longitude", "units": "degrees_east"})
        with ArchiveWriter(
            path, channels=("u", "v"), unit="m s-1", cadence=3600.0, height=16, width=16, overwrite=True
        ) as writer:
            for sequence, frames in sequences.items():
                dataset = xr.Dataset(
                    {"intensity": (("time", "channel", "y", "x"), edit(pixels.copy())[frames])},
                    coords={"time": START + np.array(frames) * HOUR, "y": y, "x": x},
                )
                writer.add(sequence, dataset)
        return fc.open_archive(path)

    return make


@pytest.fixture(scope="module")
def model(past_only, tmp_path_factory):
    """A model of two past and two future frames, barely trained."""
    out = tmp_path_factory.mktemp("wind") / "wind"
    data = past_only({"long": range(40)})
    changes = {
        "data.past": 2,
        "data.future": 2,
        "network": {"width": 4},
        "training": {"steps": 1, "batch": 2, "validation_windows": 2, "precision": "float32"},
        "sampling": {"steps": 2, "precision": "float32"},
    }
    run = fc.train("tiny", data, out=out, progress=False, **changes)
    return fc.load(run), data, run.path


def forecast(model, archive, out, **options):
    return open_forecast(fc.forecast(model, archive, out, members=2, progress=False, **options))


def test_the_newest_past_of_every_sequence_that_has_it_and_no_truth(model, past_only, tmp_path):
    archive = past_only({"a": range(4), "b": range(12), "c": range(10, 12)})
    found = forecast(model[0], archive, tmp_path / "f.zarr", latest=True)
    assert found["sequence"].values.tolist() == ["b", "c"]
    assert (found["issue_time"].values == START + 11 * HOUR).all()
    assert np.isnan(found["truth"]).all() and np.isfinite(found["forecast"]).all()
    assert np.array_equal(found["past"].values[1], archive.read("c").swapaxes(0, 1))
    assert found.attrs["split"] == "latest"


def test_members_are_those_of_a_hindcast_of_the_same_past(model, past_only, tmp_path):
    whole, short = past_only({"a": range(12)}), past_only({"a": range(8)})
    hindcast = forecast(model[0], whole, tmp_path / "h.zarr", split="all")
    future = forecast(model[0], short, tmp_path / "f.zarr", latest=True)
    at = list(hindcast["issue_time"].values).index(START + 7 * HOUR)
    assert np.array_equal(hindcast["forecast"].values[at], future["forecast"].values[0])


def test_a_damaged_end_is_told_of(model, past_only):
    def spoil(pixels):
        pixels[10:] = np.nan
        return pixels

    plan = plan_forecast(model[0], past_only({"a": range(12)}, spoil), Selection(latest=True))
    assert [window.issue_time for window in plan.chosen] == [START + 9 * HOUR]
    [note] = plan.notes
    assert "2021-07-14 15:00" in note and "2021-07-14 17:00" in note and "2 masked" in note


def test_the_past_that_ends_at_a_time_with_what_is_known_of_the_future(model, past_only, tmp_path):
    archive = past_only({"a": range(12)})
    found = forecast(model[0], archive, tmp_path / "f.zarr", time="2021-07-14T16:00")
    assert found["issue_time"].values == [START + 10 * HOUR]
    truth = found["truth"].values[0]
    assert np.array_equal(truth[0], archive.read("a", [11])[:, 0]) and np.isnan(truth[1]).all()
    with pytest.raises(DataError, match=r"2021-07-14 16:30.*2021-07-14 16:00 and 2021-07-14 17:00"):
        plan_forecast(model[0], archive, Selection(time="2021-07-14T16:30"))
    with pytest.raises(DataError, match="'tomorrow' is not a time"):
        plan_forecast(model[0], archive, Selection(time="tomorrow"))


def test_every_past_of_an_archive_that_the_model_was_not_trained_on(model, past_only):
    own, other = plan_forecast(*model[:2]), plan_forecast(model[0], past_only({"a": range(5)}))
    assert own.side == "validation" and not own.notes
    assert other.side == "outside" and len(other.notes) == 1
    assert [window.indices for window in other.chosen] == [(0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, -1), (3, 4, -1, -1)]
    every = plan_forecast(*model[:2], Selection(all_windows=True))
    assert every.side == "all" and len(every.chosen) == 39


def test_two_choices_of_windows_are_refused():
    with pytest.raises(ConfigError, match="--latest and --split"):
        Selection(latest=True, split="test")


def test_further_than_the_model_each_member_from_its_own_forecast(model, past_only, tmp_path):
    archive, forecaster = past_only({"a": range(12)}), model[0]
    far = forecast(forecaster, archive, tmp_path / "far.zarr", latest=True, horizon="5h")
    near = forecast(forecaster, archive, tmp_path / "near.zarr", latest=True)
    assert far["lead_time"].values.tolist() == [k * 3600 * 10**9 for k in range(1, 6)]
    assert np.array_equal(far["forecast"][:, :, :2], near["forecast"])
    # By hand: the second block begins at the first one's frames, with noise of its own.
    plan = plan_forecast(forecaster, archive, Selection(latest=True))
    past = plan.chosen[0]
    members = far["forecast"].values[0].swapaxes(1, 2)
    draw = fc.models.members.Draw(members=range(2), options=forecaster.options(), sample=sample_key(past), block=1)
    import torch

    second = forecaster.draw(torch.from_numpy(members[:, :, :2].copy()), draw).numpy()
    assert np.array_equal(members[:, :, 2:4], second)
    assert np.array_equal(
        forecast(forecaster, archive, tmp_path / "one.zarr", latest=True, horizon="1h")["forecast"],
        near["forecast"][:, :, :1],
    )
    with pytest.raises(ConfigError, match=r"90min.*such as 2h"):
        plan_forecast(forecaster, archive, Selection(horizon="90min"))


def test_many_pasts_in_python_go_as_far(model):
    pasts = np.random.default_rng(1).normal(20, 5, size=(3, 2, 2, 16, 16)).astype(np.float32)
    found = model[0].forecast(pasts, members=2, horizon="3h")
    assert found.dims == ("sample", "member", "lead_time", "channel", "y", "x")
    assert found.sizes["sample"] == 3 and found.sizes["lead_time"] == 3
    assert np.array_equal(found[0], model[0].forecast(pasts[0], members=2, horizon="3h"))


def test_netcdf_of_one_past_holds_what_zarr_does_by_valid_time(model, past_only, tmp_path):
    archive = past_only({"a": range(12)})
    zarr = forecast(model[0], archive, tmp_path / "f.zarr", time="2021-07-14T16:00")
    path = fc.forecast(
        model[0], archive, tmp_path / "f.nc", members=2, time="2021-07-14T16:00", progress=False, command="framecast x"
    )
    assert path.is_file() and [each.name for each in sorted(tmp_path.iterdir())] == ["f.nc", "f.zarr"]
    with xr.open_dataset(path) as data:
        assert data["u"].dims == ("time", "member", "y", "x") and data["u"].attrs["units"] == "m s-1"
        for k, name in enumerate("uv"):
            assert np.array_equal(data[name].values.swapaxes(0, 1), zarr["forecast"].values[0, :, :, k])
            assert np.array_equal(data[f"{name}_observed"], zarr["truth"].values[0, :, k], equal_nan=True)
        assert data["time"].values.tolist() == (START + np.array([11, 12]) * HOUR).tolist()
        assert data["forecast_reference_time"].values == START + 10 * HOUR
        assert data["y"].values.tolist() == zarr["y"].values.tolist()
        assert data["y"].attrs["units"] == "degrees_north" and data["x"].attrs["axis"] == "X"
        assert data["member"].attrs["standard_name"] == "realization"
        assert str(data["sequence"].values) == "a"
        assert data.attrs["Conventions"].startswith("CF-") and data.attrs["history"].endswith("framecast x")
    with pytest.raises(FramecastError, match="exists"):
        fc.forecast(model[0], archive, tmp_path / "f.nc", members=2, latest=True, progress=False)


def test_a_forecast_killed_while_its_netcdf_is_written_is_made_again(model, past_only, tmp_path, monkeypatch):
    archive = past_only({"a": range(12)})
    asked = {"members": 1, "time": "2021-07-14T16:00", "progress": False}

    def killed(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("framecast.models.archive_forecast.write_netcdf", killed)
        fc.forecast(model[0], archive, tmp_path / "f.nc", **asked)
    assert fc.forecast(model[0], archive, tmp_path / "f.nc", **asked).is_file()
    assert [each.name for each in tmp_path.iterdir()] == ["f.nc"]


@pytest.mark.slow
def test_a_page_of_a_forecast_in_netcdf(model, past_only, tmp_path):
    archive = past_only({"a": range(12)}).path
    words = ["forecast", str(model[2]), str(archive), str(tmp_path / "f.nc"), "--latest", "--members", "2"]
    result = CliRunner().invoke(app, [*words, "--page", str(tmp_path / "page")])
    assert result.exit_code == 0, result.output
    assert sorted(each.name for each in tmp_path.iterdir()) == ["f.nc", "page"]
    assert "f.nc" in (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    with xr.open_dataset(tmp_path / "f.nc") as data:
        assert data["u"].sizes["member"] == 2
    result = CliRunner().invoke(app, [*words, "--page", str(tmp_path / "other")])
    assert isinstance(result.exception, FramecastError) and "exists" in str(result.exception)


def test_netcdf_of_several_pasts(model, past_only, tmp_path):
    archive = past_only({"a": range(5)})
    zarr = forecast(model[0], archive, tmp_path / "f.zarr")
    with xr.open_dataset(fc.forecast(model[0], archive, tmp_path / "f.nc", members=2, progress=False)) as data:
        assert data["v"].dims == ("sample", "lead_time", "member", "y", "x")
        assert np.array_equal(data["v"].transpose("sample", "member", ...), zarr["forecast"].values[:, :, :, 1])
        assert data["time"].values[3].tolist() == (START + np.array([5, 6]) * HOUR).tolist()
        assert np.array_equal(data["u_observed"], zarr["truth"].values[:, :, 0], equal_nan=True)


def test_a_page_of_any_kind_of_data(model, past_only, tmp_path):
    path = fc.forecast(
        model[0], past_only({"rain": range(12)}), tmp_path / "f.zarr", members=3, latest=True, progress=False
    )
    page = fc.show(path, tmp_path / "page").read_text(encoding="utf-8")
    assert "A forecast of rain, issued 2021-07-14 17:00 UTC" in page and "not known" in page
    assert "1 to 2 h ahead" in page
    assert {each.name for each in (tmp_path / "page").iterdir()} == {
        "figures",
        "index.html",
        "intervals.csv",
        "prediction.json",
    }
    with pytest.raises(FramecastError, match="exists"):
        fc.show(path, tmp_path / "page")


@pytest.mark.slow
def test_channels_in_different_units_keep_their_own(model, past_only, tmp_path):
    path = fc.forecast(model[0], past_only({"a": range(12)}), tmp_path / "f.zarr", members=2, limit=2, progress=False)
    zarr.open_group(path, mode="r+").attrs["unit"] = "K, 1"
    fc.show(path, tmp_path / "page")
    with (tmp_path / "page" / "intervals.csv").open(encoding="utf-8") as file:
        units = {(row["channel"], row["unit"]) for row in csv.DictReader(file) if row["quantity"] == "mean"}
    assert units == {("u", "K"), ("v", "")}
    with pytest.raises(ConfigError, match=r"one unit.* K, 1"):
        fc.evaluate(path, thresholds=[5.0])


def test_times_of_other_calendars_are_read_and_said(model, past_only):
    archive = past_only({"a": range(12)})
    from framecast.videos.calendar import Calendar

    for calendar, text in (
        (Calendar(name="360_day", origin="2000-01-01"), "2000-02-30T06:00"),
        (Calendar(name="none", origin=""), "90min"),
    ):
        clock = calendar.parse(text)
        assert calendar.text(clock).replace(" ", "T") in (text, "90min")
        assert not calendar.ordinary and dataclasses.is_dataclass(calendar)
    assert archive.calendar.text(archive.calendar.parse("2021-07-14T16:00")) == "2021-07-14 16:00"

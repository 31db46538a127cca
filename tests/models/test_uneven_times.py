"""Frames at uneven times, dense near the issue time: from the recipe to the report."""

import numpy as np
import pytest
import torch
import xarray as xr

import framecast as fc
from framecast.core.errors import ConfigError, DataError
from framecast.data.archive.writer import ArchiveWriter
from framecast.data.forecasts import open_forecast

pytestmark = pytest.mark.thorough

START = np.datetime64("2021-07-14T00:00", "ns")
HOUR = 3600.0
DIMS = ("time", "channel", "y", "x")
LAGS, LEADS = (-8, -4, -2, -1, 0), (1, 2, 4, 6, 7, 8)
"""The last lead times hold the lags once more, so that a forecast can go on from itself."""


SPLIT = {"kind": "region", "validation": ["b"], "test": ["c"]}


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Three sequences of 40 hourly frames whose value is the hour, so that a frame tells its time."""
    hours = np.arange(40.0)
    path = tmp_path_factory.mktemp("data") / "clock.zarr"
    times = START + (hours * 3.6e12).astype("timedelta64[ns]")
    with ArchiveWriter(path, channels=("a",), unit="K", cadence=HOUR, height=16, width=16) as writer:
        for seed, name in enumerate("abc"):
            video = hours[:, None, None, None] + np.random.default_rng(seed).normal(0, 0.01, (40, 1, 16, 16))
            writer.add(name, xr.Dataset({"intensity": (DIMS, video.astype(np.float32))}, coords={"time": times}))
    return fc.open_archive(path)


@pytest.fixture(scope="module")
def model(archive, tmp_path_factory):
    changes = {
        "data.past": [f"{lag}h" for lag in LAGS],
        "data.future": [f"{lead}h" for lead in LEADS],
        "data.split": SPLIT,
        "network": {"width": 4},
        "training": {"steps": 1, "batch": 2, "validation_windows": 2, "precision": "float32"},
        "sampling": {"steps": 2, "precision": "float32"},
    }
    return fc.load(fc.train("tiny", archive, out=tmp_path_factory.mktemp("run") / "run", progress=False, **changes))


def test_a_model_remembers_its_times_and_tells_them_to_its_network(model):
    assert model.frames.past_times == tuple(HOUR * lag for lag in LAGS)
    assert model.frames.lead_times == tuple(HOUR * lead for lead in LEADS)
    assert model.config.network.past_times == LAGS
    assert model.config.network.future_times == LEADS


@pytest.fixture(scope="module")
def forecast_file(model, archive, tmp_path_factory):
    out = tmp_path_factory.mktemp("uneven") / "f.zarr"
    return fc.forecast(model, archive, out, members=3, split="all", limit=2, progress=False)


def test_a_forecast_file_holds_the_frames_of_these_times(forecast_file, archive):
    found = open_forecast(forecast_file)
    hours = (found["issue_time"].values - archive.times("a")[0]) / np.timedelta64(1, "h")
    np.testing.assert_allclose(found["truth"].mean(("channel", "y", "x")) - hours[:, None], [LEADS] * 2, atol=0.02)
    np.testing.assert_allclose(found["past"].mean(("past_channel", "y", "x")) - hours[:, None], [LAGS] * 2, atol=0.02)
    assert (found["lead_time"].values / np.timedelta64(1, "h")).tolist() == list(LEADS)
    assert (found["past_time"].values / np.timedelta64(1, "h")).tolist() == list(LAGS)


@pytest.mark.slow
def test_a_report_of_frames_at_these_times(forecast_file, tmp_path):
    judged = fc.evaluate(forecast_file, progress=False)
    assert judged.scores.lead_times_h == list(LEADS)
    judged.report(tmp_path / "report")
    assert list((tmp_path / "report").glob("*.html"))


def test_a_forecast_goes_on_from_its_own_frames_at_the_lags(model, archive, monkeypatch):
    past = archive.sequence("a").isel(time=[4, 8, 10, 11, 12])["intensity"]
    seen = []

    def copy(pasts, draw, **others):
        """Forecast the hours that follow the newest frame, so that the next past tells which frames it was made of."""
        pasts = pasts[None] if pasts.ndim == 4 else pasts
        seen.append(pasts[0, 0, :, 0, 0].numpy() - pasts[0, 0, -1, 0, 0].numpy())
        leads = torch.tensor(LEADS, dtype=torch.float32)[:, None, None]
        return (pasts[:, :, -1:] + leads).expand(len(draw.members), -1, -1, -1, -1)

    monkeypatch.setattr(model, "draw", copy)
    ensemble = model.forecast(past, members=2, horizon="23h")
    hours = (ensemble["lead_time"].values / np.timedelta64(1, "h")).tolist()
    assert hours == [*LEADS, *(8 + lead for lead in LEADS), *(16 + lead for lead in LEADS[:-1])]
    for lags in seen:
        np.testing.assert_allclose(lags, LAGS, atol=0.1)
    values = ensemble.isel(member=0, channel=0, y=0, x=0).values
    np.testing.assert_allclose(values - values[0], np.array(hours) - hours[0], atol=0.1)
    blocks = model.rollout(past, blocks=2, members=1)
    assert [float(block["lead_time"].values[0] / np.timedelta64(1, "h")) for block in blocks] == [1.0, 9.0]


def test_times_between_the_frames_are_no_horizon(model):
    with pytest.raises(ConfigError, match="3h"):
        model.frames.extended(3 * HOUR)
    assert model.frames.extended(4 * HOUR).lead_times == (HOUR, 2 * HOUR, 4 * HOUR)


def test_a_past_at_other_times_is_refused(model, archive):
    past = archive.sequence("a").isel(time=range(5))["intensity"]
    with pytest.raises(DataError, match="-4h, -3h, -2h, -1h, 0h"):
        model.forecast(past, members=1)


def test_the_derived_quantities_know_the_times(model, archive):
    past = archive.sequence("a").isel(time=[4, 8, 10, 11, 12])["intensity"]
    ensemble = model.forecast(past, members=2)
    ensemble[:] = 0.0
    ensemble[:, 4] = 1.0  # 7 h ahead
    found = model.intervals(ensemble, calibrated=False)
    assert float(found["time_of_peak"].sel(level=0.5, bound="lower").item()) == 7.0


def test_even_times_are_the_same_model_however_they_are_written(archive, tmp_path):
    changes = {
        "data.split": SPLIT,
        "network": {"width": 4},
        "training": {"steps": 2, "batch": 2, "validation_windows": 2, "precision": "float32"},
        "sampling": {"steps": 2, "precision": "float32"},
    }
    counted = fc.train(
        "tiny", archive, out=tmp_path / "a", progress=False, **changes, **{"data.past": 3, "data.future": 2}
    )
    listed = {"data.past": ["-2h", "-1h", "0h"], "data.future": ["1h", "2h"]}
    written = fc.train("tiny", archive, out=tmp_path / "b", progress=False, **changes, **listed)
    first, second = (fc.load(run) for run in (counted, written))
    assert first.config.weights_sha256 == second.config.weights_sha256
    assert first.frames == second.frames

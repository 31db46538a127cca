"""Persistence and its dressed ensemble."""

import numpy as np
import pytest
import torch

import framecast as fc
from framecast.data.climatology import Climatology
from framecast.data.forecasts import SampleInfo, write_forecast
from framecast.verification.baselines import (
    DailyCycle,
    draw_occasions,
    draw_residuals,
    dressed_persistence,
    persistence,
)
from framecast.videos.frames import FrameSpec


def test_persistence_is_the_last_frame_at_every_lead_time() -> None:
    last = torch.rand(2, 3, 4)
    forecast = persistence(last, 5)
    assert forecast.shape == (1, 2, 5, 3, 4)
    assert all(torch.equal(forecast[0, :, k], last) for k in range(5))


def test_dressing_adds_whole_residuals_and_leaves_masked_pixels_as_they_were() -> None:
    last = torch.rand(1, 2, 2)
    residuals = torch.rand(3, 1, 4, 2, 2)
    residuals[1, 0, 2, 0, 0] = torch.nan
    forecast = dressed_persistence(last, residuals)
    assert torch.equal(forecast[0], last[:, None] + residuals[0])
    assert forecast[1, 0, 2, 0, 0] == last[0, 0, 0]


def test_draws_are_without_repetition_and_depend_on_seed_and_sample_alone() -> None:
    first = draw_residuals(50, 20, seed=1, sample=7)
    assert len(set(first)) == 20
    np.testing.assert_array_equal(first, draw_residuals(50, 20, seed=1, sample=7))
    assert not np.array_equal(first, draw_residuals(50, 20, seed=1, sample=8))
    assert not np.array_equal(first, draw_residuals(50, 20, seed=2, sample=7))
    assert sorted(draw_residuals(5, 20, seed=0, sample=0)) == [0, 1, 2, 3, 4]


def test_occasions_are_those_of_a_like_hour_or_season() -> None:
    times = np.datetime64("2019-01-01T00:00", "ns") + np.arange(365 * 8) * np.timedelta64(3, "h")
    issue = np.datetime64("2021-07-02T23:00", "ns")
    for like, hours in (("hour", 24), ("season", 365.2425 * 24)):
        chosen = times[draw_occasions(times, issue, 20, like=like, seed=0, sample=3)]
        apart = ((chosen - issue) / np.timedelta64(1, "h")) % hours
        apart = np.minimum(apart, hours - apart)
        assert len(set(chosen)) == 20
        assert apart.max() <= (1 if like == "hour" else 40)
    assert len(set(draw_occasions(times, issue, 20, like="hour", seed=0, sample=3) // 8)) > 15  # of many days
    any_ = draw_occasions(times, issue, 20, like="any", seed=0, sample=3)
    np.testing.assert_array_equal(any_, draw_residuals(len(times), 20, seed=0, sample=3))
    assert len(draw_occasions(times[:7], issue, 20, like="season", seed=0, sample=3)) == 7


LEADS = (6 * 3600.0, 12 * 3600.0)


def test_a_daily_cycle_is_the_mean_of_the_frames_at_each_time_of_day() -> None:
    """Values that are the hour itself, with an unknown pixel that another day knows."""
    times = np.arange(8) * 6 * 3600.0
    clock = torch.tensor((times[:, None] + np.array([0.0, *LEADS])) % 86400 / 3600, dtype=torch.float32)
    frames = clock[:, None, :, None, None].expand(8, 1, 3, 2, 2).clone()
    frames[4, 0, 0, 0, 0] = torch.nan
    found = DailyCycle(frames[:, :, 0], frames[:, :, 1:], times, LEADS).at(
        np.array([0.0, 86400.0 + 6.2 * 3600, 23 * 3600.0])
    )
    assert found.shape == (3, 1, 2, 2)
    assert found[:, 0, 0, 0].tolist() == [0.0, 6.0, 0.0]


@pytest.mark.thorough
def test_the_anomaly_persists_where_the_hour_is_asked_for(tmp_path) -> None:
    """A strong daily cycle plus an offset for each day: the baseline is right, up to the noise of training."""
    random = np.random.default_rng(0)
    frames = FrameSpec(
        past_channels=("t",), future_channels=("t",), past=1, future=2, cadence=6 * 3600.0, height=4, width=4
    )
    start = np.datetime64("2019-03-01", "ns")

    def video(issue: np.datetime64, offset: float) -> np.ndarray:
        hours = np.array([(issue - start) / np.timedelta64(1, "h") + lead for lead in (0, 6, 12)])
        values = 10 * np.sin(2 * np.pi * hours / 24) + offset
        noise = random.normal(0, 0.1, (3, 4, 4))
        return (values[:, None, None] + noise).astype(np.float32)[None]

    times = start + np.arange(40) * np.timedelta64(6, "h")
    windows = np.stack([video(time, random.normal(0, 3)) for time in times])
    climatology = Climatology(windows[:, :, 1:], times, last=windows[:, :, 0], mean=windows[:, :, 0])
    judged = start + (100 + np.arange(6) * 3) * np.timedelta64(6, "h")
    samples = [SampleInfo(sequence="a", issue_time=time) for time in judged]
    with write_forecast(
        tmp_path / "f.zarr", frames=frames, samples=samples, members=8, unit="K", attrs={}, climatology=climatology
    ) as writer:
        for k, time in enumerate(judged):
            own = video(time, 5.0)
            writer.write(k, past=own[:, :1], truth=own[:, 1:], forecast=np.repeat(own[None, :, 1:], 8, 0))
    scores = fc.evaluate(tmp_path / "f.zarr", climatology="hour", progress=False).scores
    found = {name: entry["crps"].value for name, entry in scores.forecasts.items()}
    assert found["anomaly_persistence"] < 0.3 < 0.5 * min(found["climatology"], found["dressed_persistence"])
    assert "anomaly_persistence" not in fc.evaluate(tmp_path / "f.zarr", progress=False).scores.forecasts

"""Climatology in forecast files and beside the other baselines."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from framecast.data.climatology import Climatology, sample_climatology
from framecast.data.forecasts import SampleInfo, write_forecast
from framecast.verification.baselines import BASELINES
from framecast.verification.evaluation import Cases, evaluate
from framecast.videos.frames import FrameSpec

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A field with a daily cycle of amplitude 10 and noise 1, and a model that knows the cycle."""
    random = np.random.default_rng(0)
    frames = FrameSpec(
        past_channels=("t",), future_channels=("t",), past=1, future=2, cadence=3600.0, height=6, width=8
    )
    start = np.datetime64("2020-01-01", "ns")

    def future(time: np.datetime64, *members: int) -> np.ndarray:
        hour = (time - start) / np.timedelta64(1, "h") + np.arange(1, 3)
        cycle = 10 * np.sin(2 * np.pi * hour / 24)[:, None, None]
        return (cycle + random.normal(size=(*members, 1, 2, 6, 8))).astype(np.float32)

    occasions = start + np.arange(240) * np.timedelta64(1, "h")
    climatology = Climatology(np.stack([future(time) for time in occasions]), occasions)
    issues = start + np.arange(30, 42) * np.timedelta64(7, "h") + np.timedelta64(40, "D")
    out = tmp_path_factory.mktemp("climatology") / "f.zarr"
    with write_forecast(
        out,
        frames=frames,
        samples=[SampleInfo(sequence="site", issue_time=time) for time in issues],
        members=8,
        unit="K",
        attrs={"model": "cycle"},
        dressing=None,
        climatology=climatology,
    ) as writer:
        for k, time in enumerate(issues):
            writer.write(k, past=np.zeros((1, 1, 6, 8), np.float32), truth=future(time), forecast=future(time, 8))
    return out


def test_the_file_opens_with_xarray(path: Path) -> None:
    with xr.open_zarr(path, chunks=None) as data:
        assert data["climatology"].dims == ("occasion", "lead_time", "channel", "y", "x")
        assert data["climatology"].shape == (240, 2, 1, 6, 8)
        assert data["occasion_time"].values[25] == np.datetime64("2020-01-02T01:00", "ns")


def test_occasions_of_the_same_hour_know_the_daily_cycle(path: Path) -> None:
    any_hour = evaluate(path, replicates=100).scores
    same_hour = evaluate(path, replicates=100, climatology="hour").scores
    wide, close = (scores["climatology"] for scores in (any_hour, same_hour))
    assert (wide.members, close.members) == (8, 8)
    assert (any_hour.climatology_like, same_hour.climatology_like) == ("any", "hour")
    assert close["crps"].value == pytest.approx(1 / np.sqrt(np.pi), rel=0.1)
    assert wide["crps"].value > 3 * close["crps"].value
    assert close["spread_skill"].value == pytest.approx(1, abs=0.1)
    assert float(any_hour["cycle"].skill["climatology"]["crps"].total) > 0.6
    assert list(any_hour.forecasts) == ["cycle", "persistence", "climatology"]


def test_members_are_whole_futures_of_training_windows(path: Path) -> None:
    cases = Cases(path, baselines=BASELINES)
    with xr.open_zarr(path, chunks=None) as data:
        futures = data["climatology"].values[:, :, 0]
    for member in cases[3].forecasts["climatology"].numpy():
        assert (np.abs(futures - member[0]).max((1, 2, 3)) == 0).sum() == 1


def test_futures_come_from_training_windows(small_archive: Path) -> None:
    from framecast.data.archive.reader import Archive
    from framecast.data.datasets import WindowDataset
    from framecast.data.windows import find_windows

    archive = Archive.open(small_archive)
    frames = FrameSpec(
        past_channels=("94",),
        future_channels=("193", "94"),
        past=2,
        future=3,
        cadence=archive.cadence,
        height=archive.height,
        width=archive.width,
    )
    train = WindowDataset(archive, find_windows(archive, frames), frames)
    found = sample_climatology(train, most=7, seed=1)
    assert found.values.shape == (7, 2, 3, 16, 24)
    times = [window.issue_time for window in train.windows]
    assert set(found.times) <= set(times)
    assert not np.array_equal(found.values, sample_climatology(train, most=7, seed=2).values)
    whole = sample_climatology(train, most=10_000)
    assert len(whole.values) == len(train)
    assert found.last is None and found.residuals is None  # 193 is not seen
    seen = replace(frames, past_channels=("94", "193"))
    both = sample_climatology(WindowDataset(archive, find_windows(archive, seen), seen), most=7, seed=1)
    for k, time in enumerate(both.times):
        (own, *_) = [
            w
            for w in train.windows
            if w.issue_time == time
            and np.array_equal(
                np.moveaxis(archive.read(w.sequence, w.indices[2:], ("193", "94")), 0, 0), both.values[k]
            )
        ]
        past = archive.read(own.sequence, own.indices[:2], ("193", "94"))
        np.testing.assert_allclose(both.last[k], past[:, -1])
        np.testing.assert_allclose(both.mean[k], past.mean(1), rtol=1e-6)
        np.testing.assert_allclose(both.residuals[k], both.values[k] - past[:, -1:])

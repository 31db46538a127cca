"""Frames at even times, between those at uneven ones: exact for what moves evenly."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr

import framecast as fc
from framecast.core.errors import ConfigError
from framecast.data.windows import OFF_TIME, find_windows
from framecast.importers.base import Recording
from framecast.importers.importing import _middle_step, _uneven
from framecast.importers.interpolated import Interpolated
from framecast.videos.frames import FrameSpec

START = np.datetime64("2020-01-01T00:00", "ns")


class Ramp(Recording):
    """Frames whose value is the minute they are of; one pixel of one frame is unknown."""

    channels, unit, height, width = ("v",), "m", 2, 3

    def __init__(self, minutes: list[float]) -> None:
        self.minutes = np.array(minutes)

    def times(self, sequence: int) -> npt.NDArray[np.datetime64]:
        return START + (self.minutes * 60e9).astype("timedelta64[ns]")

    def frames(self, sequence: int, indices: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.float32]]:
        for index in indices:
            frame = np.full((1, 2, 3), self.minutes[index], np.float32)
            frame[0, 0, 0] = np.nan if index == 1 else frame[0, 0, 0]
            yield frame


@pytest.mark.parametrize(("unit", "stored"), [((), "m"), ("km", "km"), ("v=km", "km")])
def test_a_recording_has_the_unit_that_is_given(tmp_path: Path, unit: str | tuple[()], stored: str) -> None:
    (tmp_path / "ramp").touch()
    made = fc.import_data(
        tmp_path / "ramp", tmp_path / "a.zarr", importer=lambda _: Ramp([0.0, 10.0, 20.0]), unit=unit, progress=False
    )
    assert made.unit == stored
    with pytest.raises(ConfigError, match=r"w.*v"):
        fc.import_data(
            tmp_path / "ramp", tmp_path / "b.zarr", importer=lambda _: Ramp([0.0, 10.0]), unit="w=km", progress=False
        )


def test_even_times_between_uneven_ones() -> None:
    made = Interpolated(Ramp([3.0, 14.0, 20.0, 33.0, 70.0, 80.5]), 600.0)
    times = (made.times(0) - START) / np.timedelta64(1, "m")
    assert times.tolist() == [10.0, 20.0, 30.0, 70.0, 80.0]  # 33 to 70 is a gap
    frames = np.stack(list(made.frames(0, np.arange(5))))
    assert np.allclose(frames[:, 0, 1, 1], times)
    assert np.isnan(frames[:, 0, 0, 0]).tolist() == [True, False, False, False, False]
    again = np.stack(list(made.frames(0, np.array([4, 0]))))
    assert np.array_equal(again, frames[[4, 0]], equal_nan=True)


def test_uneven_archives_are_told_of_and_lose_no_window_when_interpolated(tmp_path: Path) -> None:
    minutes = 10.0 * np.arange(80) + np.random.default_rng(0).uniform(-1.5, 1.5, 80)
    values = np.broadcast_to(minutes[:, None, None].astype(np.float32), (80, 8, 8))
    times = START + (minutes * 60e9).astype("timedelta64[ns]")
    xr.Dataset({"v": (("time", "y", "x"), values, {"units": "m"})}, {"time": times}).to_netcdf(tmp_path / "v.nc")
    kept = fc.import_data(tmp_path / "v.nc", tmp_path / "v.zarr", cadence="10min", progress=False)
    assert kept.uneven > 0.3
    made = fc.import_data(tmp_path / "v.nc", tmp_path / "e.zarr", cadence="10min", interpolate=True, progress=False)
    assert made.uneven == 0
    frames = FrameSpec(past_channels=("v",), future_channels=("v",), past=2, future=2, cadence=600.0, height=8, width=8)
    uneven, even = fc.open_archive(tmp_path / "v.zarr"), fc.open_archive(tmp_path / "e.zarr")
    strict, loose = find_windows(uneven, frames), find_windows(uneven, frames, tolerance=0.49)
    assert strict.rejected[OFF_TIME] > len(strict)
    assert f"{strict.rejected[OFF_TIME]} of " in strict.remedy
    assert "data.tolerance" in strict.remedy
    assert len(loose) > 2 * len(strict) > 0
    assert not find_windows(even, frames).rejected
    read = even.read(even.sequences[0], [5])
    assert np.allclose(read, (even.times(even.sequences[0])[5] - START) / np.timedelta64(1, "m"), atol=1e-3)


def test_the_cadence_of_real_tracks_whose_steps_scatter(real_data: Path) -> None:
    """The median step is 888 s and drifts away from the frames; the mean is a quarter of an hour."""
    with xr.open_dataset(real_data / "aia171-193-tracks-2012-07-19" / "tracks_15min.nc") as tracks:
        times = list(tracks["time"].values)
    assert _middle_step(times) == 900.0
    assert _uneven(times, 888.0) > 0.5
    assert _uneven(times, 900.0) < 0.2

"""Which frames a folder holds, and which belong together."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from framecast.core.errors import DataError
from framecast.domains.solar.image import FrameHeader, Pointing
from framecast.domains.solar.observations import match, scan
from framecast.domains.solar.projection import Observer

DAY = np.datetime64("2017-08-08T00:00:00", "ns")


def frames_at(seconds: Sequence[float], wavelength: int = 171) -> list[FrameHeader]:
    one = FrameHeader(
        path=Path("sun.fits"),
        time=DAY,
        wavelength=wavelength,
        exposure=2.0,
        quality=0,
        unit="DN",
        instrument="AIA_3",
        shape=(4, 4),
        pointing=Pointing(pixel=(1.5, 1.5), direction=(0.0, 0.0), matrix=((600.0, 0.0), (0.0, 600.0))),
        observer=Observer(longitude=0.0, latitude=0.0, distance=1.5e11),
    )
    return [replace(one, time=DAY + np.timedelta64(round(s * 1000), "ms")) for s in seconds]


def seconds_of(series) -> list[float]:
    return [float((slot.time - DAY) / np.timedelta64(1, "s")) for slot in series.slots]


def test_cadence_is_the_round_number_that_was_meant() -> None:
    assert match(frames_at([-15, 3585, 7197, 10809, 14385]), [171]).cadence == 3600
    assert match(frames_at([0, 36, 72, 108]), [171]).cadence == 36
    assert match(frames_at([0, 119, 240, 361]), [171]).cadence == 120


def test_a_gap_is_reported_and_counted() -> None:
    series = match(frames_at([0, 3600, 7200, 18000, 21600]), [171])
    (gap,) = series.gaps
    assert gap.frames == 2
    assert gap.before == DAY + np.timedelta64(2, "h")
    assert gap.after == DAY + np.timedelta64(5, "h")


def test_a_cadence_keeps_what_is_nearest_to_its_multiples() -> None:
    hourly = [3600 * k - 15 + 24 * (k % 2) for k in range(13)]
    assert seconds_of(match(frames_at(hourly), [171], cadence=7200.0)) == [7200 * k - 15 for k in range(7)]
    off_the_hour = [1800 + 3600 * k for k in range(7)]
    assert seconds_of(match(frames_at(off_the_hour), [171], cadence=7200.0)) == [1800 + 7200 * k for k in range(4)]


def test_at_most_one_frame_for_each_multiple() -> None:
    series = match(frames_at([-20, 5, 30, 3580, 3590, 3640]), [171], cadence=3600.0)
    assert seconds_of(series) == [5, 3590]
    assert series.unmatched == {171: 4}


def test_channels_are_matched_within_the_tolerance() -> None:
    frames = frames_at([0, 3600, 7200, 10800]) + frames_at([9, 3600 - 12, 7200 + 70], 193)
    series = match(sorted(frames, key=lambda f: f.time), [171, 193])
    assert [[f is not None for f in slot.frames] for slot in series.slots] == [
        [True, True],
        [True, True],
        [True, False],
        [True, False],
    ]
    assert series.unmatched == {193: 1}
    wider = match(sorted(frames, key=lambda f: f.time), [171, 193], tolerance=90.0)
    assert wider.slots[2].frames[1] is not None
    assert series.slots[1].frames[1].time == DAY + np.timedelta64(3588, "s")


def test_range_of_time_includes_a_frame_exposed_just_before_the_hour() -> None:
    series = match(frames_at([-3600, -15, 3585, 7209, 10800]), [171], start=DAY, end=DAY + np.timedelta64(2, "h"))
    assert seconds_of(series) == [-15, 3585, 7209]


def test_the_same_observation_twice_counts_once() -> None:
    series = match(frames_at([0, 0, 3600, 7200, 7200]), [171])
    assert seconds_of(series) == [0, 3600, 7200]
    assert series.unmatched == {171: 2}


def test_absent_wavelengths_are_told_with_those_that_are_there() -> None:
    with pytest.raises(DataError, match=r"wavelength 304; .* 171, 193"):
        match(frames_at([0, 1]) + frames_at([0, 1], 193), [171, 304])
    with pytest.raises(DataError, match="between --start and --end"):
        match(frames_at([0, 3600]), [171], start=DAY + np.timedelta64(5, "D"))
    with pytest.raises(DataError, match="single observation has no cadence"):
        match(frames_at([0]), [171])
    with pytest.raises(DataError, match=r"195 Å .* 60 s of .* 171 Å"):
        match(frames_at([0, 3600, 7200]) + frames_at([1800, 5400], 195), [171, 195])
    assert len(match(frames_at([0]), [171], cadence=3600.0).slots) == 1


def test_folders_that_hold_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a folder"):
        scan(tmp_path / "absent")
    with pytest.raises(DataError, match="contains no file"):
        scan(tmp_path)
    (tmp_path / "notes.txt").write_text("no image here")
    with pytest.raises(DataError, match=r" 1 files; .*notes.txt is not a FITS file"):
        scan(tmp_path)

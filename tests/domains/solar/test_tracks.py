"""Tracks: a spot that sunpy carries around the Sun stays in the middle of its frame."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from framecast.core.errors import ConfigError
from framecast.domains.solar.cut import cut, offsets
from framecast.domains.solar.image import FrameHeader
from framecast.domains.solar.observations import scan
from framecast.domains.solar.reader import read_image
from framecast.domains.solar.tracks import Passage, Track, follow, grid

PIXEL = 4.8
HOURS = [0.0, 6.0, 12.0, 18.0, 24.0]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory, write_sun: Callable[..., list[Path]]) -> list[FrameHeader]:
    """One day of a synthetic Sun of 4.8 arcsec per pixel, rolled by 7° and off centre."""
    folder = tmp_path_factory.mktemp("day")
    write_sun(folder, hours=HOURS, size=450, scale=4.8, roll=7.0, centre=(228.4, 221.7))
    return scan(folder).frames


@pytest.fixture(scope="module")
def passages(day: list[FrameHeader], spots: list, start: np.datetime64) -> list[Passage]:
    tracks = [
        Track(name=f"spot{k}", longitude=spot.longitude, latitude=spot.latitude, reference=start)
        for k, spot in enumerate(spots)
    ]
    return follow(tracks, day, angle=60.0)


def miss(day: list[FrameHeader], passage: Passage, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How far the spot's centre of light is from the middle of frames cut at ``x``, ``y``, in pixels."""
    away = []
    for index, x0, y0 in zip(passage.indices, x, y, strict=True):
        image = read_image(day[index].path)
        frame = cut(image.rate, image.header.pointing, [x0], [y0], pixel=PIXEL, height=65, width=65)[0]
        light = np.where(np.isfinite(frame), frame - 50.0, 0.0).clip(10) - 10  # the disk is 50 DN/s
        across = offsets(65, 1.0)
        total = light.sum()  # none: the spot is not even in the frame
        moment = np.hypot((light * across).sum(), (light * across[:, None]).sum())
        away.append(moment / total if total > 0 else np.inf)
    return np.array(away)


@pytest.mark.thorough
def test_a_spot_is_followed_to_a_third_of_a_pixel_for_a_day(day: list[FrameHeader], passages: list[Passage]) -> None:
    assert len(passages) == 3
    for passage in passages:
        assert len(passage.indices) == len(HOURS)
        assert miss(day, passage, passage.x, passage.y).max() < 0.3
        standing = np.full_like(passage.x, passage.x[0]), np.full_like(passage.y, passage.y[0])
        backwards = 2 * passage.x[0] - passage.x, 2 * passage.y[0] - passage.y
        assert miss(day, passage, *standing).max() > 10
        assert miss(day, passage, *backwards).max() > 10


def test_another_rotation_law_is_told_apart(day: list[FrameHeader], passages: list[Passage]) -> None:
    fastest = max(passages, key=lambda passage: abs(passage.track.latitude))
    (rigid,) = follow([fastest.track], day, angle=60.0, rotation="rigid")
    assert miss(day, rigid, rigid.x, rigid.y).max() > 0.5


@pytest.mark.thorough
def test_positions_are_sunpys(
    day: list[FrameHeader], passages: list[Passage], spots: list, sunpy_place: Callable
) -> None:
    for passage, spot in zip(passages, spots, strict=True):
        theirs = np.array([sunpy_place(spot, day[index].time) for index in passage.indices])
        assert np.hypot(passage.x - theirs[:, 0], passage.y - theirs[:, 1]).max() < 0.02  # arcsec


def series(day: list[FrameHeader], *, days: int, first: int = 0) -> list[FrameHeader]:
    """Headers every 6 hours whose observer moves as the Earth does (13.2° of Carrington longitude a day)."""
    one = day[0]
    return [
        replace(
            one,
            time=one.time + np.timedelta64(6 * k, "h"),
            observer=replace(one.observer, longitude=(one.observer.longitude - 13.2 * k / 4) % 360),
        )
        for k in range(4 * first, 4 * (first + days))
    ]


def test_grid_covers_the_disk_evenly_at_every_time(day: list[FrameHeader]) -> None:
    frames = series(day, days=40)
    passages = follow(grid(frames, angle=45.0, spacing=12.0), frames, angle=45.0)
    names = [passage.track.name for passage in passages]
    assert len(set(names)) == len(names)
    per_frame = np.bincount(np.concatenate([passage.indices for passage in passages]), minlength=len(frames))
    area = 2 * np.pi * (1 - np.cos(np.radians(45))) / np.radians(12) ** 2
    assert per_frame.min() > 0.8 * area
    assert per_frame.max() < 1.25 * area
    for passage in passages:
        assert (passage.mu >= np.cos(np.radians(45))).all()
        assert (np.diff(passage.indices) == 1).all()


def test_track_does_not_depend_on_where_the_series_begins(day: list[FrameHeader]) -> None:
    long, late = series(day, days=10), series(day, days=5, first=5)
    early = {track.name: track for track in grid(long, angle=45.0, spacing=12.0)}
    shared = [track for track in grid(late, angle=45.0, spacing=12.0) if track.name in early]
    assert len(shared) > 60
    assert all(early[track.name] == track for track in shared)


def test_track_is_at_its_name_when_it_passes_the_meridian(day: list[FrameHeader]) -> None:
    frames = series(day, days=10)
    for passage in follow(grid(frames, angle=45.0, spacing=12.0), frames, angle=45.0):
        if frames[passage.indices[0]].time < passage.track.reference < frames[passage.indices[-1]].time:
            seconds = [frames[index].time.astype(np.int64) for index in passage.indices]
            meridian = passage.track.reference.astype("datetime64[ns]").astype(np.int64)
            assert abs(np.interp(meridian, seconds, passage.x)) < 8  # arcsec: 0.5°, for 13.2°/day is not exact


def test_observer_far_from_the_earth_sees_its_own_regions(day: list[FrameHeader]) -> None:
    frames = [
        replace(frame, observer=replace(frame.observer, longitude=(frame.observer.longitude + 110) % 360))
        for frame in series(day, days=5)
    ]
    passages = follow(grid(frames, angle=45.0, spacing=12.0), frames, angle=45.0)
    per_frame = np.bincount(np.concatenate([passage.indices for passage in passages]), minlength=len(frames))
    assert per_frame.min() > 30


def test_region_outside_a_partial_image_is_not_followed(day: list[FrameHeader], passages: list[Passage]) -> None:
    half = [
        replace(frame, shape=(450, 225), pointing=replace(frame.pointing, matrix=((4.8, 0.0), (0.0, 4.8))))
        for frame in day
    ]  # the eastern half
    tracks = [passage.track for passage in passages]
    for passage in follow(tracks, half, angle=60.0):
        assert (passage.x < 0).all()
    assert sum(len(p.indices) for p in follow(tracks, half, angle=60.0)) < sum(len(p.indices) for p in passages)


@pytest.mark.parametrize(("angle", "spacing"), [(0.0, 12.0), (85.0, 12.0), (45.0, 0.1), (45.0, 200.0)])
def test_impossible_grids(day: list[FrameHeader], angle: float, spacing: float) -> None:
    with pytest.raises(ConfigError):
        grid(day, angle=angle, spacing=spacing)

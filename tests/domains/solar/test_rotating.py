"""Frames turned with the Sun, against sunpy's differential rotation."""

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

pytest.importorskip("sunpy")

from framecast.domains.solar.rotating import can_rotate, rotated
from framecast.videos.frames import FrameSpec

PIXEL, SIZE, HOURS = 4.8, 64, (12, 24)
ISSUED = np.datetime64("2017-08-10T00:00", "ns")
CENTRE = (250.0, 180.0)
FRAMES = FrameSpec(
    past_channels=("171",), future_channels=("171",), past=2, future=2, cadence=12 * 3600.0, height=SIZE, width=SIZE
)
WINDOW = SimpleNamespace(sequence="a", indices=(0, 1, 2, 3), issue_time=ISSUED)


def archive(x: float, y: float) -> SimpleNamespace:
    held = xr.Dataset({"hpc_x": ("time", [0.0, x]), "hpc_y": ("time", [0.0, y])})
    return SimpleNamespace(attrs={"pixel_arcsec": PIXEL}, sequences=["a"], sequence=lambda name: held)


def blob(x: float, y: float) -> np.ndarray:
    """A bright spot so many arcsec from the middle."""
    places = (np.arange(SIZE) - (SIZE - 1) / 2) * PIXEL
    return np.exp(-((places[None, :] - x) ** 2 + (places[:, None] - y) ** 2) / (2 * 12.0**2)).astype(np.float32)[None]


def centroid(frame: np.ndarray) -> tuple[float, float]:
    places = (np.arange(SIZE) - (SIZE - 1) / 2) * PIXEL
    return float((frame * places[None, :]).sum() / frame.sum()), float((frame * places[:, None]).sum() / frame.sum())


def by_sunpy(x: float, y: float, hours: float) -> tuple[float, float]:
    """Return where the point of the surface at ``x``, ``y`` is ``hours`` later."""
    import astropy.units as u
    from astropy.coordinates import SkyCoord
    from sunpy.coordinates import frames
    from sunpy.physics.differential_rotation import solar_rotate_coordinate

    start = SkyCoord(
        x * u.arcsec, y * u.arcsec, frame=frames.Helioprojective, obstime=str(ISSUED)[:19], observer="earth"
    )
    later = str((ISSUED + np.timedelta64(round(hours * 60), "m")).astype("datetime64[s]"))
    found = solar_rotate_coordinate(start, time=later)
    return float(found.Tx.value), float(found.Ty.value)


@pytest.mark.parametrize(("x", "y"), [(90.0, 80.0), (-80.0, -90.0), (0.0, 0.0)])
def test_a_spot_goes_where_sunpy_says_relative_to_the_middle_of_the_region(x, y):
    moved = rotated(archive(*CENTRE), WINDOW, blob(x, y), frames=FRAMES)
    assert moved.shape == (1, 2, SIZE, SIZE)
    for k, hours in enumerate(HOURS):
        spot, middle = by_sunpy(CENTRE[0] + x, CENTRE[1] + y, hours), by_sunpy(*CENTRE, hours)
        expected = np.subtract(spot, middle)
        assert centroid(moved[0, k]) == pytest.approx(expected, abs=1.5)  # a third of a pixel
    if x:
        assert abs(expected - [x, y]).max() > 2 * PIXEL  # it has moved visibly


def test_what_comes_from_outside_the_frame_keeps_its_value():
    last = np.full((1, SIZE, SIZE), 7.0, np.float32)
    assert (rotated(archive(500.0, 0.0), WINDOW, last, frames=FRAMES) == 7.0).all()


def test_archives_without_positions_do_not_rotate():
    bare = SimpleNamespace(attrs={}, sequences=["a"], sequence=lambda name: xr.Dataset())
    assert not can_rotate(bare) and can_rotate(archive(0, 0))

"""Frames turned with the Sun, against sunpy's differential rotation."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr

pytest.importorskip("sunpy")

import framecast as fc
from framecast.data.forecasts import open_forecast
from framecast.domains.solar.rotating import can_rotate, rotation_flow
from framecast.training.recipe import load_recipe
from framecast.videos.frames import FrameSpec
from framecast.videos.target import advected_frames

PIXEL, SIZE, HOURS = 4.8, 64, (6, 12, 18, 24)
ISSUED = np.datetime64("2017-08-10T00:00", "ns")
CENTRE = (250.0, 180.0)
FRAMES = FrameSpec(
    past_channels=("171",), future_channels=("171",), past=2, future=4, cadence=6 * 3600.0, height=SIZE, width=SIZE
)
WINDOW = SimpleNamespace(sequence="a", indices=(0, 1, 2, 3, 4, 5), issue_time=ISSUED)


def archive(x: float, y: float, **attrs) -> SimpleNamespace:
    held = xr.Dataset({"hpc_x": ("time", [0.0, x]), "hpc_y": ("time", [0.0, y])}, attrs=attrs)
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


def moved(held: SimpleNamespace, last: np.ndarray, frames: FrameSpec = FRAMES) -> np.ndarray:
    flow = torch.from_numpy(rotation_flow(held, WINDOW, frames=frames))
    assert flow.shape == (2, SIZE, SIZE)
    return advected_frames(torch.from_numpy(np.stack([last, last], axis=1)), frames, flow).numpy()


@pytest.mark.parametrize(("x", "y"), [(90.0, 80.0), (-80.0, -90.0), (0.0, 0.0)])
def test_a_spot_goes_where_sunpy_says_relative_to_the_middle_of_the_region(x, y):
    found = moved(archive(*CENTRE), blob(x, y))
    assert found.shape == (1, len(HOURS), SIZE, SIZE)
    for k, hours in enumerate(HOURS):
        spot, middle = by_sunpy(CENTRE[0] + x, CENTRE[1] + y, hours), by_sunpy(*CENTRE, hours)
        expected = np.subtract(spot, middle)
        assert centroid(found[0, k]) == pytest.approx(expected, abs=1.5)  # a third of a pixel
    if x:
        assert abs(expected - [x, y]).max() > 2 * PIXEL  # it has moved visibly


def test_a_field_of_view_that_stands_still_sees_the_whole_rotation():
    found = moved(archive(*CENTRE, pointing_arcsec=CENTRE), blob(-60, 30))
    expected = np.subtract(by_sunpy(CENTRE[0] - 60, CENTRE[1] + 30, 6), CENTRE)
    assert expected[0] + 60 > 5 * PIXEL
    assert centroid(found[0, 0]) == pytest.approx(expected, abs=1.5)


def test_uneven_lead_times_are_reached():
    from dataclasses import replace

    uneven = replace(FRAMES, future=2, leads=(12 * 3600.0, 24 * 3600.0), lags=(-6 * 3600.0, 0.0))
    held, spot = archive(*CENTRE), blob(90.0, 80.0)
    np.testing.assert_allclose(moved(held, spot, uneven)[0], moved(held, spot)[0, 1::2])


def test_what_comes_from_outside_the_frame_keeps_its_value():
    last = np.full((1, SIZE, SIZE), 7.0, np.float32)
    np.testing.assert_allclose(moved(archive(500.0, 0.0), last), 7.0, rtol=1e-6)


def test_archives_without_positions_do_not_rotate():
    bare = SimpleNamespace(attrs={}, sequences=["a"], sequence=lambda name: xr.Dataset())
    assert not can_rotate(bare) and can_rotate(archive(0, 0))


@pytest.mark.slow
@pytest.mark.thorough
def test_a_model_that_is_given_the_rotation_is_trained_to_its_end_and_forecasts(tmp_path):
    times = np.datetime64("2017-08-10", "ns") + np.arange(40) * np.timedelta64(2, "h")
    frames = np.random.default_rng(0).gamma(2, 50, (40, 1, 16, 16)).astype(np.float32)
    places = {"hpc_x": ("time", np.linspace(-300.0, 300.0, 40)), "hpc_y": ("time", np.full(40, 100.0))}
    path = tmp_path / "sun.zarr"
    with fc.ArchiveWriter(
        path,
        channels=["171"],
        unit="DN/s",
        cadence=7200,
        height=16,
        width=16,
        attrs={"pixel_arcsec": PIXEL, "domain": "solar"},
    ) as writer:
        writer.add(
            "a", xr.Dataset({"intensity": (("time", "channel", "y", "x"), frames), **places}, coords={"time": times})
        )
    changes = ["target=advected", "motion.kind=known", "data.past=2", "data.future=2", "data.curve=sqrt"]
    changes += ["training.steps=2", "training.batch=2", "training.warmup=1", "network.width=8"]
    fc.train(load_recipe("tiny", changes), path, out=tmp_path / "run", progress=False)
    fc.forecast(tmp_path / "run", path, tmp_path / "f.zarr", split="test", members=2, steps=2, progress=False)
    with open_forecast(tmp_path / "f.zarr") as file:
        assert np.isfinite(file["forecast"].values).all() and np.abs(file["motion"].values).max() > 0

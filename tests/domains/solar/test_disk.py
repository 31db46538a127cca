"""Tiles of one field make that field again, and members find each other."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sunpy", reason="the Sun needs pip install 'framecast[solar]'")

from framecast.core.errors import DataError
from framecast.data.forecasts import SampleInfo, write_forecast
from framecast.domains.solar.disk import whole_disk
from framecast.domains.solar.maps import to_maps
from framecast.videos.frames import FrameSpec

PIXEL, SIDE, MEMBERS = 10.0, 20, 4
ISSUE = np.datetime64("2017-08-13T12:00", "ns")


def field(x: np.ndarray, y: np.ndarray, member: int) -> np.ndarray:
    """A smooth field of the sky (arcsec), another one for each member."""
    return 200 + 50 * np.sin(x / 90 + member) * np.cos(y / 110 - 2 * member)


def write_tiles(path: Path, *, positions: bool = True) -> None:
    """Twelve tiles that overlap by half, members of each in an order of their own, two lead times that drift west."""
    random = np.random.default_rng(0)
    frames = FrameSpec(
        past_channels=("171",), future_channels=("171",), past=1, future=2, cadence=7200.0, height=SIDE, width=SIDE
    )
    middles = [
        (x + random.uniform(-4, 4), y + random.uniform(-4, 4)) for x in (-150, -50, 50, 150) for y in (-80, 0, 80)
    ]
    offsets = (np.arange(SIDE) - (SIDE - 1) / 2) * PIXEL
    coords = {
        "y": ("y", offsets, {"units": "arcsec"}),
        "x": ("x", offsets, {"units": "arcsec"}),
    }
    dims, rows = ("sample", "lead_time"), np.ones((len(middles), 2))
    if positions:
        coords |= {
            "hpc_x": (dims, np.array([[x + 10, x + 20] for x, _ in middles])),
            "hpc_y": (dims, np.array([[y, y] for _, y in middles])),
            "observer_longitude": (dims, 40 * rows),
            "observer_latitude": (dims, 6.6 * rows),
            "observer_distance": (dims, 1.515e11 * rows),
        }
    samples = [SampleInfo(sequence=f"s{k}", issue_time=ISSUE) for k in range(len(middles))]
    with write_forecast(
        path, frames=frames, samples=samples, members=MEMBERS, unit="DN/s", attrs={}, dressing=None, positions=coords
    ) as writer:
        for k, (x, y) in enumerate(middles):
            order = random.permutation(MEMBERS)
            video = np.stack(
                [
                    np.stack([field(x + lead + offsets[None], y + offsets[:, None], m) for lead in (10, 20)])[None]
                    for m in order
                ]
            ).astype(np.float32)
            blank = np.zeros((1, 2, SIDE, SIDE), np.float32)
            writer.write(k, past=blank[:, :1], truth=blank, forecast=video)


def test_tiles_become_the_disk_and_members_find_each_other(tmp_path: Path) -> None:
    write_tiles(tmp_path / "tiles.zarr")
    disk = whole_disk(tmp_path / "tiles.zarr")
    x, y = disk["x"].values[None], disk["y"].values[:, None]
    found = disk["forecast"].values[:, :, 0]
    inside = np.isfinite(found[0, 0])
    assert inside.sum() > 900
    truth = np.stack([np.broadcast_to(field(x, y, member), inside.shape) for member in range(MEMBERS)])
    error = np.array([[np.abs(own[0] - true)[inside].max() for true in truth] for own in found])
    # Each member is one of the fields throughout, to the error of linear interpolation, and each field is there once.
    assert (error.min(axis=1) < 1.5).all()
    assert sorted(error.argmin(axis=1)) == list(range(MEMBERS))
    assert np.nanmax(np.abs(found[:, 0] - found[:, 1])) < 1.5  # the field stands still, the tiles moved
    (first, last) = to_maps(disk, "mean")["mean"]
    assert first.date.isot[:16] == "2017-08-13T14:00"
    assert last.data.shape == inside.shape


def test_a_file_without_positions_is_refused(tmp_path: Path) -> None:
    write_tiles(tmp_path / "tiles.zarr", positions=False)
    with pytest.raises(DataError, match="hpc_x"):
        whole_disk(tmp_path / "tiles.zarr")

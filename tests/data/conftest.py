"""A small archive with known pixels, to read windows from."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from framecast.data.archive.reader import Archive, ArchiveWriter

HOUR = np.timedelta64(3600, "s")
START = np.datetime64("2017-08-08T00:00", "ns")


@pytest.fixture
def make_archive(tmp_path: Path) -> Callable[..., Archive]:
    """Return a function that writes an archive and opens it.

    The pixel of frame t, channel c, row y, column x is ``1000 t + 100 c + 10 y + x + 1``, unless ``pixels`` are given.
    ``edit(name, dataset)`` may change a sequence before it is written.
    """

    def make(
        *,
        sequences: int = 2,
        frames: int = 20,
        channels: tuple[str, ...] = ("193", "94"),
        height: int = 3,
        width: int = 4,
        cadence: float = 3600.0,
        edit: Callable[[str, xr.Dataset], xr.Dataset] = lambda name, dataset: dataset,
        attrs: dict | None = None,
        name: str = "archive.zarr",
    ) -> Archive:
        t, c, y, x = np.ogrid[:frames, : len(channels), :height, :width]
        pixels = (1000 * t + 100 * c + 10 * y + x + 1).astype(np.float32)
        times = START + np.arange(frames) * np.timedelta64(int(cadence * 1e9), "ns")
        path = tmp_path / name
        with ArchiveWriter(
            path,
            channels=channels,
            unit="DN/s",
            cadence=cadence,
            height=height,
            width=width,
            attrs=attrs,
            overwrite=True,
        ) as writer:
            for k in range(sequences):
                dataset = xr.Dataset(
                    {"intensity": (("time", "channel", "y", "x"), pixels.copy())}, coords={"time": times}
                )
                writer.add(f"region-{k:02}", edit(f"region-{k:02}", dataset))
        return Archive.open(path)

    return make

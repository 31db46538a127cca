"""Your own videos as an archive: here drifting blobs, made up on the spot, on frames that are not square.

NetCDF and Zarr files on a grid need no program: `framecast import rain.nc rain.zarr` finds out what is time, y and x.
For anything else, write the frames yourself:

python examples/own_data.py blobs.zarr
framecast train tiny --data blobs.zarr --out runs/blobs data.past=4 data.future=4 training.steps=300
framecast forecast runs/blobs blobs.zarr forecast.zarr --members 20 --limit 10
framecast evaluate forecast.zarr --out report
"""

import sys

import numpy as np
import xarray as xr

import framecast as fc

HEIGHT, WIDTH, FRAMES, CADENCE = 32, 48, 24, 600.0  # pixels, pixels, frames, seconds


def blobs(random: np.random.Generator) -> np.ndarray:
    """Return ``[time, channel, y, x]``: five blobs that drift and flicker."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    centre = random.uniform([0, 0], [HEIGHT, WIDTH], (5, 2))
    speed, brightness = random.normal(0, 0.4, (5, 2)), random.lognormal(3, 0.5, 5)
    frames = []
    for _ in range(FRAMES):
        centre += speed
        brightness *= random.lognormal(0, 0.1, 5)
        distance = (y - centre[:, :1, None] % HEIGHT) ** 2 + (x - centre[:, 1:, None] % WIDTH) ** 2
        frames.append((brightness[:, None, None] * np.exp(-distance / 30)).sum(0) + random.gamma(4, 0.25, y.shape))
    return np.array(frames, dtype=np.float32)[:, None]


random = np.random.default_rng(0)
start = np.datetime64("2024-01-01", "ns")
times = start + np.arange(FRAMES) * np.timedelta64(int(CADENCE), "s")
with fc.ArchiveWriter(
    sys.argv[1],
    channels=["brightness"],
    unit="mW/m2",
    cadence=CADENCE,
    height=HEIGHT,
    width=WIDTH,
    attrs={"independent_sequences": True},  # no two of them show the same thing
) as archive:
    for number in range(20):
        video = xr.Dataset({"intensity": (("time", "channel", "y", "x"), blobs(random))}, coords={"time": times})
        archive.add(f"film-{number:02d}", video)

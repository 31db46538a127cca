"""A folder of pictures as an archive: one film, a frame for each picture, its time read from its name.

python examples/images.py pictures clouds.zarr --time '%Y%m%d_%H%M' --unit K --low 180 --high 320
framecast info clouds.zarr
framecast train tiny --data clouds.zarr --out runs/clouds

Pictures (PNG, JPEG, TIFF, whatever Pillow reads) are taken as grey, and their darkest and lightest possible value for
``--low`` and ``--high``. That is only right where the picture was made that way: a colour map is no scale.
"""

import argparse
from datetime import datetime
from pathlib import Path

import numpy as np
import xarray as xr
from PIL import Image

import framecast as fc

parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
parser.add_argument("folder", type=Path)
parser.add_argument("archive", type=Path)
parser.add_argument("--time", default="%Y%m%d_%H%M", help="how the name of a picture gives its time, UTC")
parser.add_argument("--unit", default="1", help="physical unit of the values")
parser.add_argument("--low", type=float, default=0.0, help="what black stands for")
parser.add_argument("--high", type=float, default=1.0, help="what white stands for")
given = parser.parse_args()

if not given.folder.is_dir():
    parser.error(f"{given.folder} is no folder")
frames = {}
for path in sorted(given.folder.iterdir()):
    try:
        time = np.datetime64(datetime.strptime(path.stem, given.time), "ns")
    except ValueError:
        print(f"left out, no time in its name: {path.name}")
        continue
    try:
        with Image.open(path) as picture:
            grey = np.asarray(picture if picture.mode.startswith("I;16") else picture.convert("L"))
    except (OSError, Image.DecompressionBombError) as error:
        parser.error(f"{path} cannot be read as a picture: {error}")
    white = np.iinfo(grey.dtype).max
    values = given.low + (given.high - given.low) / white * grey.astype(np.float32)
    frames[time] = values[::-1]  # rows upward: the first row of a picture is its top
if len(frames) < 2:
    count = "only one picture" if frames else "no picture"
    parser.error(f"{given.folder} holds {count} whose name is a time like {given.time}")
if len(sizes := {f"{frame.shape[1]}x{frame.shape[0]}" for frame in frames.values()}) > 1:
    parser.error(f"the pictures of {given.folder} are not of one size: {', '.join(sorted(sizes))}")

times = np.array(sorted(frames))
video = np.stack([frames[time] for time in times])[:, None]  # time, channel, y, x
with fc.ArchiveWriter(
    given.archive,
    channels=["grey"],
    unit=given.unit,
    cadence=float(np.median(np.diff(times)) / np.timedelta64(1, "s")),
    height=video.shape[2],
    width=video.shape[3],
) as archive:
    archive.add("film", xr.Dataset({"intensity": (("time", "channel", "y", "x"), video)}, coords={"time": times}))

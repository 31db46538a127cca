"""A folder of pictures as an archive, black and white standing for two physical values.

python examples/images.py pictures clouds.zarr --time '%Y%m%d_%H%M' --unit K --low 180 --high 320
framecast info clouds.zarr
framecast train tiny --data clouds.zarr --out runs/clouds

``framecast import pictures clouds.zarr`` reads the same folder with the values as they are stored; this turns grey of
8 or 16 bits into a scale. That is only right where the picture was made that way: a colour map is no scale. Pictures of
float values have no black and white: their values are physical already, and ``--low`` and ``--high`` are left aside.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import framecast as fc

parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
parser.add_argument("folder", type=Path)
parser.add_argument("archive", type=Path)
parser.add_argument("--time", help="how the name of a picture gives its time, UTC; found by itself if left out")
parser.add_argument("--unit", default="1", help="physical unit of the values")
parser.add_argument("--low", type=float, default=0.0, help="what black stands for")
parser.add_argument("--high", type=float, default=1.0, help="what white stands for")
given = parser.parse_args()

if not given.folder.is_dir():
    parser.error(f"{given.folder} is no folder")
pictures = sorted(path for path in given.folder.iterdir() if path.suffix.lower() in Image.registered_extensions())
if not pictures:
    parser.error(f"{given.folder} contains no picture")
try:
    with Image.open(pictures[0]) as picture:
        kind = np.asarray(picture).dtype
    white = np.iinfo(kind).max if kind in ("uint8", "uint16") else None
    if white is None and kind.kind != "f":
        parser.error(
            f"{pictures[0].name} has no black and white ({kind}): use framecast import, with --scale and --offset"
        )
    if white is None:
        print(f"{pictures[0].name} has no black and white ({kind}): its values are taken as they are")
    stretch = {} if white is None else {"scale": (given.high - given.low) / white, "offset": given.low}
    imported = fc.import_data(
        given.folder, given.archive, importer="picture", name="film", time=given.time, unit=given.unit, **stretch
    )
except (OSError, fc.FramecastError) as error:
    parser.error(str(error))
print(f"{imported.frames} frames of {imported.height}x{imported.width}; {imported.undated} without a time left out")

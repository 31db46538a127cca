"""NumPy's own files: an array (``.npy``), or several by name (``.npz``)."""

import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from framecast.core.errors import DataError
from framecast.importers.axes import PHONY, name_dimensions
from framecast.importers.lazy import outer, unread
from framecast.importers.options import ImportOptions

_MOST_UNPACKED = 2**34
_ALONG = {
    **dict.fromkeys(("time", "times", "date", "dates", "datetime", "timestamps", "seconds"), "time"),
    **dict.fromkeys(("y", "lat", "latitude"), "y"),
    **dict.fromkeys(("x", "lon", "longitude"), "x"),
    **dict.fromkeys(("channel", "channels", "band", "bands"), "channel"),
}
"""Names of one-dimensional arrays that are coordinates, and their dimensions."""


def open_array(path: Path, options: ImportOptions) -> xr.Dataset:
    """Return the arrays of a file, those of ``.npy`` lazily; arrays of one dimension become coordinates by their names.

    Raises:
        DataError: it contains Python objects, or declares too large sizes.
    """
    if path.suffix == ".npz":
        with zipfile.ZipFile(path) as packed:
            if sum(member.file_size for member in packed.infolist()) > _MOST_UNPACKED:
                raise DataError(f"{path} has over {_MOST_UNPACKED} bytes when unpacked: store its arrays as .npy files")
        with np.load(path) as file:
            arrays: dict[str, Any] = {name: file[name] for name in file.files}
    else:
        arrays = {path.stem: np.load(path, mmap_mode="r")}
    if strange := [name for name, array in arrays.items() if array.dtype.kind not in "biufMmUS"]:
        raise DataError(f"{strange[0]} of {path} is of the type {arrays[strange[0]].dtype}: store numbers")
    frames = max((arrays[name] for name in options.variables or arrays if name in arrays), key=np.size)
    dims = [f"{PHONY}{k}" for k in range(frames.ndim)]
    data = xr.Dataset(
        {
            name: unread(dims, array.shape, array.dtype, partial(outer, array))
            for name, array in arrays.items()
            if array.shape == frames.shape and array.dtype.kind in "biuf"
        }
    )
    data = name_dimensions(data, options)
    for name, array in arrays.items():
        dim = name if name in data.sizes else _ALONG.get(name.lower())
        if array.ndim == 1 and data.sizes.get(dim) == len(array):
            data = data.assign_coords({name: (dim, array, {"units": "s"} if name == "seconds" else {})})
    return data

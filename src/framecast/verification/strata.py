"""Stratified scores: seasons, months, hours, sequences, labels, regions, classes."""

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from torch import Tensor, from_numpy

from framecast.core.errors import ConfigError, DataError, FramecastError
from framecast.importers.axes import is_axis
from framecast.importers.formats import open_decoded
from framecast.importers.options import ImportOptions
from framecast.verification.cases import Cases
from framecast.videos.directions import is_longitude, tells_position


@dataclass(frozen=True, kw_only=True)
class Stratum:
    """One subset.

    Attributes:
        name: its name.
        samples: numbers of the samples in it; None for all.
        pixels: the pixels in it ``[height, width]``; None for all.
    """

    name: str
    samples: frozenset[int] | None = None
    pixels: Tensor | None = None

    def holds(self, index: int) -> bool:
        """Whether a sample is in it."""
        return self.samples is None or index in self.samples


def find_strata(
    cases: Cases, *, by: Sequence[str] = (), regions: Sequence[str] = (), mask: str | Path | None = None
) -> list[Stratum]:
    """Return the requested subsets.

    Args:
        cases: the samples.
        by: criteria of subsets of samples.
        regions: ``NAME=SOUTH:NORTH,WEST:EAST`` in degrees, or in the unit of ``y`` and ``x`` where there are no
            latitudes and longitudes.
        mask: a NetCDF file with a variable of whole numbers ``[y, x]`` on the grid of the forecast; each is a class,
            named by CF's ``flag_meanings`` if present.

    Raises:
        ConfigError: a region is invalid, or a criterion cannot be applied.
        DataError: there are no positions, or the mask has another grid.
    """
    found = [
        Stratum(name=f"{each} {name}", samples=frozenset(k for k, own in enumerate(names) if own == name))
        for each in by
        for names in [cases.named(each)]
        for name in sorted(set(names))
    ]
    found += [_region(cases, text) for text in regions]
    return found + ([] if mask is None else _classes(cases, Path(mask)))


def _region(cases: Cases, text: str) -> Stratum:
    number = r"\s*(-?[\d.]+)\s*"
    fields = re.fullmatch(rf"(.+)={number}:{number},{number}:{number}", text)
    if fields is None:
        raise ConfigError(f"--region is {text!r}; write NAME=SOUTH:NORTH,WEST:EAST, such as alps=43:48,5:16")
    south, north, west, east = map(float, fields.groups()[1:])
    (y, _), (x, angular) = _position(cases, "lat", "y"), _position(cases, "lon", "x")
    inside = (y >= south) & (y <= north)
    around = (x >= west) & (x <= east)
    if angular and (east < west or x.max() > 180):
        around = (x - west) % 360 <= (east - west) % 360
    pixels = inside & around
    if not pixels.any():
        raise DataError(
            f"the region {text} contains no pixel: the frame ranges from {y.min():g} to {y.max():g} and from "
            f"{x.min():g} to {x.max():g}"
        )
    return Stratum(name=f"region {fields.group(1)}", pixels=from_numpy(pixels))


def _position(cases: Cases, angle: str, axis: str) -> tuple[np.ndarray, bool]:
    """Return a coordinate of each pixel, and whether it is a longitude."""
    data = cases.sources[0].dataset
    name = angle if angle in data.coords else axis
    if name not in data.coords:
        raise DataError(f"{cases.sources[0].path.name} has no coordinates of its pixels, which regions need")
    frame = xr.DataArray(np.empty(cases.size), dims=("y", "x"))
    values = data[name].drop_vars(list(data[name].coords)).broadcast_like(frame).transpose("y", "x").values
    return values.astype(float), name == "lon" or is_longitude(data[name])


def _in_order(mask: xr.DataArray, dim: Hashable, wanted: xr.DataArray | None, path: Path) -> xr.DataArray:
    """Return the mask with ``dim`` in the order of the coordinate ``wanted`` of the forecast, or else rising."""
    if dim not in mask.coords:
        return mask
    own = mask[dim]
    if wanted is None or not (tells_position(own) and tells_position(wanted)):
        return mask.sortby(dim)
    apart = np.abs(own.values[None].astype(np.float64) - wanted.values[:, None])
    if is_longitude(own) and is_longitude(wanted):
        apart = np.minimum(apart % 360, -apart % 360)
    if (apart.min(axis=1) > 0.01 * np.abs(np.diff(wanted.values)).min(initial=1.0)).any():
        raise DataError(f"the mask {path} has another {dim} than the forecast: regrid it to the grid of the forecast")
    return mask.isel({dim: apart.argmin(axis=1)})


def _classes(cases: Cases, path: Path) -> list[Stratum]:
    if not path.is_file():
        raise FramecastError(f"there is no file {path}: give the NetCDF file of a mask")
    data = open_decoded(path, ImportOptions()).dataset
    maps = [variable for variable in data.data_vars.values() if variable.squeeze().ndim == 2]
    if len(maps) != 1:
        raise DataError(f"{path} contains {len(maps)} variables of rows and columns; a mask has one, of whole numbers")
    kept = maps[0].squeeze()
    rows, columns = kept.dims
    if any(is_axis(kept[dim].attrs, str(dim), letter) for dim, letter in ((rows, "X"), (columns, "Y"))):
        rows, columns = columns, rows
    kept = kept.transpose(rows, columns)
    for dim, axis in ((rows, "y"), (columns, "x")):
        kept = _in_order(kept, dim, cases.sources[0].dataset.coords.get(axis), path)
    mask = kept.values.astype(np.float64)
    if mask.shape != cases.size:
        raise DataError(
            f"the mask {path} has {mask.shape[0]}×{mask.shape[1]} pixels and the forecast "
            f"{cases.size[0]}×{cases.size[1]}: regrid it to the grid of the forecast first"
        )
    known = np.unique(mask[np.isfinite(mask)])
    if len(known) > 100:
        raise DataError(f"{path} has {len(known)} different values; a mask has a whole number for each class")
    flags = np.atleast_1d(maps[0].attrs.get("flag_values", [])).tolist()
    meanings = dict(zip(flags, str(maps[0].attrs.get("flag_meanings", "")).split(), strict=False))
    return [
        Stratum(name=f"class {meanings.get(value, f'{value:g}')}", pixels=from_numpy(mask == value))
        for value in known.tolist()
    ]

"""Direction of rows and columns from coordinates: in an archive rows run to the north, columns to the east.

References:
    CF Conventions 1.11, sections 4.1, 4.2 and 5.2.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from framecast.core.errors import DataError

_LATITUDE_UNITS = ("degrees_north", "degree_north", "degree_n", "degrees_n")
_LONGITUDE_UNITS = ("degrees_east", "degree_east", "degree_e", "degrees_e")


def is_latitude(variable: xr.DataArray) -> bool:
    """Whether ``variable`` contains latitudes, judging by its units, standard name or name."""
    return _is_angle(variable, _LATITUDE_UNITS, "latitude", ("lat", "latitude", "xlat", "nav_lat"))


def is_longitude(variable: xr.DataArray) -> bool:
    """Whether ``variable`` contains longitudes, judging by its units, standard name or name."""
    return _is_angle(variable, _LONGITUDE_UNITS, "longitude", ("lon", "longitude", "xlong", "nav_lon"))


def is_angle(variable: xr.DataArray) -> bool:
    """Whether ``variable`` contains latitudes or longitudes."""
    return is_latitude(variable) or is_longitude(variable)


def _is_angle(variable: xr.DataArray, units: tuple[str, ...], standard: str, names: tuple[str, ...]) -> bool:
    attrs = variable.attrs
    if str(attrs.get("units", "")).lower() in units or attrs.get("standard_name") == standard:
        return True
    known = "standard_name" in attrs or str(attrs.get("units", "degrees")).lower() not in ("degrees", "degree", "deg")
    return not known and str(variable.name).lower() in names


def area_weights(coords: Mapping[Any, xr.DataArray], size: tuple[int, int]) -> npt.NDArray[np.float64] | None:
    """Return the areas of the pixels of a grid of latitudes, ``[height, width]`` with a mean of 1; None for others."""
    named = [coords[name] for name in ("y", "lat") if name in coords]
    rows = next((variable for variable in named if variable.dims == ("y",)), None)
    if rows is None or not is_latitude(rows):
        return None
    area = np.cos(np.deg2rad(rows.values.astype(np.float64)))
    return np.broadcast_to((area / area.mean())[:, None], size).copy()


_SIDES = ("arcsec", "arcmin", "deg", "rad", "m", "km")
"""Units of positions on an even grid for which the area of a pixel is computed."""


def pixel_area(coords: Mapping[Any, xr.DataArray]) -> tuple[float, str] | None:
    """Return the area of a pixel of an even grid and the unit of its sides; None where ``x`` and ``y`` do not say."""
    axes = [coords[name] for name in ("y", "x") if name in coords and coords[name].dims == (name,)]
    units = {str(axis.attrs.get("units", "")) for axis in axes}
    if len(axes) < 2 or len(units) > 1 or not units <= set(_SIDES) or any(is_latitude(axis) for axis in axes):
        return None
    steps = [np.diff(axis.values.astype(np.float64)) for axis in axes]
    if not all(len(own) and np.allclose(own, own[0], rtol=1e-3, atol=0) and own[0] for own in steps):
        return None
    return abs(float(steps[0].mean() * steps[1].mean())), units.pop()


def tells_position(variable: xr.DataArray) -> bool:
    """Whether a coordinate is more than numbers of rows: it has units, a standard name, or uneven or large steps."""
    attrs = variable.attrs
    if {"standard_name", "axis"} & set(attrs) or str(attrs.get("units", "1")) not in ("1", "", "pixel", "pixels"):
        return True
    if is_latitude(variable) or is_longitude(variable):
        return True
    steps = np.diff(variable.values.astype(np.float64))
    return bool(len(steps)) and not bool(np.all(steps == 1) or np.all(steps == -1))


def unwrap(variable: xr.DataArray) -> npt.NDArray[np.float64]:
    """Return a coordinate's values; longitudes that jump by 360 degrees are made continuous."""
    values = variable.values.astype(np.float64)
    if not is_longitude(variable) and variable.attrs.get("standard_name") != "grid_longitude":
        return values
    unwrapped = values
    for axis in range(values.ndim):
        unwrapped = np.unwrap(unwrapped, period=360.0, axis=axis)
    if np.array_equal(unwrapped, values, equal_nan=True):
        return values
    while np.nanmax(unwrapped) > 360 and np.nanmin(unwrapped) >= 180:
        unwrapped = unwrapped - 360
    while np.nanmin(unwrapped) < -180 and np.nanmax(unwrapped) <= 0:
        unwrapped = unwrapped + 360
    return unwrapped


def descends(values: npt.NDArray[np.float64], axis: int, variable: xr.DataArray) -> bool:
    """Whether the coordinates ``values`` of ``variable`` fall along ``axis``: by most of their steps in two dimensions.

    Raises:
        DataError: values of one dimension rise and fall, or some are not known.
    """
    if values.ndim == 1 and (gone := int((~np.isfinite(values)).sum())):
        raise DataError(
            f"{gone} of the {len(values)} values of {variable.name} are not numbers: correct them, or drop "
            f"{variable.name} to use pixel numbers"
        )
    steps = np.diff(values, axis=axis)
    steps = steps[np.isfinite(steps)]
    falling, rising = int((steps < 0).sum()), int((steps > 0).sum())
    if values.ndim == 1 and falling and rising:
        raise DataError(f"{variable.name} is not monotonic: sort the file along {variable.dims[axis]} first")
    return falling > rising


def falling_axes(coords: Mapping[Any, xr.DataArray]) -> list[int]:
    """Return the axes of ``[..., y, x]``, from the end, along which the coordinates run to the south or west."""
    found = []
    for axis, dim, is_its_angle in ((-2, "y", is_latitude), (-1, "x", is_longitude)):
        own = [coords[dim]] if dim in coords and coords[dim].dtype.kind in "fiu" else []
        angles = [c for name, c in coords.items() if name != dim and is_its_angle(c) and dim in c.dims]
        angles = [c for c in sorted(angles, key=lambda c: c.ndim) if set(c.dims) <= {"y", "x"}]
        telling = [*(c for c in own if tells_position(c)), *angles, *own]
        if telling and descends(unwrap(telling[0]), telling[0].dims.index(dim), telling[0]):
            found.append(axis)
    return found

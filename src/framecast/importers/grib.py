"""GRIB 1 and 2, by cfgrib. No index is written beside the file."""

import warnings
from collections.abc import Hashable
from pathlib import Path

import xarray as xr

from framecast.core.errors import DataError
from framecast.importers.expressions import names_in
from framecast.importers.optional import needed
from framecast.importers.options import ImportOptions


def open_grib(path: Path, options: ImportOptions) -> xr.Dataset:
    """Return the messages of a file that share a grid, times and levels, lazily.

    Raises:
        DataError: there are several variables or levels, and none is named.
    """
    cfgrib = needed("cfgrib", "grib", "GRIB files")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of xarray, for cfgrib
        parts = cfgrib.open_datasets(str(path), backend_kwargs={"indexpath": ""}, decode_timedelta=False, cache=False)
    asked = [part[list(names)] for part in parts if (names := _asked(part, options))]
    if not asked:
        known = ", ".join(f"{name} ({_levels(part)})" for part in parts for name in part.data_vars)
        raise DataError(f"{path} holds {known}: name one with --variable")
    if len(asked) > 1:
        asked = [part.drop_vars([name for name in part.coords if _is_level(part, name)]) for part in asked]
    try:
        return xr.merge(asked, compat="equals", join="exact")
    except (xr.MergeError, ValueError):
        raise DataError(
            f"{', '.join(str(name) for part in asked for name in part.data_vars)} of {path} are at several levels "
            "or times: select one with grib_copy (ecCodes), or import them separately"
        ) from None


def _is_level(part: xr.Dataset, name: Hashable) -> bool:
    """Whether a coordinate is one number of all values, other than their time."""
    return name not in part.dims and part[name].ndim == 0 and name not in ("time", "valid_time")


def _asked(part: xr.Dataset, options: ImportOptions) -> tuple[str, ...]:
    wanted = {*options.variables, *(name for text in options.expressions.values() for name in names_in(text))}
    return tuple(str(name) for name in part.data_vars if not wanted or name in wanted)


def _levels(part: xr.Dataset) -> str:
    name = next(iter(part.data_vars.values())).attrs.get("GRIB_typeOfLevel", "")
    return f"{name} {part[name].values}" if name in part.coords else str(name)

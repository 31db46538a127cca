"""Radar composites in the formats of weather services, by pysteps: rain or reflectivity with unit and position."""

import contextlib
import io
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from framecast.importers.conversions import COLLECTED_OVER, is_depth, is_rate, is_reflectivity
from framecast.importers.lazy import outer, unread
from framecast.importers.netcdf import check_hdf5
from framecast.importers.optional import needed
from framecast.importers.options import ImportOptions

_KINDS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (r"_fmi\.radar\.composite.*\.pgm(\.gz)?", "fmi_pgm", {}),
    (r"AQC\d{9}.*\.gif", "mch_gif", {"product": "AQC", "unit": "mm", "accutime": 5}),
    (r"RAD_NL\d\d_R\w\w_5min_\d{12}\.h5", "knmi_hdf5", {"qty": "ACRR", "accutime": 5, "pixelsize": 1000.0}),
    (r"T_PA\w+_C_EUOC_\d{14}\.hdf", "opera_hdf5", {}),
)
"""File names, the importer of pysteps for them, and its arguments."""

_RATE = "rain_rate"


def is_radar(path: Path) -> bool:
    """Whether a file is named like the composites of a weather service."""
    return any(re.search(f"{pattern}$", path.name) for pattern, _, _ in _KINDS)


def open_radar(path: Path, options: ImportOptions) -> xr.Dataset:
    """Return the composite in a file, ``[y, x]``, NaN outside the range of the radars."""
    if path.suffix in (".h5", ".hdf"):
        check_hdf5(path)
    values, about = _read(path)
    upward = about.get("yorigin") == "lower"
    height, width = values.shape
    y = _centres(about["y1"], about["y2"], height)
    variable = unread(
        ("y", "x"), values.shape, np.float32, lambda key: outer(_read(path)[0], key), {"units": str(about["unit"])}
    )
    name = _named(str(about["unit"]), options.unit_of(_RATE))
    data = xr.Dataset({name: variable.copy(deep=False)})
    data[name].attrs["grid_mapping"] = "crs"
    if is_depth(str(about["unit"])) and about.get("accutime"):
        data[name].attrs[COLLECTED_OVER] = 60.0 * float(about["accutime"])
    pyproj = needed("pyproj", "radar", "radar composites")
    with contextlib.suppress(pyproj.exceptions.CRSError), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PROJ strings cannot describe everything; CF can
        data["crs"] = ((), 0, _plain(pyproj.CRS.from_user_input(about["projection"]).to_cf()))
    place = {"units": str(about.get("cartesian_unit", "m"))}
    return data.assign_coords(
        y=("y", y if upward else y[::-1], {"standard_name": "projection_y_coordinate", **place}),
        x=("x", _centres(about["x1"], about["x2"], width), {"standard_name": "projection_x_coordinate", **place}),
    )


def _named(stored: str, asked: str | None) -> str:
    """Return what the values are called: after what they become, so that all services are alike as rates."""
    if is_rate(asked or stored):
        return _RATE
    return "reflectivity" if is_reflectivity(stored) else "rain"


def _read(path: Path) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
    kind, arguments = next((kind, dict(more)) for pattern, kind, more in _KINDS if re.search(f"{pattern}$", path.name))
    with contextlib.redirect_stdout(io.StringIO()):  # reports the path of its settings
        importers = needed("pysteps.io.importers", "radar", f"{path.name}, a radar composite")
    if path.suffix == ".gz" or kind == "fmi_pgm":
        arguments["gzipped"] = path.suffix == ".gz"
    values, _, about = getattr(importers, f"import_{kind}")(str(path), **arguments)
    values = np.ma.filled(values, np.nan) if np.ma.isMaskedArray(values) else values
    return np.asarray(values, np.float32), about


def _centres(first: float, last: float, count: int) -> npt.NDArray[np.float64]:
    step = (last - first) / count
    return np.asarray(first + step * (np.arange(count) + 0.5), np.float64)


def _plain(attrs: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in attrs.items() if isinstance(value, str | float | int | list | tuple)}

"""An ensemble of rain as the NetCDF file that pysteps reads as a nowcast, such as the external one of its blending.

    members, metadata = pysteps.io.import_netcdf_pysteps("nowcast.nc")

pysteps looks for one variable by its name, ``precip_intensity`` in mm/h or ``reflectivity`` in dBZ, with the dimensions
member, time, y and x, rows from north to south, and for ``time`` in seconds since the issue time. Its blending takes an
external nowcast that begins with the present, so the last frame of the past stands first, at lead time 0, in each
member.

References:
    pysteps, ``pysteps.io.nowcast_importers.import_netcdf_pysteps`` and ``pysteps.blending.steps.forecast``
    (``precip_nowcast``), version 1.21.
"""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from framecast._version import __version__
from framecast.core.errors import ConfigError, DataError
from framecast.core.files import new_file
from framecast.data.archive.guard import undamaged
from framecast.data.forecasts import open_forecast
from framecast.videos.units import by_channel, convert, convertible


def write_pysteps(forecast: str | Path, out: str | Path, *, sample: int = 0, overwrite: bool = False) -> Path:
    """Write the ensemble of one sample of a forecast file as NetCDF for pysteps, and return its path.

    Raises:
        FramecastError: ``out`` exists.
        ConfigError: there is no such sample.
        DataError: the forecast is not one channel of rain rate or reflectivity, its pixels have no even positions, or
            its issue time no date.
    """
    path, out = Path(forecast), Path(out)
    data = open_forecast(path)
    count = data.sizes["sample"]
    if not 0 <= sample < count:
        raise ConfigError(f"sample is {sample}; {path} has {count} samples, from 0 to {count - 1}")
    name, unit, stored = _rain(data, path)
    with undamaged(path):
        one = data.isel(sample=sample, channel=0)
        channel = list(data["past_channel"].values).index(data["channel"].values[0])
        last = data["past"].isel(sample=sample, past_channel=channel, past_time=-1).values
        members = one["forecast"].transpose("member", "lead_time", "y", "x").values
    video = np.concatenate([np.broadcast_to(last, (len(members), 1, *last.shape)), members], axis=1)
    values = convert(video, stored, unit).astype(np.float32)[..., ::-1, :]  # rows from north to south
    seconds = np.concatenate([[0.0], data["lead_time"].values / np.timedelta64(1, "s")])
    issued = one["issue_time"].values
    if issued.dtype.kind != "M":
        raise DataError(f"{path} has no dates in its issue times, which pysteps needs")
    y, x = (_even(data, axis, path) for axis in ("y", "x"))
    about = {"units": unit, "long_name": "ensemble of rain"}
    file = xr.Dataset(
        {name: (("ens_number", "time", "y", "x"), values, about)},
        coords={
            "ens_number": ("ens_number", np.arange(1, len(values) + 1), {"long_name": "ensemble member"}),
            "time": (
                "time",
                seconds,
                {"units": f"seconds since {str(issued.astype('datetime64[s]')).replace('T', ' ')}"},
            ),
            "y": ("y", y[::-1], {"standard_name": "projection_y_coordinate", "units": "m"}),
            "x": ("x", x, {"standard_name": "projection_x_coordinate", "units": "m"}),
        },
        attrs={"Conventions": "CF-1.7", "source": f"framecast {__version__}, model {data.attrs.get('model', '')}"},
    )
    if "crs" in data.coords:
        mapping_name, attrs = _mapping(dict(data["crs"].attrs))
        file[mapping_name] = ((), np.int32(0), attrs)
        file[name].attrs["grid_mapping"] = mapping_name
    with new_file(out, overwrite=overwrite) as partial:
        file.to_netcdf(
            partial, engine="h5netcdf", encoding={name: {"zlib": True, "complevel": 1, "_FillValue": np.nan}}
        )
    return out


def _rain(data: xr.Dataset, path: Path) -> tuple[str, str, str]:
    """Return the name and unit that pysteps knows, and the unit that is stored."""
    stored = by_channel(str(data.attrs.get("unit", "")), data.sizes["channel"])
    if data.sizes["channel"] == 1 and set(data["channel"].values) <= set(data["past_channel"].values):
        if stored[0].strip().lower() in ("dbz", "dbzh"):
            return "reflectivity", stored[0], stored[0]
        if convertible(stored[0], "mm/h"):
            return "precip_intensity", "mm/h", stored[0]
    raise DataError(
        f"{path} contains {', '.join(map(str, data['channel'].values))} in {', '.join(dict.fromkeys(stored))}; "
        "pysteps reads one channel of rain rate (mm/h) or reflectivity (dBZ) that is also among the past channels"
    )


def _mapping(attrs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return name and attributes of the projection; of a polar one, the name and all parameters that pysteps wants."""
    if attrs.get("grid_mapping_name") != "polar_stereographic" or "straight_vertical_longitude_from_pole" not in attrs:
        return "crs", attrs
    north = attrs.get("standard_parallel", 90.0) >= 0
    origin = {"latitude_of_projection_origin": 90.0 if north else -90.0, "false_easting": 0.0, "false_northing": 0.0}
    return "polar_stereographic", origin | attrs


def _even(data: xr.Dataset, axis: str, path: Path) -> np.ndarray:
    """Return the positions of pixels along an axis, in metres; numbers of pixels where the forecast has none."""
    if axis not in data.coords:
        return np.arange(data.sizes[axis], dtype=np.float64)
    values = data[axis].values.astype(np.float64)
    steps = np.diff(values)
    if not np.allclose(steps, steps[:1], rtol=1e-3):
        raise DataError(f"{path} has uneven positions along {axis}; pysteps needs a regular grid")
    unit = str(data[axis].attrs.get("units", "m"))
    return np.asarray(convert(values, unit, "m")) if convertible(unit, "m") else values

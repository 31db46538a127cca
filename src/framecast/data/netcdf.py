"""A forecast as NetCDF, by the CF conventions, for xarray, CDO, QGIS and everything else that reads them.

A forecast of one past has a variable ``(time, member, y, x)`` for each channel, where time is the time that is
forecast: programs that know no ensembles see the members as levels. Forecasts of several pasts have the dimensions
``sample`` and ``lead_time`` in the place of time. What the archive knew of the future stands beside it, in variables
whose names end in ``_observed``.

References:
    CF Conventions 1.11, sections 4.4 (time), 5.7 (scalar coordinates), 6.1 (labels) and the standard names
    ``forecast_reference_time``, ``forecast_period``, ``realization``.
"""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5netcdf
import numpy as np
import xarray as xr

from framecast._version import __version__
from framecast.core.files import new_file
from framecast.data.archive.format import POSITIONS
from framecast.data.archive.guard import undamaged
from framecast.data.forecasts import issue_clock, open_forecast
from framecast.videos.calendar import Calendar, is_time
from framecast.videos.units import by_channel

_ENDINGS = (".nc", ".nc4", ".netcdf", ".cdf")
_EPOCH = np.datetime64("1970-01-01", "ns")


def is_netcdf(path: Path) -> bool:
    """Whether the name of ``path`` ends in .nc."""
    return path.suffix.lower() in _ENDINGS


def hidden_forecast(out: Path) -> Path:
    """Return where the forecast file is of which NetCDF is made: members are written and resumed in one way."""
    return out.with_name(f".{out.stem}.zarr")


def write_netcdf(
    forecast: str | Path, out: str | Path, *, command: str = "", overwrite: bool = False, sample: int | None = None
) -> None:
    """Write a forecast file as the NetCDF file ``out``; one sample is in memory at a time.

    ``sample`` is the only one to write, all by default; the ``command`` is written to the history.

    Raises:
        FramecastError: ``out`` exists, or is a folder.
    """
    out = Path(out)
    data = open_forecast(forecast)
    data = data if sample is None else data.isel(sample=[sample])
    single = data.sizes["sample"] == 1
    coordinates = _coordinates(data, command)
    if single:
        coordinates = coordinates.isel(sample=0).swap_dims(lead_time="time")
    with new_file(out, overwrite=overwrite) as partial:
        coordinates.to_netcdf(partial, engine="h5netcdf", unlimited_dims=["time"] if single else [])
        with h5netcdf.File(partial, "a") as file:
            _write_videos(file, data, Path(forecast), single=single)


def _coordinates(data: xr.Dataset, command: str) -> xr.Dataset:
    clock, calendar = issue_clock(data)
    leads = data["lead_time"].values
    of_forecast = {"standard_name": "forecast_reference_time", "long_name": "time of the last frame seen"}
    coords: dict[str, Any] = {
        "time": _times(clock[:, None] + leads, ("sample", "lead_time"), calendar, {"standard_name": "time"}),
        "forecast_reference_time": _times(clock, ("sample",), calendar, of_forecast),
        "forecast_period": xr.Variable(
            ("lead_time",),
            leads / np.timedelta64(1, "s"),
            {"standard_name": "forecast_period", "units": "seconds", "long_name": "lead time"},
        ),
        "member": xr.Variable(
            ("member",), np.arange(data.sizes["member"], dtype=np.int32), {"standard_name": "realization", "units": "1"}
        ),
        "sequence": xr.Variable(
            ("sample",), data["sequence"].values.astype(object), {"long_name": "name of the sequence"}
        ),
    }
    for name in POSITIONS:
        if name in data.coords and name != "crs":
            own = data[name].variable
            axis = {"axis": name.upper()} if name in ("y", "x") and own.ndim == 1 else {}
            coords[name] = xr.Variable(own.dims, own.values, {**own.attrs, **axis})
    plain = {
        key: int(value) if isinstance(value, bool) else value  # NetCDF has no truth values
        for key, value in data.attrs.items()
        if isinstance(value, str | int | float)
    }
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    attrs = plain | {
        "Conventions": "CF-1.11",
        "title": f"Ensemble forecast by {data.attrs.get('model', 'framecast')}",
        "source": f"framecast {__version__}, model {data.attrs.get('model', 'unknown')}",
        "history": f"{now} {command or 'framecast.forecast'}",
    }
    found = xr.Dataset(coords=coords, attrs=attrs)
    if "crs" in data.coords:
        found["crs"] = xr.Variable((), np.int32(0), data["crs"].attrs)
    return found


def _times(clock: np.ndarray, dims: tuple[str, ...], calendar: Calendar, attrs: dict[str, Any]) -> xr.Variable:
    """Return times on the clock as CF writes them, in seconds; those without dates as seconds since the start."""
    named = calendar.attributes
    units = named["units"].replace("microseconds", "seconds")
    own = {**named, "units": units} if " since " in units else {"units": "seconds", "long_name": "time since the start"}
    if "calendar" in own and own["calendar"] == "proleptic_gregorian":
        own["calendar"] = "standard"  # the same since 1582, and known to all programs
    return xr.Variable(dims, (clock - _EPOCH) / np.timedelta64(1, "s"), {**attrs, **own})


def _write_videos(file: h5netcdf.File, data: xr.Dataset, path: Path, *, single: bool) -> None:
    """Write the members of each channel, and what was observed."""
    truth = {"forecast": "", "truth": "_observed"}
    unit = str(data.attrs.get("unit", ""))
    units = by_channel(unit, data.sizes["channel"])
    attrs: dict[str, str] = {"grid_mapping": "crs"} if "crs" in file.variables else {}
    scalar = ["forecast_reference_time", "sequence"]
    attrs["coordinates"] = " ".join(
        [*(["forecast_period"] if single else ["time"]), *scalar, *(n for n in ("lat", "lon") if n in file.variables)]
    )
    dims = ("time",) if single else ("sample", "lead_time")
    lead, size = data.sizes["lead_time"], (data.sizes["y"], data.sizes["x"])
    if single:
        file.resize_dimension("time", lead)
    for name, length in zip(("y", "x"), size, strict=True):
        if name not in file.dimensions:
            file.dimensions[name] = length
    for source, ending in truth.items():
        member = ("member",) if source == "forecast" else ()
        shape = (*(data.sizes[name] for name in member), *size)
        for k, channel in enumerate(map(str, data["channel"].values)):
            variable = None
            for sample in range(data.sizes["sample"]):
                with undamaged(path):
                    video = data[source].isel(sample=sample, channel=k).transpose("lead_time", *member, "y", "x").values
                if ending and variable is None and not np.isfinite(video).any():
                    continue
                if variable is None:
                    variable = file.create_variable(
                        _name(channel) + ending,
                        (*dims, *member, "y", "x"),
                        "float32",
                        fillvalue=np.float32(np.nan),
                        chunks=(1,) * len(dims) + shape,
                        compression="gzip",
                        compression_opts=1,
                        shuffle=True,
                    )
                    described = {"long_name": f"{channel}{', observed' if ending else ''}", **attrs}
                    described |= {} if is_time(units[k]) else {"units": units[k]}
                    for key, value in described.items():
                        variable.attrs[key] = value
                variable[... if single else sample] = video


def _name(channel: str) -> str:
    """Return a channel's name as NetCDF allows one: letters first, and no odd characters."""
    plain = re.sub(r"\W+", "_", channel, flags=re.ASCII).strip("_")
    return plain if plain[:1].isalpha() else f"channel_{plain}"

"""Many files as one dataset: joined in time if each contains some frames, as channels if each contains another
variable.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr

from framecast.core.errors import DataError
from framecast.importers.axes import CHANNEL_NAMES, TIME_NAMES, shape_text
from framecast.importers.decoding import Decoded
from framecast.importers.lazy import stacked
from framecast.videos.calendar import Calendar
from framecast.videos.directions import is_angle

TIME = "time"

_LEVELS = ("level", "lev", "plev", "pressure", "height", "altitude", "depth", "isobaricinhpa", "number", "member")
"""Names of coordinates with levels, or the numbers of members."""


@dataclass(frozen=True, kw_only=True)
class File:
    """An opened file.

    Attributes:
        path: where it is.
        decoded: its content.
    """

    path: Path
    decoded: Decoded

    @property
    def frame(self) -> str | None:
        """Its dimension of time; None for a single frame."""
        data = self.decoded.dataset
        dated = [data[name].dims[-1] for name in self.decoded.calendars if data[name].ndim]
        named = [dim for dim in data.sizes if str(dim).lower() in TIME_NAMES and str(dim) not in self.decoded.calendars]
        return str((*dated, *named, None)[0]) if dated or named else None

    @property
    def dated(self) -> bool:
        """Whether it contains the times of its frames."""
        return any(calendar.name != "none" for calendar in self.decoded.calendars.values())

    @property
    def variables(self) -> tuple[str, ...]:
        """Variables that may contain frames: variables of numbers with two dimensions besides time and channels."""
        data, frame = self.decoded.dataset, self.frame
        return tuple(
            str(name)
            for name, variable in data.data_vars.items()
            if variable.dtype.kind in "fiub"
            and not is_angle(variable)
            and len([d for d in variable.dims if d != frame and str(d).lower() not in CHANNEL_NAMES]) >= 2
            and (frame is None or frame in variable.dims)
        )


def join(files: Sequence[File], stamps: np.ndarray | None) -> Decoded:
    """Return all frames of ``files`` as one dataset, which is read on demand.

    Args:
        files: with the same grid.
        stamps: the time of each file, or the number of its frame, for files of one frame without a date.

    Raises:
        DataError: they cannot be joined.
    """
    by_variables: dict[tuple[str, ...], list[int]] = {}
    for k, file in enumerate(files):
        if not file.variables:
            raise DataError(
                f"{file.path} contains no numeric frames with rows and columns: leave it out, name the group with "
                "--group, or regrid an unstructured grid to a regular one first"
            )
        by_variables.setdefault(file.variables, []).append(k)
    if len(kinds := [names for names in by_variables if names in (("grey",), ("colours",))]) > 1:
        grey, coloured = (files[by_variables[kind][0]].path for kind in sorted(kinds, reverse=True))
        raise DataError(
            f"{grey} is grey and {coloured} has colours: save all pictures as grey, or import them separately"
        )
    groups = [
        _one_after_another([files[k] for k in members], None if stamps is None else stamps[members])
        for members in by_variables.values()
    ]
    first = groups[0]
    for other, members in zip(groups[1:], list(by_variables.values())[1:], strict=True):
        for name in set(first.dataset.variables) & set(other.dataset.variables):
            if not first.dataset[name].variable.equals(other.dataset[name].variable):
                raise DataError(
                    f"{files[members[0]].path} has a different {name} than {files[0].path}: import them "
                    "separately, or regrid them to the same times and grid"
                )
        first = replace(first, dataset=first.dataset.assign(other.dataset.variables))
    return first


def _one_after_another(files: Sequence[File], stamps: np.ndarray | None) -> Decoded:
    first = files[0]
    frame = first.frame
    if frame is not None and len(files) == 1:
        return first.decoded
    for file in files[1:]:
        _check_alike(first, file)
    dim = frame or TIME
    data = first.decoded.dataset
    moving = list(first.variables)
    calendars, precision = dict(first.decoded.calendars), dict(first.decoded.precision)
    joined: dict[str, xr.Variable] = {}
    if frame is not None:
        moving = [str(name) for name, variable in data.variables.items() if frame in variable.dims]
    else:
        scalars = [name for name in first.decoded.calendars if not data[name].ndim]
        clock = _best(data, scalars)
        data = data.drop_vars(scalars)
        if clock is not None:
            values = np.stack([file.decoded.dataset[clock].values for file in files])
            attrs = first.decoded.dataset[clock].attrs
            calendars = {TIME: calendars[clock]}
        elif stamps is not None:
            values, attrs = stamps, {}
            calendars = {TIME: Calendar()} if stamps.dtype.kind == "M" else {}
        else:
            raise DataError(f"{first.path} has no times of its frames: name their coordinate with --time")
        joined[TIME] = xr.Variable((TIME,), values, attrs)
    for name in moving:
        parts = [file.decoded.dataset[name].variable for file in files]
        joined[name] = stacked([part.transpose(dim, ...) if dim in part.dims else part for part in parts], dim)
    kept = data.drop_vars([name for name in (*joined, dim) if name in data.variables])
    coords = {name: variable for name, variable in joined.items() if name in data.coords or name == TIME}
    kept = kept.assign({name: variable for name, variable in joined.items() if name not in coords})
    for file in files[1:]:
        precision |= file.decoded.precision
    return replace(first.decoded, dataset=kept.assign_coords(coords), calendars=calendars, precision=precision)


def _check_alike(first: File, other: File) -> None:
    """Raise `DataError` unless two files contain frames of the same variables, grid, unit and calendar."""
    a, b = first.decoded.dataset, other.decoded.dataset
    if (first.frame, first.decoded.calendars) != (other.frame, other.decoded.calendars):
        raise DataError(
            f"{other.path} has different times or a different calendar than {first.path}: import them separately"
        )
    for name in first.variables:
        if {d: n for d, n in a[name].sizes.items() if d != first.frame} != {
            d: n for d, n in b[name].sizes.items() if d != other.frame
        }:
            raise DataError(
                f"{name} of {other.path} has the size {shape_text(b[name])} and that of {first.path} "
                f"{shape_text(a[name])}: all files must have the same size; leave out those that do not"
            )
        units = [str(data[name].attrs.get("units", "")) for data in (a, b)]
        if units[0] != units[1]:
            raise DataError(
                f"{name} is in {units[0]} in {first.path} and in {units[1]} in {other.path}: import them separately"
            )
    for name in map(str, set(a.variables) & set(b.variables) - set(first.decoded.calendars)):
        if not (name in a.coords or is_angle(a[name])) or first.frame in a[name].dims or a[name].dims != b[name].dims:
            continue
        equal = a[name].variable.equals(b[name].variable)
        if not a[name].ndim and _is_level(a[name]) and not equal:
            raise DataError(
                f"{name} is {a[name].values:g} in {first.path} and {b[name].values:g} in {other.path}: import them "
                "separately, or as sequences with --sequence file"
            )
        if a[name].ndim and not equal:
            raise DataError(
                f"{name} differs between {first.path} and {other.path}: they are on different grids, import them "
                "separately"
            )


def _is_level(variable: xr.DataArray) -> bool:
    """Whether a coordinate of one number is a height or the number of a member, which frames of a video share."""
    known = {"axis", "positive"} & set(variable.attrs) or str(variable.name).lower() in _LEVELS
    return variable.dtype.kind in "fiu" and bool(known)


def _best(data: xr.Dataset, scalars: Sequence[str]) -> str | None:
    """Return which of several scalar dates is the time of the frame."""
    for fits in (
        [name for name in scalars if data[name].attrs.get("standard_name") == "time"],
        [name for name in scalars if name == "valid_time"],  # cfgrib calls the reference time "time"
        [name for name in scalars if name == TIME],
        scalars,
    ):
        if len(fits) == 1:
            return fits[0]
    if scalars:
        raise DataError(f"{', '.join(scalars)} all contain dates of a frame: name one with --time")
    return None

"""Which variable holds the frames, and which of its dimensions is time, channel, y, x, and a number of sequences.

What is named is taken. Else the conventions of CF are followed (attributes ``axis`` and ``standard_name``, types and
units of coordinates), then common names. What remains uncertain is not guessed: the error names the candidates.

References:
    CF Conventions 1.11, section 4 (coordinate types).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from framecast.core.errors import DataError

_Y = ("y", "lat", "latitude", "north_south", "northing", "row", "rows", "height", "j", "nlat", "rlat")
_X = ("x", "lon", "longitude", "west_east", "easting", "col", "column", "columns", "width", "i", "nlon", "rlon")
_CHANNEL = ("channel", "channels", "band", "bands", "wavelength", "wavelnth", "wave", "filter", "frequency")
_TIME = ("time", "times", "t", "step", "steps", "timestep", "frame", "frames", "iteration", "snapshot")
_SEQUENCE = ("sequence", "track", "region", "event", "case", "storm", "film", "trajectory", "series")
_Y_STANDARD = ("latitude", "projection_y_coordinate", "grid_latitude")
_X_STANDARD = ("longitude", "projection_x_coordinate", "grid_longitude")


@dataclass(frozen=True, kw_only=True)
class AxisNames:
    """What a user said of the data; ``None`` is to be found out.

    Attributes:
        variables: that hold the frames; several become channels.
        time: coordinate (or dimension) of time.
        y: dimension of rows.
        x: dimension of columns.
        channel: dimension of channels.
        sequence: dimension that numbers independent videos.
        group: of a NetCDF file or Zarr folder, where the data are in one.
    """

    group: str | None = None
    variables: tuple[str, ...] = ()
    time: str | None = None
    y: str | None = None
    x: str | None = None
    channel: str | None = None
    sequence: str | None = None


@dataclass(frozen=True, kw_only=True)
class Axes:
    """What was found: names of variables and dimensions.

    Attributes:
        variables: that hold the frames.
        time: the coordinate that holds the times, along ``frame``, and ``sequence`` where it has two dimensions; a
            dimension, where frames are only numbered.
        frame: dimension of time.
        y: dimension of rows.
        x: dimension of columns.
        channel: dimension of channels, if any.
        sequence: dimension of sequences, if any.
    """

    variables: tuple[str, ...]
    time: str
    frame: str
    y: str
    x: str
    channel: str | None
    sequence: str | None


def find_axes(dataset: xr.Dataset, names: AxisNames, undecodable: Mapping[str, str] | None = None) -> Axes:
    """Return the axes of ``dataset``, as ``names`` says or as its conventions tell.

    Args:
        dataset: its times are ``datetime64``, where they have dates.
        names: what the user said.
        undecodable: coordinates that should hold times and cannot be read, and why.

    Raises:
        DataError: a name does not exist, or something cannot be told; the candidates are named.
    """
    time = _find_time(dataset, names.time, undecodable or {})
    variables = _find_variables(dataset, names.variables, time)
    left = [str(dim) for dim in dataset[variables[0]].dims if dataset.sizes[dim] > 1 or dim in dataset[time].dims]
    frame, sequence = _frame_and_sequence(dataset, time, left, names)

    def take(asked: str | None, what: str, option: str, fits: Callable[[str], bool]) -> str | None:
        if asked is not None and asked not in dataset[variables[0]].dims:
            raise DataError(f"{variables[0]} has no dimension {asked!r} for {option}: it has {_listed(left)}")
        candidates = [asked] if asked is not None else [dim for dim in left if fits(dim)]
        if len(candidates) > 1:
            raise DataError(f"{_listed(candidates)} could all be {what}: name one with {option}")
        for dim in candidates:
            if dim in left:
                left.remove(dim)
        return candidates[0] if candidates else None

    for dim in (frame, sequence):
        if dim in left:
            left.remove(dim)
    asked = {names.y, names.x, names.channel, names.sequence} - {None}
    y = take(names.y, "rows", "--y", lambda dim: dim not in asked and _is_dimension(dataset, dim, "Y"))
    x = take(names.x, "columns", "--x", lambda dim: dim not in asked and _is_dimension(dataset, dim, "X"))
    channel = take(names.channel, "channels", "--channel", lambda dim: dim not in asked and dim.lower() in _CHANNEL)
    if sequence is None:
        sequence = take(
            names.sequence, "sequences", "--sequence", lambda dim: dim not in asked and dim.lower() in _SEQUENCE
        )
    missing = [option for dim, option in ((y, "--y"), (x, "--x")) if dim is None]
    if y is None or x is None:
        raise DataError(
            f"the dimensions of {variables[0]} do not tell rows and columns (left: {_listed(left) or 'none'}): "
            f"name them with {' and '.join(missing)}"
        )
    if left:
        raise DataError(
            f"{variables[0]} has {_listed(left)} besides time, rows and columns: say with --channel or --sequence what "
            "that is, or select one value of it beforehand"
        )
    return Axes(variables=variables, time=time, frame=frame, y=y, x=x, channel=channel, sequence=sequence)


def _find_time(dataset: xr.Dataset, asked: str | None, undecodable: Mapping[str, str]) -> str:
    dated = [
        str(name)
        for name, variable in dataset.variables.items()
        if np.issubdtype(variable.dtype, np.datetime64) and 1 <= variable.ndim <= 2
    ]
    if asked is not None:
        if asked in dated or _numbers_frames(dataset, asked):
            return asked
        if asked in undecodable:
            raise DataError(f"{asked!r}, given as --time, cannot be read: {undecodable[asked]}")
        rule = "holds no times" if asked in dataset.variables else "does not exist"
        raise DataError(f"{asked!r}, given as --time, {rule}: coordinates with dates are {_listed(dated) or 'none'}")
    for candidates in (
        [name for name in dated if dataset[name].attrs.get("axis") == "T"],
        [name for name in dated if dataset[name].attrs.get("standard_name") == "time"],
        [name for name in dated if name in dataset.dims],
        [name for name in dated if name == "time"],
        dated,
    ):
        if len(candidates) == 1:
            return candidates[0]
    if dated:
        raise DataError(f"{_listed(dated)} all hold dates: name the time of a frame with --time")
    if undecodable:
        raise DataError("; ".join(f"{name} cannot be read: {reason}" for name, reason in undecodable.items()))
    numbered = [name for name in map(str, {**dataset.sizes, **dataset.variables}) if name.lower() in _TIME]
    for name in sorted(numbered, key=lambda name: _TIME.index(name.lower())):
        if _numbers_frames(dataset, name):
            return name
    raise DataError(
        "no coordinate holds dates (CF: units such as 'hours since 2020-01-01') and no dimension is called time or "
        "step: name the dimension of frames with --time, and their distance with --cadence"
    )


def _numbers_frames(dataset: xr.Dataset, name: str) -> bool:
    """Whether ``name`` is a dimension, or a coordinate of numbers along one."""
    if name not in dataset.variables:
        return name in dataset.sizes
    return dataset[name].ndim == 1 and dataset[name].dtype.kind in "fiu"


def _find_variables(dataset: xr.Dataset, asked: tuple[str, ...], time: str) -> tuple[str, ...]:
    along = set(dataset[time].dims)
    gridded = [
        str(name)
        for name, variable in dataset.data_vars.items()
        if along <= set(variable.dims) and variable.ndim >= len(along) + 2 and variable.dtype.kind in "fiub"
    ]
    known = _listed(gridded) or "none"
    if not asked:
        if len(gridded) == 1:
            return (gridded[0],)
        raise DataError(
            f"{known} are all gridded over time: name one with --variable, or several as channels"
            if gridded
            else f"no variable is gridded over {_listed([str(dim) for dim in along])}, y and x: nothing can be imported"
        )
    for name in asked:
        if name not in gridded:
            raise DataError(f"{name!r} is not a variable gridded over time: there are {known}")
        if dataset[name].dims != dataset[asked[0]].dims:
            raise DataError(
                f"{name} has the dimensions {_listed(list(map(str, dataset[name].dims)))} and {asked[0]} has "
                f"{_listed(list(map(str, dataset[asked[0]].dims)))}: channels have to share them"
            )
    return asked


def _frame_and_sequence(
    dataset: xr.Dataset, time: str, dims: Sequence[str], names: AxisNames
) -> tuple[str, str | None]:
    """Return the dimension of time and, where times have two dimensions, that of sequences."""
    along = [str(dim) for dim in dataset[time].dims]
    if len(along) == 1:
        return along[0], None
    known = [dim for dim in along if dim == names.sequence] or [dim for dim in along if dim.lower() in _SEQUENCE]
    if len(known) != 1:
        raise DataError(f"{time} has the dimensions {_listed(along)}: say which numbers the videos with --sequence")
    return next(dim for dim in along if dim != known[0]), known[0]


def is_axis(attrs: Mapping[str, object], name: str, letter: str) -> bool:
    """Whether a coordinate is that of rows (``letter`` Y) or columns (X), by its attributes or else by its name."""
    standard_names, common = {"Y": (_Y_STANDARD, _Y), "X": (_X_STANDARD, _X)}[letter]
    if "axis" in attrs or attrs.get("standard_name") in (*_Y_STANDARD, *_X_STANDARD):
        return attrs.get("axis") == letter or attrs.get("standard_name") in standard_names
    return name.lower() in common


def _is_dimension(dataset: xr.Dataset, dim: str, letter: str) -> bool:
    return is_axis(dataset[dim].attrs if dim in dataset.variables else {}, dim, letter)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)

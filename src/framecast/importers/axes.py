"""Which variable contains the frames, and which of its dimensions is time, channel, y, x, and sequence.

Names given by the user are used. Otherwise the conventions of CF apply (attributes ``axis`` and ``standard_name``,
types and units of coordinates), then common names. Ambiguities are not guessed: the error names the candidates.

References:
    CF Conventions 1.11, section 4 (coordinate types).
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from framecast.core.errors import ConfigError, DataError
from framecast.importers.expressions import names_in
from framecast.importers.options import ImportOptions
from framecast.videos.directions import is_angle

_Y = ("y", "lat", "latitude", "north_south", "northing", "row", "rows", "height", "j", "nlat", "rlat")
_X = ("x", "lon", "longitude", "west_east", "easting", "col", "column", "columns", "width", "i", "nlon", "rlon")
CHANNEL_NAMES = (
    "channel",
    "channels",
    "band",
    "bands",
    "wavelength",
    "wavelnth",
    "wave",
    "filter",
    "frequency",
    "colour",
)
TIME_NAMES = ("time", "times", "t", "step", "steps", "timestep", "frame", "frames", "iteration", "snapshot")
PHONY = "phony_dim_"
"""Prefix of names of unnamed dimensions."""
_SEQUENCE = (
    "sample",
    "samples",
    "clip",
    "video",
    "sequence",
    "track",
    "region",
    "event",
    "case",
    "storm",
    "film",
    "trajectory",
    "series",
)
_Y_STANDARD = ("latitude", "projection_y_coordinate", "grid_latitude")
_X_STANDARD = ("longitude", "projection_x_coordinate", "grid_longitude")


@dataclass(frozen=True, kw_only=True)
class Axes:
    """What was found: names of variables and dimensions.

    Attributes:
        variables: that contain the frames.
        time: the coordinate with the times, along ``frame``, and ``sequence`` where it has two dimensions; a
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


def find_axes(dataset: xr.Dataset, options: ImportOptions, undecodable: Mapping[str, str] | None = None) -> Axes:
    """Return the axes of ``dataset``, as given by ``options`` or by conventions.

    Args:
        dataset: its times are ``datetime64``, where they have dates.
        options: the user's options.
        undecodable: coordinates that should contain times and cannot be read, and why.

    Raises:
        DataError: a name does not exist, or something is ambiguous; the candidates are named.
    """
    time = _find_time(dataset, options.time_name, undecodable or {})
    computed = [name for text in options.expressions.values() for name in names_in(text)]
    variables = _find_variables(dataset, tuple(dict.fromkeys((*options.variables, *computed))), time)
    left = [str(dim) for dim in dataset[variables[0]].dims if dataset.sizes[dim] > 1 or dim in dataset[time].dims]
    frame, sequence = _frame_and_sequence(dataset, time, left, options)

    def take(asked: str | None, what: str, option: str, fits: Callable[[str], bool]) -> str | None:
        if asked is not None and asked not in dataset[variables[0]].dims:
            raise DataError(f"{variables[0]} has no dimension {asked!r} for {option}: it has {', '.join(left)}")
        candidates = [asked] if asked is not None else [dim for dim in left if dim not in named and fits(dim)]
        if len(candidates) > 1:
            raise DataError(f"{', '.join(candidates)} could all be {what}: name one with {option}")
        left[:] = [dim for dim in left if dim not in candidates]
        return candidates[0] if candidates else None

    left = [dim for dim in left if dim not in (frame, sequence)]
    named = {options.y, options.x, options.channel_dimension, options.sequence} - {None}
    y = take(options.y, "rows", "--y", lambda dim: _is_dimension(dataset, dim, "Y"))
    x = take(options.x, "columns", "--x", lambda dim: _is_dimension(dataset, dim, "X"))
    channel = take(options.channel_dimension, "channels", "--channel", lambda dim: dim.lower() in CHANNEL_NAMES)
    if sequence is None:
        sequence = take(options.sequence, "sequences", "--sequence", lambda dim: dim.lower() in _SEQUENCE)
    missing = [option for dim, option in ((y, "--y"), (x, "--x")) if dim is None]
    if y is None or x is None:
        raise DataError(
            f"the dimensions of {variables[0]} do not identify rows and columns (left: "
            f"{', '.join(left) or 'none'}): name them with {' and '.join(missing)}"
        )
    if left:
        raise DataError(
            f"{variables[0]} has {', '.join(left)} besides time, rows and columns: name it with --channel or "
            "--sequence, or select one value of it beforehand"
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
        rule = "contains no times" if asked in dataset.variables else "does not exist"
        raise DataError(f"{asked!r}, given as --time, {rule}: coordinates with dates are {', '.join(dated) or 'none'}")
    for candidates in (
        [name for name in dated if dataset[name].attrs.get("axis") == "T"],
        [name for name in dated if dataset[name].attrs.get("standard_name") == "time"],
        [name for name in dated if name == "valid_time"],  # cfgrib calls the reference time "time"
        [name for name in dated if name in dataset.dims],
        [name for name in dated if name == "time"],
        dated,
    ):
        if len(candidates) == 1:
            return candidates[0]
    if dated:
        raise DataError(f"{', '.join(dated)} all contain dates: name the time of a frame with --time")
    if undecodable:
        raise DataError("; ".join(f"{name} cannot be read: {reason}" for name, reason in undecodable.items()))
    numbered = [name for name in map(str, {**dataset.sizes, **dataset.variables}) if name.lower() in TIME_NAMES]
    for name in sorted(numbered, key=lambda name: TIME_NAMES.index(name.lower())):
        if _numbers_frames(dataset, name):
            return name
    raise DataError(
        "no coordinate contains dates (CF: units such as 'hours since 2020-01-01') and no dimension is called "
        "time or step: name the dimension of frames with --time, and the time between them with --cadence"
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
    known = ", ".join(gridded) or "none"
    if not asked:
        flags = {"flag_values", "flag_masks"}
        measured = [name for name in gridded if not (flags & set(dataset[name].attrs) or is_angle(dataset[name]))]
        alike = {(dataset[name].dims, str(dataset[name].attrs.get("units", name))) for name in measured}
        if len(gridded) == 1 or len(alike) == 1:
            return tuple(measured or gridded)
        raise DataError(
            f"{known} are all gridded over time: name one with --variable, or several that become channels: "
            f"{' '.join(f'--variable {name}' for name in gridded[:3])}"
            if gridded
            else f"no variable is gridded over {', '.join(map(str, along))}, y and x: nothing can be imported"
        )
    asked = tuple(name for name in asked if name in gridded or not _lies_still(dataset, name, along)) or asked
    for name in asked:
        if name not in gridded:
            raise DataError(f"{name!r} is not a variable gridded over time: choose from {known}")
        if dataset[name].dims != dataset[asked[0]].dims:
            raise DataError(
                f"{name} has the dimensions {', '.join(map(str, dataset[name].dims))} and {asked[0]} has "
                f"{', '.join(map(str, dataset[asked[0]].dims))}: all channels must have the same dimensions"
            )
    return asked


def _lies_still(dataset: xr.Dataset, name: str, along: set[Hashable]) -> bool:
    """Whether a variable is the same in all frames, such as a land mask in an expression."""
    return name in dataset.variables and not along & set(dataset[name].dims) and dataset[name].ndim <= 2


def name_dimensions(dataset: xr.Dataset, options: ImportOptions) -> xr.Dataset:
    """Return ``dataset`` with names for dimensions that have none in the source (called ``phony_dim_0`` …).

    ``options.dims`` names those of the frames, else three dimensions are time, rows and columns.

    Raises:
        ConfigError: ``options.dims`` names another number of dimensions than there are.
        DataError: there are four or more, and their meaning is unknown.
    """
    arrays = {str(name): v for name, v in dataset.data_vars.items() if v.dtype.kind in "fiub" and v.ndim >= 2}
    arrays = {name: arrays[name] for name in options.variables if name in arrays} or arrays
    if not arrays:
        return dataset
    name, array = max(arrays.items(), key=lambda item: item[1].size)
    dims, names = [str(dim) for dim in array.dims], options.dimension_names
    if names and len(names) != len(dims):
        raise ConfigError(f"--dims names {len(names)} dimensions and {name} has {len(dims)}: {shape_text(array)}")
    if not names and not all(dim.startswith(PHONY) for dim in dims):
        return dataset
    if not names:
        usual = {2: ("y", "x"), 3: ("time", "y", "x")}
        if len(dims) == 4 and array.shape[3] in (3, 4):
            names = ("time", "y", "x", "channel")
        elif len(dims) not in usual:
            likely = "sample,y,x,time" if array.shape[1:2] == array.shape[2:3] else "sample,time,y,x"
            raise DataError(
                f"{name} has the shape {shape_text(array)} and no names of dimensions: give them with --dims, such as "
                f"--dims {likely if len(dims) == 4 else 'sample,time,channel,y,x'}"
            )
        names = names or usual[len(dims)]
    return dataset.rename({old: new for old, new in zip(dims, names, strict=True) if old != new})


def shape_text(array: xr.DataArray) -> str:
    """Return the shape as ``12×64×64``."""
    return "×".join(str(size) for size in array.shape)


def _frame_and_sequence(
    dataset: xr.Dataset, time: str, dims: Sequence[str], options: ImportOptions
) -> tuple[str, str | None]:
    """Return the dimension of time and, where times have two dimensions, that of sequences."""
    along = [str(dim) for dim in dataset[time].dims]
    if len(along) == 1:
        return along[0], None
    known = [dim for dim in along if dim == options.sequence] or [dim for dim in along if dim.lower() in _SEQUENCE]
    if len(known) != 1:
        raise DataError(
            f"{time} has the dimensions {', '.join(along)}: name the one that numbers the videos with --sequence"
        )
    return next(dim for dim in along if dim != known[0]), known[0]


def is_axis(attrs: Mapping[str, object], name: str, letter: str) -> bool:
    """Whether a coordinate is that of rows (``letter`` Y) or columns (X), by its attributes or else by its name."""
    standard_names, common = {"Y": (_Y_STANDARD, _Y), "X": (_X_STANDARD, _X)}[letter]
    if "axis" in attrs or attrs.get("standard_name") in (*_Y_STANDARD, *_X_STANDARD):
        return attrs.get("axis") == letter or attrs.get("standard_name") in standard_names
    return name.lower() in common


def _is_dimension(dataset: xr.Dataset, dim: str, letter: str) -> bool:
    return is_axis(dataset[dim].attrs if dim in dataset.variables else {}, dim, letter)

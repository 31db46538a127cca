"""Which dimension is which: by name, by convention, or an error that names the candidates."""

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from framecast.core.errors import DataError
from framecast.importers.axes import find_axes
from framecast.importers.options import ImportOptions

TIMES = np.datetime64("2020-01-01", "ns") + np.arange(4) * np.timedelta64(1, "h")


def grid(*dims: str, name: str = "rain", **coords: object) -> xr.Dataset:
    sizes = {"time": 4, "t": 4}
    shape = tuple(sizes.get(dim, 3 + k) for k, dim in enumerate(dims))
    return xr.Dataset({name: (dims, np.zeros(shape, np.float32))}, coords={"time": (dims[0], TIMES), **coords})


@pytest.mark.parametrize("rows, columns", [("y", "x"), ("latitude", "longitude"), ("south_north", "west_east")])
def test_common_names(rows: str, columns: str) -> None:
    data = grid("time", rows, columns)
    if rows == "south_north":  # told by an attribute
        data = data.assign_coords(south_north=("south_north", np.arange(4.0), {"axis": "Y"}))
    axes = find_axes(data, ImportOptions())
    assert (axes.variables, axes.time, axes.frame, axes.y, axes.x) == (("rain",), "time", "time", rows, columns)
    assert axes.channel is axes.sequence is None


def test_conventions_go_before_names() -> None:
    # dimensions called the wrong way round, and a second date beside the time of validity
    data = grid(
        "t",
        "x",
        "y",
        x=("x", np.arange(4.0), {"standard_name": "projection_y_coordinate"}),
        y=("y", np.arange(5.0), {"standard_name": "projection_x_coordinate"}),
        valid=("t", TIMES + np.timedelta64(6, "h"), {"standard_name": "time"}),
    )
    axes = find_axes(data, ImportOptions())
    assert (axes.time, axes.frame, axes.y, axes.x) == ("valid", "t", "x", "y")


def test_channels_sequences_and_single_levels() -> None:
    axes = find_axes(grid("time", "band", "lat", "lon"), ImportOptions())
    assert axes.channel == "band"
    axes = find_axes(grid("time", "member", "lat", "lon"), ImportOptions(sequence="member"))
    assert axes.sequence == "member"
    axes = find_axes(grid("time", "level", "lat", "lon").isel(level=[0]), ImportOptions())
    assert axes.channel is None
    two = xr.Dataset(
        {"storm": (("track", "frame", "y", "x"), np.zeros((2, 4, 3, 3)))},
        coords={"when": (("track", "frame"), np.stack([TIMES, TIMES]))},
    )
    axes = find_axes(two, ImportOptions())
    assert (axes.time, axes.frame, axes.sequence) == ("when", "frame", "track")


def _two_times() -> xr.Dataset:
    return grid("t", "y", "x", other=("t", TIMES)).rename(time="begin")


@pytest.mark.parametrize(
    "make, names, words",
    [
        (lambda: grid("time", "a", "b"), ImportOptions(), "left: a, b.*--y and --x"),
        (lambda: grid("time", "a", "x"), ImportOptions(), r"left: a\): name them with --y"),
        (lambda: grid("time", "y", "lat", "x"), ImportOptions(), "y, lat could all be rows: name one with --y"),
        (
            lambda: grid("time", "height_m", "y", "x"),
            ImportOptions(),
            "rain has height_m besides time, rows and columns",
        ),
        (lambda: grid("time", "y", "x"), ImportOptions(y="row"), "rain has no dimension 'row' for --y: it has y, x"),
        (lambda: grid("time", "y", "x"), ImportOptions(time="t"), "'t', given as --time, does not exist.*are time"),
        (
            lambda: grid("time", "y", "x"),
            ImportOptions(variables=("wind",)),
            "'wind' is not a variable.*choose from rain",
        ),
        (
            lambda: grid("time", "y", "x").drop_vars("time").rename(time="when"),
            ImportOptions(),
            "no coordinate contains dates.*--time.*--cadence",
        ),
        (lambda: grid("time", "y"), ImportOptions(), "no variable is gridded over time"),
        (_two_times, ImportOptions(), "begin, other all contain dates.*--time"),
        (
            lambda: grid("time", "y", "x").assign(snow=grid("time", "y", "x")["rain"]),
            ImportOptions(),
            "rain, snow are all gridded over time: name one with --variable",
        ),
        (
            lambda: grid("time", "y", "x").assign(snow=grid("time", "y", "x")["rain"].transpose("time", "x", "y")),
            ImportOptions(variables=("rain", "snow")),
            "must have the same dimensions",
        ),
    ],
)
def test_what_is_uncertain_is_not_guessed(make: Callable[[], xr.Dataset], names: ImportOptions, words: str) -> None:
    with pytest.raises(DataError, match=words) as error:
        find_axes(make(), names)
    assert "\n" not in str(error.value)


def test_the_valid_time_is_taken_where_the_reference_time_is_called_time() -> None:
    attrs = {"standard_name": "time"}  # both, as cfgrib writes them
    data = grid("time", "y", "x", valid_time=("time", TIMES + np.timedelta64(6, "h"), attrs))
    data["time"].attrs = attrs
    assert find_axes(data, ImportOptions()).time == "valid_time"
    assert find_axes(data, ImportOptions(time="time")).time == "time"

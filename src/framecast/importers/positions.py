"""Positions of pixels: coordinates of rows and columns, latitudes and longitudes, the coordinate reference system.

A dimension may bear its coordinate's name, or be described by auxiliary coordinates of one or two dimensions. All of
them are kept. The most informative one determines the direction of rows and columns: an archive's rows run upward (to
the north), its columns to the right (to the east). Longitudes that jump at Greenwich or at the date line are unwrapped
first.

References:
    CF Conventions 1.11, sections 4.1, 4.2, 5.2 and 5.6.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from framecast.core.errors import DataError
from framecast.importers.axes import Axes, is_axis
from framecast.videos.directions import descends, is_angle, is_latitude, is_longitude, tells_position, unwrap

Coordinates = dict[str, tuple[tuple[str, ...], npt.NDArray[Any], dict[str, Any]]]

_KEPT = ("units", "long_name", "standard_name", "axis")


@dataclass(frozen=True, kw_only=True)
class Positions:
    """The coordinates of a grid, rows and columns in the order in which they are stored.

    Attributes:
        coordinates: ``y`` and ``x`` where the dimensions have coordinates, ``lat`` and ``lon`` where there are others,
            ``crs`` where there is a reference system; with dimensions among ``y`` and ``x``.
        rows_turned: whether rows must be flipped to run upward.
        columns_turned: whether columns must be flipped to run to the right.
        notes: what was unwrapped.
        wanted: the pixels along ``y`` and ``x`` that are read, if not all.
    """

    coordinates: Coordinates
    rows_turned: bool
    columns_turned: bool
    notes: tuple[str, ...] = ()
    wanted: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)

    def pixels(self, dim: str, size: int) -> npt.NDArray[np.int64]:
        """Return which of ``size`` rows (``y``) or columns (``x``) are wanted, counted upward and to the right."""
        return self.wanted.get(dim, np.arange(size))

    def within(self, region: tuple[float, ...], size: tuple[int, int]) -> "Positions":
        """Return the selection of a region: west, south, east and north edge.

        A region across the edge of a global grid is taken from both of its ends.

        Raises:
            DataError: it contains no pixel.
        """
        west, south, east, north = region
        turned = {name: self._turned(name) for name in self.coordinates if name != "crs"}
        names = ("lat", "lon") if "lat" in turned else ("y", "x")
        y = turned.get(names[0], (("y",), np.arange(size[0], dtype=np.float64)))
        x = turned.get(names[1], (("x",), np.arange(size[1], dtype=np.float64)))
        shown = y[1], x[1]
        angular = self.coordinates.get(names[1], ((), None, {}))[2].get("standard_name") == "longitude"
        if angular:
            east = east if east > west else east + 360
            x = x[0], (x[1] - west) % 360 + west
        if east <= west:
            raise DataError(f"a region from x {west:g} to {east:g} is empty: give west, south, east and north")
        inside_y, inside_x = (y[1] >= south) & (y[1] <= north), (x[1] >= west) & (x[1] <= east)
        if y[0] == ("y",):
            rows, columns = np.flatnonzero(inside_y), np.flatnonzero(inside_x)
        else:
            found = inside_y & inside_x
            rows, columns = (np.flatnonzero(found.any(axis)) for axis in (1, 0))
            rows, columns = (np.arange(each.min(), each.max() + 1) if len(each) else each for each in (rows, columns))
        if not len(rows) or not len(columns):
            raise DataError(
                f"the region W,S,E,N = {','.join(f'{edge:g}' for edge in region)} contains no pixel: {names[0]} goes "
                f"from {np.nanmin(shown[0]):g} to {np.nanmax(shown[0]):g} and {names[1]} from "
                f"{np.nanmin(shown[1]):g} to {np.nanmax(shown[1]):g}"
            )
        coordinates = dict(self.coordinates)
        if angular and x[0] == ("x",):
            columns = columns[np.argsort(x[1][columns], kind="stable")]
            values = np.flip(x[1]) if self.columns_turned else x[1]
            coordinates[names[1]] = (("x",), values, self.coordinates[names[1]][2])
        return replace(self, coordinates=coordinates, wanted={"y": rows, "x": columns})

    def read(self, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], coarsen: int) -> Coordinates:
        """Return the coordinates of the selected pixels: flipped, cut to ``rows`` and ``columns``, averaged."""
        found: Coordinates = {}
        pixels = {"y": rows, "x": columns}
        for name, (_, _, attrs) in self.coordinates.items():
            dims, values = self._turned(name)
            for number, dim in enumerate(dims):
                values = np.take(values, pixels[dim], axis=number)
                shape = values.shape
                values = values.reshape(*shape[:number], -1, coarsen, *shape[number + 1 :]).mean(number + 1)
            found[name] = (dims, values, attrs)
        return found

    def _turned(self, name: str) -> tuple[tuple[str, ...], npt.NDArray[Any]]:
        """Return dimensions and values of a coordinate, rows upward and columns to the right."""
        dims, values, _ = self.coordinates[name]
        turned = {"y": self.rows_turned, "x": self.columns_turned}
        axes = tuple(number for number, dim in enumerate(dims) if turned[dim])
        return dims, np.flip(values, axes) if axes else values


def find_positions(dataset: xr.Dataset, axes: Axes, *, flip_y: bool = False) -> Positions:
    """Return the positions of the pixels of ``dataset``.

    Args:
        dataset: decoded.
        axes: which dimensions are rows and columns.
        flip_y: whether the first row is the top one; only for sources without a coordinate of the rows.

    Raises:
        DataError: a coordinate is not monotonic, or contradicts ``flip_y``.
    """
    notes: list[str] = []
    coordinates: Coordinates = {}
    dataset, moving = _of_first_frame(dataset, axes)
    rows = _along(dataset, axes.y, axes.x, "Y", is_latitude)
    columns = _along(dataset, axes.x, axes.y, "X", is_longitude)
    turned: dict[str, bool] = {}
    for name, dim, found in (("y", axes.y, rows), ("x", axes.x, columns)):
        for variable in found:
            dims = tuple({axes.y: "y", axes.x: "x"}[str(d)] for d in variable.dims)
            values = _unwrapped(variable, notes)
            if name not in turned:
                turned[name] = descends(values, dims.index(name), variable)
            own = variable.ndim == 1 and name not in coordinates
            aux = "lat" if name == "y" else "lon"
            if variable.name not in moving and (own or aux not in coordinates):
                coordinates[name if own else aux] = (dims, values, _attributes(variable, dim))
    if flip_y:
        _turn_rows(turned, coordinates, rows)
    if (crs := _reference_system(dataset, axes)) is not None:
        coordinates["crs"] = ((), np.int32(0), crs)  # type: ignore[assignment]
    return Positions(
        coordinates=coordinates,
        rows_turned=turned.get("y", False),
        columns_turned=turned.get("x", False),
        notes=tuple(notes),
    )


def _of_first_frame(dataset: xr.Dataset, axes: Axes) -> tuple[xr.Dataset, set[str]]:
    """Return ``dataset`` with latitudes and longitudes of each frame replaced by those of the first, and the names of
    those that differ in the last.
    """
    dims = {axes.frame, axes.y, axes.x}
    each = [
        dataset[name] for name, own in dataset.variables.items() if axes.frame in own.dims and set(own.dims) <= dims
    ]
    each = [own for own in each if own.ndim >= 2 and is_angle(own)]
    ends = {str(own.name): (own.isel({axes.frame: 0}), own.isel({axes.frame: -1})) for own in each}
    moving = {name for name, (first, last) in ends.items() if not np.array_equal(first, last, equal_nan=True)}
    return dataset.assign({name: first.variable for name, (first, _) in ends.items()}), moving


def _turn_rows(turned: dict[str, bool], coordinates: Coordinates, rows: list[xr.DataArray]) -> None:
    """Flip the rows as requested; a coordinate of row numbers is dropped, a physical one takes precedence."""
    if not rows or not tells_position(rows[0]):
        coordinates.pop("y", None)
    elif not turned["y"]:
        raise DataError(
            f"--flip-y contradicts {rows[0].name}, which runs upward: leave it out, or correct {rows[0].name}"
        )
    turned["y"] = True


def _along(dataset: xr.Dataset, dim: str, other: str, letter: str, is_its_angle: Any) -> list[xr.DataArray]:
    """Return the numeric coordinates along ``dim``, the most informative first."""
    own = [dataset[dim]] if dim in dataset.variables and dataset[dim].dtype.kind in "fiu" else []
    others = [
        dataset[name]
        for name, variable in dataset.variables.items()
        if name != dim and variable.dtype.kind in "fiu" and set(variable.dims) <= {dim, other} and dim in variable.dims
    ]
    projected = [v for v in others if v.ndim == 1 and is_axis(v.attrs, str(v.name), letter) and not is_its_angle(v)]
    angles = sorted((v for v in others if is_its_angle(v)), key=lambda v: v.ndim)
    telling = [v for v in own if tells_position(v)]
    return [*telling, *projected[:1], *angles[:1], *(v for v in own if not tells_position(v))]


def _unwrapped(variable: xr.DataArray, notes: list[str]) -> npt.NDArray[np.float64]:
    values, unwrapped = variable.values, unwrap(variable)
    if not np.array_equal(unwrapped, values, equal_nan=True):
        columns = values if values.ndim == 1 else values[0]
        first, last, low, high = columns[0], columns[-1], np.nanmin(unwrapped), np.nanmax(unwrapped)
        notes.append(f"{variable.name} from {first:g} to {last:g} unwrapped: {low:g} to {high:g}")
    return unwrapped


def _attributes(variable: xr.DataArray, dim: str) -> dict[str, Any]:
    attrs = {key: str(variable.attrs[key]) for key in _KEPT if key in variable.attrs}
    if is_latitude(variable):
        attrs = {"standard_name": "latitude", "units": "degrees_north"} | attrs
    elif is_longitude(variable):
        attrs = {"standard_name": "longitude", "units": "degrees_east"} | attrs
    return {**attrs, "name": str(variable.name)}


def _reference_system(dataset: xr.Dataset, axes: Axes) -> dict[str, Any] | None:
    """Return the attributes of the grid mapping of the frames, or of the only one there is."""
    frames = dataset[axes.variables[0]]
    named = frames.encoding.get("grid_mapping") or frames.attrs.get("grid_mapping")
    name = str(named).partition(":")[0].strip() if named else None
    if name not in dataset.variables:
        mappings = [str(key) for key, value in dataset.variables.items() if "grid_mapping_name" in value.attrs]
        name = mappings[0] if len(mappings) == 1 else None
    if name is None:
        return None
    return {key: value for key, value in dataset[name].attrs.items() if not str(key).startswith("_")}

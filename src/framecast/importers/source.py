"""Reading frames out of a gridded file: rows upward, in plain units, a block of frames at a time."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
import zarr

from framecast.core.errors import ConfigError, DataError, FramecastError
from framecast.data.archive.guard import GuardedStore, check_frame, undamaged
from framecast.importers.axes import Axes, AxisNames, find_axes
from framecast.importers.base import Recording
from framecast.importers.decoding import Decoded, as_text, decode
from framecast.importers.netcdf import netcdf_groups, open_netcdf
from framecast.importers.positions import Coordinates, find_positions
from framecast.importers.times import frame_times
from framecast.importers.values import ValueWatch, means, to_float32

_BLOCK_BYTES = 64 * 2**20


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What is done with the stored values and frames.

    Attributes:
        scale: stored values times this …
        offset: … plus this are physical ones. What CF attributes say is done before.
        missing: a stored value that means "not seen".
        flip_y: whether the first row is the highest, where no coordinate tells it.
        coarsen: so many rows and columns become one pixel, their mean; unknown if one of them is.
        multiple: rows and columns are cut, alike on both sides, to a multiple of this.
    """

    scale: float = 1.0
    offset: float = 0.0
    missing: float | None = None
    flip_y: bool = False
    coarsen: int = 1
    multiple: int = 1

    def __post_init__(self) -> None:
        if self.coarsen < 1 or self.multiple < 1:
            raise ConfigError(f"coarsen {self.coarsen} and multiple {self.multiple}: both must be 1 or more")


class Gridded(Recording):
    """An opened gridded file, its axes known.

    Attributes:
        axes: which dimension is which.
        channels: their names.
        unit: of the physical values; empty if the file says none.
        calendar: how times are read.
        height: rows of a frame as it will be read.
        width: columns.
        flipped: whether rows are turned to run upward.
        mirrored: whether columns are turned to run to the right.
        watch: looks for values that seem to be missing.
    """

    def __init__(
        self, path: Path, decoded: Decoded, axes: Axes, reading: Reading, *, cadence: float | None = None
    ) -> None:
        self._path, self._dataset, self.axes, self._reading = path, decoded.dataset, axes, reading
        first = self._dataset[axes.variables[0]]
        channels = len(axes.variables) * (int(first.sizes[axes.channel]) if axes.channel is not None else 1)
        check_frame(path, int(first.sizes[axes.y]), int(first.sizes[axes.x]), channels)
        self.channels = self._channels()
        units = [as_text(self._dataset[name].attrs.get("units", "")) for name in axes.variables]
        if len(set(units)) > 1:
            found = ", ".join(f"{name} in {unit or 'none'}" for name, unit in zip(axes.variables, units, strict=True))
            raise DataError(f"channels share one unit, and these do not: {found}; import them apart")
        self.unit = units[0]
        self._positions = find_positions(self._dataset, axes, flip_y=reading.flip_y)
        self.flipped, self.mirrored = self._positions.rows_turned, self._positions.columns_turned
        self.rows = self._kept(axes.y, int(first.sizes[axes.y]))
        self.columns = self._kept(axes.x, int(first.sizes[axes.x]))
        self.height = (self.rows.stop - self.rows.start) // reading.coarsen
        self.width = (self.columns.stop - self.columns.start) // reading.coarsen
        self._times = frame_times(decoded, axes, cadence)
        self.calendar = self._times.calendar
        self.watch = ValueWatch(reading.missing)
        own = [note for note in decoded.notes if any(name in note for name in axes.variables)]
        self._notes = (*own, *self._positions.notes, *self._times.notes, *self._trimmed(first))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided about the file, one line each; complete when all frames have been read."""
        return (*self._notes, *self.watch.notes(int(self._times.clock.size)))

    @property
    def sequence_name(self) -> str | None:
        """The dimension that numbers videos."""
        return self.axes.sequence

    @property
    def attrs(self) -> dict[str, Any]:
        """What was done with the stored values."""
        reading = self._reading
        return {"scale": reading.scale, "offset": reading.offset, "coarsened": reading.coarsen}

    @property
    def sequences(self) -> int:
        """How many videos it holds."""
        return int(self._dataset.sizes[self.axes.sequence]) if self.axes.sequence is not None else 1

    def label(self, sequence: int) -> str | None:
        """Return what the file calls a video, if it does."""
        dim = self.axes.sequence
        if dim is None or dim not in self._dataset.coords:
            return None
        return as_text(self._values(dim)[sequence])

    def times(self, sequence: int) -> npt.NDArray[np.datetime64]:
        """Return the times of a video's frames, on the clock of `calendar`; NaT where there is none."""
        clock = self._times.clock
        return clock[sequence] if clock.ndim == 2 else clock

    def frames(self, sequence: int, indices: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.float32]]:
        """Yield frames ``[channel, y, x]`` of a video, in the order of ``indices``; a block of them is in memory."""
        stored = int(np.prod([self._dataset[self.axes.variables[0]].sizes[dim] for dim in (self.axes.y, self.axes.x)]))
        per_block = max(1, _BLOCK_BYTES // (4 * stored * len(self.channels)))
        for start in range(0, len(indices), per_block):
            with undamaged(self._path):
                block = self._block(sequence, indices[start : start + per_block])
            yield from block

    def positions(self) -> Coordinates:
        """Return the coordinates of the pixels as they are read, where the file has them; see `Positions`."""
        return self._positions.read(self.rows, self.columns, self._reading.coarsen)

    def _block(self, sequence: int, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return ``[frame, channel, y, x]``."""
        axes, reading, parts = self.axes, self._reading, []
        for name in axes.variables:
            chosen = {axes.frame: indices} | ({axes.sequence: sequence} if axes.sequence is not None else {})
            array = self._dataset[name].isel(chosen)
            others = [dim for dim in array.dims if dim not in (axes.frame, axes.channel, axes.y, axes.x)]
            array = array.isel(dict.fromkeys(others, 0))  # of length one
            if axes.channel is None:
                array = array.expand_dims("channel")
            array = array.transpose(axes.frame, axes.channel or "channel", axes.y, axes.x)
            parts.append(self._physical(name, array.values))
        frames = np.concatenate(parts, axis=1)
        frames = frames[:, :, :: -1 if self.flipped else 1, :: -1 if self.mirrored else 1]
        frames = frames[:, :, self.rows, self.columns]
        k = reading.coarsen
        if k > 1:
            frames = frames.reshape(*frames.shape[:2], self.height, k, self.width, k).mean((3, 5), dtype=np.float32)
        return frames

    def _physical(self, name: str, stored: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return the values in physical units, NaN where they are missing."""
        reading = self._reading
        gone = np.zeros(stored.shape, bool) if reading.missing is None else means(stored, reading.missing)
        scaled = stored
        if reading.scale != 1 or reading.offset != 0:
            scaled = stored.astype(np.float64) * reading.scale + reading.offset
        values = to_float32(np.where(gone, 0, scaled), name)
        self.watch.see(stored[~gone & ~np.isnan(values)], int(gone.sum()), len(stored))
        values[gone] = np.nan
        return values

    def _channels(self) -> list[str]:
        dim, names = self.axes.channel, list(self.axes.variables)
        if dim is None:
            return names
        count = int(self._dataset.sizes[dim])
        labels = (
            [as_text(value) for value in self._values(dim)]
            if dim in self._dataset.coords
            else [f"{dim}-{k}" for k in range(count)]
        )
        return labels if len(names) == 1 else [f"{name}-{label}" for name in names for label in labels]

    def _trimmed(self, first: xr.DataArray) -> tuple[str, ...]:
        size = int(first.sizes[self.axes.y]), int(first.sizes[self.axes.x])
        kept = self.rows.stop - self.rows.start, self.columns.stop - self.columns.start
        if size == kept:
            return ()
        return (f"trimmed from {size[0]}×{size[1]} to {kept[0]}×{kept[1]} stored pixels, alike on both sides",)

    def _values(self, name: str) -> npt.NDArray[Any]:
        with undamaged(self._path):
            return self._dataset[name].values

    def _kept(self, dim: str, size: int) -> slice:
        step = self._reading.coarsen * self._reading.multiple
        kept = size // step * step
        if kept == 0:
            raise DataError(f"{dim} has {size} pixels, fewer than the {step} that --coarsen and --multiple ask for")
        start = (size - kept) // 2
        return slice(start, start + kept)


def open_gridded(path: str | Path, names: AxisNames, reading: Reading, *, cadence: float | None = None) -> Gridded:
    """Open a NetCDF file or a Zarr folder.

    Args:
        path: the file or folder.
        names: what its variables and dimensions are, where it does not tell.
        reading: what is done with values and frames.
        cadence: seconds between two frames, for frames that are only numbered.

    Raises:
        FramecastError: there is nothing at ``path``, or it is of neither kind.
        DataError: its axes cannot be told.
    """
    path = Path(path)
    if not path.exists():
        raise FramecastError(f"there is nothing at {path}: give a NetCDF file or a Zarr folder")
    if path.is_dir() and not any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zmetadata")):
        files = sorted(file.name for file in path.glob("*.nc*"))
        within = f", which holds {len(files)} NetCDF files ({files[0]} …)" if files else ""
        raise FramecastError(
            f"{path} is a folder{within} and no Zarr store: give one NetCDF file, or a Zarr folder; several files are "
            "joined by xarray (open_mfdataset, to_netcdf)"
        )
    with undamaged(path):
        stored, declared_fill = _open_zarr(path, names.group) if path.is_dir() else (_open_file(path, names), None)
    if str(kind := stored.attrs.get("format", "")).startswith("framecast-"):
        raise FramecastError(f"{path} is a {str(kind).replace('-', ' ')} already: there is nothing to import")
    if not any(variable.ndim >= 2 for variable in stored.data_vars.values()):
        _name_groups(path)
    with undamaged(path):
        decoded = decode(stored, declared_fill)
        axes = find_axes(decoded.dataset, names, decoded.undecodable)
        return Gridded(path, decoded, axes, reading, cadence=cadence)


def _open_file(path: Path, names: AxisNames) -> xr.Dataset:
    if names.group is not None and names.group not in (groups := netcdf_groups(path)):
        raise DataError(f"{path} has no group {names.group!r} with frames: there are {', '.join(groups) or 'none'}")
    return open_netcdf(path, names.group)


def _open_zarr(path: Path, group: str | None) -> tuple[xr.Dataset, Callable[[str], bool] | None]:
    """Return the stored variables, and for format 2 what tells whether a variable's fill value was declared."""
    store = GuardedStore(path, read_only=True)
    if group is not None and group not in (groups := _zarr_groups(path)):
        raise DataError(f"{path} has no group {group!r} with frames: there are {', '.join(groups) or 'none'}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # xarray: the store is not consolidated, which matters over a network
        stored = xr.open_zarr(store, group=group, chunks=None, decode_cf=False)
    members = zarr.open_group(store, path=group or "", mode="r")
    if members.metadata.zarr_format != 2:
        return stored, None
    return stored, lambda name: "_FillValue" in members[name].attrs or "missing_value" in members[name].attrs


def _zarr_groups(path: Path) -> list[str]:
    """Return the groups of a Zarr folder that hold arrays of three dimensions or more."""
    root = zarr.open_group(GuardedStore(path, read_only=True), mode="r")
    found = {name.rpartition("/")[0] for name, member in root.members(max_depth=4) if getattr(member, "ndim", 0) >= 3}
    return sorted(found - {""})


def _name_groups(path: Path) -> None:
    """Raise `DataError` if the frames are in groups, and name them."""
    with undamaged(path):
        groups = _zarr_groups(path) if path.is_dir() else netcdf_groups(path)
    if groups:
        raise DataError(
            f"the frames of {path} are in the group{'s' if len(groups) > 1 else ''} {', '.join(groups)}: "
            f"name one with --group, such as --group {groups[0]}"
        )

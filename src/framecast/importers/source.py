"""Reading frames out of a gridded file: rows upward, in plain units, a block of frames at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from framecast.core.errors import ConfigError, DataError, FramecastError
from framecast.data.archive.guard import GuardedStore, check_frame, undamaged
from framecast.importers.axes import Axes, AxisNames, find_axes
from framecast.importers.netcdf import open_netcdf
from framecast.videos.frames import nanoseconds

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


class Gridded:
    """An opened gridded file, its axes known.

    Attributes:
        axes: which dimension is which.
        channels: their names.
        unit: of the physical values; empty if the file says none.
        height: rows of a frame as it will be read.
        width: columns.
        flipped: whether rows are turned to run upward.
    """

    def __init__(self, path: Path, dataset: xr.Dataset, axes: Axes, reading: Reading) -> None:
        self._path, self._dataset, self.axes, self._reading = path, dataset, axes, reading
        first = dataset[axes.variables[0]]
        channels = len(axes.variables) * (int(first.sizes[axes.channel]) if axes.channel is not None else 1)
        check_frame(path, int(first.sizes[axes.y]), int(first.sizes[axes.x]), channels)
        self.channels = self._channels()
        units = [str(dataset[name].attrs.get("units", "")) for name in axes.variables]
        if len(set(units)) > 1:
            found = ", ".join(f"{name} in {unit or 'none'}" for name, unit in zip(axes.variables, units, strict=True))
            raise DataError(f"channels share one unit, and these do not: {found}; import them apart")
        self.unit = units[0]
        self.flipped = reading.flip_y or self._descends(axes.y)
        self._mirrored = self._descends(axes.x)
        self.rows = self._kept(axes.y, int(first.sizes[axes.y]))
        self.columns = self._kept(axes.x, int(first.sizes[axes.x]))
        self.height = (self.rows.stop - self.rows.start) // reading.coarsen
        self.width = (self.columns.stop - self.columns.start) // reading.coarsen

    @property
    def sequences(self) -> int:
        """How many videos it holds."""
        return int(self._dataset.sizes[self.axes.sequence]) if self.axes.sequence is not None else 1

    def label(self, sequence: int) -> str | None:
        """Return what the file calls a video, if it does."""
        dim = self.axes.sequence
        if dim is None or dim not in self._dataset.coords:
            return None
        return str(self._values(dim)[sequence])

    def times(self, sequence: int) -> npt.NDArray[np.datetime64]:
        """Return the times of a video's frames as stored; NaT where there is none."""
        times = self._dataset[self.axes.time]
        if self.axes.sequence in times.dims:
            times = times.isel({self.axes.sequence: sequence})
        with undamaged(self._path):
            values = times.values
        try:
            return nanoseconds(values)
        except ValueError as error:
            raise DataError(f"{self.axes.time}: {error}") from None

    def frames(self, sequence: int, indices: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.float32]]:
        """Yield frames ``[channel, y, x]`` of a video, in the order of ``indices``; a block of them is in memory."""
        stored = int(np.prod([self._dataset[self.axes.variables[0]].sizes[dim] for dim in (self.axes.y, self.axes.x)]))
        per_block = max(1, _BLOCK_BYTES // (4 * stored * len(self.channels)))
        for start in range(0, len(indices), per_block):
            with undamaged(self._path):
                block = self._block(sequence, indices[start : start + per_block])
            yield from block

    def positions(self) -> dict[str, tuple[str, npt.NDArray[np.float64], dict[str, str]]]:
        """Return the coordinates ``y`` and ``x`` of the pixels as they are read, where the file has them."""
        found = {}
        kept = (("y", self.axes.y, self.rows, self.flipped), ("x", self.axes.x, self.columns, self._mirrored))
        for name, dim, part, turned in kept:
            if dim not in self._dataset.coords or self._dataset[dim].dtype.kind not in "fiu":
                continue
            values = self._values(dim).astype(np.float64)[:: -1 if turned else 1][part]
            values = values.reshape(-1, self._reading.coarsen).mean(1)
            attrs = {
                key: str(self._dataset[dim].attrs[key])
                for key in ("units", "long_name")
                if key in self._dataset[dim].attrs
            }
            found[name] = (name, values, {**attrs, "name": dim})
        return found

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
            stored = array.values
            values = stored.astype(np.float32) * np.float32(reading.scale) + np.float32(reading.offset)
            if reading.missing is not None:
                values[stored == reading.missing] = np.nan
            parts.append(values)
        frames = np.concatenate(parts, axis=1)
        frames = frames[:, :, :: -1 if self.flipped else 1, :: -1 if self._mirrored else 1]
        frames = frames[:, :, self.rows, self.columns]
        k = reading.coarsen
        if k > 1:
            frames = frames.reshape(*frames.shape[:2], self.height, k, self.width, k).mean((3, 5), dtype=np.float32)
        return frames

    def _channels(self) -> list[str]:
        dim, names = self.axes.channel, list(self.axes.variables)
        if dim is None:
            return names
        count = int(self._dataset.sizes[dim])
        labels = (
            [str(value) for value in self._values(dim)]
            if dim in self._dataset.coords
            else [f"{dim}-{k}" for k in range(count)]
        )
        return labels if len(names) == 1 else [f"{name}-{label}" for name in names for label in labels]

    def _descends(self, dim: str) -> bool:
        if dim not in self._dataset.coords or self._dataset[dim].dtype.kind not in "fiu":
            return False
        values = self._values(dim)
        return len(values) > 1 and bool(values[0] > values[-1])

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


def open_gridded(path: str | Path, names: AxisNames, reading: Reading) -> Gridded:
    """Open a NetCDF file or a Zarr folder.

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
        dataset = _open_zarr(path) if path.is_dir() else open_netcdf(path)
    if str(kind := dataset.attrs.get("format", "")).startswith("framecast-"):
        raise FramecastError(f"{path} is a {str(kind).replace('-', ' ')} already: there is nothing to import")
    with undamaged(path):
        return Gridded(path, dataset, find_axes(dataset, names), reading)


def _open_zarr(path: Path) -> xr.Dataset:
    return xr.open_zarr(GuardedStore(path, read_only=True), chunks=None)

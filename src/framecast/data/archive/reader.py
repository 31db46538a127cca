"""The archive: many videos of one kind in one Zarr folder, one group per sequence.

A sequence is one place followed through time (a storm, the area of a radar). Its group reads as an ordinary
`xarray.Dataset`: ``xr.open_zarr(path, group=name)``; the whole archive as ``xr.open_datatree(path, engine="zarr")``.
The format is described in ``docs/data-format.md``, well enough to be written without this file.

Pixels are physical and unquantised. NaN is a pixel without a value (outside the image, out of the radar's range).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
import zarr

from framecast.core.domain import Domain, find_domain
from framecast.core.errors import DataError, FramecastError
from framecast.core.reading import read_json
from framecast.data.archive.arrays import only_chunk, open_array, open_arrays, read_whole
from framecast.data.archive.format import (
    ARCHIVE_FORMAT,
    CLASSES,
    DIMENSIONS,
    POSITIONS,
    ROOT_ATTRIBUTES,
    UNKNOWN,
    Header,
    check_channels,
    check_intensity,
    check_labels,
    check_packing,
    check_quality,
    check_times,
    decode_times,
    read_header,
    unusable,
)
from framecast.data.archive.guard import (
    MOST_DOCUMENT_BYTES,
    GuardedStore,
    check_frame,
    check_sequence,
    open_store,
    undamaged,
)
from framecast.data.archive.identity import CONTENT, LABELS, fingerprint
from framecast.data.archive.writer import ArchiveWriter
from framecast.videos.calendar import Calendar

__all__ = ["Archive", "ArchiveWriter", "open_archive"]


_BLOCK_BYTES = 64 * 2**20
"""Bytes of frames that are searched at once for unusable pixels."""

_KEPT_OPEN = 64
"""Sequences whose pixels are kept open."""

_OWN_ATTRIBUTES = (*ROOT_ATTRIBUTES, CLASSES, CONTENT, LABELS)


class Archive:
    """An archive opened for reading. Frames are read on demand; opening reads only metadata.

    Attributes:
        path: its folder.
        header: what all sequences have in common.
        attrs: the other attributes of the root.
        sequences: their names.
        channels: names along the channel axis.
        unit: physical unit of the intensity.
        cadence: nominal seconds between two frames.
        height: rows of a frame.
        width: columns of a frame.
        classes: names of the classes, in order; empty if frames have no labels.
    """

    def __init__(self, path: Path, header: Header, attrs: Mapping[str, Any]) -> None:
        """Use `Archive.open`."""
        self.path = path
        self.header = header
        self.channels, self.unit, self.cadence = header.channels, header.unit, header.cadence
        self.height, self.width, self.classes = header.height, header.width, header.classes
        self._all_attrs = dict(attrs)
        self.attrs = {name: value for name, value in attrs.items() if name not in _OWN_ATTRIBUTES}
        self.sequences: tuple[str, ...] = tuple(sorted(_groups(path)))
        self._opened: dict[str, _Sequence] = {}
        self._intensities: dict[str, zarr.Array] = {}
        self._channels_known: tuple[Any, bytes | None] = (None, None)
        if not self.sequences:
            raise DataError(f"{path} contains no sequence: write at least one group with an intensity into it")

    @classmethod
    def open(cls, path: str | Path) -> "Archive":
        """Open the archive at ``path``.

        Raises:
            DataError: it does not exist, is not an archive, or its version is newer than this package.
        """
        path = Path(path)
        root = _open_root(path)
        with undamaged(path):
            attrs = dict(root.attrs)
        ARCHIVE_FORMAT.check(attrs, str(path))
        header = read_header(path, attrs)
        check_frame(path, header.height, header.width, len(header.channels))
        with undamaged(path):
            return cls(path, header, attrs)

    @property
    def calendar(self) -> Calendar:
        """Calendar of all times, that of the first sequence."""
        return self._open(self.sequences[0]).calendar

    @property
    def domain(self) -> Domain:
        """What kind of data it is."""
        return find_domain(self.attrs, unit=self.unit, channels=self.channels)

    def __len__(self) -> int:
        return len(self.sequences)

    def __repr__(self) -> str:
        h = self.header
        return (
            f"Archive({str(self.path)!r}: {len(self)} sequences of {h.height}×{h.width} pixels, "
            f"{', '.join(h.channels)} in {h.unit}, every {h.cadence:g} s)"
        )

    def times(self, name: str) -> npt.NDArray[np.datetime64]:
        """Return the observation times of sequence ``name``, ``datetime64[ns]`` ``[time]``, strictly increasing.

        They are dates if `calendar` is the standard one; else see `framecast.videos.calendar`.
        """
        return self._open(name).times

    def quality(self, name: str) -> npt.NDArray[np.int64]:
        """Return the quality of each frame, ``int64`` ``[time]``: 0 is good, `MISSING` was never written."""
        return self._open(name).quality

    def labels(self, name: str) -> npt.NDArray[np.int64]:
        """Return the class of what follows each frame, ``int64`` ``[time]``: an index into `classes`, or `UNKNOWN`.

        Raises:
            DataError: the stored labels are not as documented.
        """
        count = len(self._open(name).times)
        if not self.classes or not self._has(name, "label"):
            return np.full(count, UNKNOWN, np.int64)
        with undamaged(f"{self.path}/{name}"):
            stored = read_whole(self._array(name, "label"))
        return check_labels(f"{self.path}/{name}", stored, count, self.classes)

    def unusable(self, name: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
        """Return the fraction of NaN and the number of infinite pixels of each frame, both ``[time, channel]``.

        They are stored in archives that framecast wrote; for others all frames are read.
        """
        frames = len(self._open(name).times)
        if self._has(name, "masked") and self._has(name, "infinite"):
            with undamaged(f"{self.path}/{name}"):
                masked, infinite = self._array(name, "masked"), self._array(name, "infinite")
                if masked.shape == infinite.shape == (frames, len(self.channels)):
                    return np.asarray(read_whole(masked), np.float32), np.asarray(read_whole(infinite), np.int32)
        frame_bytes = 4 * len(self.channels) * self.height * self.width
        rows = max(1, min(64, _BLOCK_BYTES // frame_bytes))
        parts = [
            unusable(self.read(name, np.arange(first, min(first + rows, frames))).swapaxes(0, 1))
            for first in range(0, frames, rows)
        ]
        return np.concatenate([masked for masked, _ in parts]), np.concatenate([infinite for _, infinite in parts])

    def read(
        self,
        name: str,
        indices: Sequence[int] | npt.NDArray[np.integer] | None = None,
        channels: Sequence[str] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Return frames of one sequence.

        Args:
            name: the sequence.
            indices: positions in time, in the order wanted; all when ``None``.
            channels: names, in the order wanted; all when ``None``.

        Returns:
            ``[channel, time, y, x]`` in the archive's unit, NaN where a pixel is masked.

        Raises:
            DataError: no such sequence, channel or frame.
        """
        count = len(self.times(name))
        columns = [self._channel(channel) for channel in (self.channels if channels is None else channels)]
        rows = np.arange(count) if indices is None else np.asarray(indices, dtype=np.int64)
        if rows.size == 0 or rows.min() < 0 or rows.max() >= count:
            raise DataError(f"frames {rows.tolist()} of {name} were requested; it has frames 0 to {count - 1}")
        # One contiguous read, then picking in memory: a window's frames share their chunks.
        first, left = int(rows.min()), min(columns)
        with undamaged(f"{self.path}/{name}"):
            block = self._intensity(name)[first : int(rows.max()) + 1, left : max(columns) + 1]
        picked = np.asarray(block)[np.ix_(rows - first, np.array(columns) - left)]
        return np.ascontiguousarray(picked.swapaxes(0, 1), dtype=np.float32)

    def sequence(self, name: str) -> xr.Dataset:
        """Return sequence ``name`` with all its variables; values are read when they are used."""
        self._open(name)
        store: Any = GuardedStore(self.path, read_only=True)
        stored = xr.open_dataset(
            store, engine="zarr", group=name, consolidated=False, chunks=None, decode_cf=False
        ).assign_coords(time=("time", self.calendar.dates(self.times(name)), {"standard_name": "time"}))
        return xr.decode_cf(stored, decode_times=False, decode_timedelta=False, decode_coords="all")

    def positions(self, name: str) -> dict[str, xr.Variable]:
        """Return the coordinates of the pixels of ``name``: ``y``, ``x``, and ``lat``, ``lon``, ``crs`` if any."""
        coords = self.sequence(name).coords
        return {axis: coords[axis].variable.load() for axis in POSITIONS if axis in coords}

    def fingerprint(self, *, labels: bool = True) -> str:
        """Return a text that is the same for the same content (see `framecast.data.archive.identity`)."""
        with undamaged(self.path):
            return fingerprint(self.path, self._all_attrs, labels=labels)

    def nbytes(self) -> int:
        """Return the bytes that all intensities take in memory as float32."""
        frame_bytes = 4 * len(self.channels) * self.height * self.width
        return sum(frame_bytes * len(self.times(name)) for name in self.sequences)

    def _channel(self, channel: str) -> int:
        if channel not in self.channels:
            raise DataError(f"channel {channel} is not in {self.path}; it has {', '.join(self.channels)}")
        return self.channels.index(channel)

    def _has(self, name: str, variable: str) -> bool:
        return any((self.path / name / variable / document).is_file() for document in ("zarr.json", ".zarray"))

    def _array(self, name: str, variable: str) -> zarr.Array:
        """Return a variable. It is opened anew: those of twenty thousand sequences would take gigabytes."""
        return open_array(self.path, f"{name}/{variable}")

    def _intensity(self, name: str) -> zarr.Array:
        """Return the pixels of a sequence; those of the last few are kept open."""
        if name not in self._intensities:
            if len(self._intensities) >= _KEPT_OPEN:
                del self._intensities[next(iter(self._intensities))]
            self._intensities[name] = self._array(name, "intensity")
        return self._intensities[name]

    def _open(self, name: str) -> "_Sequence":
        if name not in self._opened:
            with undamaged(f"{self.path}/{name}"):
                found = self._open_sequence(name)
            if name != self.sequences[0] and found.calendar != (own := self.calendar):
                try:
                    found = replace(found, times=own.on_this_clock(found.times, found.calendar), calendar=own)
                except DataError as error:
                    raise DataError(f"{self.path}: {error} (the first one is that of {self.sequences[0]})") from None
            self._opened[name] = found
        return self._opened[name]

    def _open_sequence(self, name: str) -> "_Sequence":
        if name not in self.sequences:
            raise DataError(f"{self.path} has no sequence {name}; it has {_listing(self.sequences)}")
        place = f"{self.path}/{name}"
        arrays = open_arrays(self.path, name, ("intensity", "time", "channel", "quality", "label"))
        if "intensity" not in arrays:
            raise DataError(f"{place} has no variable 'intensity' with dimensions {', '.join(DIMENSIONS)}")
        intensity = arrays["intensity"]
        attrs: dict[str, Any] = dict(intensity.attrs)
        named = getattr(intensity.metadata, "dimension_names", None) or attrs.get("_ARRAY_DIMENSIONS", ())
        dims = tuple(named) if isinstance(named, list | tuple) else (named,)
        check_packing(place, attrs)
        check_intensity(place, dims, intensity.shape, intensity.dtype, self.header)
        check_sequence(place, arrays, intensity.shape[0])
        if "time" not in arrays:
            raise DataError(f"{place} has no coordinate 'time': give each frame its observation time")
        times, calendar = decode_times(arrays["time"], place)
        times = check_times(place, times, intensity.shape[0])
        if "channel" in arrays:
            self._check_channels(place, arrays["channel"])
        quality = np.zeros(len(times), np.int64)
        if "quality" in arrays:
            quality = check_quality(place, read_whole(arrays["quality"]), len(times))
        return _Sequence(times, quality, calendar)

    def _check_channels(self, place: str, array: zarr.Array) -> None:
        """Raise `DataError` unless ``array`` names the archive's channels; what is stored alike is read once."""
        if array.shape != (len(self.channels),):
            raise DataError(f"{place} has channels of shape {list(array.shape)}; it must name each once")
        content = only_chunk(array)
        if content is None or self._channels_known != (array.metadata, content):
            check_channels(place, [str(value) for value in read_whole(array)], self.header)
            self._channels_known = array.metadata, content


@dataclass(frozen=True)
class _Sequence:
    """An opened and checked group."""

    times: npt.NDArray[np.datetime64]
    quality: npt.NDArray[np.int64]
    calendar: Calendar


def open_archive(path: str | Path) -> Archive:
    """Return the archive at ``path``, opened for reading; see `Archive.open`."""
    return Archive.open(path)


def _open_root(path: Path) -> zarr.Group:
    if not path.exists():
        raise DataError(
            f"{path} does not exist: give the path of an archive; `framecast import` creates one from NetCDF or Zarr"
        )
    try:
        return open_store(path, use_consolidated=False)
    except FramecastError:
        raise
    except (FileNotFoundError, NotADirectoryError, KeyError, ValueError, TypeError, zarr.errors.BaseZarrError):
        raise DataError(
            f"{path} is not a framecast archive (no Zarr group): `framecast import` creates one from NetCDF or Zarr"
        ) from None


def _groups(path: Path) -> Iterator[str]:
    """Yield the names of the groups in the store at ``path``, without making an object of each."""
    for folder in path.iterdir():
        if (folder / ".zgroup").is_file():
            yield folder.name
        elif (folder / "zarr.json").is_file():
            node = read_json(folder / "zarr.json", most=MOST_DOCUMENT_BYTES)
            if isinstance(node, dict) and node.get("node_type") == "group":
                yield folder.name


def _listing(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")

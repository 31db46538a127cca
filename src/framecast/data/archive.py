"""The archive: many videos of one kind in one Zarr folder, one group per sequence.

A sequence is one place followed through time (an active region, a radar domain). Its group reads as an ordinary
`xarray.Dataset`: ``xr.open_zarr(path, group=name)``; the whole archive as ``xr.open_datatree(path, engine="zarr")``.
The format is described in ``docs/data-format.md``, well enough to be written without this file.

Pixels are physical and unquantised. NaN is a pixel that was not seen (outside the image, off the disk).
"""

import json
import re
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import xarray as xr
import zarr
from zarr.codecs import BloscCodec, BloscShuffle

from framecast.errors import ConfigError, DataError
from framecast.files import new_folder

FORMAT = "framecast-archive"
VERSION = 1
MISSING = -1
"""The quality of a frame that has a place in the time axis but was never written."""

DIMENSIONS = ("time", "channel", "y", "x")
_HEADER = ("format", "version", "channels", "unit", "cadence", "height", "width")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}")
_TIME_ENCODING = {"units": "microseconds since 1970-01-01", "calendar": "proleptic_gregorian", "dtype": "int64"}
_CHUNK_BYTES = 256 * 1024
_BLOCK_BYTES = 1024 * 1024
_SHARD_BYTES = 64 * 1024 * 1024
_BUFFER_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Header:
    """What all sequences of an archive have in common.

    Attributes:
        channels: names along the channel axis, in order.
        unit: physical unit of the intensity.
        cadence: nominal seconds between two frames.
        height: rows of a frame.
        width: columns of a frame.
    """

    channels: tuple[str, ...]
    unit: str
    cadence: float
    height: int
    width: int

    def __post_init__(self) -> None:
        if not self.channels or len(set(self.channels)) != len(self.channels) or not all(self.channels):
            raise ConfigError(f"channels are {list(self.channels)}; name at least one channel, each once")
        for name in ("cadence", "height", "width"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be positive")


class Archive:
    """An archive opened for reading. Nothing but metadata is read until frames are asked for."""

    def __init__(self, path: Path, root: zarr.Group, header: Header, attrs: Mapping[str, Any]) -> None:
        """Use `Archive.open`."""
        self.path = path
        self.header = header
        self.attrs = dict(attrs)
        self.sequences: tuple[str, ...] = tuple(sorted(root.group_keys()))
        self._root = root
        self._open = lru_cache(maxsize=None)(self._open_sequence)
        if not self.sequences:
            raise DataError(f"{path} holds no sequence: write at least one group with an intensity into it")

    @classmethod
    def open(cls, path: str | Path) -> "Archive":
        """Open the archive at ``path``.

        Raises:
            DataError: there is none, it is something else, or its version is newer than this package.
        """
        path = Path(path)
        root = _open_root(path)
        attrs = dict(root.attrs)
        found = attrs.get("format")
        if found != FORMAT:
            what = f"its format is {found!r}" if found else "its root has no attribute 'format'"
            raise DataError(f"{path} is not a framecast archive ({what}): see docs/data-format.md on how to write one")
        version = attrs.get("version")
        if not isinstance(version, int) or version < 1:
            raise DataError(f"{path} has format version {version!r}; it must be a whole number from 1 to {VERSION}")
        if version > VERSION:
            raise DataError(
                f"{path} is written in version {version} of the archive format and this framecast reads up to "
                f"{VERSION}: pip install --upgrade framecast"
            )
        others = {key: value for key, value in attrs.items() if key not in _HEADER}
        return cls(path, root, _read_header(path, attrs), others)

    @property
    def channels(self) -> tuple[str, ...]:
        """Names along the channel axis."""
        return self.header.channels

    @property
    def unit(self) -> str:
        """Physical unit of the intensity."""
        return self.header.unit

    @property
    def cadence(self) -> float:
        """Nominal seconds between two frames."""
        return self.header.cadence

    @property
    def height(self) -> int:
        """Rows of a frame."""
        return self.header.height

    @property
    def width(self) -> int:
        """Columns of a frame."""
        return self.header.width

    def __len__(self) -> int:
        return len(self.sequences)

    def __repr__(self) -> str:
        h = self.header
        return (
            f"Archive({str(self.path)!r}: {len(self)} sequences of {h.height}×{h.width} pixels, "
            f"{', '.join(h.channels)} in {h.unit}, every {h.cadence:g} s)"
        )

    def times(self, name: str) -> npt.NDArray[np.datetime64]:
        """Return the observation times of sequence ``name``, ``datetime64[ns]`` ``[time]``, strictly increasing."""
        return self._open(name).times

    def quality(self, name: str) -> npt.NDArray[np.int64]:
        """Return the quality of each frame, ``int64`` ``[time]``: 0 is good, `MISSING` was never written."""
        return self._open(name).quality

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
        sequence = self._open(name)
        columns = [self._channel(channel) for channel in (self.channels if channels is None else channels)]
        rows = np.arange(len(sequence.times)) if indices is None else np.asarray(indices, dtype=np.int64)
        if rows.size == 0 or rows.min() < 0 or rows.max() >= len(sequence.times):
            raise DataError(
                f"frames {list(rows)} of {name} were asked for; it has frames 0 to {len(sequence.times) - 1}"
            )
        # One contiguous read, then picking in memory: a window's frames share their chunks.
        first, left = int(rows.min()), min(columns)
        block = sequence.intensity[first : int(rows.max()) + 1, left : max(columns) + 1]
        picked = np.asarray(block)[np.ix_(rows - first, np.array(columns) - left)]
        return np.ascontiguousarray(picked.swapaxes(0, 1), dtype=np.float32)

    def sequence(self, name: str) -> xr.Dataset:
        """Return sequence ``name`` with all its variables; values are read when they are used."""
        self._open(name)
        return xr.open_dataset(self.path, engine="zarr", group=name, consolidated=False, chunks=None)

    def nbytes(self) -> int:
        """Return the bytes that all intensities take in memory as float32."""
        return sum(4 * self._open(name).intensity.size for name in self.sequences)

    def _channel(self, channel: str) -> int:
        if channel not in self.channels:
            raise DataError(f"channel {channel} is not in {self.path}; it has {', '.join(self.channels)}")
        return self.channels.index(channel)

    def _open_sequence(self, name: str) -> "_Sequence":
        if name not in self.sequences:
            raise DataError(f"{self.path} has no sequence {name}; it has {_listing(self.sequences)}")
        group = self._root[name]
        assert isinstance(group, zarr.Group)
        place = f"{self.path}/{name}"
        arrays = dict(group.arrays())
        if "intensity" not in arrays:
            raise DataError(f"{place} has no variable 'intensity' with dimensions {', '.join(DIMENSIONS)}")
        intensity = arrays["intensity"]
        dims = tuple(getattr(intensity.metadata, "dimension_names", None) or ())
        check_intensity(place, dims, intensity.shape, intensity.dtype, self.header)
        if "time" not in arrays:
            raise DataError(f"{place} has no coordinate 'time': give each frame its observation time")
        times = check_times(place, _decode(arrays["time"], "time", place), intensity.shape[0])
        if "channel" in arrays:
            check_channels(place, [str(value) for value in np.asarray(arrays["channel"][:])], self.header)
        quality = np.zeros(len(times), np.int64)
        if "quality" in arrays:
            quality = check_quality(place, np.asarray(arrays["quality"][:]), len(times))
        return _Sequence(group, intensity, times, quality)


@dataclass(frozen=True)
class _Sequence:
    """An opened and checked group."""

    group: zarr.Group
    intensity: zarr.Array
    times: npt.NDArray[np.datetime64]
    quality: npt.NDArray[np.int64]


class ArchiveWriter(AbstractContextManager["ArchiveWriter"]):
    """Writes an archive that is whole or absent: it gets its name when the ``with`` block ends well.

    Sequences are written whole with `add`, or announced with `create` and filled frame by frame with `write`, in any
    order and any number at once. Frames wait in memory until their block of the file is complete, so that no block is
    written twice; the memory for that is bounded.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        channels: Sequence[str],
        unit: str,
        cadence: float,
        height: int,
        width: int,
        attrs: Mapping[str, Any] | None = None,
        overwrite: bool = False,
    ) -> None:
        """Describe the archive; nothing is written before the ``with`` block.

        Args:
            path: the final name.
            channels: names along the channel axis.
            unit: physical unit of the intensity, for instance ``DN/s``.
            cadence: nominal seconds between two frames.
            height: rows of a frame.
            width: columns of a frame.
            attrs: anything else worth keeping, JSON-like. ``independent_sequences: true`` states that no two
                sequences show the same thing, so that they may be split between training and test.
            overwrite: whether an existing ``path`` may be replaced.

        Raises:
            ConfigError: no or repeated channels, or a size or cadence that is not positive.
        """
        self.header = Header(
            channels=tuple(map(str, channels)), unit=unit, cadence=float(cadence), height=int(height), width=int(width)
        )
        self._attrs = _plain(attrs or {})
        taken = sorted(set(self._attrs) & set(_HEADER))
        if taken:
            raise ConfigError(f"attributes {', '.join(taken)} are set by the archive itself: choose other names")
        self._folder = new_folder(path, overwrite=overwrite)
        self._sequences: dict[str, _Filling] = {}
        self._blocks: dict[tuple[str, int], _Block] = {}

    def __enter__(self) -> Self:
        self._path = self._folder.__enter__()
        try:
            h = self.header
            own: dict[str, Any] = {
                "format": FORMAT,
                "version": VERSION,
                "channels": list(h.channels),
                "unit": h.unit,
                "cadence": h.cadence,
                "height": h.height,
                "width": h.width,
            }
            self._root = zarr.open_group(self._path, mode="w", zarr_format=3, attributes=own | self._attrs)
        except BaseException:
            self._folder.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            try:
                self._finish()
            except BaseException:
                self._folder.__exit__(*sys.exc_info())
                raise
        self._folder.__exit__(kind, error, traceback)

    def add(self, name: str, dataset: xr.Dataset) -> None:
        """Write one whole sequence.

        Args:
            name: letters, digits and ``_ . + -``.
            dataset: ``intensity[time, channel, y, x]`` with coordinate ``time``; optional ``quality[time]`` (0 is
                good), ``channel``, ``y``, ``x`` and any further variables and attributes, which are kept.

        Raises:
            DataError: the name is taken or unsafe, or the dataset is not as described.
        """
        if "intensity" not in dataset:
            raise DataError(f"{name} has no variable 'intensity' with dimensions {', '.join(DIMENSIONS)}")
        intensity = dataset["intensity"]
        check_intensity(name, tuple(map(str, intensity.dims)), intensity.shape, intensity.dtype, self.header)
        if "time" not in dataset.coords:
            raise DataError(f"{name} has no coordinate 'time': give each frame its observation time")
        count = intensity.shape[0]
        if "channel" in dataset.coords:
            check_channels(name, [str(value) for value in dataset["channel"].values], self.header)
        quality = np.zeros(count, np.int64)
        if "quality" in dataset:
            quality = check_quality(name, dataset["quality"].values, count)
        others = dataset.drop_vars(["intensity", "quality"], errors="ignore")
        filling = self._create(name, others, block_bytes=_SHARD_BYTES, attrs=intensity.attrs)
        for start in range(0, count, filling.block):
            stop = min(start + filling.block, count)
            filling.intensity[start:stop] = np.asarray(intensity[start:stop].values, dtype=np.float32)
        filling.quality[:] = quality

    def create(
        self,
        name: str,
        times: npt.ArrayLike,
        *,
        coords: Mapping[str, Any] | None = None,
        variables: Mapping[str, Any] | None = None,
        attrs: Mapping[str, Any] | None = None,
    ) -> None:
        """Announce a sequence whose frames will come one by one (see `write`).

        Args:
            name: letters, digits and ``_ . + -``.
            times: observation time of every frame, strictly increasing; frames that never come stay `MISSING`.
            coords: further coordinates as xarray takes them, for instance ``{"x": ("x", x, {"units": "arcsec"})}``.
            variables: further variables as xarray takes them, for instance ``{"angle": ("time", angle)}``.
            attrs: attributes of the sequence, JSON-like.

        Raises:
            DataError: the name is taken or unsafe, or the times are not strictly increasing.
        """
        coordinates = {"time": ("time", np.asarray(times)), **(coords or {})}
        self._create(name, xr.Dataset(variables or {}, coordinates, attrs or {}), block_bytes=_BLOCK_BYTES, attrs={})

    def write(self, name: str, index: int, frame: npt.ArrayLike, *, quality: int = 0) -> None:
        """Write one frame of a sequence announced with `create`.

        Args:
            name: the sequence.
            index: position in its times.
            frame: ``[channel, y, x]`` in the archive's unit, NaN where a pixel is masked.
            quality: 0 is good, anything positive keeps the frame out of windows.

        Raises:
            DataError: the sequence was not created, or index or shape do not fit it.
        """
        if name not in self._sequences:
            raise DataError(f"sequence {name} was not created: call create(name, times) before write")
        filling = self._sequences[name]
        if not 0 <= index < len(filling.quality):
            raise DataError(f"frame {index} of {name} was written; it has frames 0 to {len(filling.quality) - 1}")
        values = np.asarray(frame, dtype=np.float32)
        if values.shape != filling.intensity.shape[1:]:
            raise DataError(
                f"a frame of {name} has shape {list(values.shape)}; "
                f"it must be [channel, y, x] = {list(filling.intensity.shape[1:])}"
            )
        number, row = divmod(index, filling.block)
        block = self._block(name, number)
        block.values[row] = values
        block.written[row] = True
        filling.quality[index] = quality
        if block.written.all():
            self._flush(name, number)

    def annotate(self, name: str, variables: xr.Dataset) -> None:
        """Add ``variables`` (and attributes) to a sequence already created, such as what was learnt while filling it.

        Raises:
            DataError: the sequence was not created, or a variable exists already.
        """
        if name not in self._sequences:
            raise DataError(f"sequence {name} was not created: call create(name, times) before annotate")
        taken = sorted(set(map(str, variables.variables)) & set(self._root.require_group(name).array_keys()))
        if taken:
            raise DataError(f"{name} has {', '.join(taken)} already: choose other names")
        _write_group(self._path, name, variables, mode="a")

    def _create(self, name: str, others: xr.Dataset, *, block_bytes: int, attrs: Mapping[str, Any]) -> "_Filling":
        if not _NAME.fullmatch(name):
            raise DataError(
                f"{name!r} cannot name a sequence: begin with a letter or digit, then up to 99 more of these or _ . + -"
            )
        if name in self._sequences:
            raise DataError(f"sequence {name} was added before: give each sequence its own name")
        times = check_times(name, np.asarray(others["time"].values), others.sizes["time"])
        count, h = len(times), self.header
        frame_bytes = 4 * h.height * h.width
        chunk = min(count, max(1, _CHUNK_BYTES // frame_bytes))
        per_block = max(1, block_bytes // (chunk * frame_bytes * len(h.channels)))
        block = chunk * min(per_block, -(-count // chunk))
        coordinates = {
            "time": ("time", times, {"standard_name": "time"} | others["time"].attrs, _TIME_ENCODING),
            "channel": ("channel", np.array(h.channels, dtype=object)),
        }
        for axis, size in (("y", h.height), ("x", h.width)):
            if axis not in others.coords:
                coordinates[axis] = (axis, np.arange(size, dtype=np.float64), {"units": "pixel"})
        _write_group(self._path, name, others.assign_coords(coordinates), mode="w-")
        group = self._root.require_group(name)
        intensity = group.create_array(
            "intensity",
            shape=(count, len(h.channels), h.height, h.width),
            chunks=(chunk, 1, h.height, h.width),
            shards=None if block == chunk and len(h.channels) == 1 else (block, len(h.channels), h.height, h.width),
            dtype="float32",
            fill_value=float("nan"),
            compressors=BloscCodec(cname="zstd", clevel=5, shuffle=BloscShuffle.shuffle),
            dimension_names=DIMENSIONS,
            attributes=_plain(attrs) | {"units": h.unit, "coordinates": "time channel y x"},
        )
        filling = _Filling(intensity, np.full(count, MISSING, np.int64), block)
        self._sequences[name] = filling
        return filling

    def _block(self, name: str, number: int) -> "_Block":
        key = name, number
        if key not in self._blocks:
            filling = self._sequences[name]
            start = number * filling.block
            shape = (min(filling.block, len(filling.quality) - start), *filling.intensity.shape[1:])
            while self._blocks and sum(block.values.nbytes for block in self._blocks.values()) > _BUFFER_BYTES:
                self._flush(*next(iter(self._blocks)))
            values = np.full(shape, np.nan, np.float32)
            if number in filling.flushed:
                values = np.asarray(filling.intensity[start : start + shape[0]])
            self._blocks[key] = _Block(values, filling.quality[start : start + shape[0]] != MISSING)
        return self._blocks[key]

    def _flush(self, name: str, number: int) -> None:
        block, filling = self._blocks.pop((name, number)), self._sequences[name]
        start = number * filling.block
        filling.intensity[start : start + len(block.values)] = block.values
        filling.flushed.add(number)

    def _finish(self) -> None:
        if not self._sequences:
            raise DataError("the archive would hold no sequence: nothing is written")
        for name, number in list(self._blocks):
            self._flush(name, number)
        for name, filling in self._sequences.items():
            meaning = "0 is good, -1 was never written, anything else is the instrument's reason for doubt"
            group = self._root.require_group(name)
            quality = group.create_array(
                "quality",
                data=filling.quality,
                dimension_names=("time",),
                attributes={"long_name": "quality of the frame", "comment": meaning, "coordinates": "time"},
            )
            assert quality.shape == filling.quality.shape
        consolidate(self._path, self._sequences)


@dataclass
class _Filling:
    """A sequence being written."""

    intensity: zarr.Array
    quality: npt.NDArray[np.int64]
    block: int

    def __post_init__(self) -> None:
        self.flushed: set[int] = set()


@dataclass
class _Block:
    """Frames of one sequence that wait for their neighbours."""

    values: npt.NDArray[np.float32]
    written: npt.NDArray[np.bool_]


def check_intensity(place: str, dims: Sequence[str], shape: Sequence[int], dtype: Any, header: Header) -> None:
    """Raise `DataError` unless the intensity of the sequence at ``place`` is as documented."""
    if tuple(dims) != DIMENSIONS:
        raise DataError(
            f"intensity of {place} has dimensions ({', '.join(dims)}); "
            f"they must be ({', '.join(DIMENSIONS)}): transpose it"
        )
    if np.dtype(dtype).kind != "f":
        raise DataError(f"intensity of {place} is {dtype}; it must be float32 in {header.unit}: convert it with astype")
    expected = (len(header.channels), header.height, header.width)
    if tuple(shape[1:]) != expected:
        raise DataError(
            f"intensity of {place} has [channel, y, x] = {list(shape[1:])}; "
            f"the archive's attributes say {list(expected)}"
        )
    if shape[0] == 0:
        raise DataError(f"{place} has no frame: leave the sequence out")


def check_times(place: str, times: npt.NDArray[Any], count: int) -> npt.NDArray[np.datetime64]:
    """Return ``times`` as ``datetime64[ns]``, or raise `DataError` unless they are strictly increasing."""
    if times.ndim != 1 or len(times) != count:
        raise DataError(
            f"time of {place} has shape {list(times.shape)}; it must have one entry for each of {count} frames"
        )
    if times.dtype.kind != "M":
        raise DataError(
            f"time of {place} is {times.dtype}; it must be datetime64 (on disk: CF time with units 'seconds since …')"
        )
    if np.isnat(times).any():
        raise DataError(f"time of {place} is NaT at frame {int(np.isnat(times).argmax())}: give each frame its time")
    times = times.astype("datetime64[ns]")
    steps = np.diff(times)
    if (steps == np.timedelta64(0)).any():
        k = int((steps == np.timedelta64(0)).argmax())
        raise DataError(f"time of {place} has {_iso(times[k])} twice (frames {k} and {k + 1}): drop one of them")
    if (steps < np.timedelta64(0)).any():
        k = int((steps < np.timedelta64(0)).argmax())
        raise DataError(f"time of {place} runs backwards after frame {k} ({_iso(times[k])}): sort the frames by time")
    return times


def check_channels(place: str, channels: Sequence[str], header: Header) -> None:
    """Raise `DataError` unless the sequence at ``place`` has the archive's channels in the archive's order."""
    if tuple(channels) != header.channels:
        raise DataError(
            f"{place} has channels {list(channels)}; the archive's are {list(header.channels)}, in this order"
        )


def check_quality(place: str, quality: npt.NDArray[Any], count: int) -> npt.NDArray[np.int64]:
    """Return ``quality`` as int64, or raise `DataError` unless it has one whole number for each frame."""
    if quality.shape != (count,) or quality.dtype.kind not in "iub":
        raise DataError(
            f"quality of {place} is {quality.dtype} {list(quality.shape)}; "
            f"it must be one whole number for each of {count} frames"
        )
    return quality.astype(np.int64)


def consolidate(path: Path, groups: Iterable[str] = ()) -> None:
    """Gather the metadata of the Zarr store at ``path`` and of its ``groups``, so that opening is one read.

    Zarr warns that the consolidated form is no part of the format 3 specification yet; readers that do not know it
    ignore it.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        for name in groups:
            zarr.consolidate_metadata(path, path=name, zarr_format=3)
        zarr.consolidate_metadata(path, zarr_format=3)


def storable(dataset: xr.Dataset) -> xr.Dataset:
    """Return ``dataset`` with strings in the one form that Zarr 3 specifies (variable-length UTF-8)."""
    text = {name: v.astype(object) for name, v in dataset.variables.items() if v.dtype.kind in "UT"}
    return dataset.assign({k: v for k, v in text.items() if k not in dataset.coords}).assign_coords(
        {k: v for k, v in text.items() if k in dataset.coords}
    )


def _write_group(path: Path, name: str, dataset: xr.Dataset, *, mode: Any) -> None:
    dataset = storable(dataset).assign_attrs(_plain(dataset.attrs))
    dataset.to_zarr(path, group=name, mode=mode, zarr_format=3, consolidated=False)


def _open_root(path: Path) -> zarr.Group:
    if not path.exists():
        raise DataError(
            f"{path} does not exist: name an archive, such as framecast synth or framecast solar prepare write"
        )
    try:
        return zarr.open_group(path, mode="r")
    except (FileNotFoundError, NotADirectoryError, KeyError, ValueError, zarr.errors.BaseZarrError):
        raise DataError(f"{path} is not a framecast archive (no Zarr group): see docs/data-format.md") from None


def _read_header(path: Path, attrs: Mapping[str, Any]) -> Header:
    missing = [name for name in _HEADER if name not in attrs]
    if missing:
        raise DataError(f"{path} lacks the root attributes {', '.join(missing)}: see docs/data-format.md")
    channels = attrs["channels"]
    try:
        if not isinstance(channels, list) or not all(isinstance(name, str) for name in channels):
            raise ConfigError(f"channels are {channels!r}; they must be a list of strings")
        if int(attrs["height"]) != attrs["height"] or int(attrs["width"]) != attrs["width"]:
            raise ConfigError("height and width must be whole numbers")
        return Header(
            channels=tuple(channels),
            unit=str(attrs["unit"]),
            cadence=float(attrs["cadence"]),
            height=int(attrs["height"]),
            width=int(attrs["width"]),
        )
    except (ConfigError, TypeError, ValueError) as error:
        raise DataError(f"{path} has unusable root attributes: {error}") from None


def _decode(array: zarr.Array, dimension: str, place: str) -> npt.NDArray[Any]:
    variable = xr.Variable((dimension,), np.asarray(array[:]), dict(array.attrs)) if array.ndim == 1 else None
    if variable is None:
        raise DataError(f"{dimension} of {place} has {array.ndim} dimensions; it must have one")
    try:
        return xr.conventions.decode_cf_variable(dimension, variable).values
    except (ValueError, OverflowError):
        units = array.attrs.get("units")
        raise DataError(
            f"{dimension} of {place} has units {units!r}; they must be CF, such as 'seconds since 1970-01-01'"
        ) from None


def _plain(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``attrs`` as JSON holds them: NumPy numbers and arrays become numbers and lists."""
    try:
        return json.loads(json.dumps(dict(attrs), default=lambda value: value.tolist()))
    except (TypeError, AttributeError, ValueError) as error:
        raise DataError(
            f"attributes must be text, numbers, true, false, null, lists or mappings of these: {error}"
        ) from None


def _listing(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _iso(time: np.datetime64) -> str:
    return str(np.datetime_as_string(time, unit="s"))

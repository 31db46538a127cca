"""Writing archives: sequence by sequence, or many sequences at once frame by frame; atomically."""

import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import xarray as xr
import zarr
from zarr.codecs import BloscCodec, BloscShuffle

from framecast.core.errors import ConfigError, DataError
from framecast.core.files import ARCHIVE, building, clear, partial_path, publish
from framecast.core.resume import record_path
from framecast.data.archive.format import (
    ARCHIVE_FORMAT,
    CLASSES,
    DIMENSIONS,
    MISSING,
    ROOT_ATTRIBUTES,
    Header,
    check_channels,
    check_intensity,
    check_labels,
    check_quality,
    check_times,
    consolidate,
    plain,
)
from framecast.data.archive.groups import GroupWriter
from framecast.data.archive.identity import CONTENT, LABELS, content_digest
from framecast.data.archive.pending import PendingBlock, PendingSequence
from framecast.videos.calendar import Calendar
from framecast.videos.directions import falling_axes
from framecast.videos.frames import as_float32
from framecast.videos.units import known, same_unit

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}")
_NANOSECONDS = {"units": "nanoseconds since 1970-01-01", "calendar": "proleptic_gregorian"}
_CHUNK_BYTES = 256 * 1024
_BLOCK_BYTES = 1024 * 1024
_SHARD_BYTES = 64 * 1024 * 1024
_BUFFER_BYTES = 512 * 1024 * 1024


class ArchiveWriter(AbstractContextManager["ArchiveWriter"]):
    """Writes an archive atomically: it gets its name when the ``with`` block ends without an error.

    Sequences are written whole with `add`, or announced with `create` and filled frame by frame with `write`, in any
    order. Frames wait in memory until their block of the file is complete, so that no block is written twice; the
    memory for that is bounded, and beyond some 500 sequences filled at once blocks are written early and read again.

    `framecast.data.archive.resumable.ResumableArchiveWriter` keeps what is complete when it is interrupted.
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
        classes: Sequence[str] = (),
        calendar: Calendar = Calendar(),
        attrs: Mapping[str, Any] | None = None,
        overwrite: bool = False,
    ) -> None:
        """Describe the archive; nothing is written before the ``with`` block.

        Args:
            path: the final name.
            channels: names along the channel axis.
            unit: physical unit of the intensity, for instance ``mm/h``.
            cadence: nominal seconds between two frames.
            height: rows of a frame.
            width: columns of a frame.
            classes: names of what the labels of frames mean, in order; see `framecast.data.labels`.
            calendar: how the times of frames are read, which are on its clock; see `framecast.videos.calendar`.
            attrs: further attributes, JSON-like. ``independent_sequences: true`` states that the sequences are
                independent, so that they may be split between training and test.
            overwrite: whether an existing ``path`` may be replaced.

        Raises:
            ConfigError: no or repeated channels, or a size or cadence that is not positive.
        """
        self.header = Header(
            channels=tuple(map(str, channels)),
            unit=unit,
            cadence=float(cadence),
            height=int(height),
            width=int(width),
            classes=tuple(classes),
            calendar=calendar,
        )
        self._attrs = plain(attrs or {})
        taken = sorted(set(self._attrs) & {*ROOT_ATTRIBUTES, CLASSES, CONTENT, LABELS})
        if taken:
            raise ConfigError(f"attributes {', '.join(taken)} are set by the archive itself: choose other names")
        self._final, self._overwrite = Path(path), overwrite
        self._path = partial_path(self._final)
        self._held = ExitStack()
        self._groups = GroupWriter(self._path)
        self._sequences: dict[str, PendingSequence] = {}
        self._blocks: dict[tuple[str, int], PendingBlock] = {}

    def __enter__(self) -> Self:
        with ExitStack() as held:
            held.enter_context(building(self._final, overwrite=self._overwrite, kind=ARCHIVE))
            try:
                self._begin()
            except BaseException as error:
                self._abandon(error)
                raise
            self._held = held.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._held:
            try:
                if error is None:
                    self._finish()
                    publish(self._path, self._final)
            except BaseException as failure:
                self._abandon(failure)
                raise
            if error is None:
                self._published()
            else:
                self._abandon(error)

    def _begin(self) -> None:
        """Make an empty archive, whatever another process left."""
        record_path(self._final).unlink(missing_ok=True)
        self._make_root()

    def _make_root(self) -> None:
        """Make an empty archive in the folder that this process holds."""
        clear(self._path)
        h = self.header
        own: dict[str, Any] = {
            **ARCHIVE_FORMAT.header(),
            "channels": list(h.channels),
            "unit": h.unit,
            "cadence": h.cadence,
            "height": h.height,
            "width": h.width,
        }
        own |= {CLASSES: list(h.classes)} if h.classes else {}
        self._root = zarr.open_group(self._path, mode="w-", zarr_format=3, attributes=own | self._attrs)

    def _created(self, name: str, sequence: PendingSequence) -> None:
        """Called when a sequence has been created on disk."""

    def _completed(self, name: str, number: int) -> None:
        """Called when a block is complete on disk."""

    def _published(self) -> None:
        """Called when the archive has its final name."""

    def _abandon(self, error: BaseException) -> None:
        """Delete what is not complete."""
        shutil.rmtree(self._path, ignore_errors=True)

    def add(self, name: str, dataset: xr.Dataset) -> None:
        """Write one whole sequence.

        Args:
            name: letters, digits and ``_ . + -``.
            dataset: ``intensity[time, channel, y, x]`` with coordinate ``time``; optional ``quality[time]`` (0 is
                good), ``label[time]`` (see ``classes``), ``channel``, ``y``, ``x`` and any further variables and
                attributes, which are kept; ``masked`` and ``infinite`` are counted anew.

        Raises:
            DataError: the name is taken or unsafe, or the dataset is not as described.
        """
        if "intensity" not in dataset:
            raise DataError(f"{name} has no variable 'intensity' with dimensions {', '.join(DIMENSIONS)}")
        intensity = dataset["intensity"]
        check_intensity(name, tuple(map(str, intensity.dims)), intensity.shape, intensity.dtype, self.header)
        if "time" not in dataset.coords:
            raise DataError(f"{name} has no coordinate 'time': give each frame its observation time")
        own, unit = str(intensity.attrs.get("units", "")), self.header.unit
        if not same_unit(own, unit) and known(own) and known(unit):
            raise DataError(f"{name} is in {own}, and the archive in {unit}: convert it first")
        count = intensity.shape[0]
        if "channel" in dataset.coords:
            check_channels(name, [str(value) for value in dataset["channel"].values], self.header)
        quality = np.zeros(count, np.int64)
        if "quality" in dataset:
            quality = check_quality(name, dataset["quality"].values, count)
        if "label" in dataset:
            check_labels(name, dataset["label"].values, count, self.header.classes)
        others = dataset.drop_vars(["intensity", "quality", "masked", "infinite"], errors="ignore")
        pending = self._create(name, others, block_bytes=_SHARD_BYTES, attrs=intensity.attrs)
        pending.quality[:] = quality
        for number, start in enumerate(range(0, count, pending.block)):
            values = np.asarray(intensity[start : start + pending.block].values, dtype=np.float32)
            pending.count(start, values)
            pending.store(number, values, complete=True)
            self._completed(name, number)

    def create(
        self,
        name: str,
        times: npt.ArrayLike,
        *,
        coords: Mapping[str, Any] | None = None,
        variables: Mapping[str, Any] | None = None,
        attrs: Mapping[str, Any] | None = None,
    ) -> None:
        """Announce a sequence whose frames are written one by one (see `write`).

        Args:
            name: letters, digits and ``_ . + -``.
            times: observation time of every frame, strictly increasing; frames never written stay `MISSING`.
            coords: further coordinates as xarray takes them, for instance ``{"x": ("x", x, {"units": "km"})}``.
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
            raise DataError(f"sequence {name} has not been created: call create(name, times) before write")
        pending = self._sequences[name]
        if not 0 <= index < len(pending.quality):
            raise DataError(f"frame {index} of {name} was written; it has frames 0 to {len(pending.quality) - 1}")
        values = as_float32(frame)
        if values.shape != pending.intensity.shape[1:]:
            raise DataError(
                f"a frame of {name} has shape {list(values.shape)}; "
                f"it must be [channel, y, x] = {list(pending.intensity.shape[1:])}"
            )
        number, row = divmod(index, pending.block)
        block = self._block(name, number)
        block.values[row] = values
        block.written[row] = True
        pending.count(index, values[None])
        pending.quality[index] = quality
        if block.written.all():
            self._flush(name, number)

    def skip(self, name: str, index: int) -> None:
        """Declare that a frame of a sequence announced with `create` will never be written: it stays `MISSING`."""
        number, row = divmod(index, self._sequences[name].block)
        block = self._block(name, number)
        block.written[row] = True
        if block.written.all():
            self._flush(name, number)

    def annotate(self, name: str, variables: xr.Dataset) -> None:
        """Add ``variables`` (and attributes) to a sequence already created, such as results computed while writing it.

        Raises:
            DataError: the sequence was not created, or a variable exists already.
        """
        if name not in self._sequences:
            raise DataError(f"sequence {name} has not been created: call create(name, times) before annotate")
        taken = sorted(set(map(str, variables.variables)) & set(self._root.require_group(name).array_keys()))
        if taken:
            raise DataError(f"{name} has {', '.join(taken)} already: choose other names")
        self._groups.write(name, variables, mode="a")

    def _create(self, name: str, others: xr.Dataset, *, block_bytes: int, attrs: Mapping[str, Any]) -> PendingSequence:
        if not _NAME.fullmatch(name):
            raise DataError(
                f"{name!r} cannot name a sequence: begin with a letter or digit, then up to 99 more of these or _ . + -"
            )
        if name in self._sequences:
            raise DataError(f"sequence {name} has already been added: give each sequence a unique name")
        times = check_times(name, np.asarray(others["time"].values), others.sizes["time"])
        count, h = len(times), self.header
        for axis, size in (("channel", len(h.channels)), ("y", h.height), ("x", h.width)):
            if others.sizes.get(axis, size) != size:
                raise DataError(
                    f"{name} has a coordinate or variable with {others.sizes[axis]} {axis}; it must be {size}"
                )
        if falling := falling_axes(others.coords):
            raise DataError(
                f"{name} has coordinates that fall along {' and '.join('yx'[axis] for axis in falling)}: row 0 of a "
                "frame is the lowest y and column 0 the lowest x: flip the frames and the coordinates"
            )
        frame_bytes = 4 * h.height * h.width
        chunk = min(count, max(1, _CHUNK_BYTES // frame_bytes))
        per_block = max(1, block_bytes // (chunk * frame_bytes * len(h.channels)))
        block = chunk * min(per_block, -(-count // chunk))
        clock = {"standard_name": "time"} | others["time"].attrs
        coordinates: dict[str, Any] = {
            "time": ("time", *_encoded(times, h.calendar, clock)),
            "channel": ("channel", np.array(h.channels, dtype=object)),
        }
        for axis, size in (("y", h.height), ("x", h.width)):
            if axis not in others.coords:
                coordinates[axis] = (axis, np.arange(size, dtype=np.float64), {"units": "pixel"})
        self._groups.write(name, others.assign_coords(coordinates), mode="w-")
        intensity = self._root.create_array(
            f"{name}/intensity",
            shape=(count, len(h.channels), h.height, h.width),
            chunks=(chunk, 1, h.height, h.width),
            shards=None if block == chunk and len(h.channels) == 1 else (block, len(h.channels), h.height, h.width),
            dtype="float32",
            fill_value=float("nan"),
            compressors=BloscCodec(cname="zstd", clevel=5, shuffle=BloscShuffle.shuffle),
            dimension_names=DIMENSIONS,
            attributes=plain(attrs) | {"units": h.unit} | ({"grid_mapping": "crs"} if "crs" in others.coords else {}),
        )
        pending = self._sequences[name] = PendingSequence(intensity, block)
        self._created(name, pending)
        return pending

    def _block(self, name: str, number: int) -> PendingBlock:
        key = name, number
        if key not in self._blocks:
            pending = self._sequences[name]
            rows = slice(number * pending.block, (number + 1) * pending.block)
            while self._blocks and sum(block.values.nbytes for block in self._blocks.values()) > _BUFFER_BYTES:
                self._flush(*next(iter(self._blocks)))
            quality = pending.quality[rows]
            values = np.full((len(quality), *pending.intensity.shape[1:]), np.nan, np.float32)
            if number in pending.digests:
                values = np.asarray(pending.intensity[rows])
            self._blocks[key] = PendingBlock(values, quality != MISSING)
        return self._blocks[key]

    def _flush(self, name: str, number: int) -> None:
        block = self._blocks.pop((name, number))
        complete = bool(block.written.all())
        self._sequences[name].store(number, block.values, complete=complete)
        if complete:
            self._completed(name, number)

    def _finish(self) -> None:
        if not self._sequences:
            raise DataError("the archive would contain no sequence: nothing is written")
        for name, number in list(self._blocks):
            self._flush(name, number)
        for name, pending in self._sequences.items():
            self._groups.write(name, pending.frame_variables(), mode="a")
        self._root.attrs[CONTENT] = content_digest(self._path, self._root.attrs.asdict(), self._sequences)
        consolidate(self._path, self._sequences)


def _encoded(
    times: npt.NDArray[np.datetime64], calendar: Calendar, attrs: Mapping[str, Any]
) -> tuple[npt.NDArray[np.int64], dict[str, Any]]:
    """Return times as they are stored, and their attributes."""
    if (times == times.astype("datetime64[us]")).all() or not calendar.ordinary:
        return calendar.encode(times), {**attrs, **calendar.attributes}
    return times.astype("datetime64[ns]").astype(np.int64), {**attrs, **_NANOSECONDS}

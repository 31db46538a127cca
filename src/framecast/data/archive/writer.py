"""Writing archives: sequence by sequence, or many sequences at once frame by frame; whole in the end, or absent."""

import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import xarray as xr
import zarr
from zarr.codecs import BloscCodec, BloscShuffle

from framecast.core.errors import ConfigError, DataError, FramecastError
from framecast.core.files import ARCHIVE, partial_path, publish, refuse_existing
from framecast.data.archive.format import (
    CLASSES,
    DIMENSIONS,
    FORMAT,
    MISSING,
    ROOT_ATTRIBUTES,
    VERSION,
    Header,
    check_channels,
    check_intensity,
    check_labels,
    check_quality,
    check_times,
    consolidate,
    plain,
    storable,
)
from framecast.data.archive.guard import open_store
from framecast.data.archive.journal import Journal, journal_path
from framecast.data.filling import Block, Filling
from framecast.videos.calendar import Calendar

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}")
_TIME_ENCODING = {"units": "microseconds since 1970-01-01", "calendar": "proleptic_gregorian", "dtype": "int64"}
_CHUNK_BYTES = 256 * 1024
_BLOCK_BYTES = 1024 * 1024
_SHARD_BYTES = 64 * 1024 * 1024
_BUFFER_BYTES = 512 * 1024 * 1024


class ArchiveWriter(AbstractContextManager["ArchiveWriter"]):
    """Writes an archive that is whole or absent: it gets its name when the ``with`` block ends well.

    Sequences are written whole with `add`, or announced with `create` and filled frame by frame with `write`, in any
    order. Frames wait in memory until their block of the file is complete, so that no block is written twice; the
    memory for that is bounded, and beyond some 500 sequences filled at once blocks are written early and read again.

    With a ``request``, what is complete stays on disk after an interruption, under a hidden name, and the same request
    goes on with it: `done` and `remembered` say what need not be done again. The archive ends in the same bytes.
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
        request: str | None = None,
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
            attrs: anything else worth keeping, JSON-like. ``independent_sequences: true`` states that no two
                sequences show the same thing, so that they may be split between training and test.
            overwrite: whether an existing ``path`` may be replaced.
            request: a text that stands for everything that will be written, for writing that can be taken up again.

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
        taken = sorted(set(self._attrs) & {*ROOT_ATTRIBUTES, CLASSES})
        if taken:
            raise ConfigError(f"attributes {', '.join(taken)} are set by the archive itself: choose other names")
        self._final, self._overwrite, self._request = Path(path), overwrite, request
        self._path = partial_path(self._final)
        self._journal: Journal | None = None
        self._sequences: dict[str, Filling] = {}
        self._blocks: dict[tuple[str, int], Block] = {}
        self.remembered: dict[str, Any] = {}

    def __enter__(self) -> Self:
        refuse_existing(self._final, overwrite=self._overwrite, kind=ARCHIVE)
        if self._final.is_symlink() or self._final.is_file():
            what = "link" if self._final.is_symlink() else "file"
            raise FramecastError(f"{self._final} is a {what}, not a folder: choose another name")
        if self._request is not None:
            self._journal = Journal(journal_path(self._final))
        try:
            if self._journal is not None and self._begun(self._journal):
                self._go_on(self._journal)
            else:
                self._begin()
        except BaseException:
            self._leave(keep=False)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        worth = any(filling.complete for filling in self._sequences.values())
        try:
            if error is None:
                self._finish()
                publish(self._path, self._final)
                self._leave(keep=False)
        except BaseException:
            self._leave(keep=worth)
            raise
        if error is not None:
            self._leave(keep=worth)

    def _begun(self, journal: Journal) -> bool:
        """Whether an interrupted process left something to go on with."""
        return journal.entries[:1] == [{"request": self._request}] and (self._path / "zarr.json").is_file()

    def _begin(self) -> None:
        if self._journal is not None:
            self._journal.clear()
        shutil.rmtree(self._path, ignore_errors=True)
        self._path.mkdir(parents=True)
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
        own |= {CLASSES: list(h.classes)} if h.classes else {}
        self._root = zarr.open_group(self._path, mode="w", zarr_format=3, attributes=own | self._attrs)
        if self._journal is not None:
            self._journal.add(request=self._request)  # now that the folder is this request's

    def _go_on(self, journal: Journal) -> None:
        """Take up what an interrupted process left: sequences and blocks that the journal names, nothing else."""
        for stray in self._path.rglob("*.partial"):
            stray.unlink()
        self._root = open_store(self._path, mode="r+", use_consolidated=False)
        for entry in journal.entries[1:]:
            if "sequence" in entry:
                intensity = self._root[f"{entry['sequence']}/intensity"]
                assert isinstance(intensity, zarr.Array)
                self._sequences[entry["sequence"]] = Filling(intensity, entry["block_size"])
            elif "block" in entry:
                self._sequences[entry["of"]].take_up(entry)
            else:
                self.remembered |= entry
        for name in set(self._root.group_keys()) - set(self._sequences):
            shutil.rmtree(self._path / name)

    def _leave(self, *, keep: bool) -> None:
        if keep and self._journal is not None:
            self._journal.close()
        else:
            shutil.rmtree(self._path, ignore_errors=True)
            if self._journal is not None:
                self._journal.remove()

    @property
    def interrupted(self) -> bool:
        """Whether this goes on with what an interrupted process left."""
        return self._journal is not None and len(self._journal.entries) > 1

    def remember(self, key: str, value: Any) -> None:
        """Keep a JSON value for the process that goes on if this one is interrupted; see ``remembered``."""
        self.remembered[key] = value
        if self._journal is not None:
            self._journal.add(**{key: value})

    def done(self, name: str) -> npt.NDArray[np.bool_] | None:
        """Return which frames of a sequence are on disk for good, ``[time]``; None if it was not created yet."""
        filling = self._sequences.get(name)
        if filling is None:
            return None
        done = np.zeros(len(filling.quality), bool)
        for number in filling.complete:
            done[number * filling.block : (number + 1) * filling.block] = True
        return done

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
        count = intensity.shape[0]
        if "channel" in dataset.coords:
            check_channels(name, [str(value) for value in dataset["channel"].values], self.header)
        quality = np.zeros(count, np.int64)
        if "quality" in dataset:
            quality = check_quality(name, dataset["quality"].values, count)
        if "label" in dataset:
            check_labels(name, dataset["label"].values, count, self.header.classes)
        others = dataset.drop_vars(["intensity", "quality", "masked", "infinite"], errors="ignore")
        filling = self._create(name, others, block_bytes=_SHARD_BYTES, attrs=intensity.attrs)
        for start in range(0, count, filling.block):
            stop = min(start + filling.block, count)
            values = np.asarray(intensity[start:stop].values, dtype=np.float32)
            filling.intensity[start:stop] = values
            filling.count(start, values)
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
        filling.count(index, values[None])
        filling.quality[index] = quality
        if block.written.all():
            self._flush(name, number)

    def skip(self, name: str, index: int) -> None:
        """Say that a frame of a sequence announced with `create` will never come: it stays `MISSING`."""
        number, row = divmod(index, self._sequences[name].block)
        block = self._block(name, number)
        block.written[row] = True
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

    def _create(self, name: str, others: xr.Dataset, *, block_bytes: int, attrs: Mapping[str, Any]) -> Filling:
        if not _NAME.fullmatch(name):
            raise DataError(
                f"{name!r} cannot name a sequence: begin with a letter or digit, then up to 99 more of these or _ . + -"
            )
        if name in self._sequences:
            raise DataError(f"sequence {name} was added before: give each sequence its own name")
        times = check_times(name, np.asarray(others["time"].values), others.sizes["time"])
        count, h = len(times), self.header
        for axis, size in (("channel", len(h.channels)), ("y", h.height), ("x", h.width)):
            if others.sizes.get(axis, size) != size:
                raise DataError(
                    f"{name} has a coordinate or variable with {others.sizes[axis]} {axis}; it must be {size}"
                )
        frame_bytes = 4 * h.height * h.width
        chunk = min(count, max(1, _CHUNK_BYTES // frame_bytes))
        per_block = max(1, block_bytes // (chunk * frame_bytes * len(h.channels)))
        block = chunk * min(per_block, -(-count // chunk))
        clock = {"standard_name": "time"} | others["time"].attrs
        coordinates: dict[str, Any] = {
            "time": ("time", times, clock, _TIME_ENCODING)
            if h.calendar.ordinary
            else ("time", h.calendar.encode(times), clock | h.calendar.attributes),
            "channel": ("channel", np.array(h.channels, dtype=object)),
        }
        for axis, size in (("y", h.height), ("x", h.width)):
            if axis not in others.coords:
                coordinates[axis] = (axis, np.arange(size, dtype=np.float64), {"units": "pixel"})
        _write_group(self._path, name, others.drop_encoding().assign_coords(coordinates), mode="w-")
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
            attributes=plain(attrs) | {"units": h.unit} | ({"grid_mapping": "crs"} if "crs" in others.coords else {}),
        )
        filling = Filling(intensity, block)
        self._sequences[name] = filling
        if self._journal is not None:
            self._journal.add(sequence=name, block_size=block)
        return filling

    def _block(self, name: str, number: int) -> Block:
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
            self._blocks[key] = Block(values, filling.quality[start : start + shape[0]] != MISSING)
        return self._blocks[key]

    def _flush(self, name: str, number: int) -> None:
        block, filling = self._blocks.pop((name, number)), self._sequences[name]
        start = number * filling.block
        filling.intensity[start : start + len(block.values)] = block.values
        filling.flushed.add(number)
        if block.written.all():
            filling.complete.add(number)
            if self._journal is not None:
                self._journal.add(**filling.record(name, number))

    def _finish(self) -> None:
        if not self._sequences:
            raise DataError("the archive would hold no sequence: nothing is written")
        for name, number in list(self._blocks):
            self._flush(name, number)
        for name, filling in self._sequences.items():
            group = self._root.require_group(name)
            for variable, (values, dims, meaning) in filling.frame_variables().items():
                array = group.create_array(
                    variable,
                    shape=values.shape,
                    dtype=values.dtype,
                    dimension_names=dims,
                    chunks=values.shape,
                    attributes={"long_name": meaning},
                    overwrite=True,  # a process that was killed at this point has written some
                )
                array[:] = values
        consolidate(self._path, self._sequences)


def _write_group(path: Path, name: str, dataset: xr.Dataset, *, mode: Any) -> None:
    dataset = storable(dataset).assign_attrs(plain(dataset.attrs))
    dataset.to_zarr(path, group=name, mode=mode, zarr_format=3, consolidated=False)

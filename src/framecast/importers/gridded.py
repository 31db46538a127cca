"""Frames of a gridded source: the selected pixels and times, rows upward, in physical units, a block at a time."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from framecast.core.errors import ConfigError, DataError
from framecast.data.archive.guard import check_frame, undamaged
from framecast.importers.axes import find_axes
from framecast.importers.base import Recording
from framecast.importers.conversions import (
    COLLECTED_OVER,
    PLAIN,
    Conversion,
    check_all_used,
    find_conversion,
    is_depth,
    is_rate,
    is_reflectivity,
)
from framecast.importers.decoding import Decoded, as_text
from framecast.importers.expressions import evaluate, names_in, rescales, subtracts
from framecast.importers.options import ImportOptions
from framecast.importers.positions import Coordinates, find_positions
from framecast.importers.times import frame_times, within
from framecast.importers.values import Growth, ValueWatch, implausible, means, to_float32
from framecast.videos.units import joined, unit_of_expression

_BLOCK_BYTES = 64 * 2**20
_DESCRIPTIONS = ("standard_name", "long_name", "units_metadata")
_DIFFERENCE = re.compile(r"(?i)anomal|difference|departure|increment")
_NO_UNIT = ("", "unknown", "none", "n/a")


class Gridded(Recording):
    """An opened gridded source, its axes known.

    Args:
        path: of the source, for errors.
        decoded: its variables.
        options: what the user said.
        found: remarks on how it was opened, one line each.

    Attributes:
        axes: which dimension is which.
        units: of the physical values of each channel.
    """

    def __init__(self, path: Path, decoded: Decoded, options: ImportOptions, found: Sequence[str] = ()) -> None:
        self._path, self._dataset, self._options = path, decoded.dataset, options
        self.axes = axes = find_axes(decoded.dataset, options, decoded.undecodable)
        first = self._dataset[axes.variables[0]]
        size = int(first.sizes[axes.y]), int(first.sizes[axes.x])
        members = int(first.sizes[axes.channel]) if axes.channel is not None else 1
        check_frame(path, *size, len(axes.variables) * members)
        self._expressions = self._channel_expressions(members)
        self.channels = list(self._expressions)
        options.check_channels(self.channels)
        self._conversions = [self._conversion(channel) for channel in self.channels]
        check_all_used(self._conversions, options)
        self.units = tuple(each.unit for each in self._conversions)
        self.unit = joined(self.units)
        self._positions = find_positions(self._dataset, axes, flip_y=options.flip_y)
        if options.region:
            self._positions = self._positions.within(options.region, size)
        step = options.coarsen * options.multiple
        self._rows = _trimmed(self._positions.pixels("y", size[0]), step, axes.y)
        self._columns = _trimmed(self._positions.pixels("x", size[1]), step, axes.x)
        self.height, self.width = len(self._rows) // options.coarsen, len(self._columns) // options.coarsen
        self._times = frame_times(decoded, axes, options.seconds)
        self.calendar = self._times.calendar
        self.sequences = int(self._dataset.sizes[axes.sequence]) if axes.sequence is not None else 1
        self.sequence_name = axes.sequence
        self._chosen = [within(self._clock(k), self.calendar, options) for k in range(self.sequences)]
        self._watches = {
            name: ValueWatch(options.missing, _valid_limits(self._dataset[name])) for name in axes.variables
        }
        totals = [k for k, own in enumerate(self._conversions) if is_depth(own.stored) and is_rate(own.unit)]
        self._growth = {k: Growth() for k in totals}  # of totals that become rates
        self._extremes = np.full((2, len(self.channels)), np.nan, np.float32)
        own = [self._dataset[name].attrs.get("import_note") for name in axes.variables]
        self._notes = (*found, *map(str, filter(None, own)), *self._positions.notes, *self._times.notes)
        self.understood, self.attrs = self._understood(), self._provenance()

    def _understood(self) -> str:
        """Return the meaning of the dimensions, unit and calendar."""
        axes, positions = self.axes, self._positions
        rows = f"rows {axes.y}" + (" (flipped to increase upward)" if positions.rows_turned else "")
        columns = f"columns {axes.x}" + (" (flipped to increase to the right)" if positions.columns_turned else "")
        calendar = "" if self.calendar.name in ("proleptic_gregorian", "none") else f" ({self.calendar.name})"
        parts = [f"time {axes.time}{calendar}", rows, columns]
        parts += [f"channels {axes.channel}"] if axes.channel else []
        parts += [f"sequences {axes.sequence}"] if axes.sequence else []
        return f"{self._named()}: {', '.join(parts)}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided about the source, one line each; complete when all frames have been read."""
        stored = [int(self._dataset[self.axes.variables[0]].sizes[dim]) for dim in (self.axes.y, self.axes.x)]
        kept = len(self._rows), len(self._columns)
        trimmed = f"trimmed from {stored[0]}×{stored[1]} to {kept[0]}×{kept[1]} stored pixels"
        cut = () if tuple(stored) == kept else (trimmed,)
        frames = sum(map(len, self._chosen))
        strange = dict.fromkeys(note for watch in self._watches.values() for note in watch.notes(frames))
        beyond = filter(None, map(self._beyond, range(len(self.channels))))
        totals = [
            f"{self.channels[k]} never falls from frame to frame, as totals since the start of a run do: if it is one, "
            "write the difference of each frame and the one before, and import that"
            for k, growth in self._growth.items()
            if growth.steady
        ]
        return (*self._notes, *cut, *(f"warning: {note}" for note in (*strange, *beyond, *totals)))

    def _beyond(self, k: int) -> str:
        """Return a remark on a channel with values outside the range of its unit."""
        low, high = self._extremes[:, k].tolist()
        own, change = self._conversions[k], self._conversions[k].convert
        said = implausible(self.channels[k], own.stored, low, high)
        if not said and change is not None and not is_reflectivity(own.stored):
            low, high = change(self._extremes[:, k].astype(np.float64)).tolist()
            said = implausible(self.channels[k], own.unit, low, high)
        return f"{said}{self._described()}" if said else ""

    def _described(self) -> str:
        """Return the source's description of how values are stored."""
        attrs = self._dataset[self.axes.variables[0]].attrs
        words = [f"{key}: {as_text(attrs[key])}" for key in attrs if "scale" in key.lower() or "note" in key.lower()]
        return f" ({'; '.join(words)})" if words else ""

    def _provenance(self) -> dict[str, Any]:
        """Return what was done with the stored values."""
        options = self._options
        computed: dict[str, Any] = {"computed": options.expressions} if options.expressions else {}
        said = {channel: own.said for channel, own in zip(self.channels, self._conversions, strict=True) if own.convert}
        computed |= {"converted": said} if said else {}
        computed |= {"dry_below": options.dry_below} if options.dry_below is not None else {}
        return {"scale": options.scale, "offset": options.offset, "coarsened": options.coarsen, **computed}

    def label(self, sequence: int) -> str | None:
        """Return the source's name of a video, if there is one."""
        dim = self.axes.sequence
        return as_text(self._values(dim)[sequence]) if dim is not None and dim in self._dataset.coords else None

    def times(self, sequence: int) -> npt.NDArray[np.datetime64]:
        """Return the times of the selected frames of a video, on the clock of `calendar`; NaT where there is none."""
        return self._clock(sequence)[self._chosen[sequence]]

    def positions(self, sequence: int) -> Coordinates:
        """Return the coordinates of the pixels as they are read, where the source has them; see `Positions`."""
        return self._positions.read(self._rows, self._columns, self._options.coarsen)

    def frames(self, sequence: int, indices: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.float32]]:
        """Yield frames ``[channel, y, x]`` of a video, in the order of ``indices``; a block of them is in memory."""
        stored = self._chosen[sequence][indices]
        frame_bytes = 4 * len(self._rows) * len(self._columns) * max(len(self.channels), len(self.axes.variables))
        per_block = max(1, _BLOCK_BYTES // frame_bytes)
        self._growth = {k: replace(each, last=None) for k, each in self._growth.items()}
        for start in range(0, len(stored), per_block):
            with undamaged(self._path):
                block = self._block(sequence, stored[start : start + per_block])
            yield from block

    def _block(self, sequence: int, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return ``[frame, channel, y, x]``."""
        values = {
            name: self._physical(name, self._stored(name, sequence, indices))
            for name in dict.fromkeys(name for text, _ in self._expressions.values() for name in self._sources(text))
        }
        frames = np.empty((len(indices), len(self.channels), len(self._rows), len(self._columns)), np.float32)
        for k, (text, member) in enumerate(self._expressions.values()):
            found = values[text] if text in values else evaluate(text, values)
            found = found[:, member] if found.shape[1] > 1 else found[:, 0]
            frames[:, k] = found
        if self._options.mask is not None:
            raw = {name: self._stored(name, sequence, indices) for name in self._sources(self._options.mask)}
            unknown = np.broadcast_to(evaluate(self._options.mask, raw), (len(indices), 1, *frames.shape[2:]))
            frames[np.broadcast_to(unknown, frames.shape)] = np.nan
        self._extremes[0] = np.fmin(self._extremes[0], np.fmin.reduce(frames, axis=(0, 2, 3)))
        self._extremes[1] = np.fmax(self._extremes[1], np.fmax.reduce(frames, axis=(0, 2, 3)))
        for k, conversion in enumerate(self._conversions):
            if k in self._growth:
                self._growth[k].see(frames[:, k])
            if conversion.convert is not None:
                if is_reflectivity(conversion.stored) and (said := self._beyond(k)):
                    raise DataError(f"{said}; mask other codes with --missing or --mask")
                frames[:, k] = conversion.convert(frames[:, k])
        if self._options.dry_below is not None:
            frames[frames < self._options.dry_below] = 0
        k = self._options.coarsen
        if k > 1:
            frames = frames.reshape(*frames.shape[:2], self.height, k, self.width, k).mean((3, 5), dtype=np.float32)
        return frames

    def _stored(self, name: str, sequence: int, indices: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Return ``[frame, channel, y, x]`` of a variable as it is stored, of length one along what it lacks."""
        axes = self.axes
        array, turn = self._dataset[name].reset_coords(drop=True), self._positions
        rows = _stored_order(self._rows, turn.rows_turned, int(self._dataset.sizes[axes.y]))
        columns = _stored_order(self._columns, turn.columns_turned, int(self._dataset.sizes[axes.x]))
        wanted = {axes.frame: indices, axes.sequence: sequence, axes.y: rows, axes.x: columns}
        array = array.isel({dim: which for dim, which in wanted.items() if dim in array.dims})
        kept = (axes.frame, axes.channel, axes.y, axes.x)
        array = array.isel(dict.fromkeys((dim for dim in array.dims if dim not in kept), 0))  # of length one
        dims = [dim if dim is not None and dim in array.dims else f"without {k}" for k, dim in enumerate(kept)]
        array = array.load()
        return array.expand_dims([dim for dim in dims if dim not in array.dims]).transpose(*dims).values

    def _physical(self, name: str, stored: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return the values in physical units, NaN where they are missing."""
        options = self._options
        gone = np.zeros(stored.shape, bool)
        for value in options.missing:
            gone |= means(stored, value)
        scaled = stored
        if (options.scale != 1 or options.offset != 0) and name in self.axes.variables:
            scaled = stored.astype(np.float64) * options.scale + options.offset
        values = to_float32(np.where(gone, 0, scaled) if gone.any() else scaled, name)
        if name in self._watches:
            self._watches[name].see(stored[~gone & ~np.isnan(values)], int(gone.sum()), len(stored))
        values[gone | np.isinf(values)] = np.nan
        return values

    def _channel_expressions(self, members: int) -> dict[str, tuple[str, int]]:
        """Return for each channel the variable or expression that gives it, and which of its channels it is."""
        axes, options = self.axes, self._options
        names = [name for name in axes.variables if name in options.variables or not options.expressions]
        if axes.channel is None:
            return {name: (name, 0) for name in names} | {name: (text, 0) for name, text in options.expressions.items()}
        labels = [f"{axes.channel}-{k}" for k in range(members)]
        if axes.channel in self._dataset.coords:
            labels = [as_text(value) for value in self._values(axes.channel)]
        sources = [(name, name) for name in names] + list(options.expressions.items())
        alone = len(sources) == 1
        return {
            label if alone else f"{name}-{label}": (text, k) for name, text in sources for k, label in enumerate(labels)
        }

    def _sources(self, text: str) -> tuple[str, ...]:
        """Return the variables that the expression of a channel, or of the mask, needs.

        Raises:
            ConfigError: the source has no such variable.
        """
        names = (text,) if text in self._dataset.variables else names_in(text)
        if unknown := [name for name in names if name not in self._dataset.variables]:
            have = ", ".join(map(str, self._dataset.variables))
            raise ConfigError(f"{unknown[0]!r} is not a variable of {self._path}: there are {have}")
        return names

    def _stored_unit(self, channel: str) -> str:
        """Return the unit that the source gives for a channel; empty if it is not known."""
        text = self._expressions[channel][0]
        units = {name: as_text(self._dataset[name].attrs.get("units", "")) for name in self._sources(text)}
        units = {name: "" if unit.lower() in _NO_UNIT else unit for name, unit in units.items()}
        if text in units:
            return units[text]
        return "" if rescales(text) else unit_of_expression(text, units, evaluate)

    def _conversion(self, channel: str) -> Conversion:
        """Return the unit conversion of a channel."""
        text, options, source = self._expressions[channel][0], self._options, self._path.name
        attrs = {name: self._dataset[name].attrs for name in self._sources(text)}
        collected = next((float(own[COLLECTED_OVER]) for own in attrs.values() if own.get(COLLECTED_OVER)), None)
        named = [as_text(own.get("standard_name", name)) for name, own in attrs.items()]
        plain = options.unit_of(channel) is not None and any(PLAIN in own for own in attrs.values())
        stored = "" if plain else self._stored_unit(channel)
        said = [as_text(own.get(key, "")) for own in attrs.values() for key in _DESCRIPTIONS]
        difference = any(map(_DIFFERENCE.search, [*attrs, *said])) or (text not in attrs and subtracts(text))
        found = find_conversion(
            channel, stored, options, collected=collected, source=source, named=named, difference=difference
        )
        labelled = text not in attrs and rescales(text) and found.unit and not found.said
        return replace(found, said=f"--unit names what {text} gives") if labelled else found

    def _named(self) -> str:
        pairs = [(channel, own.unit, own.said) for channel, own in zip(self.channels, self._conversions, strict=True)]
        if self.axes.channel is not None and len(set(self.units)) == 1:
            pairs = [(", ".join(self.axes.variables), *pairs[0][1:])]
        texts = []
        for k, (channel, unit, said) in enumerate(pairs):
            follows = k + 1 < len(pairs) and pairs[k + 1][1:] == (unit, said)
            named = f"{channel}, plain numbers" if unit == "1" else f"{channel} in {unit or 'unknown units'}"
            texts.append(channel if follows else f"{named} ({said})" if said else named)
        return ", ".join(texts)

    def _clock(self, sequence: int) -> npt.NDArray[np.datetime64]:
        clock = self._times.clock
        return clock[sequence] if clock.ndim == 2 else clock

    def _values(self, name: str) -> npt.NDArray[Any]:
        with undamaged(self._path):
            return self._dataset[name].values


class Several(Recording):
    """Several sources of one kind, each with its own videos.

    Args:
        parts: the sources.
        names: their names.

    Raises:
        DataError: their channels, units, sizes or calendars differ.
    """

    def __init__(self, parts: Sequence[Gridded], names: Sequence[str]) -> None:
        self._parts = parts
        self._places = [(part, k, name) for part, name in zip(parts, names, strict=True) for k in range(part.sequences)]
        first = parts[0]
        self.channels, self.unit, self.calendar = first.channels, first.unit, first.calendar
        self.height, self.width, self.axes = first.height, first.width, first.axes
        self.sequences, self.sequence_name, self.attrs = len(self._places), "video", first.attrs
        self.understood = f"{first.understood}; {len(parts)} sources, each a sequence of its own"
        for part, name in zip(parts, names, strict=True):
            for what in ("channels", "unit", "height", "width", "calendar"):
                if getattr(part, what) != getattr(first, what):
                    raise DataError(
                        f"{name} has different {what} ({getattr(part, what)}) than {names[0]} "
                        f"({getattr(first, what)}): they must be the same"
                    )

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided, each line once."""
        return tuple(dict.fromkeys(note for part in self._parts for note in part.notes))

    def label(self, sequence: int) -> str:
        """Return the name of a video: that of its source, and its own where the source holds several."""
        part, k, name = self._places[sequence]
        return name if part.sequences == 1 else f"{name}-{part.label(k) or k}"

    def times(self, sequence: int) -> npt.NDArray[np.datetime64]:
        """Return the times of a video's frames."""
        part, k, _ = self._places[sequence]
        return part.times(k)

    def positions(self, sequence: int) -> Coordinates:
        """Return the coordinates of a video's pixels."""
        part, k, _ = self._places[sequence]
        return part.positions(k)

    def frames(self, sequence: int, indices: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.float32]]:
        """Yield frames ``[channel, y, x]`` of a video, in the order of ``indices``."""
        part, k, _ = self._places[sequence]
        yield from part.frames(k, indices)


def _valid_limits(variable: xr.DataArray) -> tuple[float, float]:
    """Return the valid range that a variable states, in the unit of its unpacked values."""
    attrs, packing = variable.attrs, variable.encoding
    stated = attrs.get("valid_range", (attrs.get("valid_min", -np.inf), attrs.get("valid_max", np.inf)))
    limits = np.ravel(np.asarray(stated))
    if limits.size != 2 or limits.dtype.kind not in "iuf" or "_Unsigned" in packing:
        return -np.inf, np.inf
    if limits.dtype.kind in "iu":  # CF: of the type of the packed values
        limits = limits * float(packing.get("scale_factor", 1)) + float(packing.get("add_offset", 0))
    return float(limits.min()), float(limits.max())


def _trimmed(pixels: npt.NDArray[np.int64], step: int, dim: str) -> npt.NDArray[np.int64]:
    """Return the pixels along a dimension that are kept: a multiple of ``step``, trimmed equally on both sides."""
    kept = len(pixels) // step * step
    if kept == 0:
        raise DataError(f"{dim} has {len(pixels)} pixels, fewer than the {step} required by --coarsen and --multiple")
    start = (len(pixels) - kept) // 2
    return pixels[start : start + kept]


def _stored_order(pixels: npt.NDArray[np.int64], turned: bool, size: int) -> slice | npt.NDArray[np.int64]:
    """Return where ``pixels``, counted upward or to the right, are stored; neighbours as a slice, read faster."""
    places = size - 1 - pixels if turned else pixels
    steps = np.diff(places)
    if len(steps) and (steps == steps[0]).all() and abs(steps[0]) == 1:
        end = int(places[-1] + steps[0])
        return slice(int(places[0]), end if end >= 0 else None, int(steps[0]))
    return places

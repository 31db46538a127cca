"""Gridded data as an archive: frames in order, gaps and unknown pixels counted, nothing filled in."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from framecast._version import __version__
from framecast.core.errors import ConfigError, DataError
from framecast.core.files import ARCHIVE, refuse_existing
from framecast.core.fingerprint import Unchanged, digest
from framecast.core.resume import Job
from framecast.data.archive.resumable import ResumableArchiveWriter
from framecast.importers.axes import Axes, AxisNames
from framecast.importers.base import Recording
from framecast.importers.source import Gridded, Reading, open_gridded
from framecast.videos.calendar import Calendar

_GAP = 1.5
"""Times further apart than so many cadences leave a gap; windows are not cut across it."""


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What became of a gridded file.

    Attributes:
        axes: which of its dimensions was taken for what.
        channels: their names.
        unit: physical unit.
        cadence: seconds between two frames.
        height: rows.
        width: columns.
        flipped: whether rows were turned to run upward.
        sequences: number of videos.
        frames: number of frames in all.
        first: earliest time.
        last: latest time.
        undated: frames left out for want of a time.
        repeated: frames left out because another has the same time.
        gaps: places where frames are missing.
        unknown: share of pixels that are NaN.
        low: least value.
        high: greatest value.
        calendar: how times are read.
        mirrored: whether columns were turned to run to the right.
        notes: what else was decided, one line each.
    """

    axes: Axes | None
    channels: tuple[str, ...]
    unit: str
    cadence: float
    height: int
    width: int
    flipped: bool
    sequences: int
    frames: int
    first: np.datetime64
    last: np.datetime64
    undated: int
    repeated: int
    gaps: int
    unknown: float
    low: float
    high: float
    calendar: Calendar = Calendar()
    mirrored: bool = False
    notes: tuple[str, ...] = ()


def import_gridded(
    source: str | Path,
    out: str | Path,
    *,
    names: AxisNames = AxisNames(),
    reading: Reading = Reading(),
    unit: str | None = None,
    cadence: float | None = None,
    independent: bool = False,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Imported:
    """Write the frames of a NetCDF file or Zarr folder as the archive ``out``; complete in the end, or absent.

    An interrupted import leaves what it has done beside ``out``, under a hidden name; the same call resumes there.

    Frames are put in order of time. A frame without a time, or with one that another frame has, is left out; gaps
    stay gaps; NaN stays NaN. A block of frames is in memory at a time.

    Args:
        source: what to read.
        out: the archive.
        names: what its variables and dimensions are, where it does not tell.
        reading: what is done with values and frames.
        unit: physical unit, in place of what the file says.
        cadence: seconds between two frames; the median step by default.
        independent: whether no two sequences show the same thing, so that they may be told apart in a split.
        overwrite: whether an existing archive may be replaced.
        progress: called with the frames done and their number.

    Raises:
        FramecastError: ``source`` does not exist or cannot be read, or ``out`` exists.
        DataError: axes, unit or cadence cannot be told.
    """
    refuse_existing(Path(out), overwrite=overwrite, kind=ARCHIVE)
    data = open_gridded(source, names, reading, cadence=cadence)
    return write_recording(
        data,
        out,
        source=Path(source),
        request=[names, reading],
        unit=unit,
        cadence=cadence,
        independent=independent,
        overwrite=overwrite,
        progress=progress,
    )


def write_recording(
    data: Recording,
    out: str | Path,
    *,
    source: Path,
    request: object,
    unit: str | None = None,
    cadence: float | None = None,
    independent: bool = False,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Imported:
    """Write an opened source of videos as the archive ``out``.

    Args:
        data: the source.
        out: the archive.
        source: what it was opened from.
        request: how; an interrupted import is continued if its `repr` is the same.
        unit: see `import_gridded` for this and what follows.
        cadence: likewise.
        independent: likewise.
        overwrite: likewise.
        progress: likewise.
    """
    unchanged = Unchanged(source)
    if not isinstance(data, Recording):
        raise ConfigError(
            f"the importer returns {type(data).__name__}; it must return a framecast.importers.base.Recording"
        )
    axes = data.axes if isinstance(data, Gridded) else None
    first = axes.variables[0] if axes is not None else data.channels[0]
    unit = unit if unit is not None else data.unit
    if not unit:
        raise DataError(f"{first} has no attribute 'units': say what its values are in with --unit")
    if cadence is not None and not cadence > 0:
        raise ConfigError(f"a cadence of {cadence} s is impossible: give the seconds between two frames")
    orders = [_order(data.times(k)) for k in range(data.sequences)]
    times = [data.times(k)[order] for k, (order, _, _) in enumerate(orders)]
    cadence = cadence or _middle_step(times)
    labels = _labels(data, source)
    total, done = sum(len(each) for each in times), 0
    attrs = {
        "source": source.name,
        "imported_with": f"framecast {__version__}",
        **data.attrs,
        "independent_sequences": independent,
    }
    job = Job(
        kind="archive",
        options=digest(attrs, repr(request), unit, cadence, labels),
        inputs={"source": unchanged.fingerprint},
    )
    with ResumableArchiveWriter(
        out,
        job=job,
        channels=data.channels,
        unit=unit,
        cadence=cadence,
        height=data.height,
        width=data.width,
        calendar=data.calendar,
        attrs=attrs,
        overwrite=overwrite,
    ) as writer:
        for k, (order, _, _) in enumerate(orders):
            if not len(order):
                continue
            written = writer.done(labels[k])
            if written is None:
                writer.create(labels[k], times[k], coords=data.positions())
                written = np.zeros(len(order), bool)
            done += int(written.sum())
            missing = np.flatnonzero(~written)
            for index, frame in zip(missing.tolist(), data.frames(k, order[missing]), strict=True):
                writer.remember(f"{labels[k]} {index}", _values(frame))
                writer.write(labels[k], index, frame)
                done += 1
                if progress is not None:
                    progress(done, total)
        unchanged.check()
        seen = np.array(list(writer.remembered.values()))
    steps = [np.diff(each) / np.timedelta64(1, "ns") / 1e9 for each in times]
    filled = [each for each in times if len(each)]
    return Imported(
        axes=axes,
        channels=tuple(data.channels),
        unit=unit,
        cadence=cadence,
        height=data.height,
        width=data.width,
        flipped=data.flipped,
        sequences=len(filled),
        frames=total,
        first=min(each[0] for each in filled),
        last=max(each[-1] for each in filled),
        undated=sum(undated for _, undated, _ in orders),
        repeated=sum(repeated for _, _, repeated in orders),
        gaps=sum(int((step > _GAP * cadence).sum()) for step in steps),
        unknown=float(seen[:, 0].sum()) / (total * len(data.channels) * data.height * data.width),
        low=float(np.nanmin(seen[:, 1], initial=np.inf)),
        high=float(np.nanmax(seen[:, 2], initial=-np.inf)),
        calendar=data.calendar,
        mirrored=data.mirrored,
        notes=data.notes,
    )


def _values(frame: npt.NDArray[np.float32]) -> list[float]:
    """Return the number of unknown pixels and the least and the greatest known value of a frame."""
    known = frame[np.isfinite(frame)]
    low, high = (float(known.min()), float(known.max())) if known.size else (np.nan, np.nan)
    return [float(frame.size - known.size), low, high]


def _order(times: npt.NDArray[np.datetime64]) -> tuple[npt.NDArray[np.int64], int, int]:
    """Return the frames in order of time, the number without a time, and the number of repeated times."""
    dated = np.flatnonzero(~np.isnat(times))
    _, first = np.unique(times[dated], return_index=True)
    return dated[first], len(times) - len(dated), len(dated) - len(first)


def _middle_step(times: list[npt.NDArray[np.datetime64]]) -> float:
    steps = np.concatenate([np.diff(each) for each in times])
    if not len(steps):
        raise DataError("there is one frame at most in each sequence: a video has two or more")
    return float(np.median(steps.astype(np.int64))) / 1e9


def _labels(data: Recording, source: Path) -> list[str]:
    """Return a name for each sequence: what the file calls it, or the dimension and a number."""
    if data.sequence_name is None:
        return [_safe(data.label(0) or source.stem)]
    digits = len(str(data.sequences - 1))
    numbered = [f"{data.sequence_name}-{k:0{digits}d}" for k in range(data.sequences)]
    names = [_safe(label) if (label := data.label(k)) else numbered[k] for k in range(data.sequences)]
    return names if len(set(names)) == len(names) else list(map(_safe, numbered))


def _safe(name: str) -> str:
    """Return ``name`` as a sequence may be called, letters without their accents."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return (re.sub(r"[^A-Za-z0-9_.+-]+", "-", plain).strip("_.+-") or "sequence")[:100]

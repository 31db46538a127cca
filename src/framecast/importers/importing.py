"""`framecast.import_data`: data of any kind as an archive: frames in order, gaps and unknown pixels counted, nothing
filled in.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from framecast._version import __version__
from framecast.core.configuration import import_own
from framecast.core.domain import domains
from framecast.core.errors import ConfigError, DataError
from framecast.core.files import ARCHIVE, refuse_existing
from framecast.core.fingerprint import Unchanged, digest
from framecast.core.options import format_duration, options_of
from framecast.core.progress import Progress, Task, track
from framecast.core.resume import ResumableJob
from framecast.data.archive.resumable import ResumableArchiveWriter
from framecast.data.windows import TOLERANCE
from framecast.importers.base import Recording
from framecast.importers.decoding import decode
from framecast.importers.formats import FORMATS, open_source
from framecast.importers.gridded import Gridded
from framecast.importers.interpolated import Interpolated
from framecast.importers.options import ImportOptions
from framecast.videos.calendar import Calendar
from framecast.videos.frames import as_float32
from framecast.videos.units import by_channel, joined

_GAP = 1.5
"""Times further apart than this many cadences leave a gap, which no window crosses."""

_AHEAD = 9
"""Frames of a typical window."""

_SCATTER = 0.02
"""Fraction of mistimed frames above which the cadence is determined again."""

_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ħ": "h", "ŋ": "ng"}
    | {"Æ": "Ae", "Œ": "Oe", "Ø": "O", "Ł": "L", "Đ": "D", "Ð": "D", "Þ": "Th", "Ħ": "H", "Ŋ": "Ng"}
)
"""Latin letters that cannot be decomposed into a letter and an accent."""

_OF_WRITING = ("unit", "cadence", "interpolate", "independent")


@dataclass(frozen=True, kw_only=True)
class Imported:
    """Result of an import.

    Attributes:
        understood: interpretation of its dimensions, on one line.
        channels: their names.
        unit: physical unit.
        cadence: seconds between two frames.
        height: rows.
        width: columns.
        sequences: number of videos.
        frames: number of frames in all.
        longest: frames of the longest video.
        first: earliest time.
        last: latest time.
        undated: frames left out because they have no time.
        repeated: frames left out because an earlier one has the same time.
        gaps: places where frames are missing.
        uneven: fraction of the frames after which one of the next eight is mistimed by more than the tolerance of
            windows.
        unknown: fraction of pixels that are NaN.
        masked: fraction of pixels that are NaN in the middle frame, of the channel with most of them.
        low: least value of each channel.
        high: greatest value of each channel.
        calendar: of the times.
        notes: further decisions, one line each.
    """

    understood: str
    channels: tuple[str, ...]
    unit: str
    cadence: float
    height: int
    width: int
    sequences: int
    frames: int
    longest: int
    first: np.datetime64
    last: np.datetime64
    undated: int
    repeated: int
    gaps: int
    uneven: float
    unknown: float
    masked: float
    low: tuple[float, ...]
    high: tuple[float, ...]
    calendar: Calendar = Calendar()
    notes: tuple[str, ...] = ()


def import_data(
    source: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    importer: Callable[..., Recording | xr.Dataset] | str | None = None,
    overwrite: bool = False,
    progress: Progress = True,
    **options: Any,
) -> Imported:
    """Write the frames of ``source`` as the archive ``out``, atomically.

    Frames are put in order of time. A frame without a time, or with one that another frame has, is left out; gaps stay
    gaps; NaN stays NaN. A block of frames is in memory at a time. An interrupted import keeps its progress beside
    ``out``, under a hidden name; the same call resumes it.

    Args:
        source: a file, folder, pattern such as ``rain-*.nc`` or address, or several of them.
        out: the archive.
        importer: opens the source, ``(path, **options)``, and returns a `Recording` or an `xarray.Dataset`; or where
            it is, ``my_module:open``; or a format of framecast by name, such as ``picture``.
        overwrite: whether an existing archive may be replaced.
        progress: whether to show the frames done, or a function that is called with their number and the total.
        options: fields of `framecast.importers.options.ImportOptions`; for a custom importer that returns a
            `Recording`, all except unit, cadence, interpolate and independent are passed to it.

    Raises:
        FramecastError: ``source`` does not exist or cannot be read, a package that it needs is missing, or ``out``
            exists.
        DataError: axes, unit, times or cadence are unknown or ambiguous.
    """
    refuse_existing(Path(out), overwrite=overwrite, kind=ARCHIVE)
    sources = [source] if isinstance(source, str | Path) else list(source)
    if not sources:
        raise ConfigError("there is no source: give a file, folder, pattern or address")
    request = [str(getattr(importer, "__qualname__", importer)), sorted(options.items())]
    if importer is None or importer in [kind.name for kind in FORMATS]:
        chosen = options_of(ImportOptions, options)
        data, files = open_source(sources, chosen, None if importer is None else str(importer))
    else:
        opened = _named(importer) if isinstance(importer, str) else importer
        if len(sources) > 1:
            raise ConfigError(f"a custom importer takes one source, and {len(sources)} were given")
        own = {name: value for name, value in options.items() if name not in _OF_WRITING}
        found = opened(sources[0], **own)
        files = [Path(sources[0])]
        writing = {name: value for name, value in options.items() if name in _OF_WRITING}
        chosen = options_of(ImportOptions, writing)
        data = Gridded(files[0], decode(found), chosen) if isinstance(found, xr.Dataset) else found
    if not isinstance(data, Recording):
        raise ConfigError(
            f"the importer returns {type(data).__name__}; it must return a framecast.importers.base.Recording or an "
            "xarray.Dataset"
        )
    first = Path(str(sources[0]).rstrip("/"))
    alone = len(sources) == 1 or "://" in str(sources[0])
    name = chosen.name or (first.stem if alone else files[0].parent.name)
    with track("frames", progress=progress) as task:
        if data.understood:
            task.tell(data.understood)
        return _write(data, Path(out), chosen, _Source(name, files, request), overwrite=overwrite, task=task)


def _named(importer: str) -> Callable[..., Any]:
    """Return the importer that a domain has under this name, else the one at ``my_module:open``."""
    known = {name: opened for domain in domains() for name, opened in domain.importers.items()}
    if importer not in known and ":" not in importer:
        names = ", ".join([*(kind.name for kind in FORMATS), *known])
        raise ConfigError(f"there is no importer {importer!r}: name one of {names}, or a custom one as my_module:open")
    return known[importer] if importer in known else import_own(importer)


@dataclass(frozen=True)
class _Source:
    """The source: name of its sequence, its files, and the options, of which only the `repr` is compared."""

    name: str
    files: Sequence[Path]
    request: object


def _write(
    data: Recording, out: Path, options: ImportOptions, source: _Source, *, overwrite: bool, task: Task
) -> Imported:
    """Write an opened recording as the archive ``out``."""
    unchanged = Unchanged(*source.files)
    options.check_channels(data.channels)
    units = by_channel(data.unit, len(data.channels))
    if options.unit and not isinstance(data, Gridded):
        units = tuple(options.unit_of(name) or own for name, own in zip(data.channels, units, strict=True))
    unit = joined(units)
    for channel, own in zip(data.channels, units, strict=True):
        if not own:
            raise DataError(
                f"channel {channel} has no unit (attribute 'units'): give the unit of its values with --unit, such "
                "as --unit mm/h, or --unit 1 for plain numbers"
            )
    orders = [_order(data.times(k)) for k in range(data.sequences)]
    times = [data.times(k)[order] for k, (order, _, _) in enumerate(orders)]
    cadence = options.seconds or _middle_step(times)
    if options.seconds and not options.interpolate and data.calendar.name != "none":
        _check_cadence(times, cadence)
    if options.interpolate:
        data = Interpolated(data, cadence)
        orders = [_order(data.times(k)) for k in range(data.sequences)]
        times = [data.times(k)[order] for k, (order, _, _) in enumerate(orders)]
        if not sum(map(len, times)):
            raise DataError(f"no two frames are within two cadences of {cadence:g} s: nothing can be interpolated")
    labels = _labels(data, source.name)
    total, done = sum(len(each) for each in times), 0
    attrs = {
        "source": source.name,
        "imported_with": f"framecast {__version__}",
        **data.attrs,
        "independent_sequences": options.independent,
    }
    job = ResumableJob(
        kind="archive",
        options=digest(attrs, repr(source.request), unit, cadence, labels),
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
                writer.create(labels[k], times[k], coords=data.positions(k))
                written = np.zeros(len(order), bool)
            done += int(written.sum())
            missing = np.flatnonzero(~written)
            for index, frame in zip(missing.tolist(), data.frames(k, order[missing]), strict=True):
                frame = as_float32(frame)
                writer.remember(f"{labels[k]} {index}", _values(frame))
                writer.write(labels[k], index, frame)
                done += 1
                task.reach(done, total)
        unchanged.check()
        seen = np.array(list(writer.remembered.values()))  # [frame, what, channel]
    steps = [np.diff(each) / np.timedelta64(1, "ns") / 1e9 for each in times]
    filled = [each for each in times if len(each)]
    return Imported(
        understood=data.understood,
        channels=tuple(data.channels),
        unit=unit,
        cadence=cadence,
        height=data.height,
        width=data.width,
        sequences=len(filled),
        frames=total,
        longest=max(map(len, filled)),
        first=min(each[0] for each in filled),
        last=max(each[-1] for each in filled),
        undated=sum(undated for _, undated, _ in orders),
        repeated=sum(repeated for _, _, repeated in orders),
        gaps=sum(int((step > _GAP * cadence).sum()) for step in steps),
        uneven=_uneven(times, cadence),
        unknown=float(seen[:, 0].sum()) / (total * len(data.channels) * data.height * data.width),
        masked=float(np.median(seen[:, 0].max(axis=1))) / (data.height * data.width),
        low=tuple(np.nanmin(seen[:, 1], axis=0, initial=np.inf).tolist()),
        high=tuple(np.nanmax(seen[:, 2], axis=0, initial=-np.inf).tolist()),
        calendar=data.calendar,
        notes=data.notes,
    )


def _check_cadence(times: list[npt.NDArray[np.datetime64]], cadence: float) -> None:
    """Raise `DataError` if no two frames are the ``cadence`` apart."""
    clocks = [each.astype("datetime64[ns]").astype(np.int64) / 1e9 for each in times if len(each) > 1]
    for clock in clocks:
        after = np.searchsorted(clock, clock + cadence).clip(1, len(clock) - 1)
        away = np.minimum(np.abs(clock[after] - clock - cadence), np.abs(clock[after - 1] - clock - cadence))
        if (away < 0.5 * cadence).any():
            return
    if clocks:
        middle = float(np.median(np.concatenate([np.diff(clock) for clock in clocks])))
        raise DataError(
            f"no two frames are {format_duration(cadence)} apart, the cadence given: the median step is "
            f"{format_duration(middle)}"
        )


def _uneven(times: list[npt.NDArray[np.datetime64]], cadence: float) -> float:
    """Return the fraction of frames after which one of the next `_AHEAD` is not at a whole multiple of the cadence."""
    off: list[npt.NDArray[np.bool_]] = []
    for each in times:
        clock = (each - each[0]) / np.timedelta64(1, "ns") / 1e9 / cadence if len(each) else np.zeros(0)
        away = [np.pad(clock[k:] - clock[:-k], (0, min(k, len(clock)))) for k in range(1, min(_AHEAD, len(clock)))]
        off += [(np.abs(np.stack(away) - np.round(away)) > TOLERANCE).any(axis=0)] if away else []
    return float(np.concatenate(off).mean()) if off else 0.0


def _values(frame: npt.NDArray[np.float32]) -> list[list[float]]:
    """Return the number of unknown pixels and the least and the greatest known value of a frame, by channel."""
    known = [channel[np.isfinite(channel)] for channel in frame]
    return [
        [float(channel.size - kept.size) for channel, kept in zip(frame, known, strict=True)],
        [float(kept.min()) if kept.size else np.nan for kept in known],
        [float(kept.max()) if kept.size else np.nan for kept in known],
    ]


def _order(times: npt.NDArray[np.datetime64]) -> tuple[npt.NDArray[np.int64], int, int]:
    """Return the frames in order of time, the number without a time, and the number of repeated times."""
    dated = np.flatnonzero(~np.isnat(times))
    _, first = np.unique(times[dated], return_index=True)
    return dated[first], len(times) - len(dated), len(dated) - len(first)


def _middle_step(times: list[npt.NDArray[np.datetime64]]) -> float:
    steps = np.concatenate([np.diff(each) for each in times])
    if not len(steps):
        raise DataError("each sequence has at most one frame: a video has at least two")
    middle = float(np.percentile(steps.astype(np.int64), 50, method="lower")) / 1e9  # one that occurs
    # Steps that scatter have a median that is none of theirs on average: windows would drift away from the frames.
    near = steps[steps <= np.timedelta64(round(1.5e9 * middle), "ns")].astype(np.int64) / 1e9
    mean = float(near.mean())
    rounded = next((round(mean / unit) * unit for unit in (3600.0, 60.0, 1.0) if _whole(mean, unit)), mean)
    better = (
        rounded > 0 and _uneven(times, middle) > _SCATTER and _uneven(times, rounded) < 0.5 * _uneven(times, middle)
    )
    return rounded if better else middle


def _whole(seconds: float, unit: float) -> bool:
    """Whether ``seconds`` are a multiple of ``unit`` to a hundredth of it."""
    return round(seconds / unit) > 0 and abs(seconds / unit - round(seconds / unit)) < 0.01 * round(seconds / unit)


def _labels(data: Recording, name: str) -> list[str]:
    """Return a name for each sequence: that of the file, or the dimension and a number."""
    prefix = data.sequence_name or ("sequence" if data.sequences > 1 else None)
    if prefix is None:
        return [_safe(data.label(0) or name)]
    digits = len(str(data.sequences - 1))
    numbered = [f"{prefix}-{k:0{digits}d}" for k in range(data.sequences)]
    names = [_safe(label) if (label := data.label(k)) else numbered[k] for k in range(data.sequences)]
    return names if len(set(names)) == len(names) else list(map(_safe, numbered))


def _safe(name: str) -> str:
    """Return ``name`` as a valid name of a sequence: letters without accents, others by their code."""
    plain = unicodedata.normalize("NFKD", name.translate(_LETTERS))
    kept = "".join(each for each in plain if not unicodedata.combining(each))
    spelt = re.sub(r"[^\W\x00-\x7f_]", lambda letter: f"u{ord(letter[0]):04x}", kept)
    spelt = re.sub(r"[^\x00-\x7f]", "-", spelt)
    return (re.sub(r"[^A-Za-z0-9_.+-]+", "-", spelt).strip("_.+-") or "sequence")[:100]

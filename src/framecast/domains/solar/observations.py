"""The observations in a folder, and their matching in time.

All headers are read before any pixel: unusable files are known, with the reason, before the work starts, and the same
folder always gives the same series.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from framecast.core.errors import DataError
from framecast.domains.solar.header_cache import HeaderCache, read_headers
from framecast.domains.solar.image import FrameHeader
from framecast.domains.solar.options import Disk
from framecast.domains.solar.parallel import WorkerPool, one_by_one
from framecast.videos.frames import span

DEFAULT_TOLERANCE = 60.0
"""Seconds within which two observations count as simultaneous, unless half the cadence is less."""

_RECORD = "fetch.json"
"""Files that `framecast.domains.solar.fetch` writes beside the images."""

_BATCH = 16
"""Headers that are read as one job."""


@dataclass(frozen=True)
class Rejected:
    """A file that was left out, and why, in one line."""

    path: Path
    reason: str


@dataclass
class Observations:
    """Content of a folder: usable observations in order of time, and the files that are not."""

    frames: list[FrameHeader] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    @property
    def wavelengths(self) -> Counter[int]:
        """How many usable observations there are of each wavelength (ångström)."""
        return Counter(frame.wavelength for frame in self.frames)

    def nearest(self, wavelength: int, time: np.datetime64) -> FrameHeader | None:
        """Return the observation of ``wavelength`` nearest to ``time``, if there is any."""
        own = (frame for frame in self.frames if frame.wavelength == wavelength)
        return min(own, key=lambda frame: abs(frame.time - time), default=None)


@dataclass(frozen=True)
class Slot:
    """One moment of a series, when the leading channel was observed (UTC), and the observation of every channel.

    The observation is None where there is none within the tolerance.
    """

    time: np.datetime64
    frames: tuple[FrameHeader | None, ...]

    @property
    def present(self) -> list[FrameHeader]:
        """The observations that there are."""
        return [frame for frame in self.frames if frame is not None]


@dataclass(frozen=True)
class Gap:
    """A hole in a series: the moments before and after it, and how many frames would have filled it."""

    before: np.datetime64
    after: np.datetime64
    frames: int


@dataclass(frozen=True)
class Series:
    """Observations of several channels (wavelengths in ångström), matched in time.

    Attributes:
        cadence: nominal seconds between two slots.
        tolerance: seconds within which an observation counts as taken at a slot's time.
        gaps: where slots are missing.
        unmatched: how many observations of each channel between start and end were not used (other times, copies).
    """

    channels: tuple[int, ...]
    cadence: float
    tolerance: float
    slots: tuple[Slot, ...]
    gaps: tuple[Gap, ...]
    unmatched: Counter[int]


def scan(
    source: str | Path,
    *,
    disk: Disk | None = None,
    progress: Callable[[int, int], None] | None = None,
    pool: WorkerPool | None = None,
) -> Observations:
    """Read the header of every file below ``source``, or take it from the cache (see `HeaderCache`).

    ``disk`` says how files that are pictures without a header show the Sun, ``pool`` does the reading, and ``progress``
    is called with the number of headers known, and of all.

    Raises:
        DataError: there is no such folder, or it contains no usable file.
    """
    source = Path(source)
    if not source.is_dir():
        raise DataError(f"{source} is not a folder: name the folder with the FITS files")
    paths = sorted(p for p in source.rglob("*") if not p.name.startswith(".") and p.name != _RECORD and p.is_file())
    if not paths:
        raise DataError(f"{source} contains no file: name the folder with the FITS files")
    cache = HeaderCache(source, disk)
    known = {path: cached for path in paths if (cached := cache.get(path)) is not None}
    unknown = [path for path in paths if path not in known]
    batches = [unknown[k : k + _BATCH] for k in range(0, len(unknown), _BATCH)]
    try:
        for batch, found in zip(batches, (pool or one_by_one)(partial(read_headers, disk=disk), batches), strict=True):
            for path, item in zip(batch, found, strict=True):
                known[path] = item
                cache.put(path, item)
            if progress:
                progress(len(known), len(paths))
    finally:
        cache.save()
    observations = Observations(
        frames=[header for path in paths if not isinstance(header := known[path], str)],
        rejected=[Rejected(path, reason) for path in paths if isinstance(reason := known[path], str)],
    )
    observations.frames.sort(key=lambda frame: (frame.time, frame.wavelength, frame.path))
    if not observations.frames:
        first = observations.rejected[0].reason
        raise DataError(f"{source} contains no usable observation among {len(paths)} files; the first: {first}")
    return observations


def match(
    frames: Iterable[FrameHeader],
    channels: Sequence[int],
    *,
    cadence: float | None = None,
    tolerance: float | None = None,
    start: np.datetime64 | None = None,
    end: np.datetime64 | None = None,
) -> Series:
    """Return the observations of ``channels`` as one series.

    The channel with the most observations leads; each other contributes its observation nearest in time. A cadence
    thins the series out: it keeps what lies nearest to whole multiples of the cadence since midnight (if nothing lies
    there, since the first observation).

    Args:
        frames: observations in order of time.
        channels: wavelengths in ångström.
        cadence: seconds between slots; None keeps every observation and takes their median distance.
        tolerance: seconds; None is `DEFAULT_TOLERANCE` or half the cadence, whichever is less.
        start: leave out what was observed earlier (by more than the tolerance).
        end: leave out what was observed later (by more than the tolerance).

    Raises:
        DataError: a channel has no observation, in the folder or in the range of time, or the cadence is undetermined.
    """
    frames = list(frames)
    present = Counter(frame.wavelength for frame in frames)
    if absent := [channel for channel in channels if channel not in present]:
        raise DataError(
            f"no file has wavelength {_listing(absent)}; the headers say {_listing(sorted(present))}: choose among "
            "these with --wavelengths"
        )
    slack = span(DEFAULT_TOLERANCE if tolerance is None else tolerance)
    frames = [f for f in frames if start is None or f.time >= start - slack]
    frames = [f for f in frames if end is None or f.time <= end + slack]
    within = Counter(frame.wavelength for frame in frames)
    by_channel = {c: _without_twins([f for f in frames if f.wavelength == c]) for c in channels}
    if empty := [channel for channel, members in by_channel.items() if not members]:
        raise DataError(f"no file of wavelength {_listing(empty)} was observed between --start and --end")
    leader = max(channels, key=lambda c: len(by_channel[c]))
    times = np.array([frame.time for frame in by_channel[leader]])
    every = cadence is None
    cadence = _typical_step(times) if cadence is None else cadence
    tolerance = min(DEFAULT_TOLERANCE, cadence / 2) if tolerance is None else tolerance
    kept = times if every else times[_thin(times, cadence, tolerance)]
    columns = [_nearest(by_channel[channel], kept, tolerance) for channel in channels]
    if alone := [channel for channel, column in zip(channels, columns, strict=True) if not any(column)]:
        raise DataError(
            f"no file of {_listing(alone)} Å was observed within {tolerance:g} s of one of {leader} Å that is kept: "
            "choose --wavelengths that were observed together, or raise --tolerance"
        )
    slots = tuple(Slot(time, tuple(column[k] for column in columns)) for k, time in enumerate(kept))
    used = Counter(frame.wavelength for slot in slots for frame in slot.present)
    return Series(
        channels=tuple(channels),
        cadence=cadence,
        tolerance=tolerance,
        slots=slots,
        gaps=tuple(_gaps(kept, cadence)),
        unmatched=Counter({c: within[c] - used[c] for c in channels if within[c] > used[c]}),
    )


def _without_twins(frames: list[FrameHeader]) -> list[FrameHeader]:
    """Return ``frames`` (in order of time) without later files of the same observation."""
    return [frame for k, frame in enumerate(frames) if k == 0 or frame.time > frames[k - 1].time]


def _typical_step(times: np.ndarray) -> float:
    """Return the median distance of ``times`` in seconds, rounded to its nominal value."""
    if len(times) < 2:
        raise DataError("a single observation has no cadence: give more files, or the cadence with --cadence")
    step = float(np.median(np.diff(times) / np.timedelta64(1, "s")))
    for unit in (3600.0, 60.0, 12.0, 1.0):
        rounded = round(step / unit) * unit
        if abs(rounded - step) <= 0.01 * step:
            return rounded
    return step


def _thin(times: np.ndarray, cadence: float, tolerance: float) -> np.ndarray:
    """Return the indices of the ``times`` nearest to multiples of ``cadence``, at most one for each multiple."""
    seconds = (times - times[0].astype("datetime64[D]")) / np.timedelta64(1, "s")
    number = np.round(seconds / cadence)
    if not (np.abs(seconds - number * cadence) <= tolerance).any():
        seconds = seconds - seconds[0]
        number = np.round(seconds / cadence)
    away = np.abs(seconds - number * cadence)
    best: dict[float, int] = {}
    for k in np.flatnonzero(away <= tolerance):
        if number[k] not in best or away[k] < away[best[number[k]]]:
            best[number[k]] = int(k)
    return np.array(sorted(best.values()), dtype=np.int64)


def _nearest(frames: list[FrameHeader], times: np.ndarray, tolerance: float) -> list[FrameHeader | None]:
    """Return for each of ``times`` the frame nearest to it, or None if it is further than ``tolerance``."""
    own = pd.DatetimeIndex([frame.time for frame in frames])
    indices = own.get_indexer(pd.DatetimeIndex(times), method="nearest", tolerance=span(tolerance))
    return [frames[index] if index >= 0 else None for index in indices]


def _gaps(times: np.ndarray, cadence: float) -> list[Gap]:
    steps = np.diff(times) / np.timedelta64(1, "s") / cadence
    return [Gap(times[k], times[k + 1], round(float(steps[k])) - 1) for k in np.flatnonzero(steps > 1.5)]


def _listing(wavelengths: Sequence[int]) -> str:
    return ", ".join(map(str, wavelengths))

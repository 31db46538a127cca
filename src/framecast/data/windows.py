"""Windows: the P + F frames of an archive at the model's times.

The archive's cadence may be finer than the model's (an hourly archive serves a two-hourly model): a window may begin
at any frame, so every phase is used. A run that cannot be used is counted by the reason.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import overload

import numpy as np
import numpy.typing as npt

from framecast.core.errors import ConfigError, DataError
from framecast.core.options import format_duration
from framecast.data.archive.format import MISSING
from framecast.data.archive.reader import Archive
from framecast.videos.calendar import Calendar
from framecast.videos.frames import FrameSpec

MISSING_FRAME = "missing frame"
OFF_TIME = "frame off its time"  # stored in the records of runs
BAD_QUALITY = "bad quality"
MASKED = "masked"
NOT_FINITE = "not finite"
REPEATED = "repeated issue time"

ABSENT = -1
"""Index of a future frame that is not available."""

TOLERANCE = 0.1
"""How far a frame may be from its exact time, as a fraction of the cadence."""


@dataclass(frozen=True)
class Window:
    """One past and its future in one sequence.

    Attributes:
        sequence: name of the sequence.
        indices: positions in its time axis, P of the past and then F of the future; `ABSENT` for a frame of the future
            that is not known, in windows that need none.
        issue_time: observation time of the last past frame.
        start_time: observation time of the first frame.
        end_time: observation time of the last frame that is known.
        calendar: how the times are read.
    """

    sequence: str
    indices: tuple[int, ...]
    issue_time: np.datetime64
    start_time: np.datetime64
    end_time: np.datetime64
    calendar: Calendar = Calendar()

    @property
    def complete(self) -> bool:
        """Whether its whole future is known."""
        return ABSENT not in self.indices

    @property
    def id(self) -> str:
        """A unique, readable name: ``station-7@2017-08-13T06:00``."""
        return self.key if self.calendar.ordinary else f"{self.sequence}@{self.calendar.iso(self.issue_time)}"

    @property
    def key(self) -> str:
        """The same with the time in nanoseconds, from which seeds and checksums are made."""
        time = self.issue_time.astype("datetime64[ns]")
        unit = next(unit for unit in ("m", "s", "ms", "us", "ns") if time == time.astype(f"datetime64[{unit}]"))
        return f"{self.sequence}@{time.astype(f'datetime64[{unit}]')}"


@dataclass(frozen=True)
class WindowList(Sequence[Window]):
    """Windows in the order of sequence and time, and what was left out.

    Attributes:
        windows: the windows.
        rejected: how many candidates were rejected, by reason.
        independent: whether sequences are independent, so that they may be split between training and test.
    """

    windows: tuple[Window, ...]
    rejected: Counter[str] = field(default_factory=Counter)
    independent: bool = False

    @overload
    def __getitem__(self, index: int) -> Window: ...

    @overload
    def __getitem__(self, index: slice) -> "WindowList": ...

    def __getitem__(self, index: int | slice) -> "Window | WindowList":
        if isinstance(index, slice):
            return WindowList(self.windows[index], self.rejected, self.independent)
        return self.windows[index]

    def __len__(self) -> int:
        return len(self.windows)

    def __iter__(self) -> Iterator[Window]:
        return iter(self.windows)

    @property
    def calendar(self) -> Calendar:
        """How the times of all windows are read."""
        return self.windows[0].calendar if self.windows else Calendar()

    @property
    def sequences(self) -> tuple[str, ...]:
        """Names of the sequences that hold at least one window, sorted."""
        return tuple(sorted({window.sequence for window in self.windows}))

    def describe(self) -> str:
        """Return one line: how many windows there are and how many candidates were rejected, by reason."""
        parts = [f"{count} {reason}" for reason, count in sorted(self.rejected.items()) if count]
        return f"{len(self)} windows" + (f", rejected: {', '.join(parts)}" if parts else "")

    @property
    def remedy(self) -> str:
        """How to keep more of the candidates, if frames are mistimed; empty otherwise."""
        lost = self.rejected[OFF_TIME]
        if not lost:
            return ""
        every = len(self) + self.rejected.total()
        return (
            f"{lost} of {every} candidates ({100 * lost / every:.0f} %) are rejected because a frame is not at its "
            f"time: a larger data.tolerance (a fraction of the cadence, {TOLERANCE:g} by default) keeps them, with "
            "the nearest frames"
        )


def find_windows(
    archive: Archive,
    frames: FrameSpec,
    *,
    tolerance: float = TOLERANCE,
    stride: int = 1,
    max_masked: float = 0.25,
    past_only: bool = False,
) -> WindowList:
    """Return all windows of ``archive`` that fit ``frames``.

    Each frame of a window is the one nearest to its time after the window's first, if that is within the tolerance. A
    candidate begins at each frame after which a whole window fits into the sequence. It is rejected for the first of
    these reasons: a *missing frame*; a *frame off its time*, where there is one within half the cadence and none within
    the tolerance; *bad quality* of one; *masked*, when more than ``max_masked`` of the pixels of a frame are NaN; *not
    finite*, when a pixel is infinite; *repeated issue time*, when an earlier window of an irregular sequence has the
    same last past frame. The archive's domain may have other words for these reasons. Only the channels that are used
    count.

    Args:
        archive: the archive to search.
        frames: channels, frames and cadence of the model.
        tolerance: allowed distance from the exact time, as a fraction of the model's cadence, in [0, 0.5).
        stride: begin a window at every ``stride``-th frame of the archive only.
        max_masked: largest fraction of NaN pixels in a frame, in [0, 1].
        past_only: whether a past is enough: no window is rejected for its future, in which frames that are missing or
            cannot be used are `ABSENT`.

    Raises:
        ConfigError: an option is out of range.
        DataError: the archive lacks a channel, has another size, or contains no window.
    """
    if not 0 <= tolerance < 0.5:
        raise ConfigError(f"tolerance is {tolerance}; it is a fraction of the cadence in [0, 0.5)")
    if stride < 1:
        raise ConfigError(f"stride is {stride}; it is a number of frames, at least 1")
    if not 0 <= max_masked <= 1:
        raise ConfigError(f"max_masked is {max_masked}; it is a fraction of the pixels in [0, 1]")
    check_fit(archive, frames, past_only=past_only)
    rejected: Counter[str] = Counter()
    windows: list[Window] = []
    needed = frames.past if past_only else frames.past + frames.future
    for name in archive.sequences:
        times = archive.times(name)
        indices, complete, near = _runs(times, archive.quality(name) != MISSING, frames, tolerance, stride, needed)
        rejected[MISSING_FRAME] += int((~complete & ~near).sum())
        rejected[OFF_TIME] += int((~complete & near).sum())
        indices = indices[complete]
        faults = _faults(archive, name, frames, max_masked)
        usable = np.ones(len(indices), bool)
        for reason, (past, future) in faults.items():
            faulty = np.concatenate([past[indices[:, : frames.past]], future[indices[:, frames.past :]]], axis=1)
            indices[:, needed:][faulty[:, needed:]] = ABSENT
            lost = faulty[:, :needed].any(axis=1)
            rejected[reason] += int((usable & lost).sum())
            usable &= ~lost
        first = np.zeros(len(indices), bool)
        first[np.flatnonzero(usable)[np.unique(indices[usable, frames.past - 1], return_index=True)[1]]] = True
        rejected[REPEATED] += int((usable & ~first).sum())
        windows += [
            Window(name, tuple(row), times[row[frames.past - 1]], times[row[0]], times[max(row)], archive.calendar)
            for row in indices[first].tolist()
        ]
    reasons = archive.domain.reasons
    rejected = Counter({reasons.get(reason, reason): count for reason, count in rejected.items() if count})
    found = WindowList(tuple(windows), rejected, archive.attrs.get("independent_sequences") is True)
    if not found.windows:
        raise DataError(_nothing(archive, frames, found.rejected, max_masked, needed))
    return found


def check_fit(archive: Archive, frames: FrameSpec, *, past_only: bool = False) -> None:
    """Raise `DataError` if the archive lacks channels of ``frames``, or of the past, or has frames of another size."""
    wanted = dict.fromkeys((*frames.past_channels, *(() if past_only else frames.future_channels)))
    missing = [channel for channel in wanted if channel not in archive.channels]
    if missing:
        raise DataError(
            f"{archive.path} lacks channel {', '.join(missing)}; it has {', '.join(archive.channels)}: "
            "choose among these, or prepare the archive with them"
        )
    if (archive.height, archive.width) != (frames.height, frames.width):
        raise DataError(
            f"{archive.path} has frames of {archive.height}×{archive.width} pixels and the model takes "
            f"{frames.height}×{frames.width}: prepare the archive at that size"
        )


def manifest_hash(windows: Sequence[Window]) -> str:
    """Return a hexadecimal digest of which windows these are; order and machine do not matter."""
    lines = sorted(f"{window.key} {','.join(map(str, window.indices))}" for window in windows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _runs(
    times: npt.NDArray[np.datetime64],
    present: npt.NDArray[np.bool_],
    frames: FrameSpec,
    tolerance: float,
    stride: int,
    needed: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return the frames of every candidate ``[candidate, P + F]``, and which have the first ``needed`` of them.

    Last, which have so many within half the cadence.
    """
    count = frames.past + frames.future
    slack = round(tolerance * frames.cadence * 1e9)
    clock = times.astype("datetime64[ns]").astype(np.int64)
    first = frames.past_times[0]
    offsets = np.array([round((time - first) * 1e9) for time in (*frames.past_times, *frames.lead_times)])
    if offsets[needed - 1] > int(clock[-1]) - int(clock[0]) + slack:
        return np.zeros((0, count), np.int64), np.zeros(0, bool), np.zeros(0, bool)
    starts = np.arange(0, len(clock), stride)
    starts = starts[clock[starts] + offsets[needed - 1] <= clock[-1] + slack]
    if not present.any():
        none = np.zeros(len(starts), bool)
        return np.zeros((len(starts), count), np.int64), none, none
    wanted = clock[starts, None] + offsets
    there = np.flatnonzero(present)
    after = np.searchsorted(clock[there], wanted).clip(1, max(1, len(there) - 1))
    before, after = there[after - 1], there[np.minimum(after, len(there) - 1)]
    nearest = np.where(np.abs(clock[after] - wanted) < np.abs(wanted - clock[before]), after, before)
    away = np.abs(clock[nearest] - wanted)
    near, half = away <= slack, away < 0.5e9 * frames.cadence
    complete, loosely = (present[starts] & close[:, :needed].all(axis=1) for close in (near, half))
    return np.where(near, nearest, ABSENT), complete, loosely


def _faults(
    archive: Archive, name: str, frames: FrameSpec, max_masked: float
) -> dict[str, tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]]:
    """Return for each reason which frames ``[time]`` cannot be used in the past and in the future."""
    masked, infinite = archive.unusable(name)
    past, future = (
        [archive.channels.index(channel) for channel in channels if channel in archive.channels]
        for channels in (frames.past_channels, frames.future_channels)
    )
    bad = archive.quality(name) != 0
    return {
        BAD_QUALITY: (bad, bad),
        MASKED: ((masked[:, past] > max_masked).any(axis=1), (masked[:, future] > max_masked).any(axis=1)),
        NOT_FINITE: ((infinite[:, past] > 0).any(axis=1), (infinite[:, future] > 0).any(axis=1)),
    }


def _nothing(archive: Archive, frames: FrameSpec, rejected: Counter[str], max_masked: float, needed: int) -> str:
    """Return in one line why there is no window."""
    need = frames.describe() if needed > frames.past else frames.describe_past()
    if not rejected:
        clocks = map(archive.times, archive.sequences)
        longest = max((times[-1] - times[0]) / np.timedelta64(1, "s") for times in clocks)
        span = [*frames.past_times, *frames.lead_times][needed - 1] - frames.past_times[0]
        return (
            f"{archive.path} is too short for one window: {need} span {span / 3600:g} h and the longest sequence "
            f"spans {longest / 3600:g} h: use fewer frames, a shorter cadence or longer sequences"
        )
    counts, hint = ", ".join(f"{count} {reason}" for reason, count in rejected.most_common()), ""
    ratio = frames.cadence / archive.cadence
    missing = archive.domain.reasons.get(MISSING_FRAME, MISSING_FRAME)
    untimely = rejected[missing] + rejected[OFF_TIME]
    if untimely == rejected.total() and abs(ratio - round(ratio)) > 0.01 * ratio:
        hint = (
            f"; the archive has a frame every {format_duration(archive.cadence)}, of which "
            f"{format_duration(frames.cadence)} is not a multiple: choose another cadence for training, or for a "
            f"trained model prepare the images every {format_duration(frames.cadence)} or a fraction of it"
        )
    elif rejected[OFF_TIME]:
        hint = (
            f"; {rejected[OFF_TIME]} are rejected because a frame is not at its time: train with data.tolerance up "
            "to 0.49 (a fraction of the cadence), or import with --interpolate"
        )
    if rejected[archive.domain.reasons.get(MASKED, MASKED)]:
        masked = np.concatenate([archive.unusable(name)[0].max(axis=1) for name in archive.sequences])
        typical = float(np.median(masked[masked > max_masked]))
        hint += (
            f"; {100 * typical:.3g} % of the pixels of a frame are unknown and max_masked={max_masked:g} allows "
            f"{100 * max_masked:.3g} %: train with data.max_masked={np.ceil(100 * typical + 0.5) / 100:g} if they are "
            "always the same (land, beyond the range of a radar)"
        )
    return f"{archive.path} contains no window of {need}; candidates rejected: {counts}{hint}"

"""Times of frames: dates of any calendar, months, seconds of a simulation, or step numbers.

Windows need even steps. Times that are uneven only because they are rounded (float32) or because months have 28 to 31
days are made even, with a note. Real gaps remain.
"""

import re
from dataclasses import dataclass, replace

import cftime
import numpy as np
import numpy.typing as npt

from framecast.core.errors import DataError
from framecast.core.options import format_duration, parse_duration
from framecast.importers.axes import Axes
from framecast.importers.decoding import Decoded
from framecast.importers.options import ImportOptions
from framecast.videos.calendar import Calendar, Clock, seconds_in, to_clock

_NICE = (86400.0, 21600.0, 10800.0, 3600.0, 1800.0, 900.0, 600.0, 300.0, 60.0, 30.0, 10.0, 5.0, 1.0, 0.1, 0.01, 0.001)
"""Seconds of which a step may be a multiple, the roundest first."""

_EPOCH = np.datetime64("1970-01-01", "ns")


@dataclass(frozen=True, kw_only=True)
class FrameTimes:
    """The times of all frames.

    Attributes:
        clock: ``[frame]``, or ``[sequence, frame]`` where sequences have times of their own; NaT where there is none.
        calendar: of the clock.
        notes: what was decided, one line each.
    """

    clock: Clock
    calendar: Calendar
    notes: tuple[str, ...] = ()


def frame_times(decoded: Decoded, axes: Axes, cadence: float | None) -> FrameTimes:
    """Return the times of the frames of ``decoded``.

    Args:
        decoded: the dataset.
        axes: which coordinate holds the times; its dimensions are frame, and sequence if it has two.
        cadence: seconds between two frames, needed where frames are only numbered.

    Raises:
        DataError: frames are numbered and no cadence is given.
    """
    variable = decoded.dataset[axes.time]
    if variable.ndim == 2:
        variable = variable.transpose(axes.sequence, axes.frame)
    if axes.time not in decoded.calendars:
        return _undated(axes.time, variable.values, variable.attrs.get("units"), cadence)
    times = FrameTimes(clock=variable.values.astype("datetime64[ns]"), calendar=decoded.calendars[axes.time])
    if times.clock.ndim == 1:
        times = _monthly(times)
    if (precision := decoded.precision.get(axes.time, 0.0)) > 0:
        times = _regular(times, precision)
    return times


def within(clock: Clock, calendar: Calendar, options: ImportOptions) -> npt.NDArray[np.int64]:
    """Return the selected frames of a sequence, in order of time if ``every`` selects a subset.

    Raises:
        ConfigError: a time or step cannot be read.
        DataError: no frame is selected.
    """
    chosen = np.arange(len(clock))
    for text, after in ((options.start, True), (options.end, False)):
        if text is not None:
            limit = calendar.parse(text)
            if not after and re.fullmatch(r"\d+-\d+-\d+", text.strip()):
                limit += np.timedelta64(24 * 3600 * 10**9 - 1, "ns")  # a date alone is the whole day
            chosen = chosen[(clock[chosen] >= limit) if after else (clock[chosen] <= limit)]
    if options.every is not None:
        chosen = chosen[~np.isnat(clock[chosen])]
        chosen = chosen[np.argsort(clock[chosen], kind="stable")]
        if options.every.isdecimal():
            chosen = chosen[:: max(1, int(options.every))]
        elif len(chosen):
            step = parse_duration(options.every)
            passed = (clock[chosen] - clock[chosen[0]]) / np.timedelta64(1, "ns") / 1e9 / step
            chosen = chosen[np.abs(passed - np.rint(passed)) <= 0.01]
    if not len(chosen) and len(clock) and not np.isnat(clock).all():
        first, last = (calendar.text(time) for time in (np.nanmin(clock), np.nanmax(clock)))
        raise DataError(
            f"no frame lies between {options.start or 'the first'} and {options.end or 'the last'}: frames go from "
            f"{first} to {last}"
        )
    return chosen


def _undated(name: str, values: npt.NDArray[np.generic], units: object, cadence: float | None) -> FrameTimes:
    """Return elapsed times: from units such as seconds, or from numbers of steps and the ``cadence``."""
    numbers = np.asarray(values, dtype=np.float64)
    try:
        seconds = numbers * seconds_in(str(units))
        note = f"{name} contains no dates: times are elapsed times"
        if cadence is not None and not _agrees(np.diff(seconds), cadence):
            raise DataError(f"the time between frames is not always {format_duration(cadence)}")
    except DataError:
        steps = np.diff(np.unique(numbers[np.isfinite(numbers)]))
        if cadence is None:
            raise DataError(
                f"{name} contains no dates and has no unit of time: give the time between two frames with "
                "--cadence, such as 5min, or, for times in file names, their pattern with --time, such as "
                "%d%m%Y_%H%M"
            ) from None
        step = np.percentile(steps, 50, method="lower") if len(steps) else 1.0  # one that occurs
        seconds = (numbers - np.nanmin(numbers)) / step * cadence
        note = f"{name} contains frame numbers, not dates: one frame every {format_duration(cadence)}"
    elapsed = np.full(seconds.shape, np.timedelta64("NaT", "ns"))
    known = np.isfinite(seconds)
    elapsed[known] = np.rint(seconds[known] * 1e9).astype(np.int64).astype("timedelta64[ns]")
    clock, calendar = to_clock(elapsed)
    times = FrameTimes(clock=clock, calendar=calendar, notes=(note,))
    spacing = np.spacing(np.abs(values[known]).max()) if values.dtype.kind == "f" and known.any() else 0.0
    return _regular(times, float(spacing) * float(np.ptp(seconds[known]) / max(np.ptp(numbers[known]), 1e-300)))


def _agrees(steps: npt.NDArray[np.floating], cadence: float) -> bool:
    """Whether some frames come about ``cadence`` seconds after another."""
    return bool(not steps.size or (np.abs(steps[:, None] * [1, 2, 3, 4, 6] - cadence) < 0.5 * cadence).any())


def _monthly(times: FrameTimes) -> FrameTimes:
    """Put one frame a month, or a year, on the calendar of twelve months of 30 days, where such steps are even."""
    known = ~np.isnat(times.clock)
    steps = np.diff(times.clock[known]) / np.timedelta64(1, "D")
    if times.calendar.name in ("none", "360_day") or len(steps) < 2 or len(np.unique(steps)) == 1:
        return times
    dates = [_fields(date) for date in times.calendar.dates(times.clock[known])]
    months = np.array([12 * year + month for year, month, _ in dates])
    unit = int(np.median(np.diff(months)))
    days = np.array([day for _, _, day in dates])
    even = unit > 0 and (np.diff(months) > 0).all() and (np.diff(months) % unit == 0).all() and np.ptp(days) <= 2.1
    if not even or np.median(steps) < 27.5:
        return times
    day = int(min(np.median(days), 30))
    stamps = [
        cftime.datetime((m - 1) // 12, (m - 1) % 12 + 1, day, calendar="360_day", has_year_zero=True)
        for m in months.tolist()
    ]
    clock, calendar = to_clock(np.array(stamps, dtype=object))
    full = np.full(times.clock.shape, np.datetime64("NaT", "ns"))
    full[known] = clock
    every = "1 month" if unit == 1 else f"{unit} months"
    note = f"a frame every {every}: stored in the calendar of 360 days, where every month has 30 (also in lead times)"
    return replace(times, clock=full, calendar=calendar, notes=(*times.notes, note))


def _fields(date: object) -> tuple[int, int, float]:
    """Return year, month and day with its fraction."""
    if isinstance(date, np.datetime64):
        month = date.astype("datetime64[M]")
        day = 1 + float((date - month) / np.timedelta64(1, "D"))
        index = int(month.astype(int))
        return 1970 + index // 12, index % 12 + 1, day
    assert isinstance(date, cftime.datetime)
    return date.year, date.month, date.day + date.hour / 24 + date.minute / 1440


def _regular(times: FrameTimes, precision: float) -> FrameTimes:
    """Round times to even steps that agree with them within their stored ``precision`` (seconds)."""
    rows = times.clock.reshape(-1, times.clock.shape[-1])
    put = [_on_steps(row, precision) for row in rows]
    clock = np.stack([row for row, _ in put]).reshape(times.clock.shape)
    steps = {step for _, step in put if step is not None}
    if not steps or (clock == times.clock)[~np.isnat(clock)].all():
        return times
    moved = np.abs((clock - times.clock)[~np.isnat(clock)]).max() / np.timedelta64(1, "ns") / 1e9
    if moved < 0.01 * min(steps):  # too little to affect a window
        return replace(times, clock=clock)
    every = ", ".join(format_duration(step) for step in sorted(steps))
    note = f"times are stored to {precision:.3g} s and consistent with one frame every {every}, which is assumed"
    return replace(times, clock=clock, notes=(*times.notes, note))


def _on_steps(row: Clock, precision: float) -> tuple[Clock, float | None]:
    """Return the times of one sequence at even steps, and the step in seconds; None if no step fits."""
    known = np.flatnonzero(~np.isnat(row))
    seconds = (row[known] - _EPOCH).astype(np.int64) / 1e9
    order = np.argsort(seconds, kind="stable")
    sorted_ = seconds[order] - seconds[order[0]] if len(order) else seconds
    steps = np.diff(sorted_)
    steps = steps[steps > precision]
    if len(steps) < 2:
        return row, None
    rough = float(np.median(steps))
    counts = np.concatenate([[0.0], np.cumsum(np.rint(np.diff(sorted_) / rough))])
    if counts[-1] < 2:
        return row, None
    for _ in range(3):  # many steps determine the length of one more accurately
        step = float(sorted_[-1] / counts[-1])
        counts = np.rint(sorted_ / step)
    slack = 1.01 * precision
    for nice in _NICE:
        even = round(step / nice) * nice
        if even <= 0 or abs(even - step) * counts[-1] > 2 * slack:
            continue
        offset = float(np.median(seconds[order] - counts * even))
        start = next((round(offset / u) * u for u in _NICE if abs(round(offset / u) * u - offset) <= slack), offset)
        put = start + counts * even
        merged = (np.diff(counts) == 0) & (np.diff(sorted_) > 0)
        if np.abs(put - seconds[order]).max() <= slack and not merged.any():
            clock = row.copy()
            nanos = np.rint(put * 1e6).astype(np.int64) * 1000
            clock[known[order]] = _EPOCH + nanos.astype("timedelta64[ns]")
            return clock, even
    return row, None

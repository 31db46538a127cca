"""Ensembles of other models with their truth, converted to the layout of a forecast file.

A forecast is a file with a member dimension, several files with a member each (a folder, or a pattern such as
``members/*.nc``), or a file of `framecast.forecast`. The truth is an archive or any gridded file. They are paired by
valid time; lead times count from the reference time. Rows and columns are flipped according to their coordinates, and
the truth is cut to the pixels of the forecast, but nothing is interpolated: different grids are refused.

References:
    CF Conventions 1.11: the standard names ``realization``, ``forecast_reference_time`` and ``forecast_period``.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from framecast.core.errors import DataError, FramecastError
from framecast.core.files import FORECAST
from framecast.core.options import format_duration
from framecast.core.text import one_line
from framecast.data.archive.guard import undamaged
from framecast.data.archive.reader import Archive
from framecast.data.forecasts import SampleInfo, issue_clock, open_forecast, write_forecast
from framecast.data.windows import TOLERANCE
from framecast.importers.base import Recording
from framecast.importers.decoding import Decoded, as_text
from framecast.importers.formats import open_decoded, open_source
from framecast.importers.gridded import Gridded
from framecast.importers.options import ImportOptions
from framecast.importers.values import Growth
from framecast.videos.calendar import Calendar, Clock, decode_clock, seconds_in, to_clock
from framecast.videos.frames import FrameSpec, span
from framecast.videos.units import by_channel, convert, same_unit, select

_MEMBER = ("member", "members", "realization", "realisation", "number", "ensemble", "ens", "member_id", "perturbation")
_REFERENCE = ("forecast_reference_time", "reference_time", "init_time", "initial_time", "issue_time", "init")
_LEAD = ("forecast_period", "lead_time", "leadtime", "lead", "step", "prediction_timedelta")
_ONE_WAY = 1e-3  # by how much coordinates may differ, in pixels: what rounding to float32 makes of them

Frames = np.ndarray
Coordinates = dict[str, tuple[tuple[str, ...], np.ndarray, dict[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class Video:
    """Frames by their time.

    Attributes:
        times: on the clock of the calendar, ``[time]``.
        calendar: how they are read.
        channels: names.
        unit: of the values; empty where nobody says.
        positions: coordinates of the pixels; see `framecast.importers.positions`.
        read: from places in time to ``[time, channel, y, x]``, rows upward, NaN where unknown.
    """

    times: Clock
    calendar: Calendar
    channels: tuple[str, ...]
    unit: str
    positions: Coordinates
    read: Callable[[Sequence[int]], Frames]


@dataclass(frozen=True, kw_only=True)
class ForecastRun:
    """What was forecast at one time.

    Attributes:
        sequence: the name of its place; empty where there is one.
        issue: reference time, on the clock of the members' calendar.
        members: a video each, of the frames after that time.
    """

    sequence: str
    issue: np.datetime64
    members: Sequence[Video]

    @property
    def leads(self) -> tuple[float, ...]:
        """Seconds from the reference time to each frame."""
        return tuple(((self.members[0].times - self.issue) / np.timedelta64(1, "s")).tolist())


def as_forecast(
    forecast: str | Path, truth: str | Path | None, out: Path, *, variables: Sequence[str] = ()
) -> tuple[str, ...]:
    """Write an ensemble and its truth as the forecast file ``out``; return remarks, one line each.

    Args:
        forecast: see above.
        truth: an archive or a gridded file; None for the observations in the forecast file.
        out: the file to make.
        variables: of the forecast; by default all with a member dimension.

    Raises:
        FramecastError: there is no such file.
        DataError: it contains no forecast, or the two do not match.
    """
    notes: list[str] = []
    runs = list(_runs(str(forecast), tuple(variables), notes))
    first = runs[0].members[0]
    count = len(runs[0].members)
    leads = runs[0].leads
    if any(run.leads != leads for run in runs):
        raise DataError("forecasts of one file have different lead times: evaluate them separately")
    cadence = reduce(math.gcd, (round(lead * 1000) for lead in leads)) / 1000
    frames = round(max(leads) / cadence)
    truths = {} if truth is None else _truths(Path(truth))
    paired = [_truth_of(run, truths, truth) for run in runs]
    names, columns, scale = _channels(first, next(iter(truths.values()), None), notes)
    pixels = _pixels(first, next(iter(truths.values()), None), notes)
    past = [
        _at(video, run.issue, run.members[0], cadence) if video else None
        for run, video in zip(runs, paired, strict=True)
    ]
    seen = all(place is not None for place in past)
    height, width = first.read([0]).shape[-2:]
    spec = FrameSpec(
        past_channels=tuple(names) if seen else ("not seen",),
        future_channels=tuple(names),
        past=1,
        future=frames,
        cadence=cadence,
        height=height,
        width=width,
    )
    infos = [SampleInfo(sequence=run.sequence or Path(str(forecast)).stem, issue_time=run.issue) for run in runs]
    shape = (len(names), frames, height, width)
    attrs = {
        "model": stem(forecast),
        "members": count,
        "archive": str(truth or "none"),
        "split": "outside",
        "cadence": cadence,
    }
    missing = 0
    totals = [Growth() for _ in range(2 * len(names))]  # of the forecast, then of the truth
    with write_forecast(
        out,
        frames=spec,
        samples=infos,
        members=count,
        unit=select(first.unit, first.channels, names),
        attrs=attrs,
        dressing=None,
        positions=first.positions,
        calendar=first.calendar,
    ) as writer:
        for k, run in enumerate(runs):
            at = [round(lead / cadence) - 1 for lead in run.leads]
            members = np.full((count, *shape), np.nan, np.float32)
            for m, member in enumerate(run.members):
                members[m][:, at] = member.read(range(len(at)))[:, columns[0]].swapaxes(0, 1)
            came = np.full(shape, np.nan, np.float32)
            last = np.full((len(spec.past_channels), 1, height, width), np.nan, np.float32)
            video = paired[k]
            if video is not None:
                places = [_at(video, run.issue + span(lead), run.members[0], cadence) for lead in run.leads]
                known = [(j, place) for j, place in zip(at, places, strict=True) if place is not None]
                missing += len(at) - len(known)
                if known:
                    found = scale(pixels(video.read([place for _, place in known]))[:, columns[1]])
                    came[:, [j for j, _ in known]] = found.swapaxes(0, 1)
                if seen:
                    last = scale(pixels(video.read([past[k]]))[:, columns[1]]).swapaxes(0, 1)  # type: ignore[list-item]
            writer.write(k, past=last, truth=came, forecast=members)
            for growth, channel in zip(totals, [*members[0], *came], strict=True):
                growth.last = None
                growth.see(channel)
    for name, own, other in zip(names, totals[: len(names)], totals[len(names) :], strict=True):
        if own.steady != other.steady and own.rises and other.rises:
            which, not_which = ("forecast", "truth") if own.steady else ("truth", "forecast")
            notes.append(
                f"{name} of the {which} never falls with the lead time, that of the {not_which} does: if it is a total "
                "since the start of the run, write the difference of each frame and the one before"
            )
    if truth is not None:
        total = sum(len(run.leads) for run in runs)
        if missing == total:
            raise DataError(f"none of the {total} valid times of {forecast} is in {truth}: {_spans(runs, truths)}")
        if missing:
            notes.append(f"{missing} of {total} frames of {stem(forecast)} have no observation and are not scored")
    return tuple(notes)


def stem(forecast: str | Path) -> str:
    """Return the name of the forecast of a file, a folder or a pattern."""
    path = Path(forecast)
    return path.parent.name if "*" in path.name else path.stem


def _spans(runs: Sequence[ForecastRun], truths: dict[str, Video]) -> str:
    calendar = runs[0].members[0].calendar
    ends = [run.issue + span(lead) for run in runs for lead in run.leads]
    times = np.concatenate([video.times for video in truths.values()])
    own = next(iter(truths.values())).calendar
    return (
        f"forecast from {calendar.text(min(ends))} to {calendar.text(max(ends))}, observed from "
        f"{own.text(times.min())} to {own.text(times.max())}"
    )


def _truth_of(run: ForecastRun, truths: dict[str, Video], path: object) -> Video | None:
    if len(truths) <= 1:
        return next(iter(truths.values()), None)
    if run.sequence not in truths:
        known = ", ".join(list(truths)[:4])
        raise DataError(
            f"{path} contains the sequences {known} …, and none is called {run.sequence or 'as the forecast'}: "
            "give only the truth of this forecast"
        )
    return truths[run.sequence]


def _at(video: Video, time: np.datetime64, like: Video, cadence: float) -> int | None:
    """Return the frame of ``video`` at ``time``, which is on the clock of ``like``; None where there is none."""
    if not len(video.times):
        return None
    wanted = video.calendar.on_this_clock(np.array([time]), like.calendar)[0]
    apart = np.abs(video.times - wanted)
    nearest = int(apart.argmin())
    return nearest if apart[nearest] <= span(TOLERANCE * cadence) else None


def _channels(
    own: Video, truth: Video | None, notes: list[str]
) -> tuple[list[str], tuple[list[int], list[int]], Callable[[Frames], Frames]]:
    """Return names and indices of the common channels, and the conversion of the truth to the same unit."""
    if truth is None:
        return list(own.channels), (list(range(len(own.channels))), []), lambda frames: frames
    names = [name for name in own.channels if name in truth.channels]
    if not names and len(own.channels) == len(truth.channels) == 1:
        names, places = list(own.channels), ([0], [0])
        notes.append(f"{own.channels[0]} is compared with {truth.channels[0]}, the only variable of the truth")
    elif not names:
        raise DataError(
            f"the forecast has {', '.join(own.channels)} and the truth {', '.join(truth.channels)}: name the variable "
            "that both have with --variable"
        )
    else:
        places = ([own.channels.index(n) for n in names], [truth.channels.index(n) for n in names])
    ours = by_channel(select(own.unit, own.channels, names), len(names))
    theirs = by_channel(select(truth.unit, truth.channels, [truth.channels[k] for k in places[1]]), len(names))
    steps: list[tuple[str, str] | None] = []
    for name, unit, other in zip(names, ours, theirs, strict=True):
        differ = bool(unit and other) and not same_unit(unit, other)
        steps.append((other, unit) if differ else None)
        if differ:
            convert(np.zeros(1), other, unit)  # or raises
            notes.append(f"{name} of the truth is converted from {other} to {unit}")
        elif bool(unit) != bool(other):
            which = "forecast" if other else "truth"
            notes.append(f"{name} of the {which} has no unit, and is assumed to be in {unit or other}")

    def scaled(frames: Frames) -> Frames:
        for k, step in enumerate(steps):
            if step is not None:
                frames[:, k] = convert(frames[:, k], *step)
        return frames

    return names, places, scaled


def _pixels(own: Video, truth: Video | None, notes: list[str]) -> Callable[[Frames], Frames]:
    """Return a function that cuts frames of the truth to the pixels of the forecast."""
    if truth is None:
        return lambda frames: frames
    chosen: dict[str, np.ndarray] = {}
    compared = False
    for name in ("y", "x"):
        if name in own.positions and name in truth.positions:
            ours, theirs = own.positions[name][1], truth.positions[name][1]
            step = float(np.abs(np.diff(ours)).min()) if len(ours) > 1 else 1.0
            place = np.abs(theirs[None] - ours[:, None]).argmin(axis=1)
            if np.abs(theirs[place] - ours).max() > _ONE_WAY * step:
                raise DataError(_other_grid(own, truth, name))
            chosen[name], compared = place, True
    for name in ("lat", "lon"):
        if name in own.positions and name in truth.positions:
            ours, (dims, theirs, _) = own.positions[name][1], truth.positions[name]
            for axis, dim in enumerate(dims):
                theirs = np.take(theirs, chosen[dim], axis) if dim in chosen else theirs
            step = np.abs(np.diff(ours, axis=-1)).max() if ours.size > 1 else 1.0
            if ours.shape != theirs.shape or np.abs(ours - theirs).max() > _ONE_WAY * max(float(step), 1e-6):
                raise DataError(_other_grid(own, truth, name))
    if not compared and not {"lat", "lon"} <= set(own.positions) & set(truth.positions):
        notes.append("forecast and truth do not both have coordinates: their pixels are assumed to be the same")
    size = own.read([0]).shape[-2:]

    def cut(frames: Frames) -> Frames:
        for axis, name in ((-2, "y"), (-1, "x")):
            if name in chosen:
                frames = np.take(frames, chosen[name], axis=axis)
        if frames.shape[-2:] != size:
            raise DataError(
                f"the forecast has {size[0]}×{size[1]} pixels and the truth {frames.shape[-2]}×{frames.shape[-1]}: "
                "regrid them to one grid first"
            )
        return frames

    return cut


def _other_grid(own: Video, other: Video, name: str, which: str = "forecast and truth") -> str:
    def said(video: Video) -> str:
        values = video.positions[name][1]
        return f"{values.size} values from {np.nanmin(values):g} to {np.nanmax(values):g}"

    return f"{which} are on different grids ({name}: {said(own)}, and {said(other)}): regrid them to one grid first"


def _truths(path: Path) -> dict[str, Video]:
    try:
        archive = Archive.open(path)
    except DataError as error:
        if not path.exists() or "format" in str(error):
            raise
    else:
        return {name: _of_archive(archive, name) for name in archive.sequences}
    recording, _ = open_source([path], ImportOptions())
    found = {}
    for k in range(recording.sequences):
        times = recording.times(k)
        order = np.argsort(times)[: int((~np.isnat(times)).sum())]
        found[recording.label(k) or str(k)] = _of_recording(recording, k, times, order)
    return found


def _of_archive(archive: Archive, name: str) -> Video:
    good = np.flatnonzero(archive.quality(name) == 0)
    return Video(
        times=archive.times(name)[good],
        calendar=archive.calendar,
        channels=archive.channels,
        unit=archive.unit,
        positions=_coordinates(archive.positions(name)),
        read=lambda places: archive.read(name, good[list(places)]).swapaxes(0, 1),
    )


def _coordinates(variables: Mapping[str, Any]) -> Coordinates:
    return {
        name: (tuple(map(str, own.dims)), np.asarray(own.values), dict(own.attrs)) for name, own in variables.items()
    }


def _of_recording(recording: Recording, sequence: int, times: Clock, order: np.ndarray) -> Video:
    """Return the frames of a sequence at the places ``order``; ``times`` are those of all its frames."""
    return Video(
        times=times[order],
        calendar=recording.calendar,
        channels=tuple(recording.channels),
        unit=recording.unit,
        positions=recording.positions(sequence),
        read=lambda places: np.stack(list(recording.frames(sequence, order[list(places)]))),
    )


def _runs(forecast: str, variables: tuple[str, ...], notes: list[str]) -> Iterator[ForecastRun]:
    path = Path(forecast)
    if (path / FORECAST.marker).is_file() and FORECAST.describes(path):
        yield from _own_runs(path)
        return
    files = [path]
    if "*" in path.name:
        files = sorted(path.parent.glob(path.name))
    elif path.is_dir() and not any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zmetadata")):
        files = sorted(each for each in path.iterdir() if not each.name.startswith("."))
    if not files:
        raise FramecastError(f"there is no file {forecast}: give an ensemble, or a folder with a file for each member")
    parts = [list(_runs_of_file(file, variables, notes if file == files[0] else [])) for file in files]
    for runs in zip(*parts, strict=len({len(part) for part in parts}) == 1):
        if len({(run.issue, run.leads) for run in runs}) > 1:
            raise DataError(f"the files of {forecast} have different times: each must contain the same forecasts")
        members = [member for run in runs for member in run.members]
        for member in members[1:]:
            _check_like(member, members[0], forecast)
        yield replace(runs[0], members=members)


def _check_like(member: Video, first: Video, forecast: str) -> None:
    """Raise `DataError` unless two members have the same channels, unit and pixels."""
    if member.channels != first.channels or not same_unit(member.unit, first.unit):
        raise DataError(
            f"the files of {forecast} contain {', '.join(first.channels)} in {first.unit or 'no unit'} and "
            f"{', '.join(member.channels)} in {member.unit or 'no unit'}: convert them to one unit first"
        )
    for name in {"y", "x", "lat", "lon"} & set(first.positions) & set(member.positions):
        ours, theirs = first.positions[name][1], member.positions[name][1]
        step = float(np.abs(np.diff(ours, axis=-1)).max()) if ours.size > 1 else 1.0
        if ours.shape != theirs.shape or np.abs(ours - theirs).max() > _ONE_WAY * max(step, 1e-6):
            raise DataError(_other_grid(first, member, name, f"the files of {forecast}"))


def _own_runs(path: Path) -> Iterator[ForecastRun]:
    data = open_forecast(path)
    clock, calendar = issue_clock(data)
    positions = _coordinates({name: data[name] for name in ("y", "x", "lat", "lon", "crs") if name in data.coords})

    def member(sample: int, number: int) -> Video:
        def read(places: Sequence[int]) -> Frames:
            with undamaged(path):
                video = data["forecast"].isel(sample=sample, member=number, lead_time=list(places))
                return np.asarray(video.transpose("lead_time", "channel", "y", "x").values)

        return Video(
            times=clock[sample] + data["lead_time"].values,
            calendar=calendar,
            channels=tuple(str(name) for name in data["channel"].values),
            unit=str(data.attrs.get("unit", "")),
            positions=positions,
            read=read,
        )

    for k in range(data.sizes["sample"]):
        yield ForecastRun(
            sequence=str(data["sequence"].values[k]),
            issue=clock[k],
            members=[member(k, m) for m in range(data.sizes["member"])],
        )


def _runs_of_file(path: Path, variables: tuple[str, ...], notes: list[str]) -> Iterator[ForecastRun]:
    """Yield the runs in a file, one for each reference time."""
    decoded = open_decoded(path, ImportOptions(), foreign=False)
    data = decoded.dataset
    dim = _find(data, data.dims, _MEMBER, "realization")
    gridded = [
        str(name) for name, variable in data.data_vars.items() if variable.ndim >= 2 and variable.dtype.kind in "fiu"
    ]
    chosen = variables or tuple(name for name in gridded if dim in data[name].dims) or tuple(gridded)
    reference = _find(data, data.variables, _REFERENCE, "forecast_reference_time")
    lead = _find(data, data.variables, _LEAD, "forecast_period")
    if reference is None and lead is not None and "time" in data.variables and data[lead].dims != data["time"].dims:
        reference = "time"  # the name in cfgrib and WeatherBench
    along = data[reference].dims[0] if reference is not None and data[reference].ndim else None
    for k in range(data.sizes[along] if along is not None else 1):
        one = data.isel({along: k}) if along is not None else data
        clock, dim_of_time, issue, calendar = _valid_times(one, decoded, reference, lead, path, notes if k == 0 else [])
        bare = one.drop_vars([name for name in decoded.calendars if name in one.variables])
        bare = bare.assign_coords(valid=(dim_of_time, clock))
        own = Decoded(dataset=bare, calendars={"valid": calendar}, precision={})
        try:
            recording = Gridded(path, own, ImportOptions(variables=chosen, time="valid", sequence=dim))
        except DataError as error:
            raise DataError(f"{path}: {error}") from None
        places = np.flatnonzero(clock > issue)
        if not places.size:
            raise DataError(
                f"{path} contains nothing after its reference time {calendar.text(issue)}: it is not a forecast"
            )
        if len(places) < len(clock) and k == 0:
            notes.append(f"{path.name}: frames up to the reference time are not forecasts and are left out")
        named = "sequence" in one.variables and not one["sequence"].ndim
        yield ForecastRun(
            sequence=as_text(one["sequence"].values[()]) if named else "",
            issue=issue,
            members=[_of_recording(recording, m, clock, places) for m in range(recording.sequences)],
        )


def _find(data: xr.Dataset, among: Iterable[Any], names: tuple[str, ...], standard: str) -> str | None:
    """Return the first name ``among`` some that is one of ``names``, or of a variable with this standard name."""
    for name in map(str, among):
        named = name in data.variables and data[name].attrs.get("standard_name") == standard
        if named or name.lower() in names:
            return name
    return None


def _valid_times(
    data: xr.Dataset, decoded: Decoded, reference: str | None, lead: str | None, path: Path, notes: list[str]
) -> tuple[Clock, str, np.datetime64, Calendar]:
    """Return the valid times of one run, their dimension, the reference time, and the calendar of both."""
    issue, calendar = (None, Calendar()) if reference is None else _read_time(data[reference], decoded)
    if issue is not None and lead is not None and data[lead].ndim == 1:
        ahead = (_seconds(data[lead], path) * 1e9).round().astype("timedelta64[ns]")
        return issue + ahead, str(data[lead].dims[0]), issue, calendar
    names = [name for name in decoded.calendars if data[name].ndim == 1]
    name = "time" if "time" in names else next(iter(names), None)
    if name is None:
        raise DataError(
            f"{path} has no valid times, and no reference time with lead times: name them by CF's standard names "
            "(time, forecast_reference_time, forecast_period)"
        )
    clock, own = data[name].values.astype("datetime64[ns]"), decoded.calendars[name]
    dim = str(data[name].dims[0])
    if issue is not None:
        return clock, dim, own.on_this_clock(np.array([issue]), calendar)[0], own
    if len(clock) < 2:
        raise DataError(f"{path} has one time and no forecast_reference_time: its lead time is unknown")
    step = np.diff(clock).min()
    notes.append(
        f"{path.name} has no reference time: its first frame is assumed to be "
        f"{format_duration(float(step / np.timedelta64(1, 's')))} ahead"
    )
    return clock, dim, clock[0] - step, own


def _read_time(variable: xr.DataArray, decoded: Decoded) -> tuple[np.datetime64, Calendar]:
    """Return a single time on the clock of its calendar, and that."""
    name = str(variable.name)
    if name in decoded.calendars:
        return variable.values.astype("datetime64[ns]").reshape(1)[0], decoded.calendars[name]
    if variable.dtype.kind in "mM":
        clock, calendar = to_clock(variable.values.reshape(1))
    else:
        clock, calendar = decode_clock(variable.values.reshape(1), {**variable.encoding, **variable.attrs})
    return clock[0], calendar


def _seconds(lead: xr.DataArray, path: Path) -> np.ndarray:
    if lead.dtype.kind == "m":
        return np.asarray(lead.values / np.timedelta64(1, "s"), np.float64)
    try:
        return np.asarray(lead.values, np.float64) * seconds_in(str(lead.attrs.get("units")))
    except DataError as error:
        raise DataError(f"the lead times {lead.name} of {path}: {one_line(str(error))}") from None

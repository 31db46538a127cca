"""The forecast files of one evaluation: opened, named, restricted to the windows that they share, read as tensors.

Only forecasts of the same quantity can be compared. Files must agree on channels, lead times, frame size and unit; the
windows that every file contains are scored. A window is identified by its sequence and issue time.
"""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from framecast.core.errors import DataError
from framecast.data.archive.guard import undamaged
from framecast.data.forecasts import forecast_domain, issue_clock, open_forecast
from framecast.verification.recalibration.calibration import Calibration, carried
from framecast.videos.calendar import Calendar
from framecast.videos.units import by_channel, shown

Array = TypeVar("Array", xr.DataArray, xr.Dataset)


class ForecastSource:
    """One opened forecast file.

    Attributes:
        name: of its forecast: that of the model, or of the file if that is taken.
        channels: names of the target channels.
        sees_targets: whether every one of them is among the past channels, as persistence needs.
        past_times: seconds, the last of them 0; likewise ``lead_times``.
        unit: of all its arrays; ``units`` is that of each channel, as it is shown.
        clock: issue times on the even clock of the ``calendar``.
    """

    def __init__(self, name: str, path: Path, dataset: xr.Dataset) -> None:
        self.name, self.path, self.dataset = name, path, dataset
        self.members = int(dataset.sizes["member"])
        self.channels = [str(name) for name in dataset["channel"].values]
        self.sees_targets = set(self.channels) <= {str(name) for name in dataset["past_channel"].values}
        self.past_times, self.lead_times = (seconds(dataset[name]) for name in ("past_time", "lead_time"))
        self.unit = str(dataset.attrs.get("unit", ""))
        self.units = tuple(map(shown, by_channel(self.unit, len(self.channels))))
        self.size = (int(dataset.sizes["y"]), int(dataset.sizes["x"]))
        self.domain = forecast_domain(dataset)
        self.clock, self.calendar = issue_clock(dataset)

    @cached_property
    def recalibration(self) -> tuple[Calibration | None, str | None]:
        """The recalibration of its intervals, if it has one, and why that does not apply to it."""
        return carried(self.dataset, where=str(self.path))

    @property
    def unlike(self) -> list[str]:
        """How pasts are unlike the model's training data, one line for each such past."""
        if "unlike_training" not in self.dataset:
            return []
        return [str(reason) for reason in self.dataset["unlike_training"].values if reason]

    def read(self, array: Array) -> Array:
        """Return ``array``, which is of this file, read into memory; a damaged one is a `DataError`."""
        with undamaged(self.path):
            return array.load()

    def windows(self, calendar: Calendar) -> list[tuple[str, np.datetime64, int]]:
        """Sequence, issue time on the clock of ``calendar``, and the occurrence index of a window held twice."""
        seen: Counter[tuple[str, np.datetime64]] = Counter()
        windows = []
        clock = calendar.on_this_clock(self.clock, self.calendar)
        for sequence, time in zip(self.dataset["sequence"].values, clock, strict=True):
            windows.append((str(sequence), time, seen[str(sequence), time]))
            seen[str(sequence), time] += 1
        return windows


def open_sources(paths: str | Path | Sequence[str | Path], *, reserved: Sequence[str] = ()) -> list[ForecastSource]:
    """Open forecast files and name their forecasts.

    A forecast has the name of its model (the attribute ``model``). Forecasts with equal names, or with the name of a
    baseline, are named after their files, or after the full path if file names are equal too.

    Raises:
        FramecastError: a file does not exist.
        DataError: a file is not a forecast or is empty; a file is given twice; files disagree on channels, lead
            times, size or unit.
    """
    given = [Path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    if not given:
        raise DataError("no forecast was given: name at least one file that `framecast forecast` wrote")
    twice = [path for path, times in Counter(path.resolve() for path in given).items() if times > 1]
    if twice:
        raise DataError(f"{twice[0]} is given twice: give each file once")
    datasets = [_open(path) for path in given]
    sources = list(map(ForecastSource, _names(given, datasets, reserved), given, datasets))
    for source in sources[1:]:
        _agree(sources[0], source)
    return sources


def shared_windows(sources: Sequence[ForecastSource]) -> list[tuple[int, ...]]:
    """Return, for each window that all files contain, its sample number in every one of them; order of the first file.

    Raises:
        DataError: they have no window in common.
    """
    calendar = sources[0].calendar
    numbers = [{window: k for k, window in enumerate(source.windows(calendar))} for source in sources]
    shared = [tuple(number[window] for number in numbers) for window in numbers[0] if all(window in n for n in numbers)]
    if not shared:
        counts = ", ".join(f"{source.path.name} {len(number)}" for source, number in zip(sources, numbers, strict=True))
        raise DataError(
            f"the forecasts have no window in common (windows: {counts}): make them for the same split of the same "
            "archive, with the same number of frames"
        )
    return shared


def seconds(times: xr.DataArray) -> tuple[float, ...]:
    """Return time differences in seconds."""
    return tuple(float(value) for value in times.values / np.timedelta64(1, "s"))


def _open(path: Path) -> xr.Dataset:
    dataset = open_forecast(path)
    if dataset.sizes["sample"] == 0 or dataset.sizes["member"] == 0:
        raise DataError(
            f"{path} contains {dataset.sizes['sample']} samples of {dataset.sizes['member']} members: nothing can "
            "be scored; forecast at least one window"
        )
    return dataset


def _names(paths: list[Path], datasets: list[xr.Dataset], reserved: Sequence[str]) -> list[str]:
    names = [str(dataset.attrs.get("model") or path.stem) for path, dataset in zip(paths, datasets, strict=True)]
    for better in ([path.stem for path in paths], [str(path) for path in paths]):
        count = Counter(names)
        names = [
            other if count[name] > 1 or name in reserved else name for name, other in zip(names, better, strict=True)
        ]
    return names


def _agree(first: ForecastSource, other: ForecastSource) -> None:
    for what, ours, theirs in (
        ("the channels", ", ".join(first.channels), ", ".join(other.channels)),
        ("the unit", first.unit or "none", other.unit or "none"),
        ("frames of", *(f"{height}×{width} pixels" for height, width in (first.size, other.size))),
        ("the calendar", first.calendar.name, other.calendar.name),
        ("lead times of", _hours(first.lead_times), _hours(other.lead_times)),
    ):
        if ours != theirs:
            raise DataError(
                f"{first.path.name} has {what} {ours} and {other.path.name} {theirs}: only forecasts of the same "
                "quantity can be compared; evaluate them separately, or make them for the same archive and frames"
            )


def _hours(lead_times: tuple[float, ...]) -> str:
    return ", ".join(f"{lead / 3600:g}" for lead in lead_times) + " h"


_IN_MEMORY = 256 * 2**20
"""Largest size of a pool kept in memory, in bytes; of larger ones the drawn videos are read for each sample."""

_SINGLE = 1e-12, 1e12  # range of the largest absolute value for which float32 suffices for squares summed over a video

_VIDEO = ("channel", "lead_time", "y", "x")


class Pool:
    """Videos of the variable ``name`` of a file, numbered ``along`` one of its dimensions."""

    def __init__(self, source: ForecastSource, name: str, along: str) -> None:
        self._source, self._along = source, along
        self._videos = source.dataset[name]
        if self._videos.nbytes <= _IN_MEMORY:
            self._videos = source.read(self._videos)

    @property
    def times(self) -> np.ndarray:
        """Issue time of each video, if the pool contains it."""
        return np.asarray(self._source.read(self._videos[f"{self._along}_time"]).values)

    def __len__(self) -> int:
        return int(self._videos.sizes[self._along])

    def __getitem__(self, numbers: np.ndarray) -> Tensor:
        """Return the videos of these numbers, ``[number, channel, time, height, width]``, in the order of the file."""
        chosen = self._source.read(self._videos.isel({self._along: np.sort(numbers)}))
        return videos(chosen, self._along)


def videos(array: xr.DataArray, *leading: str) -> Tensor:
    """Return an array that was read as ``[*leading, channel, time, height, width]``."""
    return finite(array.transpose(*leading, *_VIDEO))


def targets_of(source: ForecastSource, past: xr.DataArray) -> Tensor:
    """Return the target channels in a past, ``[channel, past time, height, width]``; NaN for one not among its own."""
    seen = source.read(past).reindex(past_channel=source.channels)
    return finite(seen.transpose("past_channel", "past_time", "y", "x"))


def finite(array: xr.DataArray) -> Tensor:
    """Return values; infinite values are neither forecasts nor observations and become NaN."""
    return finite_tensor(torch.from_numpy(np.array(array.values, order="C")))


def finite_tensor(values: Tensor) -> Tensor:
    """Return values with NaN in place of infinite ones, in float64 if float32 does not suffice for their squares."""
    values = values.nan_to_num(torch.nan, posinf=torch.nan, neginf=torch.nan)
    low, high = values.nan_to_num(0.0).aminmax() if values.numel() else (0.0, 0.0)
    most = max(-float(low), float(high))
    return values.double() if most and not _SINGLE[0] <= most <= _SINGLE[1] else values.float()

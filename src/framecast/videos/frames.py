"""Input and output of a forecast: channels, numbers of frames, cadence and size.

Videos in memory are ``[channel, time, height, width]`` with any number of batch axes in front; on disk and in
xarray they are ``[time, channel, y, x]``. Time runs forward, row 0 is the lowest ``y`` (south on maps, where
north is up), column 0 the lowest ``x``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from math import gcd
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from framecast.core.errors import ConfigError, DataError
from framecast.core.options import format_duration, format_offset

Times = TypeVar("Times", np.datetime64, npt.NDArray[np.datetime64])


@dataclass(frozen=True, kw_only=True)
class FrameSpec:
    """The shape of a forecasting task.

    Attributes:
        past_channels: names of the input channels.
        future_channels: names of the channels that are forecast.
        past: number of past frames.
        future: number of future frames.
        cadence: seconds between two frames; of uneven times, the longest step of which all are multiples.
        height: rows of a frame.
        width: columns of a frame.
        lags: seconds from the last past frame to each past frame, -43200, …, 0, where times are uneven (see `at`);
            empty for frames at the cadence.
        leads: seconds from the last past frame to each future frame, likewise.
    """

    past_channels: tuple[str, ...]
    future_channels: tuple[str, ...]
    past: int
    future: int
    cadence: float
    height: int
    width: int
    lags: tuple[float, ...] = ()
    leads: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("past", "future", "cadence", "height", "width"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be positive")
        for name in ("past_channels", "future_channels"):
            channels = getattr(self, name)
            if not channels or len(set(channels)) != len(channels):
                raise ConfigError(f"{name} is {list(channels)}; name at least one channel, each once")
        for times, count in ((self.lags, self.past), (self.leads, self.future)):
            if times and len(times) != count:
                raise ConfigError(f"{count} frames have the times {list(times)}; there must be one for each")

    @classmethod
    def at(cls, lags: Sequence[float], leads: Sequence[float], **others: Any) -> Self:
        """Return the task with past frames at ``lags`` and future frames at ``leads`` (seconds).

        Args:
            lags: of the past frames from the last one, rising: -43200, …, -3600, 0.
            leads: of the future frames, rising and above 0.
            others: the other fields, but for ``past``, ``future`` and ``cadence``.

        Raises:
            ConfigError: the times are out of order.
        """
        times = [*lags, *leads]
        if not lags or not leads or lags[-1] != 0 or any(later <= earlier for earlier, later in pairwise(times)):
            shown = " ".join(f"{time / 3600:g}" for time in lags), " ".join(f"{time / 3600:g}" for time in leads)
            raise ConfigError(
                f"the past frames are at {shown[0]} h and the future ones at {shown[1]} h; times must increase, up "
                "to 0 for the past and above 0 for the future"
            )
        steps = [later - earlier for earlier, later in pairwise(times)]
        cadence = reduce(gcd, (round(step * 1000) for step in steps)) / 1000
        even = max(steps) - min(steps) < 1e-6 * max(steps)
        return cls(
            past=len(lags),
            future=len(leads),
            cadence=steps[0] if even else cadence,
            lags=() if even else tuple(map(float, lags)),
            leads=() if even else tuple(map(float, leads)),
            **others,
        )

    @property
    def past_times(self) -> tuple[float, ...]:
        """Seconds from the last past frame to each past frame; the last is 0."""
        return self.lags or tuple(-self.cadence * k for k in range(self.past - 1, -1, -1))

    @property
    def lead_times(self) -> tuple[float, ...]:
        """Seconds from the last past frame to each future frame."""
        return self.leads or tuple(self.cadence * (k + 1) for k in range(self.future))

    @property
    def even(self) -> bool:
        """Whether all frames, past and future, are equally far apart."""
        return not (self.lags or self.leads)

    def extended(self, horizon: float) -> "FrameSpec":
        """Return the task of forecasting as far as ``horizon`` seconds: fewer frames, or blocks of them in a row.

        Raises:
            ConfigError: no frame of the model, continued from its own forecasts, is at the horizon.
        """
        block, reach = self.lead_times, self.lead_times[-1]
        leads = [reach * k + lead for k in range(int(horizon // reach) + 1) for lead in block]
        count = next((k for k, lead in enumerate(leads, 1) if abs(lead - horizon) <= 1e-6 * horizon), 0)
        if not count:
            near = min(reversed(leads), key=lambda lead: abs(lead - horizon))
            raise ConfigError(
                f"the horizon is {format_duration(horizon)} but the model has a frame {self.describe_future()}: "
                f"give the time of one, such as {format_duration(near)}"
            )
        return replace(self, future=count, leads=() if self.even else tuple(leads[:count]))

    @property
    def rolled(self) -> tuple[int, ...]:
        """Indices, among past and future frames, of the frames that are the past of the next block.

        Raises:
            ConfigError: a frame needed then is neither among the past nor among the future frames now.
        """
        known = {round(time * 1000): k for k, time in enumerate((*self.past_times, *self.lead_times))}
        wanted = [self.lead_times[-1] + lag for lag in self.past_times]
        if lacking := [time for time in wanted if round(time * 1000) not in known]:
            raise ConfigError(
                f"to continue from its own forecast the model needs frames at {listed(lacking)}, which it does not "
                f"forecast: forecast at most {format_duration(self.lead_times[-1])}, or train with data.future that "
                "has the lags of data.past before its last time"
            )
        return tuple(known[round(time * 1000)] for time in wanted)

    def describe_past(self) -> str:
        """Return the times of the past frames: ``6 past frames every 2h``, or ``past frames at -12h, -8h, 0h``."""
        if self.even:
            return f"{self.past} past frames every {format_duration(self.cadence)}"
        return f"past frames at {listed(self.past_times)}"

    def describe(self) -> str:
        """Return the times of past and future frames, in words."""
        if self.even:
            return f"{self.past} past and {self.future} future frames every {format_duration(self.cadence)}"
        return f"past frames at {listed(self.past_times)} and future frames at {listed(self.lead_times)}"

    def describe_future(self) -> str:
        """Return when there are frames of a forecast: ``every 2h``, or ``at 1h, 2h, 4h``."""
        return f"every {format_duration(self.cadence)}" if self.even else f"at {listed(self.lead_times)}"

    @property
    def past_shape(self) -> tuple[int, int, int, int]:
        """``[channel, time, height, width]`` of the past."""
        return len(self.past_channels), self.past, self.height, self.width

    @property
    def future_shape(self) -> tuple[int, int, int, int]:
        """``[channel, time, height, width]`` of the future."""
        return len(self.future_channels), self.future, self.height, self.width


def listed(times: Sequence[float]) -> str:
    """Return signed seconds as ``-12h, 0h, 4h``."""
    return ", ".join(map(format_offset, times))


def span(seconds: float) -> np.timedelta64:
    """Return so many seconds as a difference of times."""
    return np.timedelta64(round(seconds * 1e9), "ns")


def moments(issue: np.datetime64, seconds: Sequence[float]) -> list[np.datetime64]:
    """Return the times that are ``seconds`` after ``issue``."""
    return [issue + span(value) for value in seconds]


def as_float32(values: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return real numbers as float32, NaN where a masked array is masked.

    Raises:
        DataError: the numbers are complex.
    """
    if np.iscomplexobj(values):
        raise DataError("the values are complex: give their magnitude, or real and imaginary part as channels")
    if isinstance(values, np.ma.MaskedArray):
        values = np.ma.filled(values.astype(np.float32), np.nan)
    return np.asarray(values, dtype=np.float32)


def nanoseconds(times: Times) -> Times:
    """Return ``times``, one or an array, as ``datetime64[ns]``, as they are stored.

    Raises:
        ValueError: one is before 1678 or after 2261; NumPy would silently change its year.
    """
    kept: Times = times.astype("datetime64[ns]")
    moved = (kept.astype("datetime64[Y]") != times.astype("datetime64[Y]")) & ~np.isnat(times)
    if np.any(moved):
        raise ValueError(f"{np.extract(moved, times)[0]} cannot be stored: times must be from 1678 to 2261")
    return kept

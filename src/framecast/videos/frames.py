"""What a forecast sees and what it says: channels, numbers of frames, cadence and size.

Videos in memory are ``[channel, time, height, width]`` with any number of batch axes in front; on disk and in
xarray they are ``[time, channel, y, x]``. Time runs forward, row 0 is the lowest ``y`` (south on maps, where
north is up), column 0 the lowest ``x``.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from framecast.core.errors import ConfigError

Times = TypeVar("Times", np.datetime64, npt.NDArray[np.datetime64])


@dataclass(frozen=True, kw_only=True)
class FrameSpec:
    """The shape of a forecasting task.

    Attributes:
        past_channels: names of the channels that are seen.
        future_channels: names of the channels that are forecast.
        past: number of frames seen.
        future: number of frames forecast.
        cadence: seconds between two frames.
        height: rows of a frame.
        width: columns of a frame.
    """

    past_channels: tuple[str, ...]
    future_channels: tuple[str, ...]
    past: int
    future: int
    cadence: float
    height: int
    width: int

    def __post_init__(self) -> None:
        for name in ("past", "future", "cadence", "height", "width"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be positive")
        for name in ("past_channels", "future_channels"):
            channels = getattr(self, name)
            if not channels or len(set(channels)) != len(channels):
                raise ConfigError(f"{name} is {list(channels)}; name at least one channel, each once")

    @property
    def lead_times(self) -> tuple[float, ...]:
        """Seconds from the last past frame to each future frame."""
        return tuple(self.cadence * (k + 1) for k in range(self.future))

    @property
    def past_shape(self) -> tuple[int, int, int, int]:
        """``[channel, time, height, width]`` of the past."""
        return len(self.past_channels), self.past, self.height, self.width

    @property
    def future_shape(self) -> tuple[int, int, int, int]:
        """``[channel, time, height, width]`` of the future."""
        return len(self.future_channels), self.future, self.height, self.width


def nanoseconds(times: Times) -> Times:
    """Return ``times``, one or an array, as ``datetime64[ns]``, which is how they are kept.

    Raises:
        ValueError: one is before 1678 or after 2261; NumPy would silently make another year of it.
    """
    kept: Times = times.astype("datetime64[ns]")
    moved = (kept.astype("datetime64[Y]") != times.astype("datetime64[Y]")) & ~np.isnat(times)
    if np.any(moved):
        raise ValueError(f"{np.extract(moved, times)[0]} cannot be kept: times must be from 1678 to 2261")
    return kept

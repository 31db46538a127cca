"""Forcings, inputs known in advance: hour, season, and fields or numbers given for past and future.

A forcing is an input of the network besides the past: its values in past and future frames. Clocks (`hour` in UTC,
`season`) are computed from the times of the frames, as the cosine and the sine of their angle; every other forcing is
a channel of the archive that is known in advance, such as orography, or the forecast of another model.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framecast.core.errors import ConfigError, DataError
from framecast.videos.frames import FrameSpec, moments

ClockName = Literal["hour", "season"]
CLOCKS = get_args(ClockName)
"""Forcings computed from the time."""


def planes(forcings: Sequence[str]) -> int:
    """Return how many planes these forcings are: two for a clock, one for a channel."""
    return sum(2 if name in CLOCKS else 1 for name in forcings)


def channels_of_forcings(forcings: Sequence[str]) -> tuple[str, ...]:
    """Return the forcings that are channels."""
    return tuple(name for name in forcings if name not in CLOCKS)


def frame_times(issue_time: np.datetime64, frames: FrameSpec) -> npt.NDArray[np.datetime64]:
    """Return the times of the past and future frames of a window, ``[P + F]``."""
    return np.array(moments(issue_time.astype("datetime64[ns]"), (*frames.past_times, *frames.lead_times)))


def clock(name: str, times: npt.NDArray[np.datetime64]) -> npt.NDArray[np.float32]:
    """Return cosine and sine of the hour or the season at ``times``, ``[2, time]``.

    The hour has a period of one day, the season of one calendar year.
    """
    start = times.astype({"hour": "datetime64[D]", "season": "datetime64[Y]"}[name])
    elapsed, length = ((_ns(end) - _ns(start)).astype(np.float64) for end in (times, start + 1))
    angle = 2 * np.pi * elapsed / length
    return np.stack([np.cos(angle), np.sin(angle)]).astype(np.float32)


def _ns(times: npt.NDArray[np.datetime64]) -> npt.NDArray[np.datetime64]:
    return times.astype("datetime64[ns]")


def assemble(
    forcings: Sequence[str],
    times: npt.NDArray[np.datetime64] | None,
    given: Mapping[str, Tensor],
    size: tuple[int, int],
) -> Tensor:
    """Return all planes ``[plane, time, height, width]`` of the ``forcings``, in their order.

    ``times`` are those of past and future frames, for clocks; each channel ``given`` is ``[time]`` or
    ``[time, height, width]`` in physical units.

    Raises:
        ConfigError: a forcing is not given.
        DataError: a forcing has no known value in a frame.
    """
    parts: list[Tensor] = []
    for name in forcings:
        if name in CLOCKS:
            if times is None:
                raise ConfigError(f"{name} needs the times of the frames: give the past as a DataArray with dates")
            parts.append(torch.from_numpy(clock(name, times))[:, :, None, None])
        elif name not in given:
            raise ConfigError(
                f"the model needs {name} in past and future frames: give it as forcings={{{name!r}: ...}}"
            )
        else:
            values = given[name].float()
            values = values if values.ndim == 3 else values[:, None, None]
            if (dark := torch.isnan(values).flatten(1).all(dim=1)).any():
                raise DataError(
                    f"{name}, which must be known in advance, has no value in frame {int(dark.nonzero()[0])} of past "
                    "and future: write it for the frames that are forecast, too"
                )
            parts.append(values[None])
    count = {part.shape[1] for part in parts}
    if len(count) > 1:
        raise DataError(
            f"forcings have {' and '.join(map(str, sorted(count)))} frames; give past and future frames of all"
        )
    return torch.cat([part.expand(-1, -1, *size) for part in parts])

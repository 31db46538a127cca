"""Videos with names: from a user's array or DataArray to a tensor, and from members to a DataArray."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from framecast.core.errors import DataError
from framecast.videos.frames import FrameSpec, format_duration

Video = xr.DataArray | np.ndarray | Tensor
"""``[channel, time, y, x]`` in physical units; the axes of a DataArray may be in any order."""


def to_tensor(video: Video, frames: FrameSpec) -> Tensor:
    """Return ``video`` as a float32 tensor ``[channel, time, y, x]`` with the past channels of ``frames``.

    Raises:
        DataError: a DataArray lacks a dimension or a channel, its times have another cadence, or the values are no
            numbers or infinite.
    """
    if not isinstance(video, xr.DataArray):
        return _checked(video)
    missing = {"channel", "time", "y", "x"} - set(map(str, video.dims))
    if missing:
        raise DataError(
            f"the past has dimensions {', '.join(map(str, video.dims))} and lacks {', '.join(sorted(missing))}: "
            "rename them to channel, time, y and x"
        )
    if "channel" in video.coords:
        names = [str(name) for name in video["channel"].values]
        absent = [name for name in frames.past_channels if name not in names]
        if absent:
            raise DataError(f"the model needs channel {', '.join(absent)}, and the past has {', '.join(names)}: add it")
        video = video.isel(channel=[names.index(name) for name in frames.past_channels])
    if "time" in video.coords and video.sizes["time"] > 1 and video["time"].dtype.kind == "M":
        steps = np.diff(video["time"].values) / np.timedelta64(1, "s")
        if np.any(np.abs(steps - frames.cadence) > 0.1 * frames.cadence):
            raise DataError(
                f"the past has frames {steps.min():g} to {steps.max():g} s apart, and the model takes one every "
                f"{format_duration(frames.cadence)} ({frames.cadence:g} s): select such frames"
            )
    return _checked(video.transpose("channel", "time", "y", "x").values)


def to_ensemble(
    members: Tensor, past: Video, frames: FrameSpec, *, attrs: Mapping[str, Any], first_lead: int = 0
) -> xr.DataArray:
    """Return members ``[member, channel, time, y, x]`` as ``(member, lead_time, channel, y, x)``.

    Args:
        members: in physical units.
        past: what they were forecast from; gives the coordinates of space and the time of the last frame.
        frames: names the future channels and gives the cadence.
        attrs: of the result.
        first_lead: frames between the last past frame and the first of these.
    """
    seconds = [frames.cadence * (first_lead + k + 1) for k in range(members.shape[-3])]
    lead = np.array([round(value * 1e9) for value in seconds], dtype="timedelta64[ns]")
    coords: dict[str, Any] = {
        "member": np.arange(len(members)),
        "lead_time": lead,
        "channel": np.array(frames.future_channels, dtype=np.dtypes.StringDType()),
    }
    if isinstance(past, xr.DataArray):
        coords |= {axis: past[axis] for axis in ("y", "x") if axis in past.coords}
        if "time" in past.coords and past["time"].dtype.kind == "M":
            coords["valid_time"] = ("lead_time", past["time"].values[-1] + lead)
    return xr.DataArray(
        members.movedim(-4, -3).numpy(),
        dims=("member", "lead_time", "channel", "y", "x"),
        coords=coords,
        attrs=dict(attrs),
        name="forecast",
    )


def _checked(video: np.ndarray | Tensor) -> Tensor:
    """Return four axes of finite numbers and NaN as float32."""
    if isinstance(video, xr.Dataset):
        raise DataError("the past is a Dataset of several variables: pass one of them, such as dataset['intensity']")
    try:
        if isinstance(video, Tensor):
            values = video.detach().to("cpu", torch.float32, copy=True)
        else:
            values = torch.from_numpy(np.array(video, dtype=np.float32))
    except (TypeError, ValueError):
        raise DataError(f"the past is a {type(video).__name__} that holds no array of numbers") from None
    if values.ndim != 4:
        raise DataError(f"the past has shape {list(values.shape)}; its axes must be [channel, time, y, x]")
    if torch.isinf(values).any():
        raise DataError("the past holds infinite values: set pixels that are not known to NaN")
    return values

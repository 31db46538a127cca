"""From a user's array or DataArray to a tensor, and from members to a DataArray."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from framecast.core.errors import DataError
from framecast.core.options import format_duration
from framecast.videos.calendar import to_clock
from framecast.videos.directions import falling_axes
from framecast.videos.forcings import frame_times
from framecast.videos.frames import FrameSpec, as_float32, listed
from framecast.videos.units import by_channel, convert, joined, select

Video = xr.DataArray | xr.Dataset | np.ndarray | Tensor
"""``[channel, time, y, x]`` in physical units; the axes of a DataArray may be in any order. Variables are channels."""

Videos = Sequence[Video] | xr.DataArray | xr.Dataset | np.ndarray | Tensor
"""Many videos: a list of them, or one array with one more dimension, in front where dimensions have no names."""

_NAMED = ("channel", "time", "y", "x")


def is_batch(videos: Video | Videos) -> bool:
    """Whether these are many videos, or a list of a single one."""
    if isinstance(videos, xr.DataArray):
        return len(_others(videos)) == 1
    if isinstance(videos, xr.Dataset):
        return is_batch(_as_channels(videos))
    return videos.ndim == 5 if isinstance(videos, np.ndarray | Tensor) else isinstance(videos, Sequence)


def unstack(videos: Video | Videos) -> list[Video]:
    """Return each of many videos; one video makes a list of itself.

    Raises:
        DataError: there is none.
    """
    if isinstance(videos, xr.Dataset):
        videos = _as_channels(videos)
    if not is_batch(videos):
        return [videos]  # type: ignore[list-item]
    if isinstance(videos, xr.DataArray):
        (dim,) = _others(videos)
        found: list[Video] = [videos.isel({dim: k}, drop=True) for k in range(videos.sizes[dim])]
    else:
        found = [_as_channels(video) if isinstance(video, xr.Dataset) else video for video in videos]
    if not found:
        raise DataError("no past was given: give at least one")
    return found


def one_video(video: Video) -> xr.DataArray | np.ndarray | Tensor:
    """Return ``video``, the variables of a Dataset as channels."""
    return _as_channels(video) if isinstance(video, xr.Dataset) else video


def _others(video: xr.DataArray) -> list[str]:
    return [str(dim) for dim in video.dims if dim not in _NAMED]


def _as_channels(dataset: xr.Dataset) -> xr.DataArray:
    """Return the one variable of a Dataset that has all four axes, or its variables as channels."""
    videos = {str(name): array for name, array in dataset.data_vars.items() if {"time", "y", "x"} <= set(array.dims)}
    whole = [array for array in videos.values() if "channel" in array.dims]
    if len(whole) == 1:
        return whole[0]
    if whole or not videos:
        names = ", ".join(map(str, dataset.data_vars)) or "none"
        raise DataError(
            f"the past is a Dataset with the variables {names}: give one with the dimensions channel, time, y and x, "
            "such as dataset['intensity'], or one variable per channel with time, y and x"
        )
    units = [str(array.attrs.get("units", "")) for array in videos.values()]
    return dataset[list(videos)].to_dataarray("channel").assign_attrs({"units": joined(units)} if any(units) else {})


def to_tensor(video: Video, frames: FrameSpec, *, unit: str | None = None) -> Tensor:
    """Return ``video`` as a float32 tensor ``[channel, time, y, x]`` with the past channels of ``frames``.

    A DataArray is checked like an archive: rows and columns are flipped, if necessary, to run to the north and east,
    and values with an attribute ``units`` are converted. Arrays without coordinates are used unchanged.

    Args:
        video: see `Video`.
        frames: of the model.
        unit: of the model; None checks none.

    Raises:
        DataError: a DataArray lacks a dimension or a channel, its times have another cadence, its unit cannot be
            converted, or the values are not finite numbers or NaN.
    """
    video = one_video(video)
    if not isinstance(video, xr.DataArray):
        return _checked(video)
    missing = set(_NAMED) - set(map(str, video.dims))
    if missing:
        raise DataError(
            f"the past has dimensions {', '.join(map(str, video.dims))} and lacks {', '.join(sorted(missing))}: "
            "rename them to channel, time, y and x"
        )
    own = video.attrs.get("units", video.attrs.get("unit"))
    if "channel" in video.coords:
        names = [str(name) for name in video["channel"].values]
        absent = [name for name in frames.past_channels if name not in names]
        if absent:
            raise DataError(f"the model needs channel {', '.join(absent)}, and the past has {', '.join(names)}: add it")
        video = video.isel(channel=[names.index(name) for name in frames.past_channels])
        if isinstance(own, str):
            own = select(own, names, frames.past_channels)
    if (times := _clock(video)) is not None and len(times) > 1:
        steps = np.diff(times) / np.timedelta64(1, "ns") / 1e9
        if not frames.even:
            _check_times(steps, frames)
        elif np.any(np.abs(steps - frames.cadence) > 0.1 * frames.cadence):
            raise DataError(
                f"the past has frames {steps.min():g} to {steps.max():g} s apart, and the model takes one every "
                f"{format_duration(frames.cadence)} ({frames.cadence:g} s): select such frames"
            )
    values: np.ndarray = as_float32(video.transpose("channel", "time", "y", "x").values)
    if unit is not None and isinstance(own, str):
        units = (by_channel(each, len(values)) for each in (own, unit))
        try:
            pairs = [(has or takes, takes) for has, takes in zip(*units, strict=True)]  # a variable may have no unit
            values = np.stack([convert(own, *pair) for own, pair in zip(values, pairs, strict=True)])
        except DataError:
            raise DataError(
                f"the past is in {own} and the model takes {unit}: convert it, or correct its attribute units"
            ) from None
    return _checked(values).flip(turned_axes(video))


def _check_times(steps: np.ndarray, frames: FrameSpec) -> None:
    """Raise `DataError` unless a past with these ``steps`` (seconds) has frames at the lags of ``frames``."""
    wanted = np.diff(frames.past_times)
    if len(steps) != len(wanted) or np.any(np.abs(steps - wanted) > 0.1 * frames.cadence):
        found = listed([*(-np.cumsum(steps[::-1])[::-1]).tolist(), 0.0])
        raise DataError(
            f"the past has frames at {found}, and the model takes {frames.describe_past()}: select such frames"
        )


def to_ensemble(
    members: Tensor, past: Video, frames: FrameSpec, *, attrs: Mapping[str, Any], later: float = 0.0
) -> xr.DataArray:
    """Return members ``[member, channel, time, y, x]`` as ``(member, lead_time, channel, y, x)`` with ``attrs``.

    The ``past`` that they were forecast from gives the coordinates of space, the order of rows and columns, and the
    time of the last frame; the members' own past ends ``later`` seconds after that.
    """
    lead = np.array([round((later + seconds) * 1e9) for seconds in frames.lead_times], dtype="timedelta64[ns]")
    coords: dict[str, Any] = {
        "member": np.arange(len(members)),
        "lead_time": lead,
        "channel": np.array(frames.future_channels, dtype=np.dtypes.StringDType()),
    }
    if isinstance(past, xr.DataArray):
        members = members.flip(turned_axes(past))
        fixed = {str(name): own for name, own in past.coords.items() if set(own.dims) <= {"y", "x"}}
        coords |= {name: own for name, own in fixed.items() if name != "channel"}
        if _clock(past) is not None:
            coords["valid_time"] = ("lead_time", _valid_times(past["time"].values, lead))
    return xr.DataArray(
        members.movedim(-4, -3).numpy(),
        dims=("member", "lead_time", "channel", "y", "x"),
        coords=coords,
        attrs=dict(attrs),
        name="forecast",
    )


def issue_times(video: Video, frames: FrameSpec) -> np.ndarray | None:
    """Return the times of a past and of what is forecast from it, ``[P + F]``; None where it has no dates."""
    video = one_video(video)
    if not isinstance(video, xr.DataArray) or (times := _clock(video)) is None or video["time"].dtype.kind == "m":
        return None
    return frame_times(times[-1], frames)


def pixels_of(video: Video) -> tuple[int, int]:
    """Return height and width of a past."""
    video = one_video(video)
    if isinstance(video, xr.DataArray):
        return int(video.sizes["y"]), int(video.sizes["x"])
    return int(video.shape[-2]), int(video.shape[-1])


def _clock(video: xr.DataArray) -> np.ndarray | None:
    """Return the times of a past on an even clock; None where it has none, or only numbers."""
    if "time" not in video.coords or video["time"].ndim != 1 or video["time"].dtype.kind not in "MmO":
        return None
    return to_clock(video["time"].values)[0]


def _valid_times(times: np.ndarray, lead: np.ndarray) -> np.ndarray:
    """Return the last of ``times`` plus each ``lead``; by months where the past goes by months."""
    month = np.timedelta64(30, "D")
    if times.dtype.kind == "M" and (lead % month == np.timedelta64(0)).all() and (np.diff(times) % month).any():
        start = times[-1].astype("datetime64[M]")
        later = start + (lead // month).astype("timedelta64[M]")
        return later.astype(times.dtype) + (times[-1] - start.astype(times.dtype))
    if times.dtype.kind in "Mm":
        return times[-1] + lead
    return np.array([times[-1] + timedelta(microseconds=int(step) // 1000) for step in lead.astype(np.int64)])


def turned_axes(video: Video) -> list[int]:
    """Return the axes, from the end, along which a past runs to the south or west."""
    return falling_axes(video.coords) if isinstance(video, xr.DataArray) else []


def field_tensor(field: Any, past: Video, frames: FrameSpec) -> Tensor:
    """Return what belongs to the frames of ``past``, ``[time]`` or ``[time, y, x]``, rows and columns as in an archive.

    Coordinates of a DataArray give its direction, and those of the past that of what has none.

    Raises:
        DataError: a DataArray of several dimensions lacks ``y`` or ``x``, or its times begin at another frame.
    """
    past = one_video(past)
    coords: dict[Any, Any] = {}
    if isinstance(past, xr.DataArray):
        coords = {name: own for name, own in past.coords.items() if own.dims and set(own.dims) <= {"y", "x"}}
    if isinstance(field, xr.DataArray):
        if field.ndim > 1 and not {"y", "x"} <= set(field.dims):
            raise DataError(f"{field.name} has dimensions {', '.join(map(str, field.dims))}: rename them to time, y, x")
        own, seen = _clock(field), _clock(past) if isinstance(past, xr.DataArray) else None
        if own is not None and seen is not None and len(own) >= frames.past:
            apart = (own[frames.past - 1] - seen[-1]) / np.timedelta64(1, "ns") / 1e9
            if abs(apart) > 0.5 * frames.cadence:
                raise DataError(
                    f"{field.name} has its frame {frames.past} {format_duration(abs(apart))} "
                    f"{'after' if apart > 0 else 'before'} the last of the past: give it for the {frames.past} past "
                    "frames and those that are forecast"
                )
        coords |= field.coords
        field = field.transpose(..., "y", "x", missing_dims="ignore")
    values = torch.as_tensor(as_float32(field).copy())
    return values.flip(falling_axes(coords)) if values.ndim == 3 else values


def _checked(video: np.ndarray | Tensor) -> Tensor:
    """Return four axes of finite numbers and NaN as float32."""
    try:
        if isinstance(video, Tensor):
            video = video.detach().cpu().to(torch.promote_types(video.dtype, torch.float32)).numpy()
        values = torch.from_numpy(as_float32(video).copy())
    except DataError:
        raise
    except (TypeError, ValueError):
        raise DataError(f"the past is a {type(video).__name__} that contains no array of numbers") from None
    if values.ndim != 4:
        raise DataError(f"the past has shape {list(values.shape)}; its axes must be [channel, time, y, x]")
    if torch.isinf(values).any():
        raise DataError("the past contains infinite values: set unknown pixels to NaN")
    return values

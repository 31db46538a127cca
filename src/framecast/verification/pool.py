"""Arrays of forecast files as tensors, and the pools of videos from which an ensemble is drawn for each sample."""

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from framecast.verification.sources import ForecastSource

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

"""Arrays of forecast files as tensors, and the pools of videos from which an ensemble is drawn for each sample."""

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from framecast.verification.sources import Source

_IN_MEMORY = 256 * 2**20
"""Bytes of a pool that are kept in memory; beyond that the drawn videos are read for each sample."""

_SINGLE = 1e-12, 1e12
"""Where the greatest size of a value lies for float32 to hold the squares, summed over a video."""

_VIDEO = ("channel", "lead_time", "y", "x")


class Pool:
    """Videos of the variable ``name`` of a file, numbered ``along`` one of its dimensions."""

    def __init__(self, source: Source, name: str, along: str) -> None:
        self._source, self._along = source, along
        self._videos = source.dataset[name]
        if self._videos.nbytes <= _IN_MEMORY:
            self._videos = source.read(self._videos)

    @property
    def times(self) -> np.ndarray:
        """When each video began, for a pool that says so."""
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


def finite(array: xr.DataArray) -> Tensor:
    """Return values; what is infinite is no forecast and no observation, and becomes NaN."""
    return finite_tensor(torch.from_numpy(np.ascontiguousarray(array.values).copy()))


def finite_tensor(values: Tensor) -> Tensor:
    """Return values with NaN in place of infinite ones, in float64 where float32 could not hold their squares."""
    values = torch.where(torch.isfinite(values), values, torch.nan)
    size = values.abs().nan_to_num(0.0)
    most = float(size.max()) if size.numel() else 0.0
    return values.double() if most and not _SINGLE[0] <= most <= _SINGLE[1] else values.float()

"""The samples of a forecast file, one at a time, with the baselines made beside the model's members."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from framecast.baselines import draw_residuals, dressed_persistence, persistence
from framecast.data.forecasts import open_forecast
from framecast.errors import DataError

_DRESSING_IN_MEMORY = 256 * 2**20
"""Bytes of training residuals that are kept in memory; beyond that the drawn ones are read for each sample."""

_VIDEO = ("channel", "lead_time", "y", "x")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One sample: what was seen, what came, and what each forecast said. Physical units, NaN where masked.

    Attributes:
        index: its number in the file.
        sequence: the name of its sequence.
        issue_time: the time of the last past frame.
        past: the target channels in the past ``[channel, past time, height, width]``; a channel that was not seen
            is NaN.
        truth: ``[channel, time, height, width]``.
        forecasts: name -> members ``[member, channel, time, height, width]``; ``model`` comes first.
        valid: the pixels that are judged, like ``truth``.
    """

    index: int
    sequence: str
    issue_time: np.datetime64
    past: Tensor
    truth: Tensor
    forecasts: dict[str, Tensor]
    valid: Tensor


class Cases:
    """The samples of one forecast file.

    Attributes:
        path: of the file.
        dataset: the file itself, lazy.
        members: name of each forecast that is judged -> number of its members; ``persistence`` has one.
        channels: names of the target channels.
        lead_times: seconds.
        past_times: seconds, the last of them 0.
        cadence: seconds.
        unit: of all images.
        sequences: name of each sample's sequence.
        issue_times: of each sample.
    """

    def __init__(self, path: str | Path, *, seed: int = 0) -> None:
        """Open ``path``; ``seed`` chooses the residuals that dress persistence."""
        self.path = Path(path)
        self.dataset = data = open_forecast(path)
        self._seed = seed
        missing = [name for name in ("forecast", "truth", "past") if name not in data]
        if missing:
            raise DataError(f"{path} lacks {', '.join(missing)}: it is no complete forecast file; make it again")
        if data.sizes["sample"] == 0 or data.sizes["member"] == 0:
            raise DataError(
                f"{path} holds {data.sizes['sample']} samples of {data.sizes['member']} members: "
                "nothing can be judged; forecast at least one window"
            )
        self.channels = [str(name) for name in data["channel"].values]
        self.past_channels = [str(name) for name in data["past_channel"].values]
        self.lead_times = _seconds(data["lead_time"])
        self.past_times = _seconds(data["past_time"])
        self.cadence = self.lead_times[0]
        self.unit = str(data.attrs.get("unit", ""))
        self.sequences = [str(name) for name in data["sequence"].values]
        self.issue_times = data["issue_time"].values
        self.members = {"model": data.sizes["member"]}
        self._residuals: xr.DataArray | None = None
        if set(self.channels) <= set(self.past_channels):
            self.members["persistence"] = 1
            if "dressing" in data and data.sizes["draw"] >= 2:
                self._residuals = data["dressing"]
                if self._residuals.nbytes <= _DRESSING_IN_MEMORY:
                    self._residuals = self._residuals.load()
                self.members["dressed_persistence"] = min(data.sizes["member"], data.sizes["draw"])
                if data.sizes["member"] == 1:  # a single draw would be no ensemble
                    self.members["dressed_persistence"] = min(20, data.sizes["draw"])
        if "oracle" in data:
            self.members["oracle"] = data.sizes["member"]

    def __len__(self) -> int:
        return int(self.dataset.sizes["sample"])

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a frame."""
        return int(self.dataset.sizes["y"]), int(self.dataset.sizes["x"])

    def __getitem__(self, index: int) -> Case:
        sample = self.dataset.isel(sample=index)
        truth = _tensor(sample["truth"].load().transpose(*_VIDEO))
        past = self._past(sample)
        forecasts = {"model": _tensor(sample["forecast"].load().transpose("member", *_VIDEO))}
        if "persistence" in self.members:
            forecasts["persistence"] = persistence(past[:, -1], len(self.lead_times))
        if self._residuals is not None:
            drawn = draw_residuals(
                self._residuals.sizes["draw"],
                self.members["dressed_persistence"],
                seed=self._seed,
                sample=index,
            )
            residuals = _tensor(self._residuals.isel(draw=np.sort(drawn)).load().transpose("draw", *_VIDEO))
            forecasts["dressed_persistence"] = dressed_persistence(past[:, -1], residuals)
        if "oracle" in self.members:
            forecasts["oracle"] = _tensor(sample["oracle"].load().transpose("member", *_VIDEO))
        valid = ~torch.isnan(truth)
        for ensemble in forecasts.values():
            valid &= (~torch.isnan(ensemble)).sum(0) >= min(2, len(ensemble))
        return Case(
            index=index,
            sequence=self.sequences[index],
            issue_time=self.issue_times[index],
            past=past,
            truth=truth,
            forecasts=forecasts,
            valid=valid,
        )

    def _past(self, sample: xr.Dataset) -> Tensor:
        seen = _tensor(sample["past"].load().transpose("past_channel", "past_time", "y", "x"))
        past = seen.new_full((len(self.channels), *seen.shape[1:]), torch.nan)
        for k, name in enumerate(self.channels):
            if name in self.past_channels:
                past[k] = seen[self.past_channels.index(name)]
        return past


def _tensor(array: xr.DataArray) -> Tensor:
    """Return float32 values; what is infinite is no forecast and no observation, and becomes NaN."""
    values = torch.from_numpy(np.ascontiguousarray(array.values, dtype=np.float32).copy())
    return torch.where(torch.isfinite(values), values, torch.nan)


def _seconds(times: xr.DataArray) -> tuple[float, ...]:
    return tuple(float(value) for value in times.values / np.timedelta64(1, "s"))

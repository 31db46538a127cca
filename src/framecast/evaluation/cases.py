"""The samples of forecast files, one at a time, with the baselines made beside the models' members."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from framecast.baselines import Occasions, draw_occasions, draw_residuals, dressed_persistence, persistence
from framecast.data.guard import undamaged
from framecast.errors import DataError
from framecast.evaluation.sources import Source, open_sources, seconds, shared_windows

_DRESSING_IN_MEMORY = 256 * 2**20
"""Bytes of training residuals that are kept in memory; beyond that the drawn ones are read for each sample."""

_SMALLEST_DRESSED = 20
"""Members of dressed persistence beside forecasts of one member: a single draw would be no ensemble."""

_RANGE_PIXELS = 4_000_000
"""How many observed pixels the range of the observations is taken from."""

_VIDEO = ("channel", "lead_time", "y", "x")

_Data = TypeVar("_Data", xr.DataArray, xr.Dataset)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One sample: what was seen, what came, and what each forecast said. Physical units, NaN where masked.

    Attributes:
        index: its number.
        sequence: the name of its sequence.
        issue_time: the time of the last past frame.
        past: the target channels in the past ``[channel, past time, height, width]``; a channel that was not seen
            is NaN.
        truth: ``[channel, time, height, width]``.
        forecasts: name -> members ``[member, channel, time, height, width]``; the files' own come first.
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
    """The samples that forecast files share.

    Attributes:
        sources: the opened files.
        models: name of each file's forecast, in the order given.
        members: name of each forecast that is judged -> number of its members; ``persistence`` has one. The files'
            own come first.
        channels: names of the target channels.
        lead_times: seconds.
        past_times: seconds, the last of them 0.
        cadence: seconds.
        unit: of all images.
        sequences: name of each sample's sequence.
        issue_times: of each sample.
        thresholds: of the events that are judged, in the unit of the images.
    """

    def __init__(
        self,
        paths: str | Path | Sequence[str | Path],
        *,
        seed: int = 0,
        thresholds: Sequence[float] = (),
        climatology: Occasions = "any",
    ) -> None:
        """Open one file or several.

        Args:
            paths: of the files.
            seed: chooses the residuals that dress persistence, and the occasions of climatology.
            thresholds: of events to judge.
            climatology: which training occasions make it.

        Raises:
            FramecastError: a file does not exist.
            DataError: a file is no forecast or is empty; the files do not compare or share no window.
        """
        self.sources = open_sources(paths)
        self._shared = shared_windows(self.sources)
        self._seed = seed
        self.thresholds = tuple(sorted({float(value) for value in thresholds}))
        first = self.sources[0]
        self.channels = first.channels
        self.lead_times = first.lead_times
        self.cadence = self.lead_times[0]
        self.unit = first.unit
        windows = first.windows
        self.sequences = [windows[numbers[0]][0] for numbers in self._shared]
        self.issue_times = np.array([windows[numbers[0]][1] for numbers in self._shared], dtype="datetime64[ns]")
        self.models = [source.name for source in self.sources]
        self.members = {source.name: source.members for source in self.sources}
        # What the baselines are made of comes from the first file that has it.
        self._seen = self._first(lambda source: source.sees_targets)
        self.past_times = seconds(self.sources[self._seen or 0].dataset["past_time"])
        self._residuals: xr.DataArray | None = None
        if self._seen is not None:
            self.members["persistence"] = 1
            self._dress()
        self._occasions: xr.Dataset | None = None
        self._remember(climatology)
        self._oracle = self._first(lambda source: "oracle" in source.dataset)
        if self._oracle is not None:
            self.members["oracle"] = self.sources[self._oracle].members

    def __len__(self) -> int:
        return len(self._shared)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a frame."""
        data = self.sources[0].dataset
        return int(data.sizes["y"]), int(data.sizes["x"])

    @cached_property
    def data_range(self) -> np.ndarray:
        """Range of the observations in each channel, from their 0.1 to their 99.9 percentile; 1 where they are one."""
        ranges = []
        for channel in range(len(self.channels)):
            pixels = []
            for numbers in self._shared:
                first = self.sources[0]
                truth = _loaded(
                    first.dataset["truth"].isel(sample=numbers[0], channel=channel), first.path
                ).values.ravel()
                pixels.append(truth[np.isfinite(truth)][:: max(1, truth.size * len(self) // _RANGE_PIXELS)])
            known = np.concatenate(pixels)
            low, high = np.percentile(known, [0.1, 99.9]) if known.size else (0.0, 0.0)
            ranges.append(float(high - low) or 1.0)
        return np.array(ranges)

    @property
    def left_aside(self) -> dict[str, int]:
        """Name of each file's forecast -> number of its windows that another file lacks."""
        return {source.name: len(source.windows) - len(self) for source in self.sources}

    def __getitem__(self, index: int) -> Case:
        samples = [
            source.dataset.isel(sample=number) for source, number in zip(self.sources, self._shared[index], strict=True)
        ]
        truth = self._truth(index, samples)
        past = self._past(self._seen or 0, samples)
        forecasts = {
            source.name: _tensor(_loaded(sample["forecast"], source.path).transpose("member", *_VIDEO))
            for source, sample in zip(self.sources, samples, strict=True)
        }
        if "persistence" in self.members:
            forecasts["persistence"] = persistence(past[:, -1], len(self.lead_times))
        if self._residuals is not None:
            drawn = draw_residuals(
                self._residuals.sizes["draw"],
                self.members["dressed_persistence"],
                seed=self._seed,
                sample=index,
            )
            chosen = _loaded(self._residuals.isel(draw=np.sort(drawn)), self._dressed_by)
            residuals = _tensor(chosen.transpose("draw", *_VIDEO))
            forecasts["dressed_persistence"] = dressed_persistence(past[:, -1], residuals)
        if self._occasions is not None:
            numbers = draw_occasions(
                self._occasions["occasion_time"].values,
                self.issue_times[index],
                self.members["climatology"],
                like=self.climatology_like,
                seed=self._seed,
                sample=index,
            )
            usual = _loaded(self._occasions["climatology"].isel(occasion=np.sort(numbers)), self._remembered_by)
            forecasts["climatology"] = _tensor(usual.transpose("occasion", *_VIDEO))
        if self._oracle is not None:
            perfect = _loaded(samples[self._oracle]["oracle"], self.sources[self._oracle].path)
            forecasts["oracle"] = _tensor(perfect.transpose("member", *_VIDEO))
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

    def _truth(self, index: int, samples: list[xr.Dataset]) -> Tensor:
        """Return what came; NaN where a file does not know it."""
        truth, *others = (
            _tensor(_loaded(sample["truth"], source.path).transpose(*_VIDEO))
            for source, sample in zip(self.sources, samples, strict=True)
        )
        for source, other in zip(self.sources[1:], others, strict=True):
            unknown = torch.isnan(truth) | torch.isnan(other)
            if not torch.allclose(truth[~unknown], other[~unknown], rtol=1e-4, atol=1e-6):
                raise DataError(
                    f"{self.sources[0].path.name} and {source.path.name} hold different observations of "
                    f"{self.sequences[index]} after {np.datetime_as_string(self.issue_times[index], unit='m')}: "
                    "forecasts of different archives do not compare; make both for the same archive"
                )
            truth = torch.where(unknown, torch.nan, truth)
        return truth

    def _past(self, number: int, samples: list[xr.Dataset]) -> Tensor:
        videos = _loaded(samples[number]["past"], self.sources[number].path)
        seen = _tensor(videos.transpose("past_channel", "past_time", "y", "x"))
        known = self.sources[number].past_channels
        past = seen.new_full((len(self.channels), *seen.shape[1:]), torch.nan)
        for k, name in enumerate(self.channels):
            if name in known:
                past[k] = seen[known.index(name)]
        return past

    def _dress(self) -> None:
        number = self._first(
            lambda source: source.sees_targets and "dressing" in source.dataset and source.dataset.sizes["draw"] >= 2
        )
        if number is None:
            return
        self._residuals, self._dressed_by = self.sources[number].dataset["dressing"], self.sources[number].path
        if self._residuals.nbytes <= _DRESSING_IN_MEMORY:
            self._residuals = _loaded(self._residuals, self._dressed_by)
        members = max(source.members for source in self.sources)
        wanted = members if members > 1 else _SMALLEST_DRESSED
        self.members["dressed_persistence"] = min(wanted, self._residuals.sizes["draw"])

    def _remember(self, like: Occasions) -> None:
        self.climatology_like = like
        number = self._first(lambda source: "climatology" in source.dataset and source.dataset.sizes["occasion"] >= 2)
        if number is None:
            return
        self._occasions = self.sources[number].dataset[["climatology", "occasion_time"]]
        self._remembered_by = self.sources[number].path
        if self._occasions["climatology"].nbytes <= _DRESSING_IN_MEMORY:
            self._occasions = _loaded(self._occasions, self._remembered_by)
        members = max(source.members for source in self.sources)
        wanted = members if members > 1 else _SMALLEST_DRESSED
        self.members["climatology"] = min(wanted, self._occasions.sizes["occasion"])

    def _first(self, has: Callable[[Source], bool]) -> int | None:
        return next((k for k, source in enumerate(self.sources) if has(source)), None)


def _loaded(data: _Data, path: Path) -> _Data:
    """Return ``data`` of the file at ``path`` read into memory; a damaged one is a `DataError`."""
    with undamaged(path):
        return data.load()


def _tensor(array: xr.DataArray) -> Tensor:
    """Return float32 values; what is infinite is no forecast and no observation, and becomes NaN."""
    values = torch.from_numpy(np.ascontiguousarray(array.values, dtype=np.float32).copy())
    return torch.where(torch.isfinite(values), values, torch.nan)

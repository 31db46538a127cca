"""The samples of forecast files, one at a time, with the models' members and the baselines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from framecast.core.errors import ConfigError, DataError
from framecast.core.fingerprint import Unchanged
from framecast.verification.options import Occasions as Like
from framecast.verification.persistence import Occasions
from framecast.verification.quantities import Quantity, quantities_of, spacing
from framecast.verification.scores import uncertainty
from framecast.verification.sources import (
    ForecastSource,
    Pool,
    finite,
    open_sources,
    shared_windows,
    targets_of,
    videos,
)
from framecast.videos.directions import area_weights

_RANGE_PIXELS = 4_000_000  # number of observed pixels from which their range is determined


@dataclass(frozen=True, kw_only=True)
class Climate:
    """Statistics of the observations in each channel.

    Attributes:
        data_range: from the 0.1 to the 99.9 percentile, ``[channel]``; 1 if these are equal.
        scale: standard deviation, likewise.
        uncertainty: CRPS of its climatology, likewise.
    """

    data_range: np.ndarray
    scale: np.ndarray
    uncertainty: np.ndarray

    @classmethod
    def of(cls, pixels: Sequence[np.ndarray]) -> "Climate":
        """Return the statistics of the known ``pixels`` of each channel."""
        known = [own.astype(np.float64) if own.size else np.zeros(1) for own in pixels]
        return cls(
            data_range=np.array([float(np.ptp(np.percentile(own, [0.1, 99.9]))) or 1.0 for own in known]),
            scale=np.array([float(own.std()) or 1.0 for own in known]),
            uncertainty=np.array([uncertainty(own) for own in known]),
        )

    def judged(self, weights: np.ndarray | None) -> dict[str, Any]:
        """Return the arguments of `framecast.verification.catalogue.Judged` that are the same for all samples."""
        return {
            "data_range": torch.from_numpy(self.data_range),
            "scale": torch.from_numpy(self.scale) if len(self.scale) > 1 else None,
            "uncertainty": torch.from_numpy(self.uncertainty),
            "weights": None if weights is None else torch.from_numpy(weights),
        }


@dataclass(frozen=True, kw_only=True)
class Case:
    """One sample: past, observations, and each forecast. Physical units, NaN where masked.

    Attributes:
        index: its number.
        sequence: the name of its sequence.
        issue_time: the time of the last past frame, on an even clock.
        past: the target channels in the past ``[channel, past time, height, width]``; a channel not among the past
            channels is NaN.
        truth: ``[channel, time, height, width]``.
        forecasts: name -> members ``[member, channel, time, height, width]``; the files' own come first.
        valid: the pixels that are scored, like ``truth``.
    """

    index: int
    sequence: str
    issue_time: np.datetime64
    past: Tensor
    truth: Tensor
    forecasts: dict[str, Tensor]
    valid: Tensor


@dataclass(frozen=True)
class Drawn:
    """A baseline that is ready to forecast.

    Attributes:
        members: number of its members; one is a point forecast.
        draw: from the number of a sample and the target channels in the past ``[channel, past time, height, width]``
            to members ``[member, channel, time, height, width]``.
        description: one sentence on how it was made, in place of the entry's own.
    """

    members: int
    draw: Callable[[int, Tensor], Tensor]
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """One entry of the catalogue.

    Attributes:
        name: the key in ``scores.json``.
        label: its name in charts and tables.
        prepare: from the samples to the baseline, or ``None`` if they lack what it needs.
        description: one sentence for the reader of a report.
        reference: whether the skill of the other forecasts is measured against it.
    """

    name: str
    label: str
    prepare: Callable[["Cases"], Drawn | None]
    description: str = ""
    reference: bool = True


class Cases:
    """The samples that forecast files share.

    Attributes:
        sources: the opened files.
        models: name of each file's forecast, in the order given.
        members: name of each forecast -> number of its members; ``persistence`` has one. The files'
            own come first.
        channels: names of the target channels.
        lead_times: seconds.
        past_times: seconds, the last of them 0.
        cadence: see `framecast.verification.quantities.Cadence`.
        unit: of all images.
        size: height and width of a frame.
        domain: what kind of data it is.
        sequences: name of each sample's sequence.
        issue_times: of each sample, on an even clock.
        calendar: of these times.
        baselines: the entries of the catalogue that can be computed, by name.
        descriptions: name of a baseline -> one sentence for the reader of a report.
        sees_targets: whether every target channel is among the past channels of a file, as persistence needs.
        ensemble_size: members of ensemble baselines: as many as of the largest ensemble, 20 if there is none.
        scratch: a temporary folder that the files are in, if any.
        seed: random seed of the baselines.
        climatology_like: training windows of the climatology.
    """

    def __init__(
        self,
        paths: str | Path | Sequence[str | Path],
        *,
        seed: int = 0,
        climatology: Like = "any",
        baselines: Sequence[Baseline] = (),
    ) -> None:
        """Open one file or several; the other arguments are those of `framecast.verification.evaluation.evaluate`.

        Raises:
            FramecastError: a file does not exist.
            DataError: a file is not a forecast or is empty; the files cannot be compared or share no window.
        """
        self.scratch: object = None
        given = [paths] if isinstance(paths, str | Path) else paths
        self._files = [Unchanged(path) for path in given]
        self.sources = open_sources(paths, reserved=[baseline.name for baseline in baselines])
        self._shared = shared_windows(self.sources)
        self.seed = seed
        self.climatology_like: Like = climatology
        first = self.sources[0]
        self.channels, self.unit, self.units = first.channels, first.unit, first.units
        self.lead_times, self.size = first.lead_times, first.size
        self.cadence = spacing(self.lead_times)
        self.domain, self.calendar = first.domain, first.calendar
        windows = first.windows(self.calendar)
        self.sequences = [windows[numbers[0]][0] for numbers in self._shared]
        self.issue_times = np.array([windows[numbers[0]][1] for numbers in self._shared], dtype="datetime64[ns]")
        self.models = [source.name for source in self.sources]
        # Baselines are made from the first file that has the necessary data.
        self._seen = self._first(lambda source: source.sees_targets)
        self.sees_targets = self._seen is not None
        self.past_times = self.sources[self._seen or 0].past_times
        most = max(source.members for source in self.sources)
        self.ensemble_size = most if most > 1 else 20  # a single draw would not be an ensemble
        self.baselines = {baseline.name: baseline for baseline in baselines}
        prepared = {name: baseline.prepare(self) for name, baseline in self.baselines.items()}
        self._drawn: dict[str, Drawn] = {name: drawn for name, drawn in prepared.items() if drawn is not None}
        self.members = {source.name: source.members for source in self.sources}
        self.members |= {name: drawn.members for name, drawn in self._drawn.items()}
        self.descriptions = {
            name: drawn.description or self.baselines[name].description for name, drawn in self._drawn.items()
        }

    def check_unchanged(self) -> None:
        """Raise `DataError` if a file was changed, or rewritten, since it was opened."""
        for files in self._files:
            files.check()

    def __len__(self) -> int:
        return len(self._shared)

    @cached_property
    def climate(self) -> Climate:
        """Statistics of the observations, from millions of their pixels."""
        source, pixels = self.sources[0], []
        for channel in range(len(self.channels)):
            truths, own = source.dataset["truth"].isel(channel=channel), []
            for number, *_ in self._shared:
                truth = source.read(truths.isel(sample=number)).values.ravel()
                own.append(truth[np.isfinite(truth)][:: max(1, truth.size * len(self) // _RANGE_PIXELS)])
            pixels.append(np.concatenate(own))
        return Climate.of(pixels)

    @cached_property
    def weights(self) -> np.ndarray | None:
        """Areas of the pixels, ``[height, width]`` with a mean of 1, of a grid of latitudes and longitudes."""
        return area_weights(self.sources[0].dataset.coords, self.size)

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:
        """The derived quantities of this kind of data, integrals where the area of a pixel is known."""
        return quantities_of(self.domain, self.sources[0].dataset.coords)

    def __getitem__(self, index: int) -> Case:
        samples = [
            source.dataset.isel(sample=number) for source, number in zip(self.sources, self._shared[index], strict=True)
        ]
        truth = self._truth(index, samples)
        past = targets_of(self.sources[self._seen or 0], samples[self._seen or 0]["past"])
        forecasts = {
            source.name: videos(source.read(sample["forecast"]), "member")
            for source, sample in zip(self.sources, samples, strict=True)
        }
        forecasts |= {name: drawn.draw(index, past) for name, drawn in self._drawn.items()}
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

    def named(self, by: str) -> list[str]:
        """Return the sequence, day, hour, month, season or label of each sample, or its number (``sample``).

        Raises:
            ConfigError: the forecasts have no dates, or no labels.
        """
        if by == "sequence":
            return list(self.sequences)
        if by == "sample":
            return [str(k) for k in range(len(self))]
        if by == "label":
            if "label" not in (data := self.sources[0].dataset):
                raise ConfigError("--by label needs forecasts of an archive with labels, made by this version")
            return [str(data["label"].values[number]) or "unknown" for number in self.numbers(0)]
        if self.calendar.name == "none":
            raise ConfigError(
                f"{by} needs dates, and these forecasts have only elapsed times: choose sequence or sample"
            )
        days = [str(np.datetime64(time, "D")) for time in self.issue_times]  # of the calendar's own, on its even clock
        if "day" in by:
            return days if by == "day" else [f"{name} {day}" for name, day in zip(self.sequences, days, strict=True)]
        texts = [self.calendar.iso(time) for time in self.issue_times]
        months = [text.split("-")[-2] for text in texts]
        seasons = [("DJF", "MAM", "JJA", "SON")[int(month) % 12 // 3] for month in months]
        return {"hour": [text[11:13] for text in texts], "month": months, "season": seasons}[by]

    def numbers(self, file: int) -> list[int]:
        """Return the number of each sample in one of the files."""
        return [numbers[file] for numbers in self._shared]

    def _truth(self, index: int, samples: list[xr.Dataset]) -> Tensor:
        truth, *others = (
            videos(source.read(sample["truth"])) for source, sample in zip(self.sources, samples, strict=True)
        )
        for source, other in zip(self.sources[1:], others, strict=True):
            unknown = torch.isnan(truth) | torch.isnan(other)
            if not torch.allclose(truth[~unknown], other[~unknown], rtol=1e-4, atol=1e-6):
                raise DataError(
                    f"{self.sources[0].path.name} and {source.path.name} contain different observations of "
                    f"{self.sequences[index]} after {self.calendar.text(self.issue_times[index])}: forecasts of "
                    "different archives cannot be compared; make both for the same archive"
                )
            truth = torch.where(unknown, torch.nan, truth)
        return truth

    def pool(self, name: str, along: str, *, sees_targets: bool = False) -> Pool | None:
        """Return the variable ``name`` of the first file that has at least two videos of it ``along`` a dimension.

        With ``sees_targets`` every target channel must be among its past channels.
        """
        number = self._first(
            lambda source: (
                name in source.dataset
                and source.dataset.sizes[along] >= 2
                and (source.sees_targets or not sees_targets)
            )
        )
        return None if number is None else Pool(self.sources[number], name, along)

    @cached_property
    def occasions(self) -> Occasions | None:
        """Training windows with their pasts, of the first file that contains some."""
        number = self._first(lambda source: "occasion_last" in source.dataset)
        if number is None:
            return None
        source = self.sources[number]
        last, mean = (
            finite(source.read(source.dataset[name].transpose("occasion", "channel", "y", "x")))
            for name in ("occasion_last", "occasion_mean")
        )
        times = np.asarray(source.read(source.dataset["occasion_time"]).values)
        moved = "occasion_moved" in source.dataset and "moved" in source.dataset
        return Occasions(
            last=last,
            mean=mean,
            future=videos(source.read(source.dataset["climatology"]), "occasion"),
            times=(times - times.min().astype("datetime64[D]")) / np.timedelta64(1, "s"),
            span=self.lead_times[-1] - self.past_times[0],
            moved=videos(source.read(source.dataset["occasion_moved"]), "occasion") if moved else None,
        )

    def stored(self, name: str) -> tuple[int, Callable[[int], Tensor]] | None:
        """Return the size of a further ensemble in a file, and a function that reads that of a sample."""
        number = self._first(lambda source: name in source.dataset)
        if number is None:
            return None
        source = self.sources[number]
        array = source.dataset[name]

        def read(index: int) -> Tensor:
            own = source.read(array.isel(sample=self._shared[index][number]))
            return videos(own if "member" in own.dims else own.expand_dims("member"), "member")

        return int(array.sizes.get("member", 1)), read

    def _first(self, has: Callable[[ForecastSource], bool]) -> int | None:
        return next((k for k, source in enumerate(self.sources) if has(source)), None)

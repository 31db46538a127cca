"""The sums per sample from which every score of one forecast is computed, and those at each pixel.

As functions of the weights of samples, a score, its interval, and its difference from another forecast are the same
computation with different weights.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from framecast.verification.cases import Case, Cases
from framecast.verification.catalogue import Judged, Score, event_scores, kept
from framecast.verification.quantities import Quantity
from framecast.verification.scores import rank_histogram, ratio, reliability
from framecast.verification.scores.bootstrap import Statistic, mean
from framecast.verification.strata import Stratum

Array = np.ndarray

_OCTAVES = 64
_BINS_PER_OCTAVE = 2
_MOST_BINS = 11


@dataclass(kw_only=True)
class Tally:
    """Sums of each sample, in their order.

    Attributes:
        members: number of members; one is a point forecast.
        scores: the entries that are summed.
        thresholds: of events, in the unit of the images.
        scale: standard deviation of the observations in each channel, of several channels.
        count: scored pixels ``[channel, time]``.
        missing: member values that were NaN at them, likewise.
        truth: sum of the absolute truth, likewise.
        parts: name of a score -> for each sample, sum and count of each array that it averages.
        values: name of a quantity -> for each sample, its value ``[member, channel(, time)]`` and the true one.
        ranks: pixel counts of each rank ``[member + 1]``.
        events: threshold -> number of points, sum of probabilities, number of events by bin of probability
            ``[bin, 3]``.
        spread: count, variance and squared error of all samples by the octave of the predicted spread, ``[bin, 3]``.
    """

    members: int
    scores: tuple[Score, ...]
    thresholds: Sequence[float] = ()
    scale: Array | None = None
    count: list[Array] = field(default_factory=list)
    missing: list[Array] = field(default_factory=list)
    truth: list[Array] = field(default_factory=list)
    parts: dict[str, list[list[tuple[Array, Array]]]] = field(default_factory=lambda: defaultdict(list))
    values: dict[str, list[tuple[Array, Array]]] = field(default_factory=lambda: defaultdict(list))
    ranks: list[Array] = field(default_factory=list)
    events: dict[float, list[Array]] = field(default_factory=lambda: defaultdict(list))
    spread: Array = field(default_factory=lambda: np.zeros((2 * _OCTAVES * _BINS_PER_OCTAVE, 3)))

    @property
    def point(self) -> bool:
        """Whether this is a single value instead of an ensemble."""
        return self.members == 1

    def record(self, sample: Judged) -> None:
        """Add one sample."""
        forecast, truth, valid = sample.members, sample.truth, sample.valid
        self.count.append(kept(valid.sum((-2, -1))))
        self.missing.append(kept((torch.isnan(forecast) & valid).sum((0, -2, -1))))
        self.truth.append(kept(truth.abs().nansum((-2, -1), dtype=torch.float64)))
        for score in self.scores:
            self.parts[score.name].append(score.parts(sample))
        for name, (values, target) in sample.values.items():
            self.values[name].append((kept(values), kept(target)))
        self.ranks.append(kept(rank_histogram(forecast, truth)))
        bins = min(self.members + 1, _MOST_BINS)
        for threshold in self.thresholds:
            self.events[threshold].append(kept(reliability(forecast, truth, threshold, bins=bins)))
        if not sample.point:
            self._bin(sample.variance[valid], sample.error[valid])

    def statistic(self, score: Score, *, by_lead: bool = False, by_channel: bool = False) -> Statistic | None:
        """Return the score as a function of the weights of the samples; ``None`` if it has no value by lead time.

        Over several channels it is the mean of theirs, of a score in the unit of the images each in units of `scale`.
        """
        arrays = self._stacked(score)
        last = arrays[0][0].ndim - score.spectral - score.binned  # of ``[sample, channel, time, ...]``
        each = self._has_channels(score) and arrays[0][0].shape[1] == len(self.count[0])
        if (by_lead and last != 3) or (by_channel and not each):
            return None
        axes = () if by_lead else tuple(range(2, last))
        means = [mean(total.sum(axes), count.sum(axes)) for total, count in arrays]

        def statistic(weights: Array) -> Array:
            values = np.asarray(score.combine(*(part(weights) for part in means)))
            return values if by_channel else self._over_channels(score, values)

        return statistic

    def per_sample(self, score: Score) -> Array:
        """Return the score of each sample, NaN where nothing is judged; ``[sample]``."""
        means = []
        for total, count in self._stacked(score):
            axes = tuple(range(2, total.ndim - score.spectral - score.binned))
            means.append(ratio(total.sum(axes), count.sum(axes)))
        return self._over_channels(score, np.asarray(score.combine(*means)))

    def _has_channels(self, score: Score) -> bool:
        return self.parts[score.name][0][0][0].ndim > score.spectral + score.binned

    def _over_channels(self, score: Score, values: Array) -> Array:
        """Return the mean over the channels, the second axis, of those that have a value."""
        if not self._has_channels(score):
            return values
        if self.scale is not None and score.scaled:
            values = values / self.scale.reshape(1, -1, *[1] * (values.ndim - 2))
        known = np.isfinite(values)
        return ratio(np.where(known, values, 0.0).sum(1), known.sum(1))

    def quantity(self, name: str) -> tuple[Tensor, Tensor]:
        """Return a quantity of the members ``[member, sample, channel(, time)]`` and of the truth."""
        members, truths = zip(*self.values[name], strict=True)
        return torch.from_numpy(np.stack(members, 1)), torch.from_numpy(np.stack(truths))

    def mean_truth(self) -> Array:
        """Return the mean absolute truth of each sample, NaN where nothing is judged."""
        return ratio(np.sum(self.truth, axis=(1, 2)), np.sum(self.count, axis=(1, 2)))

    def binned_spread(self) -> tuple[Array, Array, Array]:
        """Return, for each bin of predicted spread that holds a pixel: root mean variance, RMSE, pixel count."""
        count, variance, squared = self.spread[self.spread[:, 0] > 0].T
        return np.sqrt(variance / count), np.sqrt(squared / count), count

    def _stacked(self, score: Score) -> list[tuple[Array, Array]]:
        samples = self.parts[score.name]
        return [
            (np.stack([parts[k][0] for parts in samples]), np.stack([parts[k][1] for parts in samples]))
            for k in range(len(samples[0]))
        ]

    def _bin(self, variance: Tensor, error: Tensor) -> None:
        half = _OCTAVES * _BINS_PER_OCTAVE
        octave = torch.floor(torch.log2(variance.sqrt().double()) * _BINS_PER_OCTAVE)
        index = octave.clamp(-half, half - 1).long() + half
        for column, values in enumerate((torch.ones_like(error), variance, error.square())):
            total = torch.bincount(index, weights=values.double(), minlength=len(self.spread))
            self.spread[:, column] += total.numpy()


@dataclass
class Maps:
    """Sums over samples and lead times at each pixel, ``[channel, y, x]``.

    Pixels of different regions share only their position in the frame, so that these maps show effects of edges and
    masks, and for a fixed field of view (rain, weather) of locations.

    Attributes:
        error: sum of ensemble mean minus truth.
        squared: sum of its square.
        variance: sum of the ensemble variance, corrected for its finite size.
    """

    count: Array
    error: Array
    squared: Array
    variance: Array

    @classmethod
    def empty(cls, channels: int, size: tuple[int, int]) -> "Maps":
        """Return empty maps."""
        return cls(*np.zeros((4, channels, *size)))

    def record(self, sample: Judged) -> None:
        """Add one sample of the forecast."""
        self.count += sample.valid.sum(1).numpy()
        sums = (sample.error, sample.error.square(), sample.variance)
        for total, values in zip((self.error, self.squared, self.variance), sums, strict=True):
            total += torch.where(sample.valid, values, 0.0).sum(1, dtype=torch.float64).numpy()

    @property
    def bias(self) -> Array:
        """Mean error, NaN where nothing was scored; ``[channel, y, x]``."""
        return ratio(self.error, self.count)

    @property
    def rmse(self) -> Array:
        """Root mean squared error of the ensemble mean."""
        return np.sqrt(ratio(self.squared, self.count))

    @property
    def spread(self) -> Array:
        """Root of the mean ensemble variance."""
        return np.sqrt(ratio(self.variance, self.count))


class Sums:
    """The sums of an evaluation: of every forecast, in total, at each pixel, and in each stratum.

    Attributes:
        few: the scores of strata.
        areas: weights of the pixels; None for equal ones.
        parts: each stratum, with its sums and the numbers of its samples.
        pixels: how many of the truth are known, and how many there are.
    """

    def __init__(
        self,
        cases: Cases,
        *,
        scores: tuple[Score, ...],
        quantities: tuple[Quantity, ...],
        thresholds: tuple[float, ...],
        strata: Sequence[Stratum],
        areas: Array | None,
    ) -> None:
        self.cases, self.scores, self.quantities, self.thresholds = cases, scores, quantities, thresholds
        self.areas, self._shared = areas, cases.climate.judged(areas)
        limited = {entry.name for value in thresholds for entry in event_scores(value, cases.size)}
        self.few = tuple(entry for entry in scores if entry.shown == "console" or entry.name in limited)
        self.tallies = self._begun(scores, thresholds)
        self.parts: list[tuple[Stratum, dict[str, Tally], list[int]]] = [
            (stratum, self._begun(self.few), []) for stratum in strata
        ]
        self.maps = {name: Maps.empty(len(cases.channels), cases.size) for name in cases.members}
        self.pixels = np.zeros(2, dtype=np.int64)

    def _begun(self, scores: tuple[Score, ...], thresholds: Sequence[float] = ()) -> dict[str, Tally]:
        scale = self.cases.climate.scale if len(self.cases.channels) > 1 else None
        return {
            name: Tally(members=size, scores=scores, thresholds=thresholds, scale=scale)
            for name, size in self.cases.members.items()
        }

    def record(self, case: Case) -> None:
        """Add one sample."""
        self.pixels += (int((~case.truth.isnan()).sum()), case.truth.numel())
        came = torch.where(case.valid, case.truth, torch.nan)
        parts = [part for part in self.parts if part[0].holds(case.index)]
        for _, _, numbers in parts:
            numbers.append(case.index)
        about: dict[str, Any] = {"cadence": self.cases.cadence, "quantities": self.quantities, **self._shared}
        for name, members in case.forecasts.items():
            sample = Judged(members=members, truth=came, **about)
            self.tallies[name].record(sample)
            self.maps[name].record(sample)
            for stratum, own, _ in parts:
                inside = came if stratum.pixels is None else torch.where(stratum.pixels, came, torch.nan)
                own[name].record(replace(sample, truth=inside, quantities=()))

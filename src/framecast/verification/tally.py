"""The sums per sample from which every score is made, for one forecast."""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from framecast.verification.event_tally import EventTally
from framecast.verification.likeness import Likeness
from framecast.verification.quantities import dtw_distance, flux
from framecast.verification.scores import (
    crps,
    energy_score,
    ensemble_mean,
    ensemble_variance,
    power_spectrum,
    rank_histogram,
)

if TYPE_CHECKING:
    from framecast.verification.cases import Case, Cases

Array = np.ndarray

_OCTAVES = 64
_BINS_PER_OCTAVE = 2


@dataclass(kw_only=True)
class Tally:
    """Sums over the judged pixels of each sample; ``[sample, channel, time]`` unless said otherwise.

    Attributes:
        members: number of members; one is a point forecast, whose CRPS is its absolute error and whose spread is 0.
        count: judged pixels.
        missing: member values that were NaN at them.
        crps: sum of the (fair) CRPS.
        absolute: sum of the absolute error of the ensemble mean.
        squared: sum of its square.
        variance: sum of the ensemble variance, corrected for its finite size.
        truth: sum of the absolute truth.
        flux: flux of each member, ``[sample, member, channel, time]``.
        true_flux: flux of the truth.
        warping: DTW distance of the flux to the true one, averaged over members, ``[sample, channel]``.
        energy: energy score of the whole video, ``[sample]``.
        ranks: pixel counts of each rank, ``[sample, member + 1]``.
        spectrum: mean power of the members, ``[sample, channel, time, wavenumber]``; NaN for masked frames.
        mean_spectrum: power of the ensemble mean, likewise.
        true_spectrum: power of the truth, likewise.
        likeness: what single images look like.
        events: what is forecast of events.
        spread: count, variance and squared error by the octave of the predicted spread, ``[bin, 3]``.
    """

    members: int
    count: Array
    missing: Array
    crps: Array
    absolute: Array
    squared: Array
    variance: Array
    truth: Array
    flux: Array
    true_flux: Array
    warping: Array
    energy: Array
    ranks: Array
    spectrum: Array
    mean_spectrum: Array
    true_spectrum: Array
    likeness: Likeness
    events: EventTally
    spread: Array = field(default_factory=lambda: np.zeros((2 * _OCTAVES * _BINS_PER_OCTAVE, 3)))

    @classmethod
    def empty(cls, cases: "Cases", members: int) -> "Tally":
        """Return the tally of no sample yet."""
        shape = (len(cases), len(cases.channels), len(cases.lead_times))
        rings = (*shape, min(cases.size) // 2)
        zeros = {name: np.zeros(shape) for name in ("count", "missing", "crps", "absolute", "squared", "variance")}
        return cls(
            members=members,
            **zeros,
            truth=np.zeros(shape),
            flux=np.full((shape[0], members, *shape[1:]), np.nan),
            true_flux=np.full(shape, np.nan),
            warping=np.full(shape[:2], np.nan),
            energy=np.full(shape[0], np.nan),
            ranks=np.zeros((shape[0], members + 1)),
            spectrum=np.full(rings, np.nan),
            mean_spectrum=np.full(rings, np.nan),
            true_spectrum=np.full(rings, np.nan),
            likeness=Likeness.empty(cases),
            events=EventTally.empty(cases, members),
        )

    def record(self, case: "Case", name: str) -> None:
        """Add the forecast ``name`` of one sample."""
        k, valid = case.index, case.valid
        forecast = case.forecasts[name]
        truth = torch.where(valid, case.truth, torch.nan)
        point = self.members == 1
        mean = forecast[0] if point else ensemble_mean(forecast)
        error = mean - truth
        variance = torch.zeros_like(truth) if point else ensemble_variance(forecast)

        self.count[k] = valid.sum((-2, -1))
        self.missing[k] = (torch.isnan(forecast) & valid).sum((0, -2, -1))
        self.crps[k] = _sum(crps(forecast, truth, fair=not point), valid)
        self.absolute[k] = _sum(error.abs(), valid)
        self.squared[k] = _sum(error.square(), valid)
        self.variance[k] = _sum(variance, valid)
        self.truth[k] = _sum(truth.abs(), valid)
        curves, true_curve = flux(forecast, valid), flux(truth, valid)
        self.flux[k], self.true_flux[k] = curves, true_curve
        self.warping[k] = dtw_distance(curves, true_curve).nanmean(0)
        self.energy[k] = self._energy(forecast, truth)
        self.ranks[k] = rank_histogram(forecast, truth)
        self.spectrum[k] = power_spectrum(forecast).mean(0)
        self.mean_spectrum[k] = power_spectrum(mean)
        self.true_spectrum[k] = power_spectrum(truth)
        self.likeness.record(case, forecast, mean)
        self.events.record(case, forecast)
        if not point:
            self._bin(variance[valid], error[valid])

    def _energy(self, forecast: Tensor, truth: Tensor) -> float:
        if self.members == 1:
            return float((forecast[0] - truth).square().nanmean().sqrt())
        return float(energy_score(forecast, truth))

    def _bin(self, variance: Tensor, error: Tensor) -> None:
        octave = torch.floor(torch.log2(variance.sqrt().double()) * _BINS_PER_OCTAVE)
        index = octave.clamp(-_OCTAVES * _BINS_PER_OCTAVE, _OCTAVES * _BINS_PER_OCTAVE - 1)
        index = index.long() + _OCTAVES * _BINS_PER_OCTAVE
        for column, values in enumerate((torch.ones_like(error), variance, error.square())):
            total = torch.bincount(index, weights=values.double(), minlength=len(self.spread))
            self.spread[:, column] += total.numpy()

    def binned_spread(self) -> tuple[Array, Array, Array]:
        """Return, for each bin of predicted spread that holds a pixel: root mean variance, RMSE, pixel count."""
        count, variance, squared = self.spread[self.spread[:, 0] > 0].T
        return np.sqrt(variance / count), np.sqrt(squared / count), count

    def flux_curves(self) -> tuple[Tensor, Tensor]:
        """Return the flux of the members ``[member, sample, channel, time]`` and of the truth."""
        return torch.from_numpy(self.flux).movedim(1, 0), torch.from_numpy(self.true_flux)

    @property
    def point(self) -> bool:
        """Whether this is a single value instead of an ensemble."""
        return self.members == 1


def _sum(values: Tensor, valid: Tensor) -> Array:
    total = torch.where(valid, values, 0.0).sum((-2, -1), dtype=torch.float64).numpy()
    assert all(map(math.isfinite, total.flat)), "a judged pixel has no score"
    result: Array = total
    return result

"""Scores of forecasts, as pure functions of tensors.

An ensemble is ``[member, *shape]``, the truth ``[*shape]``; a score keeps ``shape``, so that the caller chooses
what to average over (pixels, lead times, samples) and with which weights.

Missing values are NaN, with the same rule everywhere:

- a NaN member is absent at that point, and the score is that of the members that remain;
- where the truth is NaN, or too few members remain (one for a mean, two for a spread or a fair score), the score is
  NaN: the point is left out of averages.
"""

from framecast.verification.scores.bootstrap import Bootstrap, Estimate
from framecast.verification.scores.decomposition import (
    between_members,
    reliability_and_potential,
    uncertainty,
)
from framecast.verification.scores.ensemble import (
    crps,
    energy_score,
    ensemble_mean,
    ensemble_variance,
    rank_histogram,
    threshold_weighted_crps,
    vector_energy_score,
)
from framecast.verification.scores.events import (
    brier_score,
    economic_value,
    exceedance,
    fractions,
    reliability,
    roc,
)
from framecast.verification.scores.image import ms_ssim, similarities, ssim
from framecast.verification.scores.intervals import LEVELS, attainable, central_interval, covered, interval_score
from framecast.verification.scores.spectrum import power_spectrum
from framecast.verification.scores.variogram import variogram_score

__all__ = [
    "LEVELS",
    "Bootstrap",
    "Estimate",
    "attainable",
    "between_members",
    "brier_score",
    "central_interval",
    "covered",
    "crps",
    "economic_value",
    "energy_score",
    "ensemble_mean",
    "ensemble_variance",
    "exceedance",
    "fractions",
    "interval_score",
    "ms_ssim",
    "power_spectrum",
    "rank_histogram",
    "reliability",
    "reliability_and_potential",
    "roc",
    "similarities",
    "ssim",
    "threshold_weighted_crps",
    "uncertainty",
    "variogram_score",
    "vector_energy_score",
]

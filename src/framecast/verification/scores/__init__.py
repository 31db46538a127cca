"""Scores of forecasts, as pure functions of tensors.

An ensemble is ``[member, *shape]``, the truth ``[*shape]``; a score keeps ``shape``, so that the caller chooses
what to average over (pixels, lead times, samples) and with which weights.

Missing values are NaN, with the same rule everywhere:

- a NaN member is absent at that point, and the score is that of the members that remain;
- where the truth is NaN, or too few members remain (one for a mean, two for a spread or a fair score), the score is
  NaN: the point is left out of averages.
"""

from framecast.verification.scores.bootstrap import Bootstrap as Bootstrap
from framecast.verification.scores.bootstrap import Estimate as Estimate
from framecast.verification.scores.bootstrap import ratio as ratio
from framecast.verification.scores.ensemble import between_members as between_members
from framecast.verification.scores.ensemble import crps as crps
from framecast.verification.scores.ensemble import energy_score as energy_score
from framecast.verification.scores.ensemble import ensemble_mean as ensemble_mean
from framecast.verification.scores.ensemble import ensemble_variance as ensemble_variance
from framecast.verification.scores.ensemble import rank_histogram as rank_histogram
from framecast.verification.scores.ensemble import reliability_and_potential as reliability_and_potential
from framecast.verification.scores.ensemble import threshold_weighted_crps as threshold_weighted_crps
from framecast.verification.scores.ensemble import uncertainty as uncertainty
from framecast.verification.scores.ensemble import vector_energy_score as vector_energy_score
from framecast.verification.scores.events import brier_score as brier_score
from framecast.verification.scores.events import economic_value as economic_value
from framecast.verification.scores.events import exceedance as exceedance
from framecast.verification.scores.events import fractions as fractions
from framecast.verification.scores.events import reliability as reliability
from framecast.verification.scores.events import roc as roc
from framecast.verification.scores.image import power_spectrum as power_spectrum
from framecast.verification.scores.image import similarities as similarities
from framecast.verification.scores.image import variogram_score as variogram_score
from framecast.verification.scores.intervals import LEVELS as LEVELS
from framecast.verification.scores.intervals import attainable as attainable
from framecast.verification.scores.intervals import central_interval as central_interval
from framecast.verification.scores.intervals import covered as covered
from framecast.verification.scores.intervals import interval_score as interval_score

"""Charts of scores. Each returns a Figure; where the scores lack what it would show, None."""

from framecast.plots.charts.by_lead import crps_by_lead, error_and_spread, skill_by_lead
from framecast.plots.charts.differences import SHOWN, against, differences
from framecast.plots.charts.events import brier_by_lead, event_reliability, fss_by_width
from framecast.plots.charts.ranks import ranks
from framecast.plots.charts.reliability import reliability
from framecast.plots.charts.spectra import spectra
from framecast.plots.charts.spread import spread_and_error

__all__ = [
    "SHOWN",
    "against",
    "brier_by_lead",
    "crps_by_lead",
    "differences",
    "error_and_spread",
    "event_reliability",
    "fss_by_width",
    "ranks",
    "reliability",
    "skill_by_lead",
    "spectra",
    "spread_and_error",
]

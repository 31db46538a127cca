"""Charts of scores. Each returns a Figure; where the scores lack what it would show, None."""

from framecast.reports.charts.by_lead import crps_by_lead, error_and_spread, skill_by_lead
from framecast.reports.charts.differences import SHOWN, against, differences
from framecast.reports.charts.events import brier_by_lead, event_reliability, fss_by_width
from framecast.reports.charts.ranks import ranks
from framecast.reports.charts.reliability import reliability
from framecast.reports.charts.spectra import spectra
from framecast.reports.charts.spread import spread_and_error

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

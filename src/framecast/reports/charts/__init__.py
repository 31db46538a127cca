"""Charts of scores. Each returns a Figure; where the scores lack what it would show, None."""

from framecast.reports.charts.by_lead import error_and_spread, score_by_lead, skill_by_lead
from framecast.reports.charts.differences import against, differences, shown
from framecast.reports.charts.events import event_reliability, fss_by_width
from framecast.reports.charts.ranks import ranks
from framecast.reports.charts.reliability import reliability
from framecast.reports.charts.spectra import spectra
from framecast.reports.charts.spread import spread_and_error

__all__ = [
    "against",
    "differences",
    "error_and_spread",
    "event_reliability",
    "fss_by_width",
    "ranks",
    "reliability",
    "score_by_lead",
    "shown",
    "skill_by_lead",
    "spectra",
    "spread_and_error",
]

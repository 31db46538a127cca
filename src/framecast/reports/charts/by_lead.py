"""Scores against the lead time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from framecast.reports.style import FAINT, INK, MARKER_SIZE, chart, lead_axis, legend, looks
from framecast.reports.wording import inline, with_unit
from framecast.verification.results import Scores


def score_by_lead(scores: Scores, name: str) -> Figure | None:
    """Return a score of every forecast against the lead time, with the models' 95 % intervals.

    The intervals of two forecasts overlap even where their difference is certain: that is in `skill_by_lead` and
    `differences`.
    """
    info = scores.score_info[name]
    figure, axes = chart()
    lead = lead_axis(axes, seconds(scores), with_unit(info.label, info.unit))
    for forecast, look in looks(scores).items():
        found = scores[forecast][name].by_lead
        if found is None:
            return None
        if forecast in scores.models:
            axes.fill_between(lead, *found.bounds(), color=look.colour, alpha=0.15, linewidth=0)
        axes.plot(lead, found.value, **look.line, label=look.label)
    if info.better == "lower":
        axes.set_ylim(bottom=0)
    legend(figure, axes)
    return figure


def skill_by_lead(scores: Scores) -> Figure | None:
    """Return the CRPS skill by lead time with its paired 95 % interval.

    Of one model against each baseline; of several models against the first baseline that there is.
    """
    drawn, models = looks(scores), scores.models
    references = list(scores[models[0]].skill)
    if not references:
        return None
    if len(models) == 1:
        lines = [(drawn[other], f"against {inline(drawn[other].label)}", models[0], other) for other in references]
        title = "CRPS skill of the model"
    else:
        lines = [(drawn[name], drawn[name].label, name, references[0]) for name in models]
        title = f"CRPS skill against {inline(drawn[references[0]].label)}"
    figure, axes = chart()
    lead = lead_axis(axes, seconds(scores), title)
    for look, text, name, other in lines:
        skill = scores[name].skill[other]["crps"].by_lead
        assert skill is not None
        axes.fill_between(lead, *skill.bounds(), color=look.colour, alpha=0.18, linewidth=0)
        axes.plot(lead, skill.value, **look.line, label=text)
    axes.axhline(0, color=INK, linewidth=1)
    legend(figure, axes)
    return figure


def error_and_spread(scores: Scores) -> Figure | None:
    """Return the RMSE of each ensemble's mean and the spread that should equal it, by lead time."""
    ensembles = {name: look for name, look in looks(scores).items() if not scores[name].point}
    if not ensembles:
        return None
    figure, axes = chart()
    lead = lead_axis(axes, seconds(scores), with_unit("Error, spread", scores.unit))
    for name, look in ensembles.items():
        error, ratio = scores[name]["rmse"].by_lead, scores[name]["spread_skill"].by_lead
        assert error is not None
        assert ratio is not None
        style: dict[str, Any] = {"color": look.colour, "marker": look.marker, "markersize": MARKER_SIZE}
        axes.plot(lead, error.value, "-", **style, linewidth=1.8)
        axes.plot(lead, np.nan_to_num(error.value * ratio.value), "--", **style, mfc="white", linewidth=1.4)
        axes.plot([], [], **style, label=look.label)
    axes.plot([], [], "-", color=FAINT, label="error (RMSE of the mean)")
    axes.plot([], [], "--", color=FAINT, label="spread")
    axes.set_ylim(bottom=0)
    legend(figure, axes)
    return figure


def seconds(scores: Scores) -> Sequence[float]:
    """Return the lead times in seconds."""
    return [3600 * hours for hours in scores.lead_times_h]

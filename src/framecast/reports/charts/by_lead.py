"""Scores against the lead time: how fast knowledge fades."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from framecast.reports.style import FAINT, INK, MARKER_SIZE, bounds, chart, floats, lead_axis, legend, looks, with_unit

Scores = dict[str, Any]


def crps_by_lead(scores: Scores) -> Figure:
    """Return the CRPS of every forecast against the lead time, with the models' 95 % intervals.

    The intervals of two forecasts overlap even where their difference is certain: that is in `skill_by_lead` and
    `differences`.
    """
    figure, axes = chart()
    lead = lead_axis(axes, _seconds(scores), with_unit("CRPS", scores))
    for name, look in looks(scores).items():
        found = scores["forecasts"][name]
        if name in scores["models"]:
            axes.fill_between(
                lead, *bounds(found["confidence"]["crps_by_lead"]), color=look.colour, alpha=0.15, linewidth=0
            )
        axes.plot(lead, floats(found["crps_by_lead"]), **look.line, label=look.label)
    axes.set_ylim(bottom=0)
    legend(figure, axes)
    return figure


def skill_by_lead(scores: Scores) -> Figure | None:
    """Return skill by lead time with its paired 95 % interval.

    Of one model against each baseline; of several models against the first baseline that there is.
    """
    drawn = looks(scores)
    models = scores["models"]
    references = list(scores["forecasts"][models[0]]["skill"])
    if not references:
        return None
    if len(models) == 1:
        lines = [
            (drawn[other], f"against {drawn[other].label.lower()}", scores["forecasts"][models[0]]["skill"][other])
            for other in references
        ]
        title = "CRPS skill of the model"
    else:
        lines = [(drawn[name], drawn[name].label, scores["forecasts"][name]["skill"][references[0]]) for name in models]
        title = f"CRPS skill against {drawn[references[0]].label.lower()}"
    figure, axes = chart()
    lead = lead_axis(axes, _seconds(scores), title)
    for look, text, entry in lines:
        axes.fill_between(lead, *bounds(entry["by_lead"]), color=look.colour, alpha=0.18, linewidth=0)
        axes.plot(lead, floats(entry["by_lead"]["value"]), **look.line, label=text)
    axes.axhline(0, color=INK, linewidth=1)
    legend(figure, axes)
    return figure


def error_and_spread(scores: Scores) -> Figure | None:
    """Return the RMSE of each ensemble's mean and the spread that should equal it, by lead time."""
    ensembles = {name: look for name, look in looks(scores).items() if scores["forecasts"][name]["members"] > 1}
    if not ensembles:
        return None
    figure, axes = chart()
    lead = lead_axis(axes, _seconds(scores), with_unit("Error, spread", scores))
    for name, look in ensembles.items():
        rmse = floats(scores["forecasts"][name]["rmse_by_lead"])
        spread = rmse * floats(scores["forecasts"][name]["spread_skill_by_lead"])
        style: dict[str, Any] = {"color": look.colour, "marker": look.marker, "markersize": MARKER_SIZE}
        axes.plot(lead, rmse, "-", **style, linewidth=1.8)
        axes.plot(lead, np.nan_to_num(spread), "--", **style, mfc="white", linewidth=1.4)
        axes.plot([], [], **style, label=look.label)
    axes.plot([], [], "-", color=FAINT, label="error (RMSE of the mean)")
    axes.plot([], [], "--", color=FAINT, label="spread")
    axes.set_ylim(bottom=0)
    legend(figure, axes)
    return figure


def _seconds(scores: Scores) -> list[float]:
    return [3600 * hours for hours in scores["lead_times_h"]]

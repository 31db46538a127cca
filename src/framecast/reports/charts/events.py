"""Events: how well it is foreseen that a value is reached."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from framecast.reports.style import FAINT, bounds, chart, floats, label, lead_axis, legend, looks

Scores = dict[str, Any]


def brier_by_lead(scores: Scores, threshold: str) -> Figure:
    """Return the Brier score of the event by lead time, with the models' 95 % intervals."""
    figure, axes = chart()
    lead = lead_axis(axes, [3600 * hours for hours in scores["lead_times_h"]], "Brier score")
    for name, look in looks(scores).items():
        found = scores["forecasts"][name]["thresholds"][threshold]
        if name in scores["models"]:
            ends = bounds(found["confidence"]["brier_by_lead"])
            axes.fill_between(lead, *ends, color=look.colour, alpha=0.15, linewidth=0)
        axes.plot(lead, floats(found["brier_by_lead"]), **look.line, label=look.label)
    axes.set_ylim(bottom=0)
    legend(figure, axes)
    return figure


def event_reliability(scores: Scores, threshold: str) -> Figure | None:
    """Return how often the event happened where it was given so much probability; the area of a dot is its share."""
    figure, axes = chart(height=4.2)
    axes.plot([0, 100], [0, 100], color=FAINT, linewidth=1, zorder=1)
    drawn = False
    for name, look in looks(scores).items():
        table = scores["forecasts"][name]["thresholds"][threshold]["reliability"]
        if scores["forecasts"][name]["members"] == 1 or not table["probability"]:
            continue
        probability, observed = 100 * floats(table["probability"]), 100 * floats(table["observed"]["value"])
        low, high = 100 * bounds(table["observed"])
        if name in scores["models"]:
            axes.vlines(probability, low, high, color=look.colour, linewidth=0.9)
        axes.plot(probability, observed, look.dashes, color=look.colour, linewidth=1.4)
        area = 12 + 250 * np.sqrt(floats(table["share"]))
        axes.scatter(probability, observed, s=area, color=look.colour, marker=look.marker, alpha=0.6, linewidth=0)
        axes.plot([], [], **look.line, label=look.label)
        drawn = True
    if not drawn:
        return None
    axes.axhline(
        100 * scores["forecasts"][scores["models"][0]]["thresholds"][threshold]["base_rate"],
        color=FAINT,
        linewidth=0.9,
        linestyle=":",
        label="how often it happens",
    )
    axes.set(xlim=(-3, 103), ylim=(-3, 103), aspect="equal")
    label(axes, "Probability forecast (%)", "Event observed (%)")
    legend(figure, axes)
    return figure


def fss_by_width(scores: Scores, threshold: str) -> Figure | None:
    """Return the fractions skill score against the size of the squares, and what a useful forecast has at least.

    Useful is (1 + base rate) / 2: half way between a random forecast and a perfect one (Roberts and Lean 2008, Monthly
    Weather Review 136, 78, equation 8).
    """
    figure, axes = chart()
    drawn = False
    for name, look in looks(scores).items():
        found = scores["forecasts"][name]["thresholds"][threshold]
        widths, values = [int(width) for width in found["fss"]], floats(list(found["fss"].values()))
        if not np.isfinite(values).any():
            continue
        drawn = True
        if name in scores["models"]:
            low, high = np.array([bounds(entry) for entry in found["confidence"]["fss"].values()]).T
            axes.fill_between(widths, low, high, color=look.colour, alpha=0.15, linewidth=0)
        axes.plot(widths, values, **look.line, label=look.label)
    if not drawn:
        return None
    rate = scores["forecasts"][scores["models"][0]]["thresholds"][threshold]["base_rate"]
    axes.axhline(0.5 + rate / 2, color=FAINT, linewidth=0.9, linestyle=":", label="useful")
    axes.set(xscale="log", ylim=(0, 1.02))
    axes.set_xticks(widths, [str(width) for width in widths])
    axes.minorticks_off()
    label(axes, "Size of the squares (pixels)", "Fractions skill score")
    legend(figure, axes)
    return figure

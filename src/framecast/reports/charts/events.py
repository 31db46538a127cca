"""Threshold exceedance: reliability of the probabilities, and the fractions skill score."""

import numpy as np
from matplotlib.figure import Figure

from framecast.reports.style import FAINT, chart, label, legend, looks
from framecast.verification.results import Scores


def event_reliability(scores: Scores, threshold: str) -> Figure | None:
    """Return how often the event happened by its probability; the area of a mark stands for the number of pixels."""
    figure, axes = chart(height=4.2)
    axes.plot([0, 100], [0, 100], color=FAINT, linewidth=1, zorder=1)
    drawn = False
    for name, look in looks(scores).items():
        event = scores[name].events[threshold]
        if scores[name].point or not event.probability.size:
            continue
        probability, observed = 100 * event.probability, 100 * event.observed.value
        if name in scores.models:
            axes.vlines(probability, *(100 * event.observed.bounds()), color=look.colour, linewidth=0.9)
        axes.plot(probability, observed, look.dashes, color=look.colour, linewidth=1.4)
        area = 12 + 250 * np.sqrt(event.fraction)
        axes.scatter(probability, observed, s=area, color=look.colour, marker=look.marker, alpha=0.6, linewidth=0)
        axes.plot([], [], **look.line, label=look.label)
        drawn = True
    if not drawn:
        return None
    axes.axhline(
        100 * scores[scores.models[0]].events[threshold].base_rate,
        color=FAINT,
        linewidth=0.9,
        linestyle=":",
        label="base rate",
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
    prefix = f"fss_{threshold}_"
    widths = [int(name.removeprefix(prefix)) for name in scores.score_info if name.startswith(prefix)]
    for name, look in looks(scores).items():
        found = [scores[name][f"{prefix}{width}"].total for width in widths]
        values = np.array([float(total) for total in found])
        if not np.isfinite(values).any():
            continue
        drawn = True
        if name in scores.models:
            low, high = np.array([total.bounds() for total in found]).T
            axes.fill_between(widths, low, high, color=look.colour, alpha=0.15, linewidth=0)
        axes.plot(widths, values, **look.line, label=look.label)
    if not drawn:
        return None
    rate = scores[scores.models[0]].events[threshold].base_rate
    axes.axhline(0.5 + rate / 2, color=FAINT, linewidth=0.9, linestyle=":", label="useful")
    axes.set(xscale="log", ylim=(0, 1.02))
    axes.set_xticks(widths, [str(width) for width in widths])
    axes.minorticks_off()
    label(axes, "Size of the squares (pixels)", "Fractions skill score")
    legend(figure, axes)
    return figure

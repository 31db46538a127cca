"""Observed against nominal coverage of intervals."""

import numpy as np
from matplotlib.figure import Figure

from framecast.reports.style import FAINT, MARKER_SIZE, chart, label, legend, quantity_looks
from framecast.verification.results import Scores


def reliability(scores: Scores, name: str, *, recalibrated: bool = False) -> Figure | None:
    """Return observed against nominal coverage of one forecast's central intervals of derived quantities.

    Args:
        scores: of an evaluation.
        name: of the forecast.
        recalibrated: show the intervals that its recalibration makes of them, if there is one.
    """
    found = scores[name]
    if found.point or (recalibrated and found.recalibrated is None):
        return None
    figure, axes = chart(height=4.2)
    axes.plot([0, 100], [0, 100], color=FAINT, linewidth=1, zorder=1)
    looks = quantity_looks(scores)
    for k, (quantity, look) in enumerate(looks.items()):
        if recalibrated and found.recalibrated is not None:
            levels = found.recalibrated.quantities.get(quantity, {})
            nominal = np.array(list(levels), dtype=float)
        else:
            levels = found.quantities[quantity].intervals
            nominal = 100 * np.array([found.attainable_coverage[level] for level in levels])
        if not levels:
            continue
        observed = 100 * np.array([float(entry.coverage) for entry in levels.values()])
        low, high = 100 * np.array([entry.coverage.bounds() for entry in levels.values()]).T
        shift = 0.9 * (k - (len(looks) - 1) / 2)  # the bars would hide each other
        axes.errorbar(
            nominal + shift,
            observed,
            yerr=[np.clip(observed - low, 0, None), np.clip(high - observed, 0, None)],
            fmt=look.dashes,
            color=look.colour,
            marker=look.marker,
            markersize=MARKER_SIZE,
            linewidth=1.6,
            elinewidth=0.9,
            capsize=2,
            label=look.label,
        )
    axes.text(97, 6, "below the line:\noverconfident", ha="right", fontsize=8.5, color=FAINT)
    axes.set(xlim=(0, 100), ylim=(0, 102), aspect="equal")
    label(axes, "Nominal coverage (%)", "Observed coverage (%)")
    legend(figure, axes)
    return figure

"""Do the intervals hold what they promise?"""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from framecast.reports.style import FAINT, MARKER_SIZE, QUANTITIES, bounds, chart, floats, label, legend


def reliability(scores: dict[str, Any], name: str, *, calibrated: bool = False) -> Figure | None:
    """Return observed against promised coverage of one forecast's central intervals of flux quantities.

    Args:
        scores: the content of ``scores.json``.
        name: of the forecast.
        calibrated: show the intervals that its calibration makes of them, if there is one.
    """
    found = scores["forecasts"][name]
    if found["members"] == 1 or (calibrated and "calibrated" not in found):
        return None
    held = found["calibrated"] if calibrated else found
    figure, axes = chart(height=4.2)
    axes.plot([0, 100], [0, 100], color=FAINT, linewidth=1, zorder=1)
    for k, (quantity, look) in enumerate(QUANTITIES.items()):
        coverage, confidence = held["coverage"][quantity], held["confidence"]["coverage"][quantity]
        promised = 100 * floats(
            [float(level) / 100 if calibrated else found["attainable_coverage"][level] for level in coverage]
        )
        observed = 100 * floats(list(coverage.values()))
        low, high = np.array([100 * bounds(entry) for entry in confidence.values()]).T
        shift = 0.9 * (k - 1)  # the bars would hide each other
        axes.errorbar(
            promised + shift,
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
    axes.text(97, 6, "below the line:\ntoo narrow", ha="right", fontsize=8.5, color=FAINT)
    axes.set(xlim=(0, 100), ylim=(0, 102), aspect="equal")
    label(axes, "Coverage promised (%)", "Coverage observed (%)")
    legend(figure, axes)
    return figure

"""Where the truth falls among the members."""

import numpy as np
from matplotlib.figure import Figure

from framecast.reports.style import INK, chart, label, legend, looks
from framecast.verification.results import Scores


def ranks(scores: Scores) -> Figure | None:
    """Return the rank histogram of the pixels: flat when the truth is like one more member.

    The first ensemble is drawn as bars, the others as outlines; the places of a rank are scaled to 0 … 1, so that
    ensembles of any size compare.
    """
    ensembles = [(name, look) for name, look in looks(scores).items() if not scores[name].point]
    if not ensembles or ensembles[0][0] not in scores.models:
        return None
    figure, axes = chart()
    highest = 1.6
    for k, (name, look) in enumerate(ensembles):
        found = scores[name].ranks
        share = found * len(found)
        if k == 0:
            place = (np.arange(len(share)) + 0.5) / len(share)
            axes.bar(place, share, width=0.9 / len(share), color=look.colour, alpha=0.75, label=look.label)
        else:
            edges = np.linspace(0, 1, len(share) + 1)
            axes.stairs(share, edges, color=look.colour, linestyle=look.dashes, linewidth=1.5, label=look.label)
        if name in scores.models:
            highest = max(highest, 1.1 * float(share.max()))
    axes.axhline(1, color=INK, linewidth=1)
    axes.set(xlim=(0, 1), ylim=(0, highest))
    axes.set_xticks([0, 0.5, 1], ["lowest member", "median", "highest member"])
    first, _, last = axes.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")
    label(axes, "Where the truth falls", "Frequency (1: well calibrated)")
    legend(figure, axes)
    return figure

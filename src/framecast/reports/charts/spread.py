"""Does the ensemble know where it is wrong?"""

from typing import Any

from matplotlib.figure import Figure

from framecast.reports.style import FAINT, chart, label, legend, looks, with_unit
from framecast.verification.evaluation import Tally

_FEWEST_PIXELS, _SMALLEST_SHARE = 50, 1e-4


def spread_and_error(scores: dict[str, Any], tallies: dict[str, Tally]) -> Figure | None:
    """Return the error found where so much spread was predicted, on logarithmic axes."""
    figure, axes = chart(height=4.2)
    limits: list[float] = []
    for name, look in reversed(looks(scores).items()):
        if tallies[name].point:
            continue
        spread, error, count = tallies[name].binned_spread()
        kept = (count >= max(_FEWEST_PIXELS, _SMALLEST_SHARE * count.sum())) & (spread > 0) & (error > 0)
        if kept.any():
            axes.plot(spread[kept], error[kept], **look.line, label=look.label)
            limits += [*spread[kept], *error[kept]]
    if not limits:
        return None
    edges = [0.8 * min(limits), 1.25 * max(limits)]
    axes.plot(edges, edges, color=FAINT, linewidth=1, zorder=1)
    axes.set(xscale="log", yscale="log", xlim=edges, ylim=edges, aspect="equal")
    label(axes, with_unit("Spread predicted", scores), with_unit("Error found", scores))
    legend(figure, axes)
    return figure

"""The spread-error relation: whether the error is large where much spread was predicted."""

from matplotlib.figure import Figure

from framecast.reports.style import FAINT, chart, label, legend, looks
from framecast.reports.wording import with_unit
from framecast.verification.results import Scores

_FEWEST_PIXELS, _SMALLEST_FRACTION = 50, 1e-4


def spread_and_error(scores: Scores) -> Figure | None:
    """Return the error found where so much spread was predicted, on logarithmic axes."""
    figure, axes = chart(height=4.2)
    limits: list[float] = []
    for name, look in reversed(looks(scores).items()):
        bins = scores[name].spread
        spread, error, count = bins.spread, bins.error, bins.count
        kept = (count >= max(_FEWEST_PIXELS, _SMALLEST_FRACTION * count.sum())) & (spread > 0) & (error > 0)
        if kept.any():
            axes.plot(spread[kept], error[kept], **look.line, label=look.label)
            limits += [*spread[kept], *error[kept]]
    if not limits:
        return None
    edges = [0.8 * min(limits), 1.25 * max(limits)]
    axes.plot(edges, edges, color=FAINT, linewidth=1, zorder=1)
    axes.set(xscale="log", yscale="log", xlim=edges, ylim=edges, aspect="equal")
    label(axes, with_unit("Spread predicted", scores.unit), with_unit("Error found", scores.unit))
    legend(figure, axes)
    return figure

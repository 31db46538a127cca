"""Power spectra: whether forecast images have as much structure at each scale as true ones."""

import numpy as np
from matplotlib.figure import Figure

from framecast.reports.clock import Clock
from framecast.reports.style import INK, Look, chart, label, legend, looks
from framecast.verification.results import Scores

_MEAN = Look("ensemble mean", "#56B4E9", "--", "")


def spectra(scores: Scores) -> Figure | None:
    """Return the power of one member at the last lead time over that of the truth, against the scale in pixels.

    For a single model also the power of its ensemble mean, which has to be smoother.
    """
    curves = [(look, _last(scores, name, "power_ratio")) for name, look in looks(scores).items() if name != "oracle"]
    first = scores.models[0]
    if not np.isfinite(curves[0][1]).all():
        return None
    if len(scores.models) == 1 and not scores[first].point:
        curves.insert(1, (_MEAN, _last(scores, first, "mean_power_ratio")))
    figure, axes = chart()
    wavelength = scores.wavelengths_px
    for look, power in curves:
        axes.plot(wavelength, power, look.dashes, color=look.colour, linewidth=1.8, label=look.label)
    axes.axhline(1, color=INK, linewidth=1)
    axes.set(xscale="log", yscale="log", xlim=(wavelength[0], wavelength[-1]))
    ticks = [t for t in (2, 4, 8, 16, 32, 64, 128, 256, 512) if wavelength[-1] <= t <= wavelength[0]]
    axes.set_xticks(ticks, [str(t) for t in ticks])
    axes.minorticks_off()
    longest = 3600 * scores.lead_times_h[-1]
    when = Clock.of(longest).text(longest, sign=True)
    label(axes, f"Scale (pixels per wave), at {when}", "Power relative to the truth")
    legend(figure, axes)
    return figure


def _last(scores: Scores, name: str, score: str) -> np.ndarray:
    by_lead = scores[name][score].by_lead
    assert by_lead is not None
    last: np.ndarray = by_lead.value[-1]
    return last

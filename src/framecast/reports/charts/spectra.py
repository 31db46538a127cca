"""Structure at each scale: whether forecast images are as sharp as true ones."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from framecast.reports.clock import Clock
from framecast.reports.style import INK, Look, chart, label, legend, looks
from framecast.verification.evaluation import Tally

_MEAN = Look("mean of the members", "#56B4E9", "--", "")


def spectra(scores: dict[str, Any], tallies: dict[str, Tally]) -> Figure | None:
    """Return the power of one member at the last lead time over that of the truth, against the scale in pixels.

    For a single model also the power of its ensemble mean, which has to be smoother.
    """
    drawn = looks(scores)
    first = tallies[scores["models"][0]]
    with np.errstate(invalid="ignore"):
        true = _last(first.true_spectrum)
    if not np.isfinite(true).any() or not (true > 0).all():
        return None
    figure, axes = chart()
    wavelength = 2 * len(true) / np.arange(1, len(true) + 1)
    curves = [(look, _last(tallies[name].spectrum)) for name, look in drawn.items() if name != "oracle"]
    if len(scores["models"]) == 1 and not first.point:
        curves.insert(1, (_MEAN, _last(first.mean_spectrum)))
    for look, power in curves:
        axes.plot(wavelength, power / true, look.dashes, color=look.colour, linewidth=1.8, label=look.label)
    axes.axhline(1, color=INK, linewidth=1)
    axes.set(xscale="log", yscale="log", xlim=(wavelength[0], wavelength[-1]))
    ticks = [t for t in (2, 4, 8, 16, 32, 64, 128, 256, 512) if wavelength[-1] <= t <= wavelength[0]]
    axes.set_xticks(ticks, [str(t) for t in ticks])
    axes.minorticks_off()
    longest = 3600 * scores["lead_times_h"][-1]
    when = Clock.of(longest).text(longest, sign=True)
    label(axes, f"Scale (pixels per wave), at {when}", "Power relative to the truth")
    legend(figure, axes)
    return figure


def _last(spectrum: np.ndarray) -> np.ndarray:
    """Return the mean over samples and channels at the last lead time, masked frames left out."""
    last = spectrum[:, :, -1].reshape(-1, spectrum.shape[-1])
    last = last[np.isfinite(last).all(1)]
    return last.mean(0) if len(last) else np.full(spectrum.shape[-1], np.nan)

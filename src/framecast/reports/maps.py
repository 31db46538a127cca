"""Maps of what a forecast gets wrong: error, the spread that should equal it, and bias, at each pixel."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from framecast.reports.colours import SIGNED
from framecast.reports.style import FAINT, INK, empty
from framecast.verification.evaluation import Maps

_MASKED = "#c9ccd4"


def error_maps(maps: Maps, *, channels: list[str], unit: str) -> Figure:
    """Return one row of maps for each channel: RMSE of the ensemble mean, spread, bias.

    Error and spread of a channel share their colours, so that they compare. Pixels never judged are grey.
    """
    height, width = maps.count.shape[1:]
    tile = 2.5
    figure = empty(3 * tile + 1.2, len(channels) * (0.95 * tile * min(max(height / width, 0.4), 2.0) + 0.35) + 0.3)
    panels = figure.subplots(len(channels), 3, squeeze=False)
    ensemble = bool((maps.variance > 0).any())
    for row, channel in enumerate(channels):
        rmse, spread, bias = maps.rmse[row], maps.spread[row], maps.bias[row]
        known = np.isfinite(rmse)
        highest = float(np.percentile(np.concatenate([rmse[known], spread[known]]), 99.8)) if known.any() else 1.0
        furthest = float(np.percentile(np.abs(bias[known]), 99.8)) if known.any() else 1.0
        shown = [
            ("Error (RMSE)", rmse, matplotlib.colormaps["inferno"], (0.0, highest or 1.0)),
            ("Spread", spread, matplotlib.colormaps["inferno"], (0.0, highest or 1.0)),
            ("Bias", bias, matplotlib.colormaps[SIGNED], (-(furthest or 1.0), furthest or 1.0)),
        ]
        for column, (title, values, colours, limits) in enumerate(shown):
            axes = panels[row, column]
            if title == "Spread" and not ensemble:
                axes.set_axis_off()
                continue
            picture = axes.imshow(
                values, cmap=colours.with_extremes(bad=_MASKED), vmin=limits[0], vmax=limits[1], origin="lower"
            )
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
            if row == 0:
                axes.set_title(title, fontsize=10, color=INK)
            if column == 0 and len(channels) > 1:
                axes.set_ylabel(channel, fontsize=9.5, color=INK)
            bar = figure.colorbar(picture, ax=axes, shrink=0.85, aspect=16, pad=0.02)
            bar.outline.set_visible(False)
            bar.ax.tick_params(labelsize=8, color=FAINT, labelcolor=INK)
            bar.ax.set_title(unit, fontsize=8, color=INK)
    return figure

"""Maps of error, of the spread that should equal it, and of bias, at each pixel; and of motion."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from framecast.reports.colours import SIGNED
from framecast.reports.style import FAINT, INK, empty
from framecast.verification.evaluation import Maps

_MASKED = "#c9ccd4"
_ARROWS = 14


def error_maps(maps: Maps, *, channels: list[str], units: Sequence[str]) -> Figure:
    """Return one row of maps for each channel: RMSE of the ensemble mean, spread, bias.

    Error and spread of a channel share one colour scale. Pixels never scored are grey.
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
            bar.ax.set_title(units[row], fontsize=8, color=INK)
    return figure


def motion_map(flow: np.ndarray, picture: Image.Image) -> Figure:
    """Return the motion used by a forecast as arrows over the last past frame.

    Args:
        flow: pixels per frame along x and y, ``[2, y, x]``.
        picture: the last frame, row 0 on top as pictures have it.
    """
    height, width = flow.shape[1:]
    figure = empty(5.0, 5.0 * min(max(height / width, 0.4), 2.0) + 0.3)
    axes = figure.subplots()
    axes.imshow(picture, extent=(-0.5, width - 0.5, -0.5, height - 0.5))
    step = max(1, max(height, width) // _ARROWS)
    rows, columns = (np.arange(step // 2, side, step) for side in (height, width))
    along, up = flow[:, rows[:, None], columns]
    fastest = float(np.hypot(along, up).max())
    arrows = axes.quiver(columns, rows, along, up, color="#56b4e9", scale=(fastest or 1.0) * _ARROWS, width=0.004)
    axes.quiverkey(arrows, 0.85, 1.03, fastest or 1.0, f"{fastest:.2g} pixels per frame", labelpos="W", color=INK)
    axes.set(xticks=[], yticks=[])
    return figure

"""Colours, fonts and the look of every chart.

Colours are Okabe and Ito's, distinguishable with any colour vision; every line differs by its dashes and marker too.
Charts are small, so that their letters remain readable on a phone.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from framecast.reports.clock import Clock

INK = "#1f2430"
FAINT = "#8a90a0"
GRID = "#e4e6ec"

MARKER_SIZE = 4.5


@dataclass(frozen=True)
class Look:
    """How a forecast or quantity is drawn and called."""

    label: str
    colour: str
    dashes: str
    marker: str

    @property
    def line(self) -> dict[str, Any]:
        """The look as options of `Axes.plot`."""
        return {
            "color": self.colour,
            "linestyle": self.dashes,
            "marker": self.marker,
            "markersize": MARKER_SIZE,
            "linewidth": 1.8,
        }


_BASELINES = {
    "persistence": Look("Persistence", "#6b7280", ":", "s"),
    "dressed_persistence": Look("Dressed persistence", "#D55E00", "--", "^"),
    "climatology": Look("Climatology", "#7a5195", "--", "v"),
    "oracle": Look("Oracle", "#009E73", "-.", "D"),
}

_MODELS = (("#0072B2", "-", "o"), ("#CC79A7", "-", "P"), ("#E69F00", "-", "X"), ("#56B4E9", "-", "h"))

QUANTITIES = {
    "mpf": Look("Maximum flux", "#0072B2", "-", "o"),
    "fluence": Look("Fluence", "#D55E00", "--", "^"),
    "t2pf": Look("Time of maximum", "#009E73", "-.", "D"),
}


def looks(scores: dict[str, Any]) -> dict[str, Look]:
    """Return the look of each forecast in ``scores`` (the content of ``scores.json``), in their order."""
    chosen = {}
    for name, entry in scores["forecasts"].items():
        if entry["kind"] in _BASELINES:
            chosen[name] = _BASELINES[entry["kind"]]
        else:
            colour, dashes, marker = _MODELS[len(chosen) % len(_MODELS)]
            chosen[name] = Look(textwrap.shorten(name, 34, placeholder="…") or name[:33] + "…", colour, dashes, marker)
    return chosen


def chart(width: float = 4.8, height: float = 3.6) -> tuple[Figure, Axes]:
    """Return an empty chart of so many inches."""
    figure = empty(width, height)
    axes = figure.add_subplot()
    dress(axes)
    return figure, axes


def empty(width: float, height: float) -> Figure:
    """Return a figure of so many inches without axes."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def dress(axes: Axes) -> None:
    """Give axes the look of every chart: no box, a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(colors=INK, labelsize=9, color=FAINT)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def label(axes: Axes, x: str, y: str) -> None:
    """Name the axes."""
    axes.set_xlabel(x, fontsize=9.5, color=INK)
    axes.set_ylabel(y, fontsize=9.5, color=INK)


def legend(figure: Figure, axes: Axes) -> None:
    """Add a legend above the axes, where it hides nothing."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=2, frameon=False, fontsize=8.5, labelcolor=INK)


def lead_axis(axes: Axes, lead_times: Sequence[float], y: str) -> np.ndarray:
    """Make x the axis of lead times (seconds) and name both axes; return the lead times in the axis' unit."""
    clock = Clock.of(max(lead_times))
    axes.xaxis.set_major_locator(round_ticks())
    label(axes, f"Lead time ({clock.unit})", y)
    return np.array([clock.number(seconds) for seconds in lead_times])


def round_ticks() -> MaxNLocator:
    """Return a locator of few ticks at numbers that are round for hours and minutes."""
    return MaxNLocator(nbins=7, steps=[1, 2, 3, 4, 5, 6, 10])


def floats(values: Any) -> np.ndarray:
    """Return figures of ``scores.json`` as numbers; ``null`` becomes NaN."""
    return np.array(values, dtype=np.float64)


def bounds(entry: dict[str, Any]) -> np.ndarray:
    """Return the ends of an entry's 95 % interval, ``[2, ...]``."""
    return floats(entry["95"])


def with_unit(text: str, scores: dict[str, Any]) -> str:
    """Return ``text`` and the unit of the scores."""
    return f"{text} ({scores['unit']})" if scores["unit"] else text

"""Colours, fonts and the look of every chart.

Colours are Okabe and Ito's, distinguishable with any colour vision; lines also differ by dashes and markers. Charts are
small, so that their text remains readable on a phone.
"""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import LogFormatterMathtext, MaxNLocator

from framecast.reports.wording import Clock
from framecast.verification.results import Scores

INK = "#1f2430"
FAINT = "#8a90a0"
GRID = "#e4e6ec"

MARKER_SIZE = 4.5


@dataclass(frozen=True)
class Look:
    """Label and line style of a forecast or quantity."""

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
    "persistence": ("#6b7280", ":", "s"),
    "dressed_persistence": ("#D55E00", "--", "^"),
    "fitted_persistence": ("#8c6d31", "-.", ">"),
    "climatology": ("#7a5195", "--", "v"),
    "anomaly_persistence": ("#a05195", "-.", "<"),
    "oracle": ("#009E73", "-.", "D"),
}

_MODELS = (("#0072B2", "-", "o"), ("#CC79A7", "-", "P"), ("#E69F00", "-", "X"), ("#56B4E9", "-", "h"))

_OTHERS = (("#6b7280", "--", "<"), ("#8c6d31", "--", ">"), ("#7a5195", ":", "d"))
"""Looks of baselines that do not come with the package."""

_QUANTITIES = (("#0072B2", "-", "o"), ("#D55E00", "--", "^"), ("#009E73", "-.", "D"), ("#CC79A7", ":", "s"))


def looks(scores: Scores) -> dict[str, Look]:
    """Return the look of each forecast, in their order."""
    chosen: dict[str, Look] = {}
    for name, found in scores.forecasts.items():
        if found.kind == "model":
            text = textwrap.shorten(found.label, 34, placeholder="…") or found.label[:33] + "…"
            chosen[name] = Look(text, *_MODELS[len(chosen) % len(_MODELS)])
        else:
            chosen[name] = Look(found.label, *_BASELINES.get(name, _OTHERS[len(chosen) % len(_OTHERS)]))
    return chosen


def quantity_looks(scores: Scores) -> dict[str, Look]:
    """Return the look of each derived quantity that is shown, in their order."""
    return {
        name: Look(scores.quantity_info[name].label, *_QUANTITIES[k % len(_QUANTITIES)])
        for k, name in enumerate(scores.headline)
    }


def chart(width: float = 4.8, height: float = 3.6) -> tuple[Figure, Axes]:
    """Return an empty chart of so many inches: no box, a faint grid."""
    figure = empty(width, height)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(colors=INK, labelsize=9, color=FAINT)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def empty(width: float, height: float) -> Figure:
    """Return a figure of so many inches without axes."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


@contextmanager
def own_settings() -> Iterator[None]:
    """Draw with matplotlib's default settings in the block, ignoring a file ``matplotlibrc`` of the working directory.

    Such a file can name programs that matplotlib runs, and a folder of data may come from an untrusted source.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield


def take_literally(figure: Figure) -> None:
    """Show the texts in ``figure`` as they are: a ``$`` in a name or unit begins no formula."""
    for text in figure.findobj(Text):
        text.set_parse_math(False)


def label(axes: Axes, x: str, y: str) -> None:
    """Name the axes, and write the numbers of logarithmic ones plainly."""
    axes.set_xlabel(x, fontsize=9.5, color=INK)
    axes.set_ylabel(y, fontsize=9.5, color=INK)
    for axis in (axes.xaxis, axes.yaxis):
        if isinstance(axis.get_major_formatter(), LogFormatterMathtext):  # its numbers would be formulas
            axis.set_major_formatter(partial(_plain, digits="0123456789"))
        if isinstance(axis.get_minor_formatter(), LogFormatterMathtext):
            low, high = axis.get_view_interval()
            axis.set_minor_formatter(partial(_plain, digits="25" if high < 30 * low else ""))


def _plain(value: float, _: int | None, digits: str) -> str:
    """Return a number whose first digit is among ``digits``, and nothing for others."""
    return f"{value:g}" if f"{abs(value):.0e}"[0] in digits else ""


def legend(figure: Figure, axes: Axes) -> None:
    """Add a legend above the axes."""
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

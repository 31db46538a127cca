"""Colours, fonts and the look of every chart.

Colours are Okabe and Ito's, distinguishable with any colour vision; every line differs by its dashes and marker too.
Charts are small, so that their letters remain readable on a phone.
"""

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

INK = "#1f2430"
FAINT = "#8a90a0"
GRID = "#e4e6ec"


@dataclass(frozen=True)
class Look:
    """How a forecast is drawn and called."""

    label: str
    colour: str
    dashes: str
    marker: str


LOOKS = {
    "model": Look("Model", "#0072B2", "-", "o"),
    "persistence": Look("Persistence", "#6b7280", ":", "s"),
    "dressed_persistence": Look("Dressed persistence", "#D55E00", "--", "^"),
    "oracle": Look("Oracle", "#009E73", "-.", "D"),
}

QUANTITIES = {
    "mpf": Look("Maximum flux", "#0072B2", "-", "o"),
    "fluence": Look("Fluence", "#D55E00", "--", "^"),
    "t2pf": Look("Time of maximum", "#009E73", "-.", "D"),
}


def chart(width: float = 4.8, height: float = 3.6) -> tuple[Figure, Axes]:
    """Return an empty chart of so many inches."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(colors=INK, labelsize=9, color=FAINT)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def label(axes: Axes, x: str, y: str) -> None:
    """Name the axes."""
    axes.set_xlabel(x, fontsize=9.5, color=INK)
    axes.set_ylabel(y, fontsize=9.5, color=INK)


def legend(figure: Figure, axes: Axes) -> None:
    """Add a legend above the axes, where it hides nothing."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=2, frameon=False, fontsize=8.5, labelcolor=INK)


def hours(axes: Axes) -> None:
    """Put ticks at whole hours, or what comes close."""
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 3, 4, 6, 10]))

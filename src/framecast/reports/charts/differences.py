"""Paired differences: where one forecast beats the others, and where nobody can tell."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from framecast.reports.style import INK, MARKER_SIZE, chart, label, legend, looks
from framecast.verification.results import Scores

_WIDEST = 2.0


def shown(scores: Scores) -> list[str]:
    """Return the scores that are compared in charts and tables: those shown in the report of which less is better."""
    return [name for name, info in scores.score_info.items() if info.shown and info.better == "lower"]


def differences(scores: Scores, name: str) -> Figure | None:
    """Return the scores of the forecast ``name`` against every other, in percent of the other, with 95 % intervals.

    Left of zero ``name`` is better. Filled markers: the interval excludes zero.
    """
    drawn, names = looks(scores), shown(scores)
    series = {}
    for other in drawn:
        found = against(scores, name, other)
        if any(entry is not None for entry in found.values()):
            series[other] = found
    if not series:
        return None
    figure, axes = chart(height=1.6 + 0.085 * len(names) * (2 + len(series)))
    rows = np.arange(len(names))[::-1]
    reach = 0.05
    for k, (other, found) in enumerate(series.items()):
        look = drawn[other]
        place = rows + 0.62 * ((len(series) - 1) / 2 - k) / len(series)
        for y, entry in zip(place, found.values(), strict=True):
            if entry is None:
                continue
            value, low, high = entry
            certain = not low <= 0 <= high
            axes.plot([low, high], [y, y], color=look.colour, linewidth=1.4)
            face = look.colour if certain else "white"
            axes.plot(value, y, look.marker, color=look.colour, markerfacecolor=face, markersize=MARKER_SIZE + 1)
            reach = max(reach, *(min(abs(end), _WIDEST) for end in (value, low, high)))
        axes.plot([], [], marker=look.marker, color=look.colour, linewidth=1.4, label=f"against {look.label}")
    axes.axvline(0, color=INK, linewidth=1)
    axes.set(xlim=(-1.1 * reach, 1.1 * reach), ylim=(-0.6, len(names) - 0.4))
    axes.set_yticks(rows, [scores.score_info[score].label for score in names])
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    axes.grid(axis="y", visible=False)
    label(axes, f"← better        {drawn[name].label}        worse →", "")
    legend(figure, axes)
    return figure


def against(scores: Scores, name: str, other: str) -> dict[str, tuple[float, float, float] | None]:
    """Return, for each score shown, the relative difference of ``name`` to ``other`` and its 95 % interval.

    ``None`` where there is none; empty where the two were not compared. The interval is that of the difference, over
    the same score of ``other``.
    """
    sign, pair = 1, scores.difference(name, other)
    if pair is None:
        sign, pair = -1, scores.difference(other, name)
    if pair is None:
        return {}
    found: dict[str, tuple[float, float, float] | None] = {}
    for score in shown(scores):
        total, size = pair.scores[score].total, scores[other][score].value
        if not total.certain or not np.isfinite(size) or not size:
            found[score] = None
        else:
            low, high = sorted((sign * total.bounds() / size).tolist())
            found[score] = (sign * float(total) / size, low, high)
    return found

"""Charts of scores. Each function returns a Figure, or None if the scores do not contain what it shows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from framecast.reports.style import (
    FAINT,
    INK,
    MARKER_SIZE,
    Look,
    chart,
    label,
    lead_axis,
    legend,
    looks,
    quantity_looks,
)
from framecast.reports.wording import Clock, inline, with_unit
from framecast.verification.results import Scores
from framecast.verification.scores import Estimate
from framecast.videos.units import by_channel

_WIDEST = 2.0
_MEAN = Look("ensemble mean", "#56B4E9", "--", "")
_FEWEST_PIXELS, _SMALLEST_FRACTION = 50, 1e-4


def _line(
    axes: Axes, x: Sequence[float] | np.ndarray, estimate: Estimate, look: Look, text: str, *, band: bool
) -> None:
    """Draw a curve, with its 95 % interval where it is wanted."""
    if band:
        axes.fill_between(x, *estimate.bounds(), color=look.colour, alpha=0.15, linewidth=0)
    axes.plot(x, estimate.value, **look.line, label=text)


def score_by_lead(scores: Scores, name: str) -> Figure | None:
    """Return a score of every forecast against the lead time, with the models' 95 % intervals.

    The intervals of two forecasts may overlap although their difference is significant: see `skill_by_lead` and
    `differences`.
    """
    info = scores.score_info[name]
    figure, axes = chart()
    lead = lead_axis(axes, seconds(scores), with_unit(info.label, info.unit))
    for forecast, look in looks(scores).items():
        found = scores[forecast][name].by_lead
        if found is None:
            return None
        _line(axes, lead, found, look, look.label, band=forecast in scores.models)
    if info.better == "lower":
        axes.set_ylim(bottom=0)
    legend(figure, axes)
    return figure


def skill_by_lead(scores: Scores) -> Figure | None:
    """Return the CRPS skill by lead time with its paired 95 % interval.

    Of one model against each baseline; of several models against the strongest.
    """
    drawn, models, strongest = looks(scores), scores.models, scores.strongest
    references = list(scores[models[0]].skill)
    if strongest is None:
        return None
    if len(models) == 1:
        lines = [(drawn[other], f"against {inline(drawn[other].label)}", models[0], other) for other in references]
        title = "CRPS skill of the model"
    else:
        lines = [(drawn[name], drawn[name].label, name, strongest) for name in models]
        title = f"CRPS skill against {inline(drawn[strongest].label)}"
    figure, axes = chart()
    lead = lead_axis(axes, seconds(scores), title)
    for look, text, name, other in lines:
        skill = scores[name].skill[other]["crps"].by_lead
        assert skill is not None
        _line(axes, lead, skill, look, text, band=True)
    axes.axhline(0, color=INK, linewidth=1)
    legend(figure, axes)
    return figure


def error_and_spread(scores: Scores) -> Figure | None:
    """Return the RMSE of each ensemble's mean and the spread that should equal it, by lead time."""
    ensembles = {name: look for name, look in looks(scores).items() if not scores[name].point}
    if not ensembles:
        return None
    figure, axes = chart()
    lead = lead_axis(axes, seconds(scores), with_unit("Error, spread", scores.score_info["rmse"].unit))
    for name, look in ensembles.items():
        error, ratio = scores[name]["rmse"].by_lead, scores[name]["spread_skill"].by_lead
        assert error is not None
        assert ratio is not None
        style: dict[str, Any] = {"color": look.colour, "marker": look.marker, "markersize": MARKER_SIZE}
        axes.plot(lead, error.value, "-", **style, linewidth=1.8)
        axes.plot(lead, np.nan_to_num(error.value * ratio.value), "--", **style, mfc="white", linewidth=1.4)
        axes.plot([], [], **style, label=look.label)
    axes.plot([], [], "-", color=FAINT, label="error (RMSE of the mean)")
    axes.plot([], [], "--", color=FAINT, label="spread")
    axes.set_ylim(bottom=0)
    legend(figure, axes)
    return figure


def seconds(scores: Scores) -> Sequence[float]:
    """Return the lead times in seconds."""
    return [3600 * hours for hours in scores.lead_times_h]


def shown(scores: Scores) -> list[str]:
    """Return the scores compared in charts and tables: those shown in the report for which lower is better."""
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
    return _labelled(figure, axes, f"← better        {drawn[name].label}        worse →", "")


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


def _diagonal() -> tuple[Figure, Axes]:
    """Return a chart of percent against percent with the line where both are equal."""
    figure, axes = chart(height=4.2)
    axes.plot([0, 100], [0, 100], color=FAINT, linewidth=1, zorder=1)
    axes.set(xlim=(-3, 103), ylim=(-3, 103), aspect="equal")
    return figure, axes


def _labelled(figure: Figure, axes: Axes, across: str, up: str) -> Figure | None:
    """Return a chart with its labels and legend; None where no curve was drawn."""
    if not axes.get_legend_handles_labels()[0]:
        return None
    label(axes, across, up)
    legend(figure, axes)
    return figure


def event_reliability(scores: Scores, threshold: str) -> Figure | None:
    """Return the frequency of the event by its probability; the area of a mark shows the number of pixels."""
    figure, axes = _diagonal()
    for name, look in looks(scores).items():
        event = scores[name].events[threshold]
        if scores[name].point or not event.probability.size:
            continue
        probability, observed = 100 * event.probability, 100 * event.observed.value
        if name in scores.models:
            axes.vlines(probability, *(100 * event.observed.bounds()), color=look.colour, linewidth=0.9)
        axes.plot(probability, observed, look.dashes, color=look.colour, linewidth=1.4)
        area = 12 + 250 * np.sqrt(event.fraction)
        axes.scatter(probability, observed, s=area, color=look.colour, marker=look.marker, alpha=0.6, linewidth=0)
        axes.plot([], [], **look.line, label=look.label)
    if axes.collections:
        rate = 100 * scores[scores.models[0]].events[threshold].base_rate
        axes.axhline(rate, color=FAINT, linewidth=0.9, linestyle=":", label="base rate")
    return _labelled(figure, axes, "Probability forecast (%)", "Event observed (%)")


def roc(scores: Scores, threshold: str) -> Figure | None:
    """Return the hit rate against the false alarm rate, for warnings at every probability."""
    figure, axes = _diagonal()
    for name, look in looks(scores).items():
        event = scores[name].events[threshold]
        if event.hit_rate is None or event.false_alarm_rate is None or event.roc_area is None:
            continue
        if np.isfinite(event.hit_rate).all() and np.isfinite(event.false_alarm_rate).all():
            called = f"{look.label}: area {float(event.roc_area):.2f}"
            axes.plot(100 * event.false_alarm_rate, 100 * event.hit_rate, **look.line, label=called)
    return _labelled(figure, axes, "False alarm rate (%)", "Hit rate (%)")


def economic_value(scores: Scores, threshold: str) -> Figure | None:
    """Return the relative economic value by the ratio of cost to loss."""
    figure, axes = chart()
    for name, look in looks(scores).items():
        value = scores[name].events[threshold].economic_value
        if value is not None and np.isfinite(value).any():
            axes.plot(scores.cost_loss, value, **look.line, label=look.label)
    axes.set(xlim=(0, 1), ylim=(-0.02, 1.02))
    return _labelled(figure, axes, "Cost of protection / loss", "Relative economic value")


def fss_by_width(scores: Scores, threshold: str) -> Figure | None:
    """Return the fractions skill score against the size of the squares, and the minimum of a useful forecast.

    Useful is (1 + base rate) / 2: half way between a random forecast and a perfect one (Roberts and Lean 2008, Monthly
    Weather Review 136, 78, equation 8).
    """
    figure, axes = chart()
    prefix = f"fss_{threshold}_"
    widths = [int(name.removeprefix(prefix)) for name in scores.score_info if name.startswith(prefix)]
    for name, look in looks(scores).items():
        found = Estimate.of([scores[name][f"{prefix}{width}"].total for width in widths])
        if np.isfinite(found.value).any():
            _line(axes, widths, found, look, look.label, band=name in scores.models)
    if axes.lines:
        rate = scores[scores.models[0]].events[threshold].base_rate
        axes.axhline(0.5 + rate / 2, color=FAINT, linewidth=0.9, linestyle=":", label="useful")
    axes.set(xscale="log", ylim=(0, 1.02))
    axes.set_xticks(widths, [str(width) for width in widths])
    axes.minorticks_off()
    return _labelled(figure, axes, "Size of the squares (pixels)", "Fractions skill score")


def ranks(scores: Scores) -> Figure | None:
    """Return the rank histogram of the pixels: flat when the truth is like one more member.

    The first ensemble is drawn as bars, the others as outlines; ranks are scaled to 0 … 1, so that ensembles of
    different size can be compared.
    """
    ensembles = [(name, look) for name, look in looks(scores).items() if not scores[name].point]
    if not ensembles or ensembles[0][0] not in scores.models:
        return None
    figure, axes = chart()
    highest = 1.6
    for k, (name, look) in enumerate(ensembles):
        found = scores[name].ranks
        share = found * len(found)
        if k == 0:
            place = (np.arange(len(share)) + 0.5) / len(share)
            axes.bar(place, share, width=0.9 / len(share), color=look.colour, alpha=0.75, label=look.label)
        else:
            edges = np.linspace(0, 1, len(share) + 1)
            axes.stairs(share, edges, color=look.colour, linestyle=look.dashes, linewidth=1.5, label=look.label)
        if name in scores.models:
            highest = max(highest, 1.1 * float(share.max()))
    axes.axhline(1, color=INK, linewidth=1)
    axes.set(xlim=(0, 1), ylim=(0, highest))
    axes.set_xticks([0, 0.5, 1], ["lowest member", "median", "highest member"])
    first, _, last = axes.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")
    return _labelled(figure, axes, "Rank of the truth", "Frequency (1: well calibrated)")


def reliability(scores: Scores, name: str, *, recalibrated: bool = False) -> Figure | None:
    """Return observed against nominal coverage of one forecast's central intervals of derived quantities."""
    found = scores[name]
    if found.point or (recalibrated and found.recalibrated is None):
        return None
    figure, axes = _diagonal()
    drawn = quantity_looks(scores)
    for k, (quantity, look) in enumerate(drawn.items()):
        if recalibrated and found.recalibrated is not None:
            levels = found.recalibrated.quantities.get(quantity, {})
            nominal = np.array(list(levels), dtype=float)
        else:
            levels = found.quantities[quantity].intervals
            nominal = 100 * np.array([found.attainable_coverage[level] for level in levels])
        if not levels:
            continue
        coverage = Estimate.of([entry.coverage for entry in levels.values()])
        observed, (low, high) = 100 * coverage.value, 100 * coverage.bounds()
        shift = 0.9 * (k - (len(drawn) - 1) / 2)  # the bars would hide each other
        axes.errorbar(
            nominal + shift,
            observed,
            yerr=[np.clip(observed - low, 0, None), np.clip(high - observed, 0, None)],
            fmt=look.dashes,
            color=look.colour,
            marker=look.marker,
            markersize=MARKER_SIZE,
            linewidth=1.6,
            elinewidth=0.9,
            capsize=2,
            label=look.label,
        )
    axes.text(97, 6, "below the line:\noverconfident", ha="right", fontsize=8.5, color=FAINT)
    return _labelled(figure, axes, "Nominal coverage (%)", "Observed coverage (%)")


def spectra(scores: Scores) -> Figure | None:
    """Return the power of one member at the last lead time over that of the truth, against the scale in pixels.

    For a single model also the power of its ensemble mean, which is smoother.
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
    return _labelled(figure, axes, f"Scale (pixels per wave), at {when}", "Power relative to the truth")


def _last(scores: Scores, name: str, score: str) -> np.ndarray:
    by_lead = scores[name][score].by_lead
    assert by_lead is not None
    last: np.ndarray = by_lead.value[-1]
    return last


def spread_and_error(scores: Scores) -> Figure | None:
    """Return the observed error by predicted spread, on logarithmic axes; None for several units."""
    if len(set(by_channel(scores.unit, len(scores.channels)))) > 1:
        return None
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
    return _labelled(figure, axes, with_unit("Predicted spread", scores.unit), with_unit("Observed error", scores.unit))

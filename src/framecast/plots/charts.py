"""Charts of scores. Each returns a Figure; where the scores lack what it would show, None."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from framecast.evaluation import Tally
from framecast.plots.style import FAINT, INK, LOOKS, QUANTITIES, chart, hours, label, legend

Scores = dict[str, Any]


def crps_by_lead(scores: Scores) -> Figure:
    """Return the CRPS of every forecast against the lead time, with the model's 95 % interval.

    The intervals of the others overlap it even where the difference is certain: that is in `skill_by_lead`.
    """
    figure, axes = chart()
    lead = scores["lead_times_h"]
    for name, look in LOOKS.items():
        if name not in scores:
            continue
        if name == "model":
            low, high = _bounds(scores[name]["confidence"]["crps_by_lead"])
            axes.fill_between(lead, low, high, color=look.colour, alpha=0.15, linewidth=0)
        axes.plot(
            lead,
            _floats(scores[name]["crps_by_lead"]),
            look.dashes,
            color=look.colour,
            marker=look.marker,
            markersize=4.5,
            linewidth=1.8,
            label=look.label,
        )
    axes.set_ylim(bottom=0)
    hours(axes)
    label(axes, "Lead time (h)", f"CRPS{_unit(scores)}")
    legend(figure, axes)
    return figure


def skill_by_lead(scores: Scores) -> Figure | None:
    """Return the model's skill against each baseline by lead time, with its paired 95 % interval."""
    skill = scores["model"]["skill"]
    if not skill:
        return None
    figure, axes = chart()
    lead = scores["lead_times_h"]
    for name, entry in skill.items():
        look = LOOKS[name]
        low, high = _bounds(entry["by_lead"])
        axes.fill_between(lead, low, high, color=look.colour, alpha=0.18, linewidth=0)
        axes.plot(
            lead,
            _floats(entry["by_lead"]["value"]),
            look.dashes,
            color=look.colour,
            marker=look.marker,
            markersize=4.5,
            linewidth=1.8,
            label=f"against {look.label.lower()}",
        )
    axes.axhline(0, color=INK, linewidth=1)
    hours(axes)
    label(axes, "Lead time (h)", "CRPS skill of the model")
    legend(figure, axes)
    return figure


def error_and_spread(scores: Scores) -> Figure:
    """Return the RMSE of the ensemble mean and the spread that should equal it, by lead time."""
    figure, axes = chart()
    lead = scores["lead_times_h"]
    for name in ("model", "dressed_persistence", "oracle"):
        if name not in scores:
            continue
        look = LOOKS[name]
        rmse = _floats(scores[name]["rmse_by_lead"])
        spread = rmse * _floats(scores[name]["spread_skill_by_lead"])
        axes.plot(lead, rmse, "-", color=look.colour, marker=look.marker, markersize=4.5, linewidth=1.8)
        axes.plot(lead, spread, "--", color=look.colour, marker=look.marker, markersize=4.5, mfc="white", linewidth=1.4)
        axes.plot([], [], color=look.colour, marker=look.marker, markersize=4.5, label=look.label)
    axes.plot([], [], "-", color=FAINT, label="error (RMSE of the mean)")
    axes.plot([], [], "--", color=FAINT, label="spread")
    axes.set_ylim(bottom=0)
    hours(axes)
    label(axes, "Lead time (h)", f"Error, spread{_unit(scores)}")
    legend(figure, axes)
    return figure


def reliability(scores: Scores) -> Figure | None:
    """Return observed against promised coverage of the model's central intervals."""
    model = scores["model"]
    if model["members"] == 1:
        return None
    figure, axes = chart(height=4.2)
    axes.plot([0, 100], [0, 100], color=FAINT, linewidth=1, zorder=1)
    promised = 100 * np.array([model["attainable_coverage"][str(level)] for level in scores["intervals"]])
    for k, (name, look) in enumerate(QUANTITIES.items()):
        observed = 100 * _floats(list(model["coverage"][name].values()))
        bounds = [100 * _bounds(entry) for entry in model["confidence"]["coverage"][name].values()]
        low, high = np.array(bounds).T
        shift = 0.9 * (k - 1)  # the bars would hide each other
        axes.errorbar(
            promised + shift,
            observed,
            yerr=[np.clip(observed - low, 0, None), np.clip(high - observed, 0, None)],
            fmt=look.dashes,
            color=look.colour,
            marker=look.marker,
            markersize=4.5,
            linewidth=1.6,
            elinewidth=0.9,
            capsize=2,
            label=look.label,
        )
    axes.text(97, 6, "below the line:\ntoo narrow", ha="right", fontsize=8.5, color=FAINT)
    axes.set(xlim=(0, 100), ylim=(0, 102), aspect="equal")
    label(axes, "Coverage promised (%)", "Coverage observed (%)")
    legend(figure, axes)
    return figure


def ranks(scores: Scores) -> Figure | None:
    """Return the rank histogram of the pixels: flat when the truth is like one more member."""
    if scores["model"]["members"] == 1:
        return None
    figure, axes = chart()
    share = _floats(scores["model"]["ranks"]) * len(scores["model"]["ranks"])
    place = (np.arange(len(share)) + 0.5) / len(share)
    look = LOOKS["model"]
    axes.bar(place, share, width=0.9 / len(share), color=look.colour, alpha=0.75, label=look.label)
    for name in ("dressed_persistence", "oracle"):
        if name in scores and scores[name]["members"] > 1:
            other = _floats(scores[name]["ranks"]) * len(scores[name]["ranks"])
            steps = np.linspace(0, 1, len(other) + 1)
            axes.stairs(other, steps, color=LOOKS[name].colour, linewidth=1.5, label=LOOKS[name].label)
    axes.axhline(1, color=INK, linewidth=1)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, max(1.6, 1.1 * float(np.max(share))))
    axes.set_xticks([0, 0.5, 1], ["lowest member", "median", "highest member"])
    first, _, last = axes.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")
    label(axes, "Where the truth falls", "Frequency (1 = reliable)")
    legend(figure, axes)
    return figure


def spread_and_error(scores: Scores, tallies: dict[str, Tally]) -> Figure | None:
    """Return the error found where so much spread was predicted."""
    if scores["model"]["members"] == 1:
        return None
    figure, axes = chart(height=4.2)
    limits = []
    for name in ("oracle", "dressed_persistence", "model"):
        if name not in tallies or tallies[name].point:
            continue
        spread, error, count = tallies[name].binned_spread()
        kept = (count >= max(50, 1e-4 * count.sum())) & (spread > 0) & (error > 0)
        if not kept.any():
            continue
        look = LOOKS[name]
        axes.plot(
            spread[kept],
            error[kept],
            look.dashes,
            color=look.colour,
            marker=look.marker,
            markersize=4.5,
            linewidth=1.6,
            label=look.label,
        )
        limits += [*spread[kept], *error[kept]]
    if not limits:
        return None
    edges = [0.8 * min(limits), 1.25 * max(limits)]
    axes.plot(edges, edges, color=FAINT, linewidth=1, zorder=1)
    axes.set(xscale="log", yscale="log", xlim=edges, ylim=edges, aspect="equal")
    label(axes, f"Spread predicted{_unit(scores)}", f"Error found{_unit(scores)}")
    legend(figure, axes)
    return figure


def spectra(scores: Scores, tallies: dict[str, Tally]) -> Figure | None:
    """Return how much structure the last lead time has at each scale, relative to the truth."""
    model = tallies["model"]
    with np.errstate(invalid="ignore"):
        true = _mean(model.true_spectrum)
    if not np.isfinite(true).any() or not (true > 0).all():
        return None
    figure, axes = chart()
    wavelength = 2 * len(true) / np.arange(1, len(true) + 1)
    curves = [("one member", _mean(model.spectrum), LOOKS["model"].colour, "-")]
    if not model.point:
        curves.append(("mean of the members", _mean(model.mean_spectrum), "#CC79A7", "--"))
    for name in ("persistence", "dressed_persistence"):
        if name in tallies:
            look = LOOKS[name]
            curves.append((look.label, _mean(tallies[name].spectrum), look.colour, look.dashes))
    for name, power, colour, dashes in curves:
        axes.plot(wavelength, power / true, dashes, color=colour, linewidth=1.8, label=name)
    axes.axhline(1, color=INK, linewidth=1)
    axes.set(xscale="log", yscale="log", xlim=(wavelength[0], wavelength[-1]))
    ticks = [t for t in (2, 4, 8, 16, 32, 64, 128, 256) if wavelength[-1] <= t <= wavelength[0]]
    axes.set_xticks(ticks, [str(t) for t in ticks])
    axes.minorticks_off()
    label(axes, f"Scale (pixels per wave), at +{scores['lead_times_h'][-1]:g} h", "Power relative to the truth")
    legend(figure, axes)
    return figure


def _mean(spectrum: np.ndarray) -> np.ndarray:
    """Return the mean over samples and channels at the last lead time, masked frames left out."""
    last = spectrum[:, :, -1].reshape(-1, spectrum.shape[-1])
    last = last[np.isfinite(last).all(1)]
    return last.mean(0) if len(last) else np.full(spectrum.shape[-1], np.nan)


def _floats(values: Any) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def _bounds(entry: dict[str, Any]) -> np.ndarray:
    return _floats(entry["95"])


def _unit(scores: Scores) -> str:
    return f" ({scores['unit']})" if scores["unit"] else ""

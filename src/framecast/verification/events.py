"""Figures of events: Brier score, reliability of probabilities, fractions skill score, for each threshold."""

from typing import Any

import numpy as np

from framecast.verification.plain import bounds, entry, number
from framecast.verification.scores import Bootstrap
from framecast.verification.scores.bootstrap import Statistic, mean
from framecast.verification.statistics import skill
from framecast.verification.tally import Tally


def event_statistics(tally: Tally) -> dict[str, Statistic]:
    """Return ``brier_T``, ``brier_T_by_lead`` and ``fss_T_W``, ``fss_T_W_by_lead`` for thresholds T and widths W."""
    events, found = tally.events, {}
    for t, threshold in enumerate(events.thresholds):
        for suffix, axes in (("", (1, 2)), ("_by_lead", (1,))):
            found[f"brier_{threshold:g}{suffix}"] = mean(events.brier[:, t].sum(axes), tally.count.sum(axes))
            for w, width in enumerate(events.widths):
                above, below = (part[:, t, w].sum(axes) for part in (events.above, events.below))
                found[f"fss_{threshold:g}_{width}{suffix}"] = skill(
                    mean(above, _ones(above)), mean(below, _ones(below))
                )
    return found


def event_scores(
    tally: Tally, own: dict[str, Statistic], others: dict[str, dict[str, Statistic]], bootstrap: Bootstrap
) -> dict[str, Any]:
    """Return the scores of each threshold, by its text.

    Args:
        tally: of the forecast.
        own: its `event_statistics`.
        others: those of the forecasts that it is compared with, by name.
        bootstrap: the draws of blocks.
    """
    events = tally.events
    result: dict[str, Any] = {}
    for t, threshold in enumerate(events.thresholds):
        name = f"{threshold:g}"
        rate = mean(events.happened[:, t].sum((1, 2)), tally.count.sum((1, 2)))
        brier, by_lead = (bootstrap.estimate(own[f"brier_{name}{suffix}"]) for suffix in ("", "_by_lead"))
        result[name] = {
            "base_rate": number(bootstrap.value(rate)),
            "brier": number(brier.value),
            "brier_by_lead": number(by_lead.value),
            "brier_skill": {
                other: entry(bootstrap.estimate(skill(own[f"brier_{name}"], statistics[f"brier_{name}"])))
                for other, statistics in others.items()
            },
            "fss": {},
            "fss_by_lead": {},
            "reliability": _reliability(events.table[:, t], bootstrap),
            "confidence": {"brier": bounds(brier), "brier_by_lead": bounds(by_lead), "fss": {}, "fss_by_lead": {}},
        }
        for width in events.widths:
            for key, suffix in (("fss", ""), ("fss_by_lead", "_by_lead")):
                estimate = bootstrap.estimate(own[f"fss_{name}_{width}{suffix}"])
                result[name][key][str(width)] = number(estimate.value)
                result[name]["confidence"][key][str(width)] = bounds(estimate)
    return result


def _reliability(table: np.ndarray, bootstrap: Bootstrap) -> dict[str, Any]:
    """Return mean probability, share of events and share of points of each bin that holds a point."""
    used = table[..., 0].sum(0) > 0
    points, probability, happened = np.moveaxis(table[:, used], -1, 0)
    observed = bootstrap.estimate(mean(happened, points))
    count = points.sum(0)
    return {
        "probability": number(bootstrap.value(mean(probability, points))),
        "observed": entry(observed),
        "share": number(count / count.sum()) if len(count) else [],
    }


def _ones(values: np.ndarray) -> np.ndarray:
    return np.ones_like(values)

"""From sums to figures: every score in total and by lead time, its interval, and each forecast against the others."""

from typing import Any

import numpy as np
from torch import Tensor

from framecast._version import __version__
from framecast.verification.blocks import Blocks
from framecast.verification.cases import Cases
from framecast.verification.comparison import Statistics, differences, oracle_skill, skill_against
from framecast.verification.events import event_scores, event_statistics
from framecast.verification.plain import bounds, entry, number, percent, plain
from framecast.verification.quantities import quantities
from framecast.verification.recalibration.judged import calibrated_scores
from framecast.verification.scores import LEVELS, Bootstrap, attainable, central_interval, covered, crps, interval_score
from framecast.verification.sources import BASELINES
from framecast.verification.statistics import (
    image_statistics,
    mean_of,
    pixel_statistics,
    spectrum_statistics,
    video_statistics,
)
from framecast.verification.tally import Tally

SCHEMA_VERSION = 2

_REFERENCES = ("persistence", "dressed_persistence", "climatology")
_HEADLINE = ("members", "crps", "crps_by_lead", "rmse", "mae", "spread_skill", "coverage")


def summarise(
    cases: Cases, tallies: dict[str, Tally], bootstrap: Bootstrap, *, blocks: Blocks, observed: tuple[int, int]
) -> dict[str, Any]:
    """Return the content of ``scores.json``; `docs/scores.md` is its description.

    Args:
        cases: where the samples are from.
        tallies: the sums, by name of the forecast.
        bootstrap: the draws of blocks.
        blocks: what the blocks are.
        observed: number of truth pixels that are known, and of all truth pixels.
    """
    first = tallies[cases.models[0]]
    known, pixels = observed
    scores: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "samples": len(cases),
        "judged_samples": int(np.any(first.count, axis=(1, 2)).sum()),
        "judged_pixels": int(first.count.sum()),
        "left_out": {
            "windows": cases.left_aside,
            "unobserved": 1 - known / pixels,
            "by_forecasts": 1 - first.count.sum() / known,
        },
        "members": first.members,
        "unit": cases.unit,
        "channels": cases.channels,
        "data_range": number(cases.data_range),
        "wavelengths_px": number(min(cases.size) / np.arange(1, min(cases.size) // 2 + 1)),
        "thresholds": list(cases.thresholds),
        "climatology_like": cases.climatology_like,
        "lead_times_h": [seconds / 3600 for seconds in cases.lead_times],
        "intervals": [percent(level) for level in LEVELS],
        "bootstrap": {
            "blocks": blocks,
            "number_of_blocks": bootstrap.blocks,
            "replicates": bootstrap.replicates,
            "seed": bootstrap.seed,
        },
        "models": cases.models,
    }
    statistics = {
        name: pixel_statistics(tally)
        | image_statistics(tally)
        | spectrum_statistics(tally)
        | video_statistics(tally, cases.cadence)
        | event_statistics(tally)
        for name, tally in tallies.items()
    }
    scores["forecasts"] = {
        name: _forecast_scores(name, tally, statistics, bootstrap, cases.cadence) for name, tally in tallies.items()
    }
    for source in cases.sources:
        if source.objection:
            scores["forecasts"][source.name]["calibration_objection"] = source.objection
        elif source.calibration is not None:
            flux, truth = tallies[source.name].flux_curves()
            scores["forecasts"][source.name]["calibrated"] = calibrated_scores(
                source.calibration, flux, truth, cases, source, bootstrap
            )
    scores["differences"] = differences(statistics, bootstrap)
    for name, key in [(cases.models[0], "model"), *((name, name) for name in BASELINES if name in tallies)]:
        scores[key] = {score: scores["forecasts"][name][score] for score in _HEADLINE}
    scores["provenance"] = {
        source.name: {
            "forecast": source.path.name,
            "evaluated_with": __version__,
            **{key: plain(value) for key, value in source.dataset.attrs.items() if key != "calibration"},
        }
        for source in cases.sources
    }
    return scores


def _forecast_scores(
    name: str, tally: Tally, statistics: dict[str, Statistics], bootstrap: Bootstrap, cadence: float
) -> dict[str, Any]:
    """Return all scores of one forecast."""
    own = statistics[name]
    result: dict[str, Any] = {
        "kind": name if name in BASELINES else "model",
        "members": tally.members,
        "missing_members": int(tally.missing.sum()),
    }
    confidence: dict[str, Any] = {}
    for score, statistic in own.items():
        if score.startswith(("brier_", "fss_")):  # they stand together, by threshold
            continue
        estimate = entry(bootstrap.estimate(statistic))
        result[score] = estimate.pop("value")
        confidence[score] = estimate

    flux, truth = tally.flux_curves()
    derived, targets = quantities(flux, cadence), quantities(truth, cadence)
    result["coverage"], confidence["coverage"] = _coverage(
        {"flux": (flux, truth)} | {key: (values, targets[key]) for key, values in derived.items()}, bootstrap
    )
    result["attainable_coverage"] = {
        str(percent(level)): 0.0 if tally.point else attainable(level, tally.members) for level in LEVELS
    }
    result["quantities"] = {key: _quantity(values, targets[key], point=tally.point) for key, values in derived.items()}
    if tally.events.thresholds:
        others = {other: statistics[other] for other in _REFERENCES if other in statistics and other != name}
        result["thresholds"] = event_scores(tally, own, others, bootstrap)
    result["ranks"] = [float(value) for value in tally.ranks.sum(0) / max(tally.ranks.sum(), 1)]
    result["skill"] = {
        other: skill_against(own, statistics[other], bootstrap)
        for other in _REFERENCES
        if other in statistics and other != name
    }
    if "oracle" in statistics and "persistence" in statistics and name != "oracle":
        result["oracle_skill"] = oracle_skill(own, statistics["persistence"], statistics["oracle"], bootstrap)
    result["confidence"] = confidence
    return result


def _coverage(
    pairs: dict[str, tuple[Tensor, Tensor]], bootstrap: Bootstrap
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Return how often central intervals hold the truth, and the intervals of that; by quantity and level."""
    held: dict[str, dict[str, Any]] = {name: {} for name in pairs}
    confidence: dict[str, dict[str, Any]] = {name: {} for name in pairs}
    for name, (forecast, truth) in pairs.items():
        for level in LEVELS:
            estimate = bootstrap.estimate(mean_of(covered(forecast, truth, level).numpy()))
            held[name][str(percent(level))] = number(estimate.value)
            confidence[name][str(percent(level))] = bounds(estimate)
    return held, confidence


def _quantity(forecast: Tensor, truth: Tensor, *, point: bool) -> dict[str, Any]:
    """Return errors of the median member, CRPS, and half-widths and interval scores of the central intervals."""
    middle = forecast.nanquantile(0.5, dim=0)
    error = (middle - truth).abs()
    result: dict[str, Any] = {
        "crps": number(crps(forecast, truth, fair=not point).nanmean()),
        "mae": number(error.nanmean()),
        "relative_mae": number((error / truth.abs()).nanmean()),
        "half_width": {},
        "relative_half_width": {},
        "interval_score": {},
    }
    for level in LEVELS:
        low, high = central_interval(forecast, level)
        half = (high - low) / 2
        key = str(percent(level))
        result["half_width"][key] = number(half.nanmean())
        result["relative_half_width"][key] = number((half / truth.abs()).nanmean())
        result["interval_score"][key] = number(interval_score(low, high, truth, level).nanmean())
    return result

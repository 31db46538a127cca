"""From sums to results: every score in total and by lead time, its interval, and each forecast against the others.

Two forecasts are compared with the same draws of blocks: difficulty common to both cancels in each draw, so that a
difference is far more certain than the two separate intervals suggest. A verdict is given only where the 95 % interval
excludes zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor

from framecast._version import __version__
from framecast.verification import results
from framecast.verification.blocks import Chosen, effective_number
from framecast.verification.cases import Cases
from framecast.verification.catalogue import Better, Score, skill
from framecast.verification.quantities import Quantity
from framecast.verification.recalibration.fit import window_names
from framecast.verification.scores import (
    LEVELS,
    Bootstrap,
    Estimate,
    attainable,
    central_interval,
    covered,
    crps,
    economic_value,
    interval_score,
    ratio,
    roc,
)
from framecast.verification.scores.bootstrap import mean
from framecast.verification.sources import ForecastSource
from framecast.verification.strata import Stratum
from framecast.verification.tally import Sums, Tally
from framecast.videos.units import shown

COST_LOSS = (0.01, 0.02, 0.05, *(k / 10 for k in range(1, 10)), 0.95, 0.98, 0.99)
"""Ratios of cost to loss for which the economic value is given."""

SCALED = "σ"
"""Unit of scores over several channels: the standard deviation of what is observed in each."""


@dataclass(frozen=True)
class Draws:
    """A score in every draw of blocks, in total and by lead time: ``[1 + draw, ...]``, the score itself first."""

    total: np.ndarray
    by_lead: np.ndarray | None


def summarise(
    sums: Sums, blocks: Chosen, bootstrap: Bootstrap, *, values: np.ndarray, occurrences: list[results.Occurrences]
) -> results.Scores:
    """Return the results of an evaluation; ``values`` are the scores of each sample."""
    cases, tallies, scores = sums.cases, sums.tallies, sums.scores
    known, pixels = sums.pixels.tolist()
    judged = np.array(tallies[cases.models[0]].count)
    draws = {name: draw_scores(tally, scores, bootstrap) for name, tally in tallies.items()}
    forecasts = {}
    for name, tally in tallies.items():
        found = forecast_scores(
            tally,
            bootstrap,
            draws=draws[name],
            kind=name if name in cases.baselines else "model",
            label=cases.baselines[name].label if name in cases.baselines else name,
        ) | {"description": cases.descriptions.get(name, "")}
        forecasts[name] = found | _against(name, draws, cases, scores, bootstrap)
    for source in cases.sources:
        forecasts[source.name]["unlike"] = source.unlike
        calibration, objection = source.recalibration
        if objection is not None:
            forecasts[source.name]["objection"] = objection
        elif calibration is not None:
            forecasts[source.name]["recalibrated"] = _recalibrated(tallies[source.name], source, cases, bootstrap)
    valued = np.isfinite(values)
    spread = bootstrap.draws(mean(np.where(valued, values, 0.0), valued.astype(np.float64)))
    lacking = {source.name: source.dataset.sizes["sample"] - len(cases) for source in cases.sources}
    return results.Scores(
        samples=len(cases),
        judged_samples=int(judged.any(axis=(1, 2)).sum()),
        judged_pixels=int(judged.sum()),
        left_out=results.LeftOut(
            windows=lacking, unobserved=1 - known / pixels, by_forecasts=1 - float(judged.sum()) / known
        ),
        unit=cases.unit,
        channels=cases.channels,
        lead_times_h=[seconds / 3600 for seconds in cases.lead_times],
        data_range=cases.climate.data_range.tolist(),
        wavelengths_px=(min(cases.size) / np.arange(1, min(cases.size) // 2 + 1)).tolist(),
        thresholds=list(sums.thresholds),
        climatology_like=cases.climatology_like,
        bootstrap=results.BootstrapInfo(
            blocks=blocks.blocks,
            number_of_blocks=bootstrap.blocks,
            replicates=bootstrap.replicates,
            seed=bootstrap.seed,
            effective_samples=effective_number(values, spread[1:]) if bootstrap.blocks >= bootstrap.least else np.nan,
            reason=blocks.reason,
            refused=bootstrap.blocks < bootstrap.least,
        ),
        score_info={
            score.name: score_info(score, cases.unit if len(cases.channels) == 1 or not score.scaled else SCALED)
            for score in scores
        },
        quantity_info={quantity.name: quantity_info(quantity, cases.unit) for quantity in sums.quantities},
        models=cases.models,
        forecasts={name: results.ForecastScores(**found) for name, found in forecasts.items()},
        differences=[
            results.Difference(first=a, second=b, scores=_differences(draws[a], draws[b], scores, bootstrap))
            for a, b in combinations(draws, 2)
        ],
        provenance={source.name: _provenance(source) for source in cases.sources},
        scale=cases.climate.scale.tolist() if len(cases.channels) > 1 else [],
        weights="" if sums.areas is None else "cosine of the latitude",
        cost_loss=list(COST_LOSS),
        strata=[_stratum(part, sums, blocks, bootstrap) for part in sums.parts],
        occurrences=occurrences,
    )


def _stratum(
    part: tuple[Stratum, dict[str, Tally], list[int]], sums: Sums, blocks: Chosen, whole: Bootstrap
) -> results.StratumScores:
    (stratum, tallies, numbers), cases = part, sums.cases
    names = [blocks.names[k] for k in numbers]
    bootstrap = Bootstrap(names, replicates=whole.replicates, seed=whole.seed, least=whole.least)
    judged = np.array(tallies[cases.models[0]].count)
    draws = {own: draw_scores(tally, sums.few, bootstrap) for own, tally in tallies.items()}
    references = [other for other, baseline in cases.baselines.items() if baseline.reference and other in draws]
    return results.StratumScores(
        name=stratum.name,
        samples=int(judged.any(axis=(1, 2)).sum()),
        judged_pixels=int(judged.sum()),
        scores={
            own: {key: bootstrap.summarise(each.total) for key, each in found.items()} for own, found in draws.items()
        },
        skill={
            own: {
                other: bootstrap.summarise(skill(draws[own]["crps"].total, draws[other]["crps"].total))
                for other in references
            }
            for own in cases.models
        },
    )


def score_info(score: Score, unit: str) -> results.ScoreInfo:
    """Return name and interpretation of a score, for images in ``unit``."""
    return results.ScoreInfo(**_info(results.ScoreInfo, score, unit))


def quantity_info(quantity: Quantity, unit: str) -> results.QuantityInfo:
    """Return the name of a derived quantity, for images in ``unit``."""
    return results.QuantityInfo(**_info(results.QuantityInfo, quantity, unit))


def _info(kind: type, entry: Score | Quantity, unit: str) -> dict[str, Any]:
    """Return those attributes of an entry that ``kind`` has; its unit ``{unit}·h`` is ``kg·h`` for ``kg``."""
    return {each.name: getattr(entry, each.name) for each in fields(kind)} | {
        "unit": entry.unit.format(unit=shown(unit)).strip("·")
    }


def draw_scores(tally: Tally, scores: Sequence[Score], bootstrap: Bootstrap) -> dict[str, Draws]:
    """Return every compared score of one forecast, in every draw."""
    return {score.name: _draws(tally, score, bootstrap) for score in scores if not score.spectral}


def _draws(tally: Tally, score: Score, bootstrap: Bootstrap) -> Draws:
    total, by_lead = tally.statistic(score), tally.statistic(score, by_lead=True)
    assert total is not None
    return Draws(bootstrap.draws(total), None if by_lead is None else bootstrap.draws(by_lead))


def _result(tally: Tally, score: Score, draws: Draws, bootstrap: Bootstrap) -> results.ScoreResult:
    by_channel = tally.statistic(score, by_channel=True) if tally.scale is not None and not score.spectral else None
    return results.ScoreResult(
        total=bootstrap.summarise(draws.total),
        by_lead=None if draws.by_lead is None else bootstrap.summarise(draws.by_lead),
        by_channel=None if by_channel is None else bootstrap.estimate(by_channel),
    )


def forecast_scores(
    tally: Tally, bootstrap: Bootstrap, *, draws: Mapping[str, Draws], kind: str, label: str
) -> dict[str, Any]:
    """Return the fields of `ForecastScores` that need no other forecast; ``draws`` comes from `draw_scores`."""
    spread, error, count = tally.binned_spread()
    ranks = np.sum(tally.ranks, axis=0)
    return {
        "kind": kind,
        "label": label,
        "members": tally.members,
        "missing_members": int(np.sum(tally.missing)),
        "scores": {
            score.name: _result(tally, score, draws.get(score.name) or _draws(tally, score, bootstrap), bootstrap)
            for score in tally.scores
        },
        "quantities": {name: _quantity(*tally.quantity(name), bootstrap, point=tally.point) for name in tally.values},
        "attainable_coverage": {
            _percent(level): 0.0 if tally.point else attainable(level, tally.members) for level in LEVELS
        },
        "ranks": ranks / max(ranks.sum(), 1),
        "spread": results.SpreadBins(spread=spread, error=error, count=count),
        "events": {f"{threshold:g}": _event(np.stack(tables), bootstrap) for threshold, tables in tally.events.items()},
    }


def _against(
    name: str, draws: dict[str, dict[str, Draws]], cases: Cases, scores: Sequence[Score], bootstrap: Bootstrap
) -> dict[str, Any]:
    """Return the skill of one forecast against each baseline, and the fraction of attainable skill."""
    own, found = draws[name], {}
    for other, baseline in cases.baselines.items():
        if baseline.reference and other in draws and other != name:
            found[other] = {
                score.name: _compared(skill, own[score.name], draws[other][score.name], 1, bootstrap)
                for score in scores
                if score.skill
            }
    result: dict[str, Any] = {"skill": found}
    if "oracle" in draws and "persistence" in draws and name != "oracle":
        worst, best = (draws[other]["crps"].total for other in ("persistence", "oracle"))
        result["oracle_skill"] = bootstrap.summarise(ratio(worst - own["crps"].total, worst - best))
    return result


def _differences(
    first: dict[str, Draws], second: dict[str, Draws], scores: Sequence[Score], bootstrap: Bootstrap
) -> dict[str, results.Comparison]:
    signs: dict[Better, int] = {"higher": 1, "lower": -1}
    return {
        score.name: _compared(np.subtract, first[score.name], second[score.name], signs[score.better], bootstrap)
        for score in scores
        if score.better is not None and not score.spectral
    }


def _compared(compare: Any, own: Draws, other: Draws, better: int, bootstrap: Bootstrap) -> results.Comparison:
    """Return ``compare(own, other)``; ``better`` is its sign where the first is better."""
    total = bootstrap.summarise(compare(own.total, other.total))
    by_lead = None
    if own.by_lead is not None and other.by_lead is not None:
        by_lead = bootstrap.summarise(compare(own.by_lead, other.by_lead))
    return results.Comparison(
        total=total,
        verdict={1: "better", -1: "worse", 0: "undecided"}[better * total.sign],
        relative=float(ratio(own.total[0] - other.total[0], other.total[0])),
        by_lead=by_lead,
    )


def _quantity(forecast: Tensor, truth: Tensor, bootstrap: Bootstrap, *, point: bool) -> results.QuantityScores:
    error = (forecast.nanquantile(0.5, dim=0) - truth).abs()
    intervals = {}
    for level in LEVELS:
        low, high = central_interval(forecast, level)
        intervals[_percent(level)] = _intervals(low, high, truth, level, covered(forecast, truth, level), bootstrap)
    return results.QuantityScores(
        crps=_mean(crps(forecast, truth, fair=not point)),
        mae=_mean(error),
        relative_mae=_mean(error / truth.abs()),
        intervals=intervals,
    )


def _recalibrated(tally: Tally, source: ForecastSource, cases: Cases, bootstrap: Bootstrap) -> results.Recalibrated:
    calibration, _ = source.recalibration
    assert calibration is not None
    seen = set(calibration.windows)
    found: dict[str, dict[int, results.IntervalScores]] = {}
    for name in (name for name in tally.values if name in calibration.scales):
        forecast, truth = tally.quantity(name)
        found[name] = {}
        for level, (low, high) in calibration.intervals(name, forecast).items():
            inside = ((low <= truth) & (truth <= high)).to(low.dtype)
            held = torch.where(torch.isnan(low + truth), torch.nan, inside)
            found[name][_percent(level)] = _intervals(low, high, truth, level, held, bootstrap)
    return results.Recalibrated(
        blocks=calibration.blocks,
        number_of_blocks=calibration.number_of_blocks,
        calibration_samples=len(calibration.windows),
        seen_samples=sum(name in seen for name in window_names(cases, source)),
        quantities=found,
    )


def _intervals(
    low: Tensor, high: Tensor, truth: Tensor, level: float, held: Tensor, bootstrap: Bootstrap
) -> results.IntervalScores:
    half, inside = (high - low) / 2, held.numpy()
    known, axes = np.isfinite(inside), tuple(range(1, inside.ndim))
    coverage = mean(np.where(known, inside, 0.0).sum(axes), known.sum(axes))
    return results.IntervalScores(
        coverage=bootstrap.estimate(coverage),
        half_width=_mean(half),
        relative_half_width=_mean(half / truth.abs()),
        interval_score=_mean(interval_score(low, high, truth, level)),
    )


def _event(tables: np.ndarray, bootstrap: Bootstrap) -> results.EventResult:
    """Return the reliability of an event from its tables ``[sample, bin, 3]``."""
    points, probability, happened = np.moveaxis(tables[:, tables[..., 0].sum(0) > 0], -1, 0)
    count = points.sum(0)
    observed: Estimate = bootstrap.estimate(mean(happened, points))
    hits, alarms, _ = roc(count, happened.sum(0))
    base_rate = float(ratio(happened.sum(), count.sum()))
    return results.EventResult(
        base_rate=base_rate,
        probability=ratio(probability.sum(0), count),
        observed=observed,
        fraction=ratio(count, count.sum()),
        hit_rate=hits,
        false_alarm_rate=alarms,
        roc_area=bootstrap.estimate(lambda weights: roc(weights @ points, weights @ happened)[2]),
        economic_value=economic_value(hits, alarms, base_rate, COST_LOSS),
    )


def _provenance(source: ForecastSource) -> dict[str, Any]:
    attributes = {key: value for key, value in source.dataset.attrs.items() if key != "calibration"}
    return {"forecast": source.path.name, "evaluated_with": __version__, **attributes}


def _mean(values: Tensor) -> float:
    return float(values.nanmean())


def _percent(level: float) -> int:
    return round(100 * level)

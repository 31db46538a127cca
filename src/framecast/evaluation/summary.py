"""From sums to figures: every score in total and by lead time, its interval, and the skill against the others.

The mean is over all judged pixels (each counts alike), and over all samples for quantities of a whole forecast. RMSE
and MAE are those of the ensemble mean.
"""

from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from framecast._version import __version__
from framecast.evaluation.cases import Cases
from framecast.evaluation.tally import Tally
from framecast.flux import quantities
from framecast.scores import LEVELS, Bootstrap, Estimate, attainable, central_interval, covered, crps, interval_score
from framecast.scores.bootstrap import Statistic, mean

SCHEMA_VERSION = 1

Blocks = Literal["auto", "sequence", "day", "sequence-day", "sample"]
BLOCKS = get_args(Blocks)

_ENOUGH_BLOCKS = 8


def block_names(cases: Cases, blocks: Blocks) -> list[str]:
    """Return the block of each sample."""
    days = [str(np.datetime64(time, "D")) for time in cases.issue_times]
    match blocks:
        case "sequence":
            return list(cases.sequences)
        case "day":
            return days
        case "sequence-day":
            return [f"{sequence} {day}" for sequence, day in zip(cases.sequences, days, strict=True)]
        case _:
            return [str(k) for k in range(len(cases))]


def choose_blocks(cases: Cases) -> Blocks:
    """Return sequences where there are enough of them, else what makes the most blocks."""
    number = {blocks: len(set(block_names(cases, blocks))) for blocks in ("sequence", "day", "sequence-day")}
    if number["sequence"] >= _ENOUGH_BLOCKS:
        return "sequence"
    return max(("sequence", "day", "sequence-day"), key=lambda blocks: number[blocks])


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
    model = tallies["model"]
    known, pixels = observed
    scores: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "samples": len(cases),
        "judged_samples": int(np.any(model.count, axis=(1, 2)).sum()),
        "judged_pixels": int(model.count.sum()),
        "left_out": {"unobserved": 1 - known / pixels, "by_forecasts": 1 - model.count.sum() / known},
        "members": model.members,
        "unit": cases.unit,
        "channels": cases.channels,
        "lead_times_h": [seconds / 3600 for seconds in cases.lead_times],
        "intervals": [_percent(level) for level in LEVELS],
        "bootstrap": {
            "blocks": blocks,
            "number_of_blocks": bootstrap.blocks,
            "replicates": bootstrap.replicates,
            "seed": bootstrap.seed,
        },
    }
    for name, tally in tallies.items():
        scores[name] = _forecast_scores(tally, bootstrap, cases.cadence)
        scores[name]["skill"] = {
            other: _skill(tally, tallies[other], bootstrap)
            for other in ("persistence", "dressed_persistence")
            if other in tallies and other != name
        }
        if "oracle" in tallies and "persistence" in tallies and name != "oracle":
            statistic = _oracle_skill(tally, tallies["persistence"], tallies["oracle"])
            scores[name]["oracle_skill"] = _entry(bootstrap.estimate(statistic))
    scores["provenance"] = {
        "forecast": cases.path.name,
        "evaluated_with": __version__,
        **{key: _plain(value) for key, value in cases.dataset.attrs.items()},
    }
    return scores


def sample_table(cases: Cases, tallies: dict[str, Tally]) -> list[dict[str, Any]]:
    """Return one row per sample: where it is from and how each forecast did."""
    rows = []
    total = {name: _per_sample(tally.crps, tally.count) for name, tally in tallies.items()}
    size = _per_sample(tallies["model"].truth, tallies["model"].count)
    for k in range(len(cases)):
        row: dict[str, Any] = {
            "sample": k,
            "sequence": cases.sequences[k],
            "issue_time": str(np.datetime64(cases.issue_times[k], "s")),
            "crps": _number(total["model"][k]),
            "rmse": _number(_per_sample(tallies["model"].squared, tallies["model"].count)[k] ** 0.5),
            "energy_score": _number(tallies["model"].energy[k]),
            "relative_crps": _number(_ratio(total["model"][k], size[k])),
        }
        for name in tallies:
            if name != "model":
                row[f"crps_{name}"] = _number(total[name][k])
                row[f"skill_{name}"] = _number(1 - _ratio(total["model"][k], total[name][k]))
        rows.append(row)
    return rows


def _forecast_scores(tally: Tally, bootstrap: Bootstrap, cadence: float) -> dict[str, Any]:
    """Return all scores of one forecast."""
    result: dict[str, Any] = {"members": tally.members, "missing_members": int(tally.missing.sum())}
    intervals: dict[str, Any] = {}

    def add(name: str, statistic: Statistic) -> None:
        entry = _entry(bootstrap.estimate(statistic))
        result[name] = entry.pop("value")
        intervals[name] = entry

    for suffix, axes in (("", (1, 2)), ("_by_lead", (1,))):
        count = tally.count.sum(axes)
        squared = mean(tally.squared.sum(axes), count)
        variance = mean(tally.variance.sum(axes), count)
        add(f"crps{suffix}", mean(tally.crps.sum(axes), count))
        add(f"rmse{suffix}", _root(squared))
        add(f"mae{suffix}", mean(tally.absolute.sum(axes), count))
        add(f"spread_skill{suffix}", _root(_quotient(variance, squared)))
    add("energy_score", _mean_of(tally.energy))

    flux, truth = torch.from_numpy(tally.flux).movedim(1, 0), torch.from_numpy(tally.true_flux)
    flux_crps = _crps(flux, truth, point=tally.point).numpy()
    add("flux_crps", _mean_of(flux_crps))
    add("flux_crps_by_lead", _mean_of(flux_crps.swapaxes(1, 2), axes=(2,)))

    derived, targets = quantities(flux, cadence), quantities(truth, cadence)
    held: dict[str, dict[str, Estimate]] = {"flux": _coverage(flux, truth, bootstrap)}
    held |= {name: _coverage(values, targets[name], bootstrap) for name, values in derived.items()}
    result["coverage"] = {
        name: {level: _number(estimate.value) for level, estimate in levels.items()} for name, levels in held.items()
    }
    intervals["coverage"] = {
        name: {level: _bounds(estimate) for level, estimate in levels.items()} for name, levels in held.items()
    }
    result["attainable_coverage"] = {
        str(_percent(level)): 0.0 if tally.point else attainable(level, tally.members) for level in LEVELS
    }
    result["quantities"] = {
        name: _quantity(values, targets[name], point=tally.point) for name, values in derived.items()
    }
    result["ranks"] = [float(value) for value in tally.ranks.sum(0) / max(tally.ranks.sum(), 1)]
    result["confidence"] = intervals
    return result


def _coverage(forecast: Tensor, truth: Tensor, bootstrap: Bootstrap) -> dict[str, Estimate]:
    return {
        str(_percent(level)): bootstrap.estimate(_mean_of(covered(forecast, truth, level).numpy())) for level in LEVELS
    }


def _quantity(forecast: Tensor, truth: Tensor, *, point: bool) -> dict[str, Any]:
    """Return errors of the median member, CRPS, and half-widths and interval scores of the central intervals."""
    middle = forecast.nanquantile(0.5, dim=0)
    error = (middle - truth).abs()
    result: dict[str, Any] = {
        "crps": _number(_crps(forecast, truth, point=point).nanmean()),
        "mae": _number(error.nanmean()),
        "relative_mae": _number((error / truth.abs()).nanmean()),
        "half_width": {},
        "relative_half_width": {},
        "interval_score": {},
    }
    for level in LEVELS:
        low, high = central_interval(forecast, level)
        half = (high - low) / 2
        key = str(_percent(level))
        result["half_width"][key] = _number(half.nanmean())
        result["relative_half_width"][key] = _number((half / truth.abs()).nanmean())
        result["interval_score"][key] = _number(interval_score(low, high, truth, level).nanmean())
    return result


def _skill(tally: Tally, other: Tally, bootstrap: Bootstrap) -> dict[str, Any]:
    """Return 1 - CRPS / CRPS of the other, paired: both under the same draws of blocks."""
    count = tally.count
    total = bootstrap.estimate(
        _one_minus(_quotient(mean(_all(tally.crps), _all(count)), mean(_all(other.crps), _all(count))))
    )
    by_lead = bootstrap.estimate(
        _one_minus(_quotient(mean(tally.crps.sum(1), count.sum(1)), mean(other.crps.sum(1), count.sum(1))))
    )
    return {
        **_entry(total),
        "verdict": {1: "better", -1: "worse", 0: "undecided"}[total.sign],
        "by_lead": _entry(by_lead),
    }


def _oracle_skill(tally: Tally, persistence: Tally, oracle: Tally) -> Statistic:
    """Return (CRPS persistence - CRPS) / (CRPS persistence - CRPS oracle): 0 is persistence, 1 is perfect knowledge."""
    model, base, best = (mean(_all(each.crps), _all(each.count)) for each in (tally, persistence, oracle))
    return _quotient(lambda w: base(w) - model(w), lambda w: base(w) - best(w))


def _crps(forecast: Tensor, truth: Tensor, *, point: bool) -> Tensor:
    return crps(forecast, truth, fair=not point)


def _all(values: np.ndarray) -> np.ndarray:
    return values.sum((1, 2))


def _mean_of(values: np.ndarray, axes: tuple[int, ...] | None = None) -> Statistic:
    """Return the mean over samples and ``axes`` (all by default) of what is not NaN."""
    axes = tuple(range(1, values.ndim)) if axes is None else axes
    known = np.isfinite(values)
    return mean(np.where(known, values, 0.0).sum(axes), known.sum(axes))


def _root(statistic: Statistic) -> Statistic:
    return lambda weights: np.sqrt(statistic(weights))


def _one_minus(statistic: Statistic) -> Statistic:
    return lambda weights: 1 - statistic(weights)


def _quotient(top: Statistic, bottom: Statistic) -> Statistic:
    """Return the ratio of two statistics; NaN where the lower is zero."""

    def statistic(weights: np.ndarray) -> np.ndarray:
        numerator, denominator = top(weights), bottom(weights)
        result = np.full(np.shape(numerator), np.nan)
        return np.divide(numerator, denominator, out=result, where=denominator != 0)

    return statistic


def _per_sample(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    return _quotient(lambda _: _all(total), lambda _: _all(count))(np.empty(0))


def _ratio(top: float, bottom: float) -> float:
    return float(top / bottom) if bottom else float("nan")


def _entry(estimate: Estimate) -> dict[str, Any]:
    """Return ``{"value": …, "90": [low, high], "95": [low, high]}``."""
    return {"value": _number(estimate.value), **_bounds(estimate)}


def _bounds(estimate: Estimate) -> dict[str, Any]:
    return {str(level): [_number(low), _number(high)] for level, (low, high) in estimate.intervals.items()}


def _number(value: Any) -> Any:
    """Return plain floats, ``None`` for NaN: JSON knows no NaN."""
    array = np.asarray(value, dtype=np.float64)
    if array.ndim:
        return [_number(part) for part in array]
    return float(array) if np.isfinite(array) else None


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return value


def _percent(level: float) -> int:
    return round(100 * level)

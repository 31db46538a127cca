"""What a model's calibrated intervals hold and how wide they are, beside its own ones."""

from typing import Any

import torch
from torch import Tensor

from framecast.verification.cases import Cases
from framecast.verification.plain import bounds, number, percent
from framecast.verification.quantities import quantities
from framecast.verification.recalibration.calibration import Calibration
from framecast.verification.recalibration.fit import window_names
from framecast.verification.scores import Bootstrap, interval_score
from framecast.verification.sources import Source
from framecast.verification.statistics import mean_of


def calibrated_scores(
    calibration: Calibration, flux: Tensor, truth: Tensor, cases: Cases, source: Source, bootstrap: Bootstrap
) -> dict[str, Any]:
    """Return coverage, half-widths and interval scores of the calibrated intervals.

    Args:
        calibration: of the model.
        flux: of its members, ``[member, sample, channel, time]``.
        truth: flux of the truth, ``[sample, channel, time]``.
        cases: where the samples are from.
        source: the model's file.
        bootstrap: the draws of blocks.
    """
    seen = set(calibration.windows)
    result: dict[str, Any] = {
        "blocks": calibration.blocks,
        "number_of_blocks": calibration.number_of_blocks,
        "calibration_samples": len(calibration.windows),
        "seen_samples": sum(name in seen for name in window_names(cases, source)),
        **{name: {} for name in ("coverage", "half_width", "relative_half_width", "interval_score")},
        "confidence": {"coverage": {}},
    }
    forecasts = {"flux": flux, **quantities(flux, cases.cadence)}
    targets = {"flux": truth, **quantities(truth, cases.cadence)}
    for name, forecast in forecasts.items():
        target = targets[name]
        columns: dict[str, dict[str, Any]] = {
            key: {} for key in ("coverage", "half_width", "relative_half_width", "interval_score", "confidence")
        }
        for level, (low, high) in calibration.intervals(name, forecast).items():
            held = torch.where(torch.isnan(low + target), torch.nan, ((low <= target) & (target <= high)).to(low.dtype))
            half, key = (high - low) / 2, str(percent(level))
            estimate = bootstrap.estimate(mean_of(held.numpy()))
            columns["coverage"][key] = number(estimate.value)
            columns["confidence"][key] = bounds(estimate)
            columns["half_width"][key] = number(half.nanmean())
            columns["relative_half_width"][key] = number((half / target.abs()).nanmean())
            columns["interval_score"][key] = number(interval_score(low, high, target, level).nanmean())
        result["confidence"]["coverage"][name] = columns.pop("confidence")
        for key, values in columns.items():
            result[key][name] = values
    return result

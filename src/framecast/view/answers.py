"""Data of one window for the browser: series of a pixel or a box, derived quantities with their intervals, scores.

All are JSON values; a number that is not known is ``None``.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from framecast.core.errors import ConfigError
from framecast.verification.files import plain
from framecast.verification.quantities import Quantity, measure
from framecast.verification.recalibration.calibration import intervals
from framecast.verification.samples import Sample
from framecast.verification.scores import attainable, central_interval, crps, ensemble_mean, ensemble_variance
from framecast.verification.summary import quantity_info

_SHOWN_LEVELS = (0.5, 0.9)


@dataclass(frozen=True)
class Box:
    """Pixels of a frame, both ends included; rows are counted from the bottom."""

    x0: int
    y0: int
    x1: int
    y1: int

    def of(self, video: Tensor) -> Tensor:
        """Return these pixels of ``[..., y, x]``."""
        return video[..., self.y0 : self.y1 + 1, self.x0 : self.x1 + 1]

    @classmethod
    def parse(cls, text: str, height: int, width: int) -> "Box":
        """Return the box ``x0,y0,x1,y1``, or the pixel ``x,y``.

        Raises:
            ConfigError: it is something else, or outside of the frame.
        """
        try:
            numbers = [int(part) for part in text.split(",")]
            x0, y0, x1, y1 = numbers if len(numbers) == 4 else [*numbers, *numbers]
        except ValueError:
            raise ConfigError(f"{text[:60]!r} is not a box: give x,y or x0,y0,x1,y1 in pixels") from None
        box = cls(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
        if box.x0 < 0 or box.y0 < 0 or box.x1 >= width or box.y1 >= height:
            raise ConfigError(f"the box {text[:60]} is outside of the frame of {width} by {height} pixels")
        return box


def series(sample: Sample, channel: int, box: Box | None) -> dict[str, Any]:
    """Return the mean over the pixels of ``box`` for each time, of the past, the truth and every member.

    Without a box it is the quantity of each frame that reports show (the total or the area mean), with the model's
    calibration where that holds. Intervals are central ones of the members (`central_interval`).
    """
    unit, calibrated = sample.units[channel], False
    if box is None:
        curve = sample.curve
        drawn, truth = sample.drawn(curve), sample.observed(curve)[channel]
        past = measure(curve, sample.past, ~torch.isnan(sample.past), sample.lead_times[0], sample.weights)[channel]
        members, ends, calibrated = drawn[:, channel], *_intervals(sample, curve, drawn, channel)
        about = {"label": curve.label, "unit": quantity_info(curve, unit).unit}
    else:
        members, truth, past = (
            _mean_over(box, video, sample.weights)
            for video in (sample.members[:, channel], sample.truth[channel], sample.past[channel])
        )
        ends = {_percent(level): plain(central_interval(members, level)) for level in _SHOWN_LEVELS}
        about = {"label": "Pixel" if box.x0 == box.x1 and box.y0 == box.y1 else "Mean of the box", "unit": unit}
    return {
        **about,
        "calibrated": calibrated,
        "times": [*sample.past_times, *sample.lead_times],
        "past": plain(past),
        "truth": plain(truth),
        "members": plain(members),
        "median": plain(members.nanquantile(0.5, dim=0)),
        "intervals": ends,
        "attainable": {_percent(level): attainable(level, len(members)) for level in _SHOWN_LEVELS},
    }


def _percent(level: float) -> str:
    return str(round(100 * level))


def _intervals(sample: Sample, quantity: Quantity, drawn: Tensor, channel: int) -> tuple[dict[str, Any], bool]:
    """Return the shown intervals of a quantity of the members in one channel, and whether they are recalibrated."""
    found = intervals(quantity.name, drawn, sample.calibration)
    ends = {_percent(level): [plain(end[channel]) for end in found[level]] for level in _SHOWN_LEVELS}
    return ends, sample.calibration is not None and quantity.name in sample.calibration.scales


def _mean_over(box: Box, video: Tensor, weights: Tensor | None) -> Tensor:
    """Return the mean over known pixels of ``[..., y, x]``, weighted by their areas."""
    pixels = box.of(video).double()
    areas = torch.ones_like(pixels[0, 0]) if weights is None else box.of(weights)
    share = torch.where(torch.isnan(pixels), 0.0, areas)
    return (pixels.nan_to_num(0.0) * share).sum((-2, -1)) / share.sum((-2, -1))


def quantities(sample: Sample, channel: int, box: Box | None) -> list[dict[str, Any]]:
    """Return each derived quantity of a window, or of a box in it: every member's, intervals, and what was observed."""
    if box is not None:
        sample = _cut(sample, box)
    found = []
    for quantity in sample.quantities:
        if not quantity.by_lead:
            drawn = sample.drawn(quantity)
            ends, calibrated = _intervals(sample, quantity, drawn, channel)
            found.append(
                {
                    "name": quantity.name,
                    "label": quantity.label,
                    "unit": quantity_info(quantity, sample.units[channel]).unit,
                    "members": plain(drawn[:, channel]),
                    "median": plain(drawn[:, channel].nanquantile(0.5)),
                    "intervals": ends,
                    "observed": plain(sample.observed(quantity)[channel]),
                    "calibrated": calibrated,
                }
            )
    return found


def _cut(sample: Sample, box: Box) -> Sample:
    """Return a window without all but the pixels of a box; a calibration is of whole frames only."""
    return replace(
        sample,
        past=box.of(sample.past),
        members=box.of(sample.members),
        truth=box.of(sample.truth),
        weights=None if sample.weights is None else box.of(sample.weights),
        calibration=None,
    )


def window_scores(sample: Sample) -> dict[str, Any]:
    """Return how good the forecast of a window is, for each channel and by lead time; NaN where nothing is known.

    ``crps`` is fair for ensembles and the absolute error for one member; ``skill`` is 1 - CRPS / absolute error of
    persistence; ``event`` is the largest value that was observed, or forecast by a member where that is not known.
    """
    members, truth = sample.members, sample.truth
    persistence = (sample.past[:, -1:] - truth).abs()
    weights = sample.weights
    point = len(members) == 1
    error = ensemble_mean(members) - truth
    spread = torch.zeros_like(members[0]) if point else ensemble_variance(members)
    by_lead = {
        "crps": _frame_mean(crps(members, truth, fair=not point), weights),
        "mae": _frame_mean(error.abs(), weights),
        "rmse": _frame_mean(error.square(), weights).sqrt(),
        "spread": _frame_mean(spread, weights).sqrt(),
        "persistence": _frame_mean(torch.where(torch.isnan(error), torch.nan, persistence), weights),
    }
    total = {
        name: values.nanmean(-1) if name in ("crps", "mae", "persistence") else values.square().nanmean(-1).sqrt()
        for name, values in by_lead.items()
    }
    total["skill"] = 1 - total["crps"] / total["persistence"]
    by_lead["skill"] = 1 - by_lead["crps"] / by_lead["persistence"]
    largest = torch.where(torch.isnan(truth), -torch.inf, truth).flatten(1).amax(1)
    foreseen = torch.where(torch.isnan(members), -torch.inf, members).amax(0).flatten(1).amax(1)
    total["event"] = torch.where(torch.isfinite(largest), largest, foreseen)
    return {
        "total": {name: plain(values) for name, values in total.items()},
        "by_lead": {name: plain(values) for name, values in by_lead.items()},
    }


def _frame_mean(values: Tensor, weights: Tensor | None) -> Tensor:
    """Return the mean over the known pixels of each frame of ``[channel, time, y, x]``."""
    known = ~torch.isnan(values)
    share = known.double() if weights is None else torch.where(known, weights, 0.0)
    return (values.double().nan_to_num(0.0) * share).sum((-2, -1)) / share.sum((-2, -1))

"""Forecasts of an event, that a value reaches a threshold: Brier score, reliability, fractions skill score, warnings.

An event's probability is the fraction of the members in which it occurs. NaN members are absent; where the truth or
every member is NaN, the point is NaN or left out. Scores of warnings are functions of hits, false alarms, misses and
correct negatives: of counts, or of fractions of all cases, as arrays of any shape; NaN if undefined.

References:
    Wilks (2011), "Statistical Methods in the Atmospheric Sciences", ch. 8.2; Bloomfield et al. (2012), "Toward reliable
    benchmarking of solar flare forecasting methods", ApJ Lett. 747 (TSS for rare events).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from framecast.verification.scores.bootstrap import ratio


def exceedance(
    forecast: Float[Tensor, " member *shape"], threshold: float
) -> tuple[Float[Tensor, " *shape"], Float[Tensor, " *shape"]]:
    """Return the probability that the value is ``threshold`` or more, and the number of members present.

    The probability is NaN where no member is.
    """
    present = (~torch.isnan(forecast)).sum(0).to(forecast.dtype)
    reached = (forecast >= threshold).sum(0).to(forecast.dtype)
    return torch.where(present > 0, reached / present, torch.nan), present


def brier_score(
    forecast: Float[Tensor, " member *shape"], truth: Float[Tensor, " *shape"], threshold: float, *, fair: bool = True
) -> Float[Tensor, " *shape"]:
    r"""Return the Brier score of reaching ``threshold``, :math:`(p - o)^2`; lower is better, 0 to 1.

    The fair score, :math:`(p - o)^2 - p(1 - p)/(M - 1)`, has an expectation that does not depend on the number of
    members M; it can fall below zero at single points.

    Args:
        forecast: members, any unit; NaN members are absent.
        truth: observations, same unit.
        threshold: in that unit.
        fair: whether the members are a sample of the forecast (true) or are the forecast (false).

    Returns:
        NaN where the truth is, and where fewer than two members (one if not ``fair``) remain.

    References:
        Brier (1950), Mon. Weather Rev. 78; Ferro (2014), "Fair scores for ensemble forecasts", Q. J. R. Meteorol. Soc.
        140, eq. 4.
    """
    probability, present = exceedance(forecast, threshold)
    happened = (truth >= threshold).to(forecast.dtype)
    score = (probability - happened).square()
    if fair:
        score = torch.where(present >= 2, score - probability * (1 - probability) / (present - 1), torch.nan)
    return torch.where(torch.isnan(truth), torch.nan, score)


def reliability(
    forecast: Float[Tensor, " member *shape"], truth: Float[Tensor, " *shape"], threshold: float, *, bins: int
) -> Float[Tensor, " bin 3"]:
    """Return, for each bin of forecast probability, how many points there are, and their sums of p and of events.

    Bin k holds the probabilities nearest to k / (bins - 1). Where the mean of p is the fraction of events, the forecast
    is reliable.

    Args:
        forecast: members, any unit.
        truth: observations, same unit.
        threshold: of the event.
        bins: number of bins; 2 or more.
    """
    probability, _ = exceedance(forecast, threshold)
    known = ~torch.isnan(truth) & ~torch.isnan(probability)
    probability, happened = probability[known].double(), (truth >= threshold)[known].double()
    place = torch.floor(probability * (bins - 1) + 0.5).long()
    columns = (torch.ones_like(probability), probability, happened)
    return torch.stack([torch.bincount(place, weights=values, minlength=bins).double() for values in columns], dim=1)


def roc(points: np.ndarray, happened: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the relative operating characteristic of warnings at every probability, from the bins of `reliability`.

    Args:
        points: number of points by rising probability, ``[..., bin]``.
        happened: number of events among them.

    Returns:
        Hit rate and false alarm rate ``[..., bin + 1]``, from the highest probability that warns to none, and the area
        under the curve ``[...]``: 0.5 for no skill, 1 for perfect discrimination; NaN without an event, or without a
        point where there is none.

    References:
        Mason (1982), "A model for assessment of weather forecasts", Aust. Meteorol. Mag. 30.
    """
    rates = []
    for count in (happened, points - happened):
        passed = np.cumsum(np.concatenate([np.zeros_like(count[..., :1]), count[..., ::-1]], axis=-1), axis=-1)
        rates.append(ratio(passed, passed[..., -1:]))
    hits, alarms = rates
    return hits, alarms, np.asarray(np.trapezoid(hits, alarms, axis=-1))


def economic_value(hits: np.ndarray, alarms: np.ndarray, base_rate: float, cost_loss: Sequence[float]) -> np.ndarray:
    r"""Return the relative economic value of the best warning, for a loss L and a cost C of protection.

    1 is the saving of a perfect forecast, 0 that of climatology, for each ratio C/L:

    .. math:: V = \frac{\min(\alpha, s) - F \alpha (1 - s) + H s (1 - \alpha) - s}{\min(\alpha, s) - s \alpha}

    Args:
        hits: hit rates H of the warnings to choose from.
        alarms: their false alarm rates F.
        base_rate: s.
        cost_loss: ratios :math:`\alpha`, between 0 and 1.

    References:
        Richardson (2000), "Skill and relative economic value of the ECMWF ensemble prediction system", Q. J. R.
        Meteorol. Soc. 126, eq. 8.
    """
    cost = np.asarray(cost_loss)[:, None]
    least = np.minimum(cost, base_rate)
    saved = least - alarms * cost * (1 - base_rate) + hits * base_rate * (1 - cost) - base_rate
    return np.asarray(ratio(saved, (least - base_rate * cost).clip(min=0)).max(axis=1))


def fractions(
    forecast: Float[Tensor, " member *shape height width"],
    truth: Float[Tensor, "*shape height width"],
    threshold: float,
    *,
    width: int,
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    r"""Return the two sums that the fractions skill score is made of, over the pixels of each frame.

    .. math:: \mathrm{FSS} = 1 - \frac{\sum (P - O)^2}{\sum (P^2 + O^2)}

    P is the forecast's probability averaged over the square of ``width`` pixels about each pixel, O the fraction of the
    square in which the event happened. A rain cell that is a few pixels off is wrong at width 1 and right at a greater
    one. For many frames the sums are added before the ratio is taken, so that dry frames have no special weight.
    Squares are cut at the border, and contain known pixels only.

    Args:
        forecast: members, any unit.
        truth: observations, same unit.
        threshold: of the event.
        width: odd, in pixels.

    Returns:
        The sums above and below the line; both 0 where the event is neither forecast nor observed.

    References:
        Roberts & Lean (2008), "Scale-selective verification of rainfall accumulations from high-resolution forecasts
        of convective events", Mon. Weather Rev. 136, eq. 5-7; with probabilities for P: Schwartz et al. (2010), Weather
        Forecast. 25.
    """
    probability, _ = exceedance(forecast, threshold)
    known = ~torch.isnan(truth) & ~torch.isnan(probability)
    happened = (truth >= threshold).double()
    share, seen, count = _square_sums(
        torch.stack([torch.where(known, probability.double(), 0.0), torch.where(known, happened, 0.0), known.double()]),
        width,
    )
    share, seen = share / count.clamp(min=1.0), seen / count.clamp(min=1.0)
    above = torch.where(known, (share - seen).square(), 0.0).sum((-2, -1))
    below = torch.where(known, share.square() + seen.square(), 0.0).sum((-2, -1))
    return above, below


def _square_sums(image: Tensor, width: int) -> Tensor:
    """Return the sum over the square about each pixel, at one cost for any width: differences of running sums."""
    for dim in (-2, -1):
        size = image.shape[dim]
        place = torch.arange(size, device=image.device)
        first, last = (place - width // 2).clamp(min=0), (place + width // 2 + 1).clamp(max=size)
        start = torch.zeros_like(image.narrow(dim, 0, 1))
        running = torch.cat([start, image.cumsum(dim)], dim)
        image = running.index_select(dim, last) - running.index_select(dim, first)
    return image


Counts = Any
"""Numbers, or arrays of any shape."""


def detection(hits: Counts, misses: Counts) -> Counts:
    """Return the probability of detection (POD): the fraction of events that were warned of; 1 is best."""
    return ratio(hits, hits + misses)


def false_alarm_ratio(hits: Counts, alarms: Counts) -> Counts:
    """Return the false alarm ratio (FAR): the fraction of warnings after which nothing happened; 0 is best."""
    return ratio(alarms, hits + alarms)


def critical_success(hits: Counts, alarms: Counts, misses: Counts) -> Counts:
    """Return the critical success index (CSI, threat score): hits over warnings and events together; 1 is best."""
    return ratio(hits, hits + alarms + misses)


def true_skill(hits: Counts, alarms: Counts, misses: Counts, negatives: Counts) -> Counts:
    """Return the true skill statistic (TSS, Peirce): POD minus the false alarm rate; 0 is no skill, 1 is best."""
    return detection(hits, misses) - ratio(alarms, alarms + negatives)


def heidke_skill(hits: Counts, alarms: Counts, misses: Counts, negatives: Counts) -> Counts:
    """Return the Heidke skill score (HSS): the fraction correct beyond chance, over what is possible; 1 is best."""
    above = 2 * (hits * negatives - alarms * misses)
    return ratio(above, (hits + misses) * (misses + negatives) + (hits + alarms) * (alarms + negatives))

r"""Central intervals of an ensemble, and their coverage.

If the truth is exchangeable with the M members, its rank among them is uniform over M + 1 places. The central interval
of level p therefore runs between the positions :math:`\frac{1-p}{2}(M+1)` and :math:`\frac{1+p}{2}(M+1)` of the sorted
members (interpolated linearly: definition 6 of Hyndman & Fan, due to Weibull) and not between the usual sample
quantiles, which are too narrow: those of 20 members would have a coverage of 81 % at a level of 90 %.

An interval never extends beyond the outermost members, whose range has a coverage of (M - 1)/(M + 1). `attainable`
gives the coverage of a level; 96 % with 20 members is 90.5 %.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from framecast.verification.scores.sorting import sort_members

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.96)
"""The central intervals that are reported."""


def attainable(level: float, members: int) -> float:
    """Return the coverage that the central interval of ``level`` has for a reliable ensemble of ``members``."""
    return min(level, (members - 1) / (members + 1))


def central_interval(
    forecast: Float[Tensor, " member *shape"], level: float
) -> tuple[Float[Tensor, " *shape"], Float[Tensor, " *shape"]]:
    """Return the lower and upper end of the central interval of ``level`` (0 to 1), in the unit of the forecast.

    NaN members are absent; NaN where none remains.

    References:
        Hyndman & Fan (1996), "Sample quantiles in statistical packages", Am. Stat. 50, definition 6.
    """
    present = (~torch.isnan(forecast)).sum(0)
    ordered = sort_members(forecast)
    ends = []
    for position in _positions(present, level, forecast.dtype):
        left = position.floor()
        index = left.long().clamp(1, len(forecast)) - 1
        after = torch.minimum(index + 1, (present - 1).clamp(min=0))
        low, high = ordered.gather(0, index[None])[0], ordered.gather(0, after[None])[0]
        ends.append(torch.where(present > 0, torch.lerp(low, high, position - left), torch.nan))
    return ends[0], ends[1]


def covered(
    forecast: Float[Tensor, " member *shape"], truth: Float[Tensor, " *shape"], level: float
) -> Float[Tensor, " *shape"]:
    """Return whether the central interval of ``level`` contains the truth: 1 inside, 0 outside, between at its ends.

    The truth takes a rank among the members, ties broken in all ways alike, and the fraction of that rank's width that
    lies between the interval's two positions counts. The average over exchangeable truths is then exactly
    ``attainable(level, M)`` whatever the law: with continuous values, and also with few values, such as times of peak,
    where a closed interval would contain nearly everything.

    One member is a point, and contains a truth equal to it. NaN where the truth is, or no member remains.
    """
    present = (~torch.isnan(forecast)).sum(0)
    below = (forecast < truth).sum(0).to(forecast.dtype)
    equal = (forecast == truth).sum(0).to(forecast.dtype)
    low, high = _positions(present, level, forecast.dtype)
    overlap = torch.minimum(high, below + equal + 1) - torch.maximum(low, below)
    share = torch.where(present == 1, (equal > 0).to(forecast.dtype), overlap.clamp(min=0.0) / (equal + 1))
    return torch.where(torch.isnan(truth) | (present == 0), torch.nan, share)


def interval_score(
    low: Float[Tensor, " *shape"], high: Float[Tensor, " *shape"], truth: Float[Tensor, " *shape"], level: float
) -> Float[Tensor, " *shape"]:
    r"""Return the interval (Winkler) score, in the unit of the forecast; lower is better.

    .. math:: (u - l) + \frac{2}{1-p} \left( (l - y)_+ + (y - u)_+ \right)

    Width plus a penalty for truths outside, minimised by the true quantiles. NaN where an argument is.

    References:
        Gneiting & Raftery (2007), JASA 102, eq. 43.
    """
    missed = (low - truth).clamp(min=0.0) + (truth - high).clamp(min=0.0)
    return (high - low) + 2 / (1 - level) * missed


def _positions(present: Tensor, level: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return the positions (1 is the least member) between which the central interval of ``level`` lies."""
    members = present.to(dtype)
    low = (1 - level) / 2 * (members + 1)
    last = members.clamp(min=1.0)
    return torch.minimum(low.clamp(min=1.0), last), torch.minimum(members + 1 - low, last).clamp(min=1.0)

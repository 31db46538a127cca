r"""The decomposition of the CRPS into reliability, resolution and uncertainty.

Over all points together, :math:`\mathrm{CRPS} = \mathrm{Reli} - \mathrm{Resol} + U`. U is the CRPS of the climatology
of the observations; the reliability could be removed by recalibration; the resolution is the gain over climatology. The
CRPS of the empirical distribution is decomposed, not the fair one.

References:
    Hersbach (2000), "Decomposition of the continuous ranked probability score for ensemble prediction systems",
    Weather Forecast. 15, eqs. 25 to 40.
"""

import numpy as np
import torch
from torch import Tensor

from framecast.verification.scores.pieces import pieces
from framecast.verification.scores.sorting import sort_members

Means = np.ndarray


def between_members(forecast: Tensor, truth: Tensor, weights: Tensor | None = None) -> tuple[Tensor, ...]:
    """Return the terms of `reliability_and_potential`, means over the pixels of each channel.

    Args:
        forecast: ``[member, channel, time, height, width]``; points where a member is NaN are left out.
        truth: ``[channel, time, height, width]``.
        weights: of the pixels, ``[height, width]``.

    Returns:
        Four arrays ``[channel, member + 1]``, for the place below, between and above the sorted members: the mean
        length below the truth, the mean length above it, the frequency of truths outside the range of the members, and
        the fraction of pixels that count.
    """
    height, pixels = truth.shape[-2], truth[0].numel()
    areas = (torch.ones(1, dtype=torch.float64) if weights is None else weights).expand(truth.shape[-2:])
    parts = [
        _sums(forecast[..., rows, :], truth[..., rows, :], areas[rows])
        for rows in pieces(height, forecast.numel() // max(1, height))
    ]
    below, above, beyond, share = (torch.stack(own).sum(0) / pixels for own in zip(*parts, strict=True))
    return below, above, beyond, share[..., None].expand(below.shape)


def _sums(forecast: Tensor, truth: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
    known = ~torch.isnan(truth) & ~torch.isnan(forecast).any(0)
    ordered = sort_members(torch.where(known, forecast, 0.0)).double()
    came = torch.where(known, truth, 0.0).double()
    weight = known.double() * weights
    low = torch.cat([torch.minimum(came, ordered[0])[None], ordered])
    high = torch.cat([ordered, torch.maximum(came, ordered[-1])[None]])
    below = (came.clamp(max=high) - low).clamp(min=0.0)
    above = (high - came.clamp(min=low)).clamp(min=0.0)
    beyond = torch.zeros_like(below)
    beyond[0], beyond[-1] = (came < ordered[0]).double(), (came > ordered[-1]).double()
    sums = [(part * weight).sum((-3, -2, -1)).movedim(0, -1) for part in (below, above, beyond)]
    return *sums, weight.sum((-3, -2, -1))


def reliability_and_potential(below: Means, above: Means, beyond: Means, share: Means) -> tuple[Means, Means]:
    """Return reliability and potential CRPS from the averages of `between_members`; both over the last axis."""
    with np.errstate(invalid="ignore", divide="ignore"):
        below, above, beyond = below / share, above / share, beyond / share
        nominal = np.linspace(0.0, 1.0, below.shape[-1])
        width = below + above
        observed = np.where(width > 0, above / width, 0.0)  # how often the truth is below this place
        inner = slice(1, -1)
        reliability = (width * (observed - nominal) ** 2)[..., inner].sum(-1)
        potential = (width * observed * (1 - observed))[..., inner].sum(-1)
    first, last = above[..., 0], below[..., -1]
    reliability = reliability + first * beyond[..., 0] + last * beyond[..., -1]
    potential = potential + first * (1 - beyond[..., 0]) + last * (1 - beyond[..., -1])
    return np.asarray(reliability), np.asarray(potential)


def uncertainty(values: np.ndarray) -> float:
    """Return the CRPS of the climatology of the observations: half the mean difference of two values."""
    ordered = np.sort(values.astype(np.float64))
    rank = np.arange(1, len(ordered) + 1)
    return float(((2 * rank - len(ordered) - 1) * ordered).sum() / len(ordered) ** 2)

r"""The CRPS taken apart: how reliable an ensemble is, and how well it tells one case from another.

Over all points judged together, :math:`\mathrm{CRPS} = \mathrm{Reli} - \mathrm{Resol} + U`. U is the CRPS of the
climatology of what came; the reliability is what could be mended by recalibrating; the resolution is what the forecast
knows beyond climatology. It is the CRPS of the members themselves that is taken apart, not the fair one.

References:
    Hersbach (2000), "Decomposition of the continuous ranked probability score for ensemble prediction systems",
    Weather Forecast. 15, eqs. 25 to 40.
"""

import numpy as np
import torch
from torch import Tensor

from framecast.verification.scores.sorting import sort_members

Means = np.ndarray


def between_members(forecast: Tensor, truth: Tensor, weights: Tensor | None = None) -> tuple[Tensor, ...]:
    """Return what `reliability_and_potential` is made of, as sums over the pixels of each channel over their number.

    Args:
        forecast: ``[member, channel, time, height, width]``; points where a member is NaN are left out.
        truth: ``[channel, time, height, width]``.
        weights: of the pixels, ``[height, width]``.

    Returns:
        Four arrays ``[channel, member + 1]``, for the place below, between and above the sorted members: the mean
        length of what lies below the truth, of what lies above it, how often it is beyond the outermost member, and
        the fraction of the pixels that counts.
    """
    known = ~torch.isnan(truth) & ~torch.isnan(forecast).any(0)
    ordered = sort_members(torch.where(known, forecast, 0.0)).double()
    came = torch.where(known, truth, 0.0).double()
    weight = known.double() * (1.0 if weights is None else weights)
    low = torch.cat([torch.minimum(came, ordered[0])[None], ordered])
    high = torch.cat([ordered, torch.maximum(came, ordered[-1])[None]])
    below = (came.clamp(max=high) - low).clamp(min=0.0)
    above = (high - came.clamp(min=low)).clamp(min=0.0)
    beyond = torch.zeros_like(below)
    beyond[0], beyond[-1] = (came < ordered[0]).double(), (came > ordered[-1]).double()
    pixels = known[0].numel()
    means = [(part * weight).sum((-3, -2, -1)).movedim(0, -1) / pixels for part in (below, above, beyond)]
    share = weight.sum((-3, -2, -1)) / pixels
    return *means, share[..., None].expand(means[0].shape)


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
    """Return the CRPS of the climatology of what came: half the mean difference of two of its values."""
    ordered = np.sort(values.astype(np.float64))
    rank = np.arange(1, len(ordered) + 1)
    return float(((2 * rank - len(ordered) - 1) * ordered).sum() / len(ordered) ** 2)

r"""Scores of a whole ensemble: CRPS and its decomposition, energy scores, mean, spread and ranks.

Over all points together, :math:`\mathrm{CRPS} = \mathrm{Reli} - \mathrm{Resol} + U`. U is the CRPS of the climatology
of the observations; the reliability could be removed by recalibration; the resolution is the gain over climatology. The
CRPS of the empirical distribution is decomposed, not the fair one.

References:
    Hersbach (2000), "Decomposition of the continuous ranked probability score for ensemble prediction systems",
    Weather Forecast. 15, eqs. 25 to 40.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from framecast.verification.scores.sorting import pieces, sort_members


def crps(
    forecast: Float[Tensor, " member *shape"], truth: Float[Tensor, " *shape"], *, fair: bool = True
) -> Float[Tensor, " *shape"]:
    r"""Return the continuous ranked probability score, in the unit of the forecast; lower is better.

    .. math:: \frac1M \sum_i |x_i - y| - \frac{1}{2 M (M-1)} \sum_{i,j} |x_i - x_j|

    With ``M - 1`` the score is fair: its expectation does not depend on the number of members, so that ensembles of
    different size can be compared, and a perfect ensemble is best at any size. With ``M`` in its place (``fair=False``)
    it is the CRPS of the empirical distribution itself; for one member that is the absolute error. The double sum is
    taken over sorted members, ``sum_i (2i - M - 1) x_(i)``, in O(M log M).

    Args:
        forecast: members, any unit; NaN members are absent.
        truth: observations, same unit.
        fair: whether the members are a sample of the forecast (true) or are the forecast (false).

    Returns:
        The score of each point; NaN where the truth is, and where fewer than two members (one if not ``fair``)
        remain.

    References:
        Ferro (2014), "Fair scores for ensemble forecasts", Q. J. R. Meteorol. Soc. 140, eq. 5;
        Gneiting & Raftery (2007), "Strictly proper scoring rules", JASA 102, eq. 21.
    """
    members, points = forecast.flatten(1), truth.flatten()
    found = [_crps(members[:, own], points[own], fair) for own in pieces(len(points), len(forecast))]
    return torch.cat(found).reshape(truth.shape)


def _crps(forecast: Tensor, truth: Tensor, fair: bool) -> Tensor:
    present = (~torch.isnan(forecast)).sum(0)
    rank = torch.arange(1, len(forecast) + 1, device=forecast.device).reshape(-1, *[1] * truth.ndim)
    inside = rank <= present
    deviation = torch.where(inside, sort_members(forecast) - truth, 0.0)
    error = deviation.abs().sum(0) / present
    half_difference = (deviation * (2 * rank - present - 1)).sum(0) / (present * (present - 1 if fair else present))
    known = ~torch.isnan(truth) & (present >= (2 if fair else 1))
    return torch.where(known, error - half_difference, torch.nan)


def threshold_weighted_crps(
    forecast: Float[Tensor, " member *shape"], truth: Float[Tensor, " *shape"], threshold: float, *, fair: bool = True
) -> Float[Tensor, " *shape"]:
    r"""Return the threshold-weighted CRPS above ``threshold``, :math:`\int_t^\infty (F(z) - 1\{y \le z\})^2 dz`.

    It is the CRPS of members and truth that are raised to the threshold where they are below it.

    References:
        Gneiting & Ranjan (2011), "Comparing density forecasts using threshold- and quantile-weighted scoring rules", J.
        Bus. Econ. Stat. 29; Allen et al. (2023), SIAM/ASA J. Uncertain. Quantif. 11, eq. 8 (chaining function).
    """
    return crps(forecast.clamp(min=threshold), truth.clamp(min=threshold), fair=fair)


def ensemble_mean(forecast: Float[Tensor, " member *shape"]) -> Float[Tensor, " *shape"]:
    """Return the mean of the members without NaN."""
    return forecast.nanmean(dim=0)


def ensemble_variance(forecast: Float[Tensor, " member *shape"]) -> Float[Tensor, " *shape"]:
    r"""Return the variance that the error of the ensemble mean should have if the truth were one more member.

    .. math:: \frac{M + 1}{M} \cdot \frac{1}{M - 1} \sum_i (x_i - \bar x)^2

    The spread/skill ratio is the root of its average over the root mean square error of the ensemble mean: 1 where
    spread and error agree, below 1 for an overconfident ensemble. NaN with fewer than two members.

    References:
        Fortin et al. (2014), "Why should ensemble spread match the RMSE of the ensemble mean?", J. Hydrometeorol. 15,
        eq. 15.
    """
    present = (~torch.isnan(forecast)).sum(0)
    squares = torch.nansum((forecast - ensemble_mean(forecast)) ** 2, dim=0)
    return torch.where(present >= 2, squares / (present - 1) * (present + 1) / present, torch.nan)


def energy_score(forecast: Float[Tensor, " member *shape"], truth: Float[Tensor, " *shape"]) -> Float[Tensor, ""]:
    r"""Return the fair energy score of the whole array as one vector; the CRPS of many dimensions.

    .. math:: \frac1M \sum_i \|x_i - y\| - \frac{1}{2 M (M-1)} \sum_{i,j} \|x_i - x_j\|

    Points where the truth is NaN or every member is are left out, then members that still contain NaN. It is divided by
    the root of the number of points, so that it is in the unit of the forecast at any size.

    Returns:
        One number; NaN if no point or fewer than two members remain.

    References:
        Gneiting & Raftery (2007), JASA 102, eq. 22.
    """
    points = forecast.flatten(1)
    known = ~torch.isnan(truth.flatten()) & ~torch.isnan(points).all(0)
    deviation = points[:, known] - truth.flatten()[known]
    deviation = deviation[~torch.isnan(deviation).any(1)]
    members, size = deviation.shape
    if members < 2 or size == 0:
        return forecast.new_tensor(torch.nan)
    centred = deviation - deviation.mean(0)  # distances are unchanged; rounding errors of their squares are smaller
    distance = torch.cdist(centred, centred, compute_mode="use_mm_for_euclid_dist")
    distance = distance - torch.diag(distance.diagonal())
    score = torch.linalg.vector_norm(deviation, dim=1).mean() - distance.sum() / (2 * members * (members - 1))
    return score / size**0.5


def vector_energy_score(
    forecast: Float[Tensor, " member component *shape"], truth: Float[Tensor, " component *shape"], *, fair: bool = True
) -> Float[Tensor, "*shape"]:
    r"""Return the energy score of the vector at each point, such as a velocity (u, v); lower is better.

    .. math:: \frac1M \sum_i \|x_i - y\| - \frac{1}{2 M (M-1)} \sum_{i,j} \|x_i - x_j\|

    Turning the axes leaves it as it is; of one component it is the CRPS, of one member the length of the error.

    Args:
        forecast: members, of components in one unit; a member without one of them is absent at that point.
        truth: what happened, same unit.
        fair: whether the members are a sample of the forecast (true) or are the forecast (false), with M² below.

    Returns:
        The score of each point in that unit; NaN where the truth is, and where fewer than two members (one if not
        ``fair``) remain.

    References:
        Gneiting & Raftery (2007), JASA 102, eq. 22; Ferro (2014), Q. J. R. Meteorol. Soc. 140, for the fair form.
    """
    distance = _length(forecast - truth)
    there = ~torch.isnan(forecast).any(1)
    present = there.sum(0)
    between = torch.zeros_like(distance[0])
    for k in range(1, len(forecast)):
        apart = _length(forecast[k:] - forecast[k - 1])
        between += torch.where(torch.isnan(apart), 0.0, apart).sum(0)
    error = torch.where(there, distance, 0.0).sum(0) / present
    score = error - between / (present * (present - 1 if fair else present)).clamp(min=1)
    return torch.where(present >= (2 if fair else 1), score, torch.nan)


def _length(vectors: Tensor) -> Tensor:
    """Return the length of vectors along the second axis, where ``torch.linalg.vector_norm`` is slower by far."""
    return vectors.square().sum(1).sqrt()


def rank_histogram(
    forecast: Float[Tensor, " member *shape"], truth: Float[Tensor, " *shape"]
) -> Float[Tensor, " member_plus_one"]:
    """Return how often the truth falls below, between and above the sorted members.

    Flat for a reliable ensemble, U-shaped for an overconfident one, sloping for a biased one. A truth equal to k
    members counts 1/(k+1) in each of the ranks it could have, so that ties (a dry radar pixel in every member)
    leave a reliable ensemble flat. Points where the truth or any member is NaN are left out.

    Returns:
        ``member + 1`` counts, summing to the number of points used.

    References:
        Hamill (2001), "Interpretation of rank histograms for verifying ensemble forecasts", Mon. Weather Rev. 129.
    """
    members = len(forecast)
    known = ~torch.isnan(truth) & ~torch.isnan(forecast).any(0)
    below = (forecast < truth).sum(0)[known]
    equal = (forecast == truth).sum(0)[known]
    share = 1.0 / (equal + 1).double()
    rise = torch.bincount(below, weights=share, minlength=members + 2)
    fall = torch.bincount(below + equal + 1, weights=share, minlength=members + 2)
    return (rise - fall).cumsum(0)[: members + 1].clamp(min=0.0)


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

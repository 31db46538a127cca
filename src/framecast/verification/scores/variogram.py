r"""The variogram score: whether differences and correlations of neighbouring pixels are as in the truth."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from framecast.verification.scores.pieces import pieces


def variogram_score(
    forecast: Float[Tensor, " member *shape height width"],
    truth: Float[Tensor, " *shape height width"],
    *,
    power: float = 0.5,
    lags: Sequence[int] = (1, 2, 4, 8),
) -> Float[Tensor, "*shape"]:
    r"""Return the variogram score of order ``power`` of each frame; lower is better.

    .. math:: \operatorname{mean}_{i,j} \Big(|y_i - y_j|^p - \tfrac1M \sum_m |x_{m,i} - x_{m,j}|^p\Big)^2

    over the pairs of pixels that lie ``lags`` apart along a row or a column, with equal weights; lags that do not fit
    into the frame are left out.

    Returns:
        In the unit of the forecast to the power 2p; NaN where no pair is known.

    References:
        Scheuerer & Hamill (2015), "Variogram-based proper scoring rules for probabilistic forecasts of multivariate
        quantities", Mon. Weather Rev. 143, eq. 9.
    """
    size = truth.shape[-2:]
    frames, came = forecast.reshape(len(forecast), -1, *size), truth.reshape(-1, *size)
    each = len(forecast) * size.numel()
    found = [_variogram(frames[:, own], came[own], power, lags) for own in pieces(len(came), each)]
    return torch.cat(found).reshape(truth.shape[:-2])


def _variogram(forecast: Tensor, truth: Tensor, power: float, lags: Sequence[int]) -> Tensor:
    total, count = truth.new_zeros(truth.shape[:-2]), truth.new_zeros(truth.shape[:-2])
    for lag in lags:
        for dim in (-2, -1):
            if truth.shape[dim] <= lag:
                continue
            expected = _differences(forecast, lag, dim, power).nanmean(0)
            squared = (_differences(truth, lag, dim, power) - expected).square()
            known = ~torch.isnan(squared)
            total += torch.where(known, squared, 0.0).sum((-2, -1))
            count += known.sum((-2, -1))
    return torch.where(count > 0, total / count.clamp(min=1), torch.nan)


def _differences(image: Tensor, lag: int, dim: int, power: float) -> Tensor:
    size = image.shape[dim] - lag
    return (image.narrow(dim, lag, size) - image.narrow(dim, 0, size)).abs() ** power

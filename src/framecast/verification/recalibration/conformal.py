r"""Conformal calibration: intervals with their nominal coverage for any forecast.

The error of an interval [l, u] is its *conformity score*, E = max(l - y, y - u)/s: the distance of the truth y outside
it (negative inside), in units of a scale s given by the forecast. If the next window is exchangeable with n held-out
windows, the interval [l - qs, u + qs], with q the :math:`\lceil p(n+1) \rceil`-th smallest of their scores, contains
its truth with probability at least p; nothing is assumed about the forecast or the distribution. Without ties among the
scores the probability is less than p + 1/(n+1).

Windows of one region or day are not exchangeable with those of another. With blocks the i-th window of block k, of
which there are :math:`n_k`, has the weight :math:`1/((K+1) n_k)` and the remaining :math:`1/(K+1)` lies at infinity:
q is the p-quantile of that. The coverage then holds for a window of a new block, if blocks are exchangeable. With one
window in each block the two are the same. A level above K/(K+1) cannot be guaranteed: q is infinite.

References:
    Romano, Patterson & Candès (2019), "Conformalized quantile regression", arXiv 1905.03222, eq. 6-8 and theorem 1;
    Sesia & Candès (2020), "A comparison of some conformal quantile regression methods", arXiv 1909.05433 (scores
    divided by a scale); Lee, Barber & Willett (2023), "Distribution-free inference with hierarchical data", arXiv
    2306.06342 (blocks).
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


def conformity(
    low: Float[Tensor, " *shape"],
    high: Float[Tensor, " *shape"],
    truth: Float[Tensor, " *shape"],
    scale: Float[Tensor, " *shape"],
) -> Float[Tensor, " *shape"]:
    """Return how far outside its interval the truth lay, in units of ``scale``; NaN where an argument is.

    For a scale of zero the score is 0 where the interval contains the truth, else infinite.
    """
    distance = torch.maximum(low - truth, truth - high)
    sure = torch.where(distance > 0, torch.inf, torch.where(torch.isnan(distance), torch.nan, 0.0))
    return torch.where(scale == 0, sure, distance / scale)


def conformal_offset(
    scores: Float[Tensor, " sample *shape"], level: float, blocks: Int[Tensor, " sample"] | None = None
) -> Float[Tensor, " *shape"]:
    """Return q, by how many scales the interval of ``level`` has to be widened (or narrowed, where below zero).

    Args:
        scores: `conformity` of the held-out windows; NaN is left out.
        level: nominal coverage, between 0 and 1.
        blocks: number of the block of each window; ``None``: each is a block.

    Returns:
        One number for each point of ``shape``; infinite if there are too few blocks for the level.
    """
    block = np.arange(len(scores)) if blocks is None else blocks.numpy()
    columns = scores.double().numpy().reshape(len(scores), -1)
    offsets = [_weighted_quantile(column, level, block) for column in columns.T]
    return torch.tensor(offsets, dtype=scores.dtype).reshape(scores.shape[1:])


def widened(
    low: Float[Tensor, " *shape"],
    high: Float[Tensor, " *shape"],
    offset: Float[Tensor, " *shape"],
    scale: Float[Tensor, " *shape"],
) -> tuple[Float[Tensor, " *shape"], Float[Tensor, " *shape"]]:
    """Return the calibrated interval ``[low - offset·scale, high + offset·scale]``; its middle where that is empty."""
    step = torch.where(torch.isinf(offset), offset, offset * scale)
    middle = (low + high) / 2
    return torch.minimum(low - step, middle), torch.maximum(high + step, middle)


def _weighted_quantile(scores: np.ndarray, level: float, block: np.ndarray) -> float:
    known = ~np.isnan(scores)
    values, block = scores[known], block[known]
    if not len(values):
        return float("inf")
    _, member, size = np.unique(block, return_inverse=True, return_counts=True)
    weight = 1 / ((len(size) + 1) * size[member])
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order]) >= level - 1e-9  # 0.9 of 9 windows is all of them, despite rounding
    return float(values[order][np.argmax(reached)]) if reached.any() else float("inf")

r"""The quantities people decide on: total flux, its maximum, the time of the maximum, and the fluence.

The flux of a frame is the sum over its pixels. From the flux at the lead times :math:`c, 2c, \ldots, Fc` (cadence c):

- MPF, the maximum of the flux over the future frames, in the unit of the flux;
- T2PF, the time to it, :math:`c (\mathrm{argmax} + 1)`, in hours; the first of several equal maxima;
- fluence, :math:`c \sum` flux, in the unit of the flux times hours;
- the DTW distance of the whole curve to the true one, which forgives a rise that comes early or late.

They are computed on each member, so that their spread over members is a confidence interval.

References:
    Francisco et al. (2024), "Generative simulations of the solar corona evolution with denoising diffusion", arXiv
    2410.20843.
"""

import torch
from torch import Tensor


def flux(video: Tensor, valid: Tensor | None = None) -> Tensor:
    """Return the sum over the pixels of each frame.

    Args:
        video: ``[..., height, width]``, physical unit.
        valid: the pixels that count, broadcast against ``video``; ``None`` counts those that are not NaN. Members
            and truth must share it: a sum over more pixels is a greater sum.

    Returns:
        ``[...]``; NaN for a frame without a valid pixel, and where a valid pixel is NaN: a sum with a part missing is
        not a sum.
    """
    if valid is None:
        valid = ~torch.isnan(video)
    # Double precision inside: 128² float32 pixels lose four digits otherwise.
    total = torch.where(valid, video, 0.0).sum(dim=(-2, -1), dtype=torch.float64)
    return torch.where(valid.any(-1).any(-1), total, torch.nan).to(video.dtype)


def maximum_flux(curve: Tensor) -> Tensor:
    """Return MPF of flux curves ``[..., time]``; NaN if a frame is."""
    return curve.amax(dim=-1)


def time_to_maximum(curve: Tensor, cadence: float) -> Tensor:
    """Return T2PF in hours of flux curves ``[..., time]``; the first maximum of a constant curve; NaN if a frame is.

    Args:
        curve: flux at ``cadence, 2 cadence, …``.
        cadence: seconds.
    """
    hours = (curve.argmax(dim=-1) + 1).to(curve.dtype) * (cadence / 3600)
    return torch.where(torch.isnan(curve).any(-1), torch.nan, hours)


def fluence(curve: Tensor, cadence: float) -> Tensor:
    """Return the fluence of flux curves ``[..., time]``, unit of the flux times hours; NaN if a frame is.

    Args:
        curve: flux at ``cadence, 2 cadence, …``.
        cadence: seconds.
    """
    return curve.sum(dim=-1) * (cadence / 3600)


def quantities(curve: Tensor, cadence: float) -> dict[str, Tensor]:
    """Return ``mpf``, ``fluence`` and ``t2pf`` of flux curves ``[..., time]``, each ``[...]``."""
    return {
        "mpf": maximum_flux(curve),
        "fluence": fluence(curve, cadence),
        "t2pf": time_to_maximum(curve, cadence),
    }


def dtw_distance(curve: Tensor, truth: Tensor) -> Tensor:
    r"""Return the dynamic time warping distance of flux curves to the true one, over the norm of the true one.

    .. math:: \frac{1}{\|y\|_2} \min_\pi \sqrt{\sum_{(i, j) \in \pi} (x_i - y_j)^2}

    over all paths :math:`\pi` that go from the first pair of times to the last without going back. A constant factor
    f costs at most |f - 1|, a delay that a path can follow costs nothing.

    Args:
        curve: ``[..., time]``.
        truth: ``[..., time]``, broadcast against ``curve``.

    Returns:
        ``[...]``; NaN if a frame of either is NaN, or if the true flux is zero throughout.

    References:
        Sakoe & Chiba (1978), "Dynamic programming algorithm optimization for spoken word recognition", IEEE Trans.
        Acoust. 26 (symmetric form without weights).
    """
    curve, truth = torch.broadcast_tensors(curve.double(), truth.double())
    times = curve.shape[-1]
    cost = (curve[..., :, None] - truth[..., None, :]).square()
    beyond = torch.full_like(cost[..., 0, 0], torch.inf)
    above = [torch.zeros_like(beyond), *[beyond] * times]
    for i in range(times):
        row = [beyond]
        for j in range(times):
            row.append(cost[..., i, j] + torch.minimum(torch.minimum(above[j], above[j + 1]), row[j]))
        above = row
    norm = torch.linalg.vector_norm(truth, dim=-1)
    return torch.where(norm > 0, above[-1].sqrt() / norm, torch.nan)

r"""The quantities people decide on: total flux, its maximum, the time of the maximum, and the fluence.

The flux of a frame is the sum over its pixels. From the flux at the lead times :math:`c, 2c, \ldots, Fc` (cadence c):

- MPF, the maximum of the flux over the future frames, in the unit of the flux;
- T2PF, the time to it, :math:`c (\mathrm{argmax} + 1)`, in hours; the first of several equal maxima;
- fluence, :math:`c \sum` flux, in the unit of the flux times hours.

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

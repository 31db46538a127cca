r"""Derived quantities of magnetograms: the flux through a region, its balance, and the gradient at the neutral line.

Of a frame B (the field along the line of sight, as in the archive, pixels i):

- unsigned flux, :math:`\sum_i |B_i|`, and net flux, :math:`\sum_i B_i`, in the unit of the images times the area. Noise
  adds to the former: :math:`\sigma \sqrt{2/\pi}` in each empty pixel;
- gradient at the neutral line, :math:`\sum |B_i - B_j|` over the neighbouring pixels i, j of opposite polarity that
  both exceed three standard deviations of the frame's noise, which is taken from the median difference of its
  neighbours. Each such pair is one pixel's length of neutral line, so that this is :math:`\int |\nabla B| \, dl`
  along it, in the unit of the images.

References:
    Falconer, Moore & Gary (2008), ApJ 689, 1433 (the gradient-weighted length of the neutral line); Bobra & Couvidat
    (2015), ApJ 798, 135 (unsigned and net flux as features of active regions).
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor, cat, minimum, nanmedian, where

from framecast.verification.quantities import Cadence, Quantity, total

_SIGNIFICANT = 3.0
_TO_NOISE = 1.4826 / 2**0.5
"""Standard deviation of independent normal pixels over the median of their absolute differences."""


def unsigned_flux(video: Tensor, cadence: Cadence = 0.0) -> Tensor:
    """Return Σ|B| of each frame of ``[..., height, width]``; NaN for a frame without a pixel."""
    return total(video.abs())


def neutral_line_gradient(video: Tensor, cadence: Cadence = 0.0) -> Tensor:
    """Return the gradient at the neutral line of each frame of ``[..., height, width]``; see the module."""
    upper, lower = video[..., 1:, :].flatten(-2), video[..., :-1, :].flatten(-2)
    right, left = video[..., 1:].flatten(-2), video[..., :-1].flatten(-2)
    first, second = cat([upper, right], -1).double(), cat([lower, left], -1).double()
    steps, lesser = (first - second).abs(), minimum(first.abs(), second.abs())
    noise = _TO_NOISE * nanmedian(steps, -1, keepdim=True).values
    return where((first * second < 0) & (lesser > _SIGNIFICANT * noise), steps, 0.0).sum(-1)


def _last(of: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Cadence], Tensor]:
    """Return the function that gives ``of`` in the last frame of ``[..., time, height, width]``."""
    return lambda video, cadence: of(video[..., -1, :, :])


def _largest(of: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Cadence], Tensor]:
    """Return the function that gives the largest ``of`` over the frames of ``[..., time, height, width]``."""
    return lambda video, cadence: of(video).amax(-1)


def _headline(name: str, label: str, function: Callable[[Tensor, Cadence], Tensor], **more: Any) -> Quantity:
    return Quantity(name=name, label=label, function=function, headline=True, **more)


MAGNETIC_QUANTITIES = (
    Quantity(name="unsigned_flux", label="Unsigned flux", function=unsigned_flux, summed=True, by_lead=True),
    _headline("final_unsigned_flux", "Unsigned flux at the end", _last(unsigned_flux), summed=True),
    _headline("peak_unsigned_flux", "Maximum unsigned flux", _largest(unsigned_flux), summed=True),
    Quantity(name="net_flux", label="Net flux", function=total, summed=True, by_lead=True, relative=False),
    _headline("final_net_flux", "Net flux at the end", _last(total), summed=True, relative=False),
    Quantity(
        name="neutral_line_gradient", label="Gradient at the neutral line", function=neutral_line_gradient, by_lead=True
    ),
    _headline("peak_gradient", "Maximum gradient at the neutral line", _largest(neutral_line_gradient)),
)

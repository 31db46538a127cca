"""What the network predicts: the noise, v, the clean video or the flow.

Each is a linear combination ``F = a x0 + b noise``. Together with ``x_t = alpha x0 + sigma noise`` that makes two
equations, so x0 and the noise follow from any of them:

    x0 = (b x_t - sigma F) / (alpha b - sigma a)        noise = (alpha F - a x_t) / (alpha b - sigma a)

===========  ==================  ======================================================================
prediction   F                   source
===========  ==================  ======================================================================
epsilon      noise               Ho et al. 2020 (arXiv 2006.11239)
v            alpha noise         Salimans & Ho 2022, appendix D (arXiv 2202.00512)
             - sigma x0
x0           x0
flow         noise - x0          Lipman et al. 2023 (arXiv 2210.02747), Liu et al. 2023 (arXiv 2209.03003)
===========  ==================  ======================================================================

For v the denominator is ``alpha² + sigma²``, 1 for every variance preserving schedule. The coefficients are computed
in float64 and cast to the type of the video they multiply.
"""

from enum import StrEnum
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from framecast.core.errors import ConfigError
from framecast.diffusion.schedule import Scale, Schedule, broadcast

Video = Float[Tensor, "*shape"]


class Pair(NamedTuple):
    """Two coefficients of a linear combination, float64."""

    first: Tensor
    second: Tensor


class Prediction(StrEnum):
    """What the network predicts; the value is its name in a configuration.

    Videos have the batch axis first, scales one value per batch element, or one for all.
    """

    EPSILON = "epsilon"
    V = "v"
    X0 = "x0"
    FLOW = "flow"

    def coefficients(self, scale: Scale) -> Pair:
        """Return ``a, b`` of ``F = a x0 + b noise``."""
        alpha, sigma = scale
        zero, one = torch.zeros_like(alpha), torch.ones_like(alpha)
        match self:
            case Prediction.EPSILON:
                return Pair(zero, one)
            case Prediction.V:
                return Pair(-sigma, alpha)
            case Prediction.X0:
                return Pair(one, zero)
            case Prediction.FLOW:
                return Pair(-one, one)

    def x0_coefficients(self, scale: Scale) -> Pair:
        """Return ``p, q`` of ``x0 = p x_t + q F``. For x0 itself 0 and 1, also where sigma is 0."""
        a, b = self.coefficients(scale)
        if self is Prediction.X0:
            return Pair(b, a)
        denominator = scale.alpha * b - scale.sigma * a
        return Pair(b / denominator, -scale.sigma / denominator)

    def target(self, scale: Scale, x0: Video, noise: Video) -> Video:
        """Return F for a known clean video and the noise that was mixed into it."""
        a, b = self.coefficients(scale)
        return broadcast(a, x0) * x0 + broadcast(b, x0) * noise

    def x0(self, scale: Scale, x_t: Video, F: Video) -> Video:
        """Return the clean video that belongs to ``x_t`` and the network's output ``F``."""
        p, q = self.x0_coefficients(scale)
        return broadcast(p, x_t) * x_t + broadcast(q, x_t) * F

    def noise(self, scale: Scale, x_t: Video, F: Video) -> Video:
        """Return the noise that belongs to ``x_t`` and ``F``; 0 without noise (x0-prediction, sigma 0)."""
        a, b = self.coefficients(scale)
        denominator = broadcast(scale.alpha * b - scale.sigma * a, x_t)
        difference = broadcast(scale.alpha, x_t) * F - broadcast(a, x_t) * x_t
        return torch.where(denominator == 0, 0.0, difference / denominator)

    def check(self, schedule: Schedule) -> None:
        """Raise `ConfigError` for epsilon on a schedule that reaches alpha = 0, where x_t does not determine x0."""
        if self is Prediction.EPSILON and schedule.reaches_pure_noise:
            raise ConfigError(
                "prediction epsilon cannot recover x0 where alpha is 0, and this schedule ends in pure noise: "
                "use prediction v, x0 or flow, or a schedule without zero terminal SNR"
            )

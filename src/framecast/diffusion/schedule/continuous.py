"""Schedules without rows."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from framecast.core.errors import ConfigError
from framecast.diffusion.schedule.base import Scale, Schedule, check_offset, cosine


class Continuous(Schedule):
    """A schedule without rows. The network's input is ``1000 t``, the same range as that of the usual table."""

    @property
    def rows(self) -> None:
        """There are no rows."""
        return None

    @property
    def earliest(self) -> float:
        """0.001, where Song et al. 2021 (arXiv 2011.13456, appendix C) stop on the way to the clean video."""
        return 1e-3

    def network_time(self, t: Float64[Tensor, "*shape"]) -> Float64[Tensor, "*shape"]:
        """Return ``1000 t``."""
        return 1000 * t


@dataclass(frozen=True, kw_only=True)
class ContinuousLinear(Continuous):
    """The limit of `Linear` for many rows: ``alpha_bar = exp(-(beta_min t + (beta_max - beta_min) t² / 2))``.

    The variance preserving process of Song et al. 2021 (arXiv 2011.13456, equation 33).

    Attributes:
        beta_min: rate at which noise is added at t = 0.
        beta_max: rate at t = 1.
    """

    beta_min: float = 0.1
    beta_max: float = 20.0
    kind: Literal["continuous-linear"] = "continuous-linear"

    def __post_init__(self) -> None:
        if not 0 < self.beta_min <= self.beta_max < math.inf:
            raise ConfigError(
                f"beta_min {self.beta_min} and beta_max {self.beta_max} must satisfy 0 < beta_min <= beta_max"
            )

    def __call__(self, t: Float64[Tensor, "*shape"]) -> Scale:
        """Return the scales at times ``t``."""
        exponent = -(self.beta_min * t + 0.5 * (self.beta_max - self.beta_min) * t.square())
        return Scale((0.5 * exponent).exp(), (-torch.expm1(exponent)).sqrt())


@dataclass(frozen=True, kw_only=True)
class ContinuousCosine(Continuous):
    """The limit of `Cosine` for many rows, without a clip: ``alpha_bar = f(t) / f(0)``; ends in pure noise.

    Attributes:
        s: see `Cosine`. With 0 the scales are ``cos(pi t / 2)`` and ``sin(pi t / 2)``.
    """

    s: float = 0.008
    kind: Literal["continuous-cosine"] = "continuous-cosine"

    def __post_init__(self) -> None:
        check_offset(self.s)

    def __call__(self, t: Float64[Tensor, "*shape"]) -> Scale:
        """Return the scales at times ``t``."""
        start = cosine(torch.zeros((), dtype=torch.float64, device=t.device), self.s)
        # 1 - cos²(a) / cos²(b) = sin(a - b) sin(a + b) / cos²(b): no digits are lost near the clean end.
        unit = math.pi / 2 / (1 + self.s)
        sigma = ((t * unit).sin() * ((t + 2 * self.s) * unit).sin()).sqrt() / start
        return Scale(cosine(t, self.s) / start, sigma)


@dataclass(frozen=True, kw_only=True)
class RectifiedFlow(Continuous):
    """The straight line from data to noise: ``alpha = 1 - t``, ``sigma = t``; ends in pure noise.

    Liu et al. 2023 (arXiv 2209.03003), Lipman et al. 2023 (arXiv 2210.02747). It is not variance preserving.
    """

    kind: Literal["rectified-flow"] = "rectified-flow"

    def __call__(self, t: Float64[Tensor, "*shape"]) -> Scale:
        """Return the scales at times ``t``."""
        return Scale(1 - t, t.clone())


@dataclass(frozen=True, kw_only=True)
class Karras(Continuous):
    """``sigma / alpha = sigma_max t^rho``, scaled to preserve the variance.

    Karras et al. 2022 (arXiv 2206.00364), equation 5: the grid `framecast.diffusion.times.Linspace` on this schedule
    visits exactly their noise levels between ``sigma_max`` and ``sigma_min``. Their input scaling with
    ``sigma_data = 1`` is the division by ``sqrt(1 + sigma²)`` that preserves the variance here, and their
    preconditioned network output is minus the v-prediction.

    Attributes:
        sigma_min: smallest noise level that an even grid visits before the clean video.
        sigma_max: largest noise level, at t = 1.
        rho: how strongly the levels concentrate near the clean end.
    """

    sigma_min: float = 0.002
    sigma_max: float = 80.0
    rho: float = 7.0
    kind: Literal["karras"] = "karras"

    def __post_init__(self) -> None:
        if not (0 < self.sigma_min < self.sigma_max < math.inf and self.rho > 0):
            raise ConfigError(
                f"sigma_min {self.sigma_min}, sigma_max {self.sigma_max} and rho {self.rho} must satisfy "
                "0 < sigma_min < sigma_max and rho > 0"
            )

    @property
    def earliest(self) -> float:
        """The time of ``sigma_min``."""
        return (self.sigma_min / self.sigma_max) ** (1 / self.rho)

    def __call__(self, t: Float64[Tensor, "*shape"]) -> Scale:
        """Return the scales at times ``t``."""
        ratio = self.sigma_max * t.pow(self.rho)
        norm = torch.rsqrt(1 + ratio.square())
        return Scale(norm, ratio * norm)

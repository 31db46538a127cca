"""How much the error at each noise level counts in the loss.

The same function is learnt under any positive weight; the weight determines what the network concentrates on. Papers
state it for the error of x0 or of the noise. The loss here is the error of the prediction F, and since

    F - F_true = k / sigma (x0_true - x0),        k = alpha b - sigma a        (see `framecast.diffusion.prediction`)

a weight w of the squared x0-error is the weight ``w sigma² / k²`` of the squared F-error: ``w / SNR`` for epsilon,
``w / (SNR + 1)`` for v (variance preserving), w for x0, ``w sigma² / (alpha + sigma)²`` for flow.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from framecast.core.configuration import OneOf
from framecast.core.errors import ConfigError
from framecast.diffusion.prediction import Prediction
from framecast.diffusion.schedule import Scale


class Weighting(ABC):
    """The factor of the squared error of the prediction."""

    @abstractmethod
    def __call__(self, scale: Scale, prediction: Prediction) -> Float64[Tensor, "*shape"]:
        """Return the factor at every noise level, of the shape of the scales."""


@dataclass(frozen=True, kw_only=True)
class UniformWeighting(Weighting):
    """Every squared error of the prediction has the same weight: the objective of the paper of each prediction type."""

    kind: Literal["uniform"] = "uniform"

    def __call__(self, scale: Scale, prediction: Prediction) -> Float64[Tensor, "*shape"]:
        """Return 1."""
        return torch.ones_like(scale.alpha)


@dataclass(frozen=True, kw_only=True)
class MinSNR(Weighting):
    """``min(SNR, gamma)`` of the squared x0-error (Hang et al. 2023, arXiv 2303.09556).

    For epsilon ``min(SNR, gamma) / SNR``, for v ``min(SNR, gamma) / (SNR + 1)``, for x0 ``min(SNR, gamma)``. At pure
    noise the weight is 0 for v, x0 and flow: a schedule with zero terminal SNR is then never trained on the row at
    which its sampling starts, and `UniformWeighting` or `EDMWeighting` are better suited.

    Attributes:
        gamma: 5 in the paper.
    """

    gamma: float = 5.0
    kind: Literal["min-snr"] = "min-snr"

    def __post_init__(self) -> None:
        if not self.gamma > 0:
            raise ConfigError(f"gamma is {self.gamma}; min-SNR weighting needs a positive bound (5 in the paper)")

    def __call__(self, scale: Scale, prediction: Prediction) -> Float64[Tensor, "*shape"]:
        """Return ``min(SNR, gamma) sigma² / k²``, without a division by sigma."""
        _, x0_per_F = prediction.x0_coefficients(scale)
        return scale.snr.clamp(max=self.gamma) * x0_per_F.square()


@dataclass(frozen=True, kw_only=True)
class EDMWeighting(Weighting):
    """``SNR + 1 / sigma_data²`` of the squared x0-error (Karras et al. 2022, table 1, arXiv 2206.00364).

    It gives the error of their preconditioned network the same weight at every level. With ``sigma_data = 1`` that is
    the v-prediction, whose weight is then 1.

    Attributes:
        sigma_data: standard deviation of the data in network space; 1 after normalisation, 0.5 in the paper.
    """

    sigma_data: float = 1.0
    kind: Literal["edm"] = "edm"

    def __post_init__(self) -> None:
        if not self.sigma_data > 0:
            raise ConfigError(f"sigma_data is {self.sigma_data}; it is a standard deviation and must be positive")

    def __call__(self, scale: Scale, prediction: Prediction) -> Float64[Tensor, "*shape"]:
        """Return ``(alpha² + sigma² / sigma_data²) / k²``."""
        a, b = prediction.coefficients(scale)
        k = scale.alpha * b - scale.sigma * a
        return (scale.alpha.square() + (scale.sigma / self.sigma_data).square()) / k.square()


AnyWeighting = Annotated[Weighting, OneOf(UniformWeighting, MinSNR, EDMWeighting)]

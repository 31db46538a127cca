"""What a schedule is: a function from diffusion time to the weights of the clean video and of the noise."""

import math
from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from framecast.core.errors import ConfigError


class Scale(NamedTuple):
    """The weights of the clean video and of the noise in ``x_t = alpha x0 + sigma noise``, float64."""

    alpha: Tensor
    sigma: Tensor

    @property
    def snr(self) -> Tensor:
        """Signal-to-noise ratio ``alpha² / sigma²``: infinite where clean, 0 where pure noise."""
        return (self.alpha / self.sigma).square()

    @property
    def log_snr(self) -> Tensor:
        """Half the logarithm of the SNR, ``log(alpha / sigma)``: the lambda of the solver papers."""
        return self.alpha.log() - self.sigma.log()


def broadcast(coefficient: Float64[Tensor, "*batch"], x: Float[Tensor, "..."]) -> Tensor:
    """Return ``coefficient``, one value per batch element, in the type of ``x`` and ready to multiply it.

    A coefficient without axes stays where it is: it multiplies a tensor on any device without a transfer.
    """
    if coefficient.ndim == 0:
        return coefficient.to(x.dtype)
    return coefficient.to(x).reshape(coefficient.shape + (1,) * (x.ndim - coefficient.ndim))


class Schedule(ABC):
    """A function from diffusion time to `Scale`. Compare and hash by value; the arguments are the configuration."""

    @property
    @abstractmethod
    def rows(self) -> int | None:
        """Number of rows of a table, or ``None`` for continuous time."""

    @property
    @abstractmethod
    def earliest(self) -> float:
        """The smallest time above 0 that an even grid visits: the first row of a table."""

    @abstractmethod
    def __call__(self, t: Float64[Tensor, "*shape"]) -> Scale:
        """Return the scales at times ``t`` in [0, 1], each of the shape of ``t``."""

    @abstractmethod
    def network_time(self, t: Float64[Tensor, "*shape"]) -> Float64[Tensor, "*shape"]:
        """Return the network's input for ``t``: the row of a table, or ``1000 t``. Always finite."""

    @property
    def reaches_pure_noise(self) -> bool:
        """Whether alpha is exactly 0 at ``t = 1``."""
        return bool(self(torch.ones((), dtype=torch.float64)).alpha == 0)


def cosine(t: Tensor, s: float) -> Tensor:
    """Return ``cos((t + s) / (1 + s) · pi / 2)``, written as a sine so that it is exactly 0 at ``t = 1``."""
    return ((1 - t) * (math.pi / 2 / (1 + s))).sin()


def check_offset(s: float) -> None:
    """Raise if ``s`` cannot be the offset of a cosine schedule."""
    if not 0 <= s < math.inf:
        raise ConfigError(f"the cosine offset s is {s}; it must not be negative (0.008 in the paper)")

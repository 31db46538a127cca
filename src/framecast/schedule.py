"""How much of a clean video and how much noise there is at every diffusion time.

The forward process is ``x_t = alpha(t) x0 + sigma(t) noise``. A schedule is the function from the diffusion time
``t`` in [0, 1] to the two scales, and nothing else: what the network predicts is `framecast.prediction`, which times
are visited is `framecast.times`, how to go from one to the next is `framecast.sampler`.

``t = 0`` is exactly clean (alpha 1, sigma 0). A table of T rows is the same kind of function: row i stands at
``t = (i + 1) / T``, and a time between two rows is taken to the nearest. ``t = 1`` may be pure noise (alpha 0), so
nothing here or above divides by alpha or by sigma without need, and the network is told `Schedule.network_time`, which
is finite, rather than the log-SNR, which is not.

Everything is computed in float64 and cast where it meets a video.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Literal, NamedTuple

import torch
from jaxtyping import Float, Float64
from pydantic import Discriminator
from torch import Tensor

from framecast.errors import ConfigError


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
        """Return what the network is told about ``t``: the row of a table, or ``1000 t``. Always finite."""

    @property
    def reaches_pure_noise(self) -> bool:
        """Whether alpha is exactly 0 at ``t = 1``."""
        return bool(self(torch.ones((), dtype=torch.float64)).alpha == 0)


class Table(Schedule):
    """A variance preserving schedule in T rows: ``alpha² = alpha_bar``, ``sigma² = 1 - alpha_bar``."""

    rows: int

    @abstractmethod
    def alpha_bar(self) -> Float64[Tensor, " rows"]:
        """Return ``alpha_bar`` of every row, falling from nearly 1 to nearly or exactly 0."""

    @property
    def earliest(self) -> float:
        """The first row."""
        return 1 / self.rows

    def __call__(self, t: Float64[Tensor, "*shape"]) -> Scale:
        """Return the scales at the row nearest to ``t``; below half a row, the clean video."""
        alpha, sigma = _scales_with_clean(self, t.device)
        position = torch.round(t * self.rows).long()
        return Scale(alpha[position], sigma[position])

    def network_time(self, t: Float64[Tensor, "*shape"]) -> Float64[Tensor, "*shape"]:
        """Return the row, 0 to T - 1."""
        return (torch.round(t * self.rows) - 1).clamp(min=0)

    def _check_rows(self) -> None:
        if self.rows < 1:
            raise ConfigError(f"rows is {self.rows}; a schedule needs at least 1 row, usually 1000")


@lru_cache(maxsize=64)
def _scales_with_clean(table: Table, device: torch.device) -> Scale:
    """Return the scales of position 0 (clean) and of every row behind it."""
    alpha_bar = torch.cat([torch.ones(1, dtype=torch.float64), table.alpha_bar()])
    return Scale(alpha_bar.sqrt().to(device), (1 - alpha_bar).sqrt().to(device))


@dataclass(frozen=True, kw_only=True)
class Linear(Table):
    """Betas evenly spaced, ``alpha_bar_i = prod_{k<=i} (1 - beta_k)`` (Ho et al. 2020, section 4, arXiv 2006.11239).

    With the default 1000 rows it ends at ``alpha_bar = 4.04e-5``, alpha = 0.00635: not pure noise, so a trace of the
    mean of the training data reaches the network and samples are drawn to it. `ZeroTerminalSNR` mends that.

    Attributes:
        rows: T. The betas belong to T = 1000; with other T multiply both by 1000 / T to keep the end where it is.
        beta_start: beta of row 0.
        beta_end: beta of row T - 1.

    Raises:
        ConfigError: no row, or betas that are not ``0 < beta_start <= beta_end < 1``.
    """

    __pydantic_config__ = {"extra": "forbid"}

    rows: int = 1000
    beta_start: float = 1e-4
    beta_end: float = 0.02
    kind: Literal["linear"] = "linear"

    def __post_init__(self) -> None:
        self._check_rows()
        if not 0 < self.beta_start <= self.beta_end < 1:
            raise ConfigError(
                f"beta_start {self.beta_start} and beta_end {self.beta_end} must satisfy 0 < beta_start <= beta_end < 1"
            )

    def alpha_bar(self) -> Float64[Tensor, " rows"]:
        """Return ``alpha_bar`` of every row."""
        beta = torch.linspace(self.beta_start, self.beta_end, self.rows, dtype=torch.float64)
        return torch.cumprod(1 - beta, dim=0)


@dataclass(frozen=True, kw_only=True)
class Cosine(Table):
    """``beta_t = min(1 - f(t) / f(t - 1), clip)``, ``f(t) = cos²((t / T + s) / (1 + s) · pi / 2)``.

    Nichol & Dhariwal 2021, equation 17 (arXiv 2102.09672). It adds noise more slowly than `Linear` in the middle.

    Attributes:
        rows: T.
        s: offset that keeps the first betas from vanishing; 0.008 in the paper.
        clip: the largest beta; 0.999 in the paper, 1 ends in pure noise.

    Raises:
        ConfigError: no row, a negative offset, or a clip outside (0, 1].
    """

    __pydantic_config__ = {"extra": "forbid"}

    rows: int = 1000
    s: float = 0.008
    clip: float = 0.999
    kind: Literal["cosine"] = "cosine"

    def __post_init__(self) -> None:
        self._check_rows()
        _check_offset(self.s)
        if not 0 < self.clip <= 1:
            raise ConfigError(f"clip is {self.clip}; it bounds every beta and must lie in (0, 1]")

    def alpha_bar(self) -> Float64[Tensor, " rows"]:
        """Return ``alpha_bar`` of every row."""
        t = torch.arange(self.rows + 1, dtype=torch.float64) / self.rows
        f = _cosine(t, self.s).square()
        beta = (1 - f[1:] / f[:-1]).clamp(max=self.clip)
        return torch.cumprod(1 - beta, dim=0)


class Continuous(Schedule):
    """A schedule without rows. The network is told ``1000 t``, the same range as the customary table's."""

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

    __pydantic_config__ = {"extra": "forbid"}

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

    __pydantic_config__ = {"extra": "forbid"}

    s: float = 0.008
    kind: Literal["continuous-cosine"] = "continuous-cosine"

    def __post_init__(self) -> None:
        _check_offset(self.s)

    def __call__(self, t: Float64[Tensor, "*shape"]) -> Scale:
        """Return the scales at times ``t``."""
        start = _cosine(torch.zeros((), dtype=torch.float64, device=t.device), self.s)
        # 1 - cos²(a) / cos²(b) = sin(a - b) sin(a + b) / cos²(b): no digits are lost near the clean end.
        unit = math.pi / 2 / (1 + self.s)
        sigma = ((t * unit).sin() * ((t + 2 * self.s) * unit).sin()).sqrt() / start
        return Scale(_cosine(t, self.s) / start, sigma)


@dataclass(frozen=True, kw_only=True)
class RectifiedFlow(Continuous):
    """The straight line from data to noise: ``alpha = 1 - t``, ``sigma = t``; ends in pure noise.

    Liu et al. 2023 (arXiv 2209.03003), Lipman et al. 2023 (arXiv 2210.02747). It is not variance preserving.
    """

    __pydantic_config__ = {"extra": "forbid"}

    kind: Literal["rectified-flow"] = "rectified-flow"

    def __call__(self, t: Float64[Tensor, "*shape"]) -> Scale:
        """Return the scales at times ``t``."""
        return Scale(1 - t, t.clone())


@dataclass(frozen=True, kw_only=True)
class Karras(Continuous):
    """``sigma / alpha = sigma_max t^rho``, scaled to preserve the variance.

    Karras et al. 2022 (arXiv 2206.00364), equation 5: the grid `framecast.times.Linspace` on this schedule visits
    exactly their noise levels between ``sigma_max`` and ``sigma_min``. Their input scaling with ``sigma_data = 1`` is
    the division by ``sqrt(1 + sigma²)`` that preserves the variance here, and their preconditioned network output is
    minus the v-prediction.

    Attributes:
        sigma_min: smallest noise level that an even grid visits before the clean video.
        sigma_max: largest noise level, at t = 1.
        rho: how strongly the levels crowd near the clean end.
    """

    __pydantic_config__ = {"extra": "forbid"}

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


@dataclass(frozen=True, kw_only=True)
class ZeroTerminalSNR(Schedule):
    """Any variance preserving schedule, rescaled to end in pure noise (Lin et al. 2023, Algorithm 1, arXiv 2305.08891).

    With ``r = sqrt(alpha_bar)``: ``r <- (r - r_last) r_first / (r_first - r_last)``. The first row stays as it is, the
    last beta becomes 1. In continuous time the first row is the clean video, ``r_first = 1``.

    Attributes:
        base: the schedule to rescale.
    """

    __pydantic_config__ = {"extra": "forbid"}

    base: Annotated[Linear | Cosine | ContinuousLinear | ContinuousCosine | Karras, Discriminator("kind")] = field(
        default_factory=Linear
    )
    kind: Literal["zero-terminal-snr"] = "zero-terminal-snr"

    def __post_init__(self) -> None:
        if self.base.rows == 1:
            raise ConfigError("zero terminal SNR with 1 row would leave no signal at all: use at least 2 rows")

    @property
    def rows(self) -> int | None:
        """Rows of the base."""
        return self.base.rows

    @property
    def earliest(self) -> float:
        """The same as the base's."""
        return self.base.earliest

    def __call__(self, t: Float64[Tensor, "*shape"]) -> Scale:
        """Return the rescaled scales at times ``t``."""
        ends = torch.tensor([0.0 if self.rows is None else self.earliest, 1.0], dtype=torch.float64, device=t.device)
        first, last = self.base(ends).alpha
        r = self.base(t).alpha
        alpha = (r - last) * (first / (first - last))
        # r > first only between the first row and the clean video, where nothing is to be rescaled.
        alpha = torch.where(r > first, r, alpha)
        return Scale(alpha, ((1 - alpha) * (1 + alpha)).clamp(min=0).sqrt())

    def network_time(self, t: Float64[Tensor, "*shape"]) -> Float64[Tensor, "*shape"]:
        """The same as the base's."""
        return self.base.network_time(t)


AnySchedule = Linear | Cosine | ZeroTerminalSNR | ContinuousLinear | ContinuousCosine | RectifiedFlow | Karras


def _cosine(t: Tensor, s: float) -> Tensor:
    """Return ``cos((t + s) / (1 + s) · pi / 2)``, written as a sine so that it is exactly 0 at ``t = 1``."""
    return ((1 - t) * (math.pi / 2 / (1 + s))).sin()


def _check_offset(s: float) -> None:
    if not 0 <= s < math.inf:
        raise ConfigError(f"the cosine offset s is {s}; it must not be negative (0.008 in the paper)")

"""Schedules in T rows, given by their betas."""

from abc import abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from framecast.core.errors import ConfigError
from framecast.diffusion.schedule.base import Scale, Schedule, check_offset, cosine

_MOST_ROWS = 10**6
"""Largest number of rows, which are kept in memory."""


class DiscreteSchedule(Schedule):
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
        if self.rows > _MOST_ROWS:
            raise ConfigError(f"rows is {self.rows}; at most {_MOST_ROWS} are possible, usually 1000")


@lru_cache(maxsize=64)
def _scales_with_clean(table: DiscreteSchedule, device: torch.device) -> Scale:
    """Return the scales of position 0 (clean) and of every row behind it."""
    alpha_bar = torch.cat([torch.ones(1, dtype=torch.float64), table.alpha_bar()])
    return Scale(alpha_bar.sqrt().to(device), (1 - alpha_bar).sqrt().to(device))


@dataclass(frozen=True, kw_only=True)
class Linear(DiscreteSchedule):
    """Betas evenly spaced, ``alpha_bar_i = prod_{k<=i} (1 - beta_k)`` (Ho et al. 2020, section 4, arXiv 2006.11239).

    With the default 1000 rows it ends at ``alpha_bar = 4.04e-5``, alpha = 0.00635: not pure noise, so a trace of the
    mean of the training data reaches the network and biases samples towards it. `ZeroTerminalSNR` corrects this.

    Attributes:
        rows: T. The betas belong to T = 1000; with other T multiply both by 1000 / T to keep the end where it is.
        beta_start: beta of row 0.
        beta_end: beta of row T - 1.

    Raises:
        ConfigError: no row, or betas that are not ``0 < beta_start <= beta_end < 1``.
    """

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
class Cosine(DiscreteSchedule):
    """``beta_t = min(1 - f(t) / f(t - 1), clip)``, ``f(t) = cos²((t / T + s) / (1 + s) · pi / 2)``.

    Nichol & Dhariwal 2021, equation 17 (arXiv 2102.09672). It adds noise more slowly than `Linear` in the middle.

    Attributes:
        rows: T.
        s: offset that keeps the first betas from vanishing; 0.008 in the paper.
        clip: the largest beta; 0.999 in the paper, 1 ends in pure noise.

    Raises:
        ConfigError: no row, a negative offset, or a clip outside (0, 1].
    """

    rows: int = 1000
    s: float = 0.008
    clip: float = 0.999
    kind: Literal["cosine"] = "cosine"

    def __post_init__(self) -> None:
        self._check_rows()
        check_offset(self.s)
        if not 0 < self.clip <= 1:
            raise ConfigError(f"clip is {self.clip}; it bounds every beta and must lie in (0, 1]")

    def alpha_bar(self) -> Float64[Tensor, " rows"]:
        """Return ``alpha_bar`` of every row."""
        t = torch.arange(self.rows + 1, dtype=torch.float64) / self.rows
        f = cosine(t, self.s).square()
        beta = (1 - f[1:] / f[:-1]).clamp(max=self.clip)
        return torch.cumprod(1 - beta, dim=0)

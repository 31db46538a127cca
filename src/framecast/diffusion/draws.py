"""Which diffusion times are drawn for a training batch.

A draw is a number u in (0, 1] per batch element, turned into a time: a row, an entry of a Fast-DDPM grid, or a point
of the interval. Stratified draws spread the numbers of one batch evenly, ``(u + i / n) mod 1`` with one random u
(Kingma et al. 2021, appendix I.1, arXiv 2107.00630): each is still uniform, and the mean over the batch varies less.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from framecast.core.configuration import OneOf
from framecast.core.errors import ConfigError
from framecast.diffusion.schedule import Schedule
from framecast.diffusion.times import FastDDPM, Grid

Times = Float64[Tensor, " batch"]


class TimeDraw(ABC):
    """A distribution of training times."""

    stratified: bool

    @abstractmethod
    def times(self, schedule: Schedule, grid: Grid | None, batch: int, generator: torch.Generator) -> Times:
        """Return a batch of times on the CPU.

        Args:
            schedule: gives the rows, or the interval from its earliest time to 1.
            grid: the Fast-DDPM grid the network is trained on, if any.
            batch: how many.
            generator: on the CPU.
        """

    def check(self, grid: Grid | None) -> None:
        """Raise if these times cannot be drawn for a network trained on ``grid``."""
        return

    def _uniform(self, batch: int, generator: torch.Generator) -> Times:
        """Return numbers in [0, 1)."""
        if not self.stratified:
            return torch.rand(batch, dtype=torch.float64, generator=generator)
        offset = torch.rand(1, dtype=torch.float64, generator=generator)
        return (offset + torch.arange(batch, dtype=torch.float64) / batch) % 1


@dataclass(frozen=True, kw_only=True)
class UniformTimes(TimeDraw):
    """Every row equally likely, the first and the last included; in continuous time, every time.

    On a Fast-DDPM grid every listed row, in antithetic pairs i and ``len - 1 - i`` as in Jiang et al. 2024 unless
    stratified.

    Attributes:
        stratified: spread each batch evenly.
    """

    stratified: bool = False
    kind: Literal["uniform"] = "uniform"

    def times(self, schedule: Schedule, grid: Grid | None, batch: int, generator: torch.Generator) -> Times:
        """Return a batch of times; see `TimeDraw.times`."""
        if isinstance(grid, FastDDPM):
            listed = grid.times(schedule)
            if self.stratified:
                return listed[(self._uniform(batch, generator) * len(listed)).long()]
            index = (self._uniform(-(-batch // 2), generator) * len(listed)).long()
            return listed[torch.stack([index, len(listed) - 1 - index], dim=1).flatten()[:batch]]
        u = self._uniform(batch, generator)
        if schedule.rows is not None:
            return ((u * schedule.rows).floor() + 1) / schedule.rows
        return 1 - u * (1 - schedule.earliest)


@dataclass(frozen=True, kw_only=True)
class LogNormalTimes(TimeDraw):
    """``log(sigma / alpha)`` normally distributed, within the noise levels of the schedule.

    Karras et al. 2022, table 1 (arXiv 2206.00364): training concentrates on the middle levels. Levels beyond the
    schedule's ends are drawn at the ends.

    Attributes:
        mean: of ``log(sigma / alpha)``.
        std: of ``log(sigma / alpha)``.
        stratified: spread each batch evenly.
    """

    mean: float = -1.2
    std: float = 1.2
    stratified: bool = False
    kind: Literal["log-normal"] = "log-normal"

    def __post_init__(self) -> None:
        if not self.std > 0:
            raise ConfigError(f"the standard deviation of log-normal times is {self.std}; it must be positive")

    def check(self, grid: Grid | None) -> None:
        """Raise `ConfigError` on a Fast-DDPM grid, whose rows are drawn uniformly."""
        if isinstance(grid, FastDDPM):
            raise ConfigError("a Fast-DDPM grid draws its rows uniformly: use uniform times, or train without the grid")

    def times(self, schedule: Schedule, grid: Grid | None, batch: int, generator: torch.Generator) -> Times:
        """Return a batch of times; see `TimeDraw.times`."""
        u = self._uniform(batch, generator).clamp(min=1e-12)
        wanted = -(self.mean + self.std * torch.special.ndtri(u))  # half the log-SNR
        low, high = torch.full_like(u, schedule.earliest), torch.ones_like(u)
        for _ in range(50):
            middle = (low + high) / 2
            cleaner = schedule(middle).log_snr > wanted
            low, high = torch.where(cleaner, middle, low), torch.where(cleaner, high, middle)
        if schedule.rows is None:
            return high
        return torch.round(high * schedule.rows) / schedule.rows


AnyTimeDraw = Annotated[TimeDraw, OneOf(UniformTimes, LogNormalTimes)]

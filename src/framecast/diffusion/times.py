"""Which diffusion times are visited: the grids of sampling, and Fast-DDPM's grids of training and sampling.

A grid turns a number of network evaluations into a strictly falling list of times in (0, 1]; after the last of them
comes the clean video. On a table the times are rows, ``t = (row + 1) / T``, so the "previous" row is always the next
entry of the list, never a fixed distance away. On a continuous schedule the same spacing runs from 1 down to
`Schedule.earliest`.

A Fast-DDPM grid is also a property of a trained network, which was trained on its rows only: see `check_trained`.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from framecast.core.configuration import OneOf, kind_of
from framecast.core.errors import ConfigError
from framecast.diffusion.schedule import Schedule

_CONTINUUM = 10_001
"""Times among which `LogSNR` chooses on a continuous schedule."""


class Grid(ABC):
    """A rule that spaces times. Compare and hash by value; the arguments are the configuration."""

    @abstractmethod
    def times(self, schedule: Schedule, steps: int) -> Float64[Tensor, " steps"]:
        """Return the times in the order in which sampling visits them, strictly falling, in (0, 1].

        Args:
            schedule: gives the rows.
            steps: how many times, 1 to the number of rows.

        Raises:
            ConfigError: the schedule cannot give that many.
        """


class EvenGrid(Grid):
    """A grid for any number of steps, defined on rows and, for continuous schedules, on the unit interval."""

    @abstractmethod
    def rows(self, rows: int, steps: int) -> Int64[Tensor, " steps"]:
        """Return the rows of a table of ``rows`` rows, rising."""

    @abstractmethod
    def fractions(self, steps: int) -> Float64[Tensor, " steps"]:
        """Return the positions of a continuous schedule's times from the earliest (0) to the last (1), rising."""

    def times(self, schedule: Schedule, steps: int) -> Float64[Tensor, " steps"]:
        """Return the times in the order in which sampling visits them; see `Grid.times`."""
        if steps < 1 or (schedule.rows is not None and steps > schedule.rows):
            limit = "at least 1" if schedule.rows is None else f"between 1 and the {schedule.rows} rows of the schedule"
            raise ConfigError(f"steps is {steps}; it must be {limit}")
        if schedule.rows is not None:
            return rows_to_times(self.rows(schedule.rows, steps), schedule.rows)
        return (schedule.earliest + (1 - schedule.earliest) * self.fractions(steps)).flip(0)


@dataclass(frozen=True, kw_only=True)
class Leading(EvenGrid):
    """900, 800 … 0 of 1000 rows in 10 steps: as in DDPM and DDIM codes. It never visits the last row."""

    kind: Literal["leading"] = "leading"

    def rows(self, rows: int, steps: int) -> Int64[Tensor, " steps"]:
        """Return multiples of ``rows // steps``."""
        return torch.arange(steps) * (rows // steps)

    def fractions(self, steps: int) -> Float64[Tensor, " steps"]:
        """Return ``0 … 1 - 1 / steps``."""
        return torch.arange(steps, dtype=torch.float64) / steps


@dataclass(frozen=True, kw_only=True)
class Linspace(EvenGrid):
    """999 … 0 evenly, rounded: both ends are visited. On a `Karras` schedule these are EDM's noise levels."""

    kind: Literal["linspace"] = "linspace"

    def rows(self, rows: int, steps: int) -> Int64[Tensor, " steps"]:
        """Return evenly spaced rows, the last alone if there is one step."""
        return torch.round(self.fractions(steps) * (rows - 1)).long()

    def fractions(self, steps: int) -> Float64[Tensor, " steps"]:
        """Return ``0 … 1``."""
        if steps == 1:
            return torch.ones(1, dtype=torch.float64)
        return torch.arange(steps, dtype=torch.float64) / (steps - 1)


@dataclass(frozen=True, kw_only=True)
class Trailing(EvenGrid):
    """999, 899 … 99 of 1000 rows in 10 steps: ``round(arange(T, 0, -T / S)) - 1``; starts at the last row.

    Required by a schedule with zero terminal SNR (Lin et al. 2023, table 2, arXiv 2305.08891).
    """

    kind: Literal["trailing"] = "trailing"

    def rows(self, rows: int, steps: int) -> Int64[Tensor, " steps"]:
        """Return the rows that end even stretches of the table."""
        position = rows - torch.arange(steps, dtype=torch.float64) * (rows / steps)
        return torch.round(position).long().flip(0) - 1

    def fractions(self, steps: int) -> Float64[Tensor, " steps"]:
        """Return ``1 / steps … 1``."""
        return torch.arange(1, steps + 1, dtype=torch.float64) / steps


@dataclass(frozen=True, kw_only=True)
class Quadratic(EvenGrid):
    """Rows that grow with the square, dense near the clean end (Song et al. 2020, appendix D.2, arXiv 2010.02502).

    The paper asks for a last row close to T; here it is the last row. Their code stops at 0.8 T.
    """

    kind: Literal["quadratic"] = "quadratic"

    def rows(self, rows: int, steps: int) -> Int64[Tensor, " steps"]:
        """Return ``round((rows - 1) (i / (steps - 1))²)``, moved up by one where two would coincide."""
        wanted = torch.round(self.fractions(steps) * (rows - 1)).long()
        i = torch.arange(steps)
        return torch.cummax(wanted - i, dim=0).values + i

    def fractions(self, steps: int) -> Float64[Tensor, " steps"]:
        """Return ``(i / (steps - 1))²``."""
        return Linspace().fractions(steps).square()


@dataclass(frozen=True, kw_only=True)
class LogSNR(Grid):
    """The noisiest time, then times evenly spaced in the log-SNR, ``log(alpha² / sigma²)``.

    A grid that is even in time crosses the noisiest levels in a step or two. The mean brightness of a video is
    determined there, since a mean over n pixels sees the noise reduced by √n; large steps leave all members with the
    same mean. Even spacing in the log-SNR is that of Lu et al. 2022 (arXiv 2206.00927, §3.4); bounds keep the steps
    where the video is still undetermined.

    Attributes:
        lowest: log-SNR of the second time.
        highest: log-SNR of the last time. The step from there to the clean video omits a fraction of about
            ``exp(-highest) / 2`` of the standard deviation of data of unit variance: 0.9 % at 4.
    """

    lowest: float = -10.0
    highest: float = 4.0
    kind: Literal["log-snr"] = "log-snr"

    def __post_init__(self) -> None:
        if not self.lowest < self.highest:
            raise ConfigError(
                f"the log-SNR must rise from lowest to highest; they are {self.lowest} and {self.highest}"
            )

    def times(self, schedule: Schedule, steps: int) -> Float64[Tensor, " steps"]:
        """Return the times in the order in which sampling visits them; see `Grid.times`."""
        candidates = self._candidates(schedule)
        if not 1 <= steps <= len(candidates):
            raise ConfigError(f"steps is {steps}; it must be between 1 and {len(candidates)} for this schedule")
        if steps == 1:
            return candidates[-1:]
        log_snr = schedule(candidates).log_snr[:-1]
        ends = torch.tensor([self.lowest, self.highest]).double().clamp(log_snr[-1], log_snr[0])
        wanted = torch.linspace(float(ends[1]), float(ends[0]), steps - 1, dtype=torch.float64)
        nearest = (log_snr - wanted[:, None]).abs().argmin(dim=1)  # rising: candidates rise, log_snr falls
        i = torch.arange(steps - 1)
        nearest = torch.cummax(nearest - i, dim=0).values + i  # apart by one at least
        nearest = torch.minimum(nearest, len(log_snr) - (steps - 1) + i)
        return torch.cat([candidates[nearest], candidates[-1:]]).flip(0)

    def _candidates(self, schedule: Schedule) -> Float64[Tensor, " n"]:
        """Return all times a step may go to, rising."""
        if schedule.rows is not None:
            return (torch.arange(schedule.rows, dtype=torch.float64) + 1) / schedule.rows
        return torch.linspace(schedule.earliest, 1, _CONTINUUM, dtype=torch.float64)


class FastDDPM(Grid):
    """A short list of rows on which a network is trained and sampled (Jiang et al. 2024, arXiv 2405.14802).

    It is not a sampler: training draws only these rows, the network receives the true row, and sampling visits the same
    list. The stochastic path of the published code visits other rows than it was trained on; here that cannot happen.
    """

    steps: int

    @abstractmethod
    def rows(self, rows: int) -> Int64[Tensor, " n"]:
        """Return the list for a table of ``rows`` rows, rising."""

    def times(self, schedule: Schedule, steps: int | None = None) -> Float64[Tensor, " n"]:
        """Return the whole list of a table as times, falling; no other number of ``steps`` than its length exists.

        Raises:
            ConfigError: the schedule has no rows, or the list has another length.
        """
        if schedule.rows is None:
            raise ConfigError(f"a Fast-DDPM grid is a list of rows; {type(schedule).__name__} has none: use a table")
        rows = self.rows(schedule.rows)
        if steps is not None and steps != len(rows):
            raise ConfigError(
                f"steps is {steps}; this Fast-DDPM grid has {len(rows)} rows and needs a step for each: {rows.tolist()}"
            )
        return rows_to_times(rows, schedule.rows)


@dataclass(frozen=True, kw_only=True)
class FastDDPMUniform(FastDDPM):
    """``arange(-1, T, T // S)`` with its first entry set to 0: 0, 99, 199 … 999 for S = 10, which is S + 1 rows.

    Where S does not divide T the published rule stops short of the last row (S = 15 at 989 of 1000).

    Attributes:
        steps: S, 1 to the number of rows.
    """

    steps: int = 10
    kind: Literal["fast-ddpm-uniform"] = "fast-ddpm-uniform"

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(f"a Fast-DDPM grid with {self.steps} steps is empty: use at least 1")

    def rows(self, rows: int) -> Int64[Tensor, " n"]:
        """Return the list for a table of ``rows`` rows, rising."""
        if self.steps > rows:
            raise ConfigError(f"a Fast-DDPM grid of {self.steps} steps does not fit a schedule of {rows} rows")
        return torch.arange(-1, rows, rows // self.steps).clamp(min=0).unique()


@dataclass(frozen=True, kw_only=True)
class FastDDPMNonUniform(FastDDPM):
    """Rows that concentrate near the noise: 0, 199, 399, 599, 699, 799, 849, 899, 949, 999 for S = 10.

    Other S: four tenths of the rows up to 699, six tenths from there to 999. The lists belong to T = 1000; for other T
    the anchors 699 and 999 and the list of ten keep their relative places.

    Attributes:
        steps: S, at least 4.
    """

    steps: int = 10
    kind: Literal["fast-ddpm-non-uniform"] = "fast-ddpm-non-uniform"

    def __post_init__(self) -> None:
        if self.steps < 4:
            raise ConfigError(f"a non-uniform Fast-DDPM grid with {self.steps} steps lacks an end: use at least 4")

    def rows(self, rows: int) -> Int64[Tensor, " n"]:
        """Return the list for a table of ``rows`` rows, rising."""
        if self.steps == 10:
            ends = torch.tensor([0, 200, 400, 600, 700, 800, 850, 900, 950, 1000], dtype=torch.float64) * (rows / 1000)
            listed = (torch.round(ends).long() - 1).clamp(min=0)
        else:
            bend, last = round(0.7 * rows) - 1, rows - 1
            below = _ceil_linspace(0, bend, self.steps * 4 // 10 + 1)[:-1]
            listed = torch.cat([below, _ceil_linspace(bend, last, self.steps * 6 // 10)])
        if len(listed.unique()) != len(listed):
            raise ConfigError(f"a Fast-DDPM grid of {self.steps} steps does not fit a schedule of {rows} rows")
        return listed


@dataclass(frozen=True, kw_only=True)
class Distilled(FastDDPM):
    """The rows of `Trailing` for so many steps, as the only rows of a network, after progressive distillation.

    Attributes:
        steps: 1 to the number of rows.
    """

    steps: int = 4
    kind: Literal["distilled"] = "distilled"

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(f"steps of a distilled model is {self.steps}; it must be at least 1")

    def rows(self, rows: int) -> Int64[Tensor, " n"]:
        """Return the list for a table of ``rows`` rows, rising."""
        if self.steps > rows:
            raise ConfigError(f"{self.steps} distilled steps do not fit a schedule of {rows} rows")
        return Trailing().rows(rows, self.steps)


AnyGrid = Annotated[
    Grid, OneOf(Leading, Linspace, Trailing, Quadratic, LogSNR, FastDDPMUniform, FastDDPMNonUniform, Distilled)
]
AnyTrainedGrid = Annotated[FastDDPM, OneOf(FastDDPMUniform, FastDDPMNonUniform, Distilled)]


def rows_to_times(rows: Int64[Tensor, " n"], count: int) -> Float64[Tensor, " n"]:
    """Return the times ``(row + 1) / count`` of rising ``rows``, falling."""
    return (rows.flip(0).double() + 1) / count


def check_trained(times: Float64[Tensor, " n"], schedule: Schedule, trained: Grid | None) -> None:
    """Raise `ConfigError` if ``times`` were not trained by a network with the grid ``trained``.

    ``None`` or a grid that is not Fast-DDPM's allows every time; the message lists the trained rows.
    """
    if not isinstance(trained, FastDDPM) or schedule.rows is None:
        return
    known = set(trained.rows(schedule.rows).tolist())
    asked = torch.round(times * schedule.rows - 1).long().tolist()
    unknown = [row for row in asked if row not in known]
    if unknown:
        raise ConfigError(
            f"row {unknown[0]} was not trained: this network was trained only on the rows {sorted(known)} of its "
            f"Fast-DDPM grid; sample with grid {kind_of(trained)}"
        )


def _ceil_linspace(start: int, stop: int, count: int) -> Tensor:
    """Return ``count`` evenly spaced values from ``start`` to ``stop``, rounded up. In integers, hence exactly."""
    if count == 1:
        return torch.tensor([start])
    return torch.tensor([start + math.ceil((stop - start) * k / (count - 1)) for k in range(count)])

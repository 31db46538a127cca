"""Zero terminal SNR: any schedule, made to end in pure noise."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from framecast.core.configuration import OneOf
from framecast.core.errors import ConfigError
from framecast.diffusion.schedule.base import Scale, Schedule
from framecast.diffusion.schedule.continuous import ContinuousCosine, ContinuousLinear, Karras
from framecast.diffusion.schedule.discrete import Cosine, Linear


@dataclass(frozen=True, kw_only=True)
class ZeroTerminalSNR(Schedule):
    """Any variance preserving schedule, rescaled to end in pure noise (Lin et al. 2023, Algorithm 1, arXiv 2305.08891).

    With ``r = sqrt(alpha_bar)``: ``r <- (r - r_last) r_first / (r_first - r_last)``. The first row stays as it is, the
    last beta becomes 1. In continuous time the first row is the clean video, ``r_first = 1``.

    Attributes:
        base: the schedule to rescale.
    """

    base: Annotated[Schedule, OneOf(Linear, Cosine, ContinuousLinear, ContinuousCosine, Karras)] = field(
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

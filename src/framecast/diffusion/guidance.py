"""Classifier-free guidance: one network that is both conditional on the class and, since labels are dropped in
training, unconditional.

In training some labels are replaced by the null class (`drop_labels`). In sampling the network is evaluated twice, in
one batch, and its output is extrapolated from the unconditional one through the conditional one (Ho & Salimans 2022,
arXiv 2207.12598). All of it acts on the raw output of the network, whatever that predicts.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from framecast.core.errors import ConfigError
from framecast.diffusion.schedule import broadcast


@dataclass(frozen=True, kw_only=True)
class Guidance:
    """How strongly the label is to be followed.

    Attributes:
        scale: w in ``F = F_uncond + w (F_cond - F_uncond)``; 1 is no guidance, 0 ignores the label.
        rescale: fraction phi of the output that is rescaled to the standard deviation of ``F_cond``, against the
            overexposure caused by large w; 0.7 in Lin et al. 2023, equations 15-16 (arXiv 2305.08891).
        interval: diffusion times between which guidance acts, both included; outside w is 1 (Kynkäänniemi et al.
            2024, arXiv 2404.07724).

    Raises:
        ConfigError: a negative scale, or a rescale or an interval outside [0, 1].
    """

    scale: float = 1.0
    rescale: float = 0.0
    interval: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        if not 0 <= self.scale < float("inf"):
            raise ConfigError(f"the guidance scale is {self.scale}; it must not be negative, and 1 means no guidance")
        if not 0 <= self.rescale <= 1:
            raise ConfigError(f"the guidance rescale is {self.rescale}; it is a fraction and must lie between 0 and 1")
        start, end = self.interval
        if not 0 <= start <= end <= 1:
            raise ConfigError(f"the guidance interval is {self.interval}; give two times 0 <= start <= end <= 1")

    @property
    def acts(self) -> bool:
        """Whether it changes anything, and so whether the unconditional output is needed."""
        return self.scale != 1

    def combine(
        self,
        conditional: Float[Tensor, " batch *shape"],
        unconditional: Float[Tensor, " batch *shape"],
        t: Float64[Tensor, " batch"],
    ) -> Float[Tensor, " batch *shape"]:
        """Return the guided output at the times ``t``, from the network's with the label and with the null class."""
        start, end = self.interval
        inside = (t >= start) & (t <= end)
        weight = broadcast(torch.where(inside, self.scale, 1.0).to(t.dtype), conditional)
        guided = torch.lerp(unconditional, conditional, weight)
        if self.rescale == 0:
            return guided
        target, actual = _std(conditional), _std(guided)
        factor = torch.where(actual > 0, target / actual, 1.0)
        return guided * (self.rescale * factor + (1 - self.rescale))


def drop_labels(
    label: Int64[Tensor, " batch"], null: int, generator: torch.Generator, *, probability: float = 0.1
) -> Int64[Tensor, " batch"]:
    """Return ``label`` with some entries replaced by the ``null`` class, independently; the generator is on the CPU.

    Raises:
        ConfigError: a probability outside [0, 1].
    """
    if not 0 <= probability <= 1:
        raise ConfigError(f"the probability to drop a label is {probability}; it must lie between 0 and 1")
    dropped = torch.rand(label.shape, generator=generator) < probability
    return torch.where(dropped.to(label.device), null, label)


def _std(F: Tensor) -> Tensor:
    """Return the standard deviation of each element over all its axes, ready to broadcast."""
    return F.flatten(1).std(dim=1, correction=0).reshape(-1, *[1] * (F.ndim - 1))

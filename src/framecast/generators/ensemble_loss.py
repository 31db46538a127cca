"""What a generator of whole members is trained on: the fair CRPS of small ensembles, at every scale.

The fair CRPS of M members is an unbiased estimate of the CRPS of the law they are drawn from, at any M from 2
(Ferro 2014, doi 10.1002/qj.2270), so that its minimum over networks is the true law of each pixel. Ensembles of
weather models are trained so (Lang et al. 2024, arXiv 2412.15832; Alet et al. 2025, arXiv 2506.10772).

A pixel's law says nothing of what pixels have in common, and neither does the mean of its score. So the score is also
taken of the means over squares of 2×2, 4×4, … pixels up to the whole frame: a sum over neighbours is calibrated only
if neighbours vary together as they should, and the largest square gives the total of a frame.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from framecast.core.errors import ConfigError
from framecast.generators.generator import Losses, Videos

Members = Float[Tensor, "member batch channel time height width"]


@dataclass(frozen=True, kw_only=True)
class EnsembleLoss:
    """The loss of a small ensemble, in network space.

    Attributes:
        kind: ``crps``, or ``mse`` for one member that stands for the mean.
        pooled: weight of the mean score of all pooled scales beside that of the pixels; each scale is measured in units
            of the standard deviation that the truth has there.
    """

    kind: Literal["crps", "mse"] = "crps"
    pooled: float = 0.3

    def __post_init__(self) -> None:
        if self.pooled < 0:
            raise ConfigError(f"one_shot.loss.pooled is {self.pooled}; it is a weight and must not be negative")

    def check(self, members: int) -> None:
        """Raise `ConfigError` for fewer than two members under the CRPS, or more than one under the squared error."""
        if self.kind == "crps" and members < 2:
            raise ConfigError(f"one_shot.members is {members}; the fair CRPS compares at least two")
        if self.kind == "mse" and members != 1:
            raise ConfigError(f"one_shot.members is {members}; the squared error takes one, the mean")

    def __call__(
        self, members: Members, truth: Videos, known: Bool[Tensor, "batch channel time height width"]
    ) -> Losses:
        """Return the loss of every batch element, whose ``members`` differ in nothing but their noise.

        Only pixels that are ``known`` count, and only there must the truth be finite; without any the loss is 0.
        """
        error = torch.where(known, members - torch.where(known, truth, 0.0), 0.0)
        share = known.flatten(1).float().mean(dim=1).clamp(min=torch.finfo(torch.float32).tiny)
        if self.kind == "mse":
            return error[0].square().flatten(1).mean(dim=1) / share
        loss = fair_crps(error)
        if self.pooled:
            loss = loss + self.pooled * pooled_crps(error)
        return loss / share


def fair_crps(error: Members) -> Losses:
    r"""Return the mean fair CRPS of all pixels of every batch element, from members minus truth.

    .. math:: \frac1M \sum_i |e_i| - \frac{1}{M (M-1)} \sum_{i<j} |e_i - e_j|
    """
    count = len(error)
    pairs = [error[i] - error[j] for i in range(count) for j in range(i)]
    difference = torch.stack(pairs).abs().mean(dim=0) / 2
    return (error.abs().mean(dim=0) - difference).flatten(1).mean(dim=1)


def pooled_crps(error: Members) -> Losses:
    """Return the mean over scales of the fair CRPS of means: over 2×2, 4×4, … pixels, in each frame and in all.

    The means of s×s pixels are multiplied by √s, so that all scales weigh about alike where neighbouring pixels are
    correlated. The weights were chosen on changes whose means have the standard deviations 0.87, 0.70, 0.51, 0.35,
    0.22 and 0.15 at s = 2 … 64, in units of the pixels'; independent pixels would fall as 1/s.
    """
    members, batch, _, frames, height, width = error.shape
    video = error.flatten(0, 2)[:, None]
    scales = []
    side = 2
    while side <= min(height, width):
        video = functional.avg_pool3d(video, (1, 2, 2))
        for length in {1, frames}:
            means = functional.avg_pool3d(video, (length, 1, 1)) * side**0.5
            scales.append(fair_crps(means.reshape(members, batch, -1, *means.shape[2:])))
        side *= 2
    return torch.stack(scales).mean(dim=0) if scales else torch.zeros_like(error[0, :, 0, 0, 0, 0])

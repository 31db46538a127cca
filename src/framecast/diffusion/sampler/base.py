"""What a sampler is, and the one formula that all of them use.

A sampler at time t with an estimate D of the clean video steps to an earlier time s by

    x_s = alpha_s D + sqrt(sigma_s² - std²) / sigma_t (x_t - alpha_t D) + std z,        z ~ N(0, 1)

The middle term is the noise still contained in x_t, rescaled for s; ``std`` determines how much of it is replaced by
fresh noise. The samplers differ in ``std`` and in how they combine earlier estimates into D. They are independent of
the network: `framecast.diffusion.sampler.sample` calls it, once per time.

Scales are float64 tensors without axes on the CPU, so a step never waits for a device.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from framecast.diffusion.schedule import Scale

Video = Float[Tensor, "*shape"]


class Evaluation(NamedTuple):
    """One call of the network.

    Attributes:
        x: the state, corrected by the result of the call.
        x0: the estimate of the clean video, of the same shape.
        scale: alpha and sigma there.
    """

    x: Tensor
    x0: Tensor
    scale: Scale


class Sampler(ABC):
    """A rule for one step. Compare and hash by value; the arguments are the configuration."""

    @property
    def memory(self) -> int:
        """Number of earlier evaluations that a step uses."""
        return 0

    @property
    def needs_noise(self) -> bool:
        """Whether a step needs fresh noise."""
        return False

    def nodes(self, evaluations: int) -> int:
        """Return how many times a grid must give for at most this many network evaluations."""
        return evaluations

    def visits(self, times: Float64[Tensor, " n"]) -> Float64[Tensor, " evaluations"]:
        """Return the times at which the network is evaluated, in order, for the ``times`` of a grid."""
        return times

    def correct(self, here: Evaluation, previous: Sequence[Evaluation]) -> Tensor:
        """Return ``x_t`` corrected by the estimate made from it; most samplers return it unchanged."""
        return here.x

    @abstractmethod
    def step(self, here: Evaluation, s: Scale, previous: Sequence[Evaluation], noise: Video | None) -> Video:
        """Return ``x_s``.

        Args:
            here: the current state: ``x_t``, the estimate of the clean video, and the scales of t.
            s: the scales of the next, earlier time; alpha 1 and sigma 0 at the end, where ``x_s = x0``.
            previous: the evaluations before this one, the latest last, at most `memory`.
            noise: standard normal deviates, or ``None`` if the sampler is not stochastic.
        """


def transition(here: Evaluation, s: Scale, std: Float64[Tensor, ""]) -> Tensor:
    """Return ``alpha_s x0 + sqrt(sigma_s² - std²) / sigma_t (x_t - alpha_t x0)``: the one formula before fresh noise.

    At ``sigma_t = 0`` there is no noise to carry over; ``std`` is at most ``sigma_s`` but for rounding.
    """
    x_t, x0, t = here
    kept = (s.sigma.square() - std.square()).clamp(min=0).sqrt()
    ratio = torch.where(t.sigma > 0, kept / t.sigma, 0.0)
    return (s.alpha - ratio * t.alpha) * x0 + ratio * x_t


def posterior_std(t: Scale, s: Scale) -> Float64[Tensor, ""]:
    """Return the standard deviation of ``x_s`` given ``x_t`` and x0: beta-tilde of Ho et al. 2020, equation 7.

    ``sigma_s sqrt(1 - (alpha_t sigma_s / (alpha_s sigma_t))²)``, which for variance preserving schedules is
    ``sqrt((1 - alpha_bar_s) / (1 - alpha_bar_t)) sqrt(1 - alpha_bar_t / alpha_bar_s)``.
    """
    overlap = torch.where(t.sigma > 0, t.alpha * s.sigma / (s.alpha * t.sigma), 1.0)
    return s.sigma * (1 - overlap.square()).clamp(min=0).sqrt()

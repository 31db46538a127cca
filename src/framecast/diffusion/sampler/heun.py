"""Heun's method: take a step, evaluate there, and repeat the step with the mean of both slopes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from framecast.diffusion.sampler.base import Evaluation, Sampler, Video, transition
from framecast.diffusion.schedule import Scale

_NO_NOISE = torch.zeros((), dtype=torch.float64)


@dataclass(frozen=True, kw_only=True)
class Heun(Sampler):
    """Second order, deterministic, two evaluations per step (Karras et al. 2022, Algorithm 1, arXiv 2206.00364).

    Along the path ``x = alpha x0 + sigma noise`` the probability flow is ``dx = D d(alpha) + e d(sigma)`` with the
    estimates D of the clean video and e of the noise. DDIM takes both from the start of the step, Heun the mean of
    both ends. For constant alpha that is the paper's method, for rectified flow it is Heun's method on the velocity,
    and no schedule needs a division by alpha. The step to the clean video is DDIM's.

    n times take 2 n - 1 evaluations: t0, t1, t1, t2, t2 … where the second visit is to the corrected point.
    """

    kind: Literal["heun"] = "heun"

    @property
    def memory(self) -> int:
        """The start of the step."""
        return 1

    def nodes(self, evaluations: int) -> int:
        """Return ``(evaluations + 1) // 2``."""
        return (evaluations + 1) // 2

    def visits(self, times: Float64[Tensor, " n"]) -> Float64[Tensor, " evaluations"]:
        """Return every time twice but the first."""
        return times.repeat_interleave(2)[1:]

    def step(self, here: Evaluation, s: Scale, previous: Sequence[Evaluation], noise: Video | None) -> Video:
        """Return ``x_s``; see `Sampler.step`."""
        if s.sigma < here.scale.sigma:
            return transition(here, s, _NO_NOISE)
        start = previous[-1]
        d_alpha, d_sigma = here.scale.alpha - start.scale.alpha, here.scale.sigma - start.scale.sigma
        return start.x + d_alpha / 2 * (here.x0 + start.x0) + d_sigma / 2 * (_noise(here) + _noise(start))


def _noise(evaluation: Evaluation) -> Tensor:
    x, x0, scale = evaluation
    return (x - scale.alpha * x0) / scale.sigma

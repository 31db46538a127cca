"""Samplers that use the latest estimate alone: DDPM and DDIM, two choices of ``std`` in the one formula."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from framecast.core.errors import ConfigError
from framecast.diffusion.sampler.base import Evaluation, Sampler, Video, posterior_std, transition
from framecast.diffusion.schedule import Scale


@dataclass(frozen=True, kw_only=True)
class DDPM(Sampler):
    """Ancestral sampling (Ho et al. 2020, arXiv 2006.11239), on all times or on any subset of them.

    Attributes:
        variance: ``"small"`` adds noise of the posterior's standard deviation, exact for data concentrated at one
            point; ``"large"`` that of the forward process, ``std² = sigma_t² - (alpha_t / alpha_s)² sigma_s²``
            (``beta_t``), exact for white-noise data. The mean is the same. The last step adds none.
    """

    variance: Literal["small", "large"] = "small"
    kind: Literal["ddpm"] = "ddpm"

    @property
    def needs_noise(self) -> bool:
        """A step needs fresh noise."""
        return True

    def step(self, here: Evaluation, s: Scale, previous: Sequence[Evaluation], noise: Video | None) -> Video:
        """Return ``x_s``; see `Sampler.step`."""
        std = posterior_std(here.scale, s)
        mean = transition(here, s, std)
        if noise is None:
            return mean
        if self.variance == "large":
            t = here.scale
            forward = (t.sigma.square() - (t.alpha / s.alpha * s.sigma).square()).clamp(min=0).sqrt()
            std = torch.where(s.sigma > 0, forward, 0.0)
        return mean + std * noise


@dataclass(frozen=True, kw_only=True)
class DDIM(Sampler):
    """Song et al. 2020 (arXiv 2010.02502), equations 12 and 16.

    Attributes:
        eta: 0 is deterministic, 1 is DDPM with the small variance.

    Raises:
        ConfigError: eta outside [0, 1].
    """

    eta: float = 0.0
    kind: Literal["ddim"] = "ddim"

    def __post_init__(self) -> None:
        if not 0 <= self.eta <= 1:
            raise ConfigError(f"eta is {self.eta}; it must lie between 0 (deterministic) and 1 (as noisy as DDPM)")

    @property
    def needs_noise(self) -> bool:
        """A step needs fresh noise if eta is not 0."""
        return self.eta > 0

    def step(self, here: Evaluation, s: Scale, previous: Sequence[Evaluation], noise: Video | None) -> Video:
        """Return ``x_s``; see `Sampler.step`."""
        std = self.eta * posterior_std(here.scale, s)
        mean = transition(here, s, std)
        return mean if noise is None else mean + std * noise

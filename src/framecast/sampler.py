"""From noise to a video: one formula, one loop.

A sampler that stands at time t with an estimate D of the clean video goes to an earlier time s by

    x_s = alpha_s D + sqrt(sigma_s² - std²) / sigma_t (x_t - alpha_t D) + std z,        z ~ N(0, 1)

The middle term is the noise that x_t still holds, scaled to what s allows; ``std`` says how much of it is exchanged
for fresh noise. The samplers differ in ``std`` and in what they make of the earlier estimates before they use D. They
know no network: `sample` calls it, once per time.

Scales are float64 tensors without axes on the CPU, so a step costs the host nothing to wait for, on any device.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from framecast.errors import ConfigError
from framecast.schedule import Scale, Schedule

Denoise = Callable[[Tensor, Tensor], Tensor]
Noise = Callable[[int], Tensor]


class Evaluation(NamedTuple):
    """One call of the network: where it stood, what it estimated, and the scales there."""

    x: Tensor
    x0: Tensor
    scale: Scale


class Sampler(ABC):
    """A rule for one step. Compare and hash by value; the arguments are the configuration."""

    memory: ClassVar[int] = 0
    """How many earlier evaluations a step looks back on."""

    @property
    def stochastic(self) -> bool:
        """Whether a step needs fresh noise."""
        return False

    @abstractmethod
    def step(
        self,
        x_t: Float[Tensor, "*shape"],
        x0: Float[Tensor, "*shape"],
        t: Scale,
        s: Scale,
        previous: Sequence[Evaluation],
        noise: Float[Tensor, "*shape"] | None,
    ) -> Float[Tensor, "*shape"]:
        """Return ``x_s``.

        Args:
            x_t: where sampling stands.
            x0: the estimate of the clean video there.
            t: the scales there.
            s: the scales of the next, earlier time; alpha 1 and sigma 0 at the end, where ``x_s = x0``.
            previous: the evaluations before this one, the latest last, at most `memory`.
            noise: standard normal deviates, or ``None`` if the sampler is not stochastic.
        """


def transition(
    x_t: Float[Tensor, "*shape"],
    x0: Float[Tensor, "*shape"],
    t: Scale,
    s: Scale,
    kept: Float64[Tensor, ""],
) -> Float[Tensor, "*shape"]:
    """Return ``alpha_s x0 + kept / sigma_t (x_t - alpha_t x0)``, the mean of the one formula.

    Args:
        x_t: where sampling stands.
        x0: the estimate of the clean video there.
        t: the scales there. At ``sigma_t = 0`` there is no noise to keep.
        s: the scales of the next time.
        kept: standard deviation of the noise that is carried over from t, ``sqrt(sigma_s² - std²)``.
    """
    ratio = torch.where(t.sigma > 0, kept / t.sigma, 0.0)
    return (s.alpha - ratio * t.alpha) * x0 + ratio * x_t


def posterior_std(t: Scale, s: Scale) -> Float64[Tensor, ""]:
    """Return the standard deviation of ``x_s`` given ``x_t`` and x0: beta-tilde of Ho et al. 2020, equation 7.

    ``sigma_s sqrt(1 - (alpha_t sigma_s / (alpha_s sigma_t))²)``, which for variance preserving schedules is
    ``sqrt((1 - alpha_bar_s) / (1 - alpha_bar_t)) sqrt(1 - alpha_bar_t / alpha_bar_s)``.
    """
    overlap = torch.where(t.sigma > 0, t.alpha * s.sigma / (s.alpha * t.sigma), 1.0)
    return s.sigma * (1 - overlap.square()).clamp(min=0).sqrt()


@dataclass(frozen=True, kw_only=True)
class DDPM(Sampler):
    """Ancestral sampling (Ho et al. 2020, arXiv 2006.11239), on all times or on any subset of them.

    Attributes:
        variance: ``"small"`` adds noise of the posterior's standard deviation, which is exact for data that are one
            point; ``"large"`` that of the forward process, ``std² = sigma_t² - (alpha_t / alpha_s)² sigma_s²``
            (``beta_t``), which is exact for data that are white noise. The mean is the same. The last step adds none.
    """

    __pydantic_config__ = {"extra": "forbid"}

    variance: Literal["small", "large"] = "small"
    kind: Literal["ddpm"] = "ddpm"

    @property
    def stochastic(self) -> bool:
        """A step needs fresh noise."""
        return True

    def step(
        self,
        x_t: Float[Tensor, "*shape"],
        x0: Float[Tensor, "*shape"],
        t: Scale,
        s: Scale,
        previous: Sequence[Evaluation],
        noise: Float[Tensor, "*shape"] | None,
    ) -> Float[Tensor, "*shape"]:
        """Return ``x_s``; see `Sampler.step`."""
        std = posterior_std(t, s)
        mean = transition(x_t, x0, t, s, (s.sigma.square() - std.square()).clamp(min=0).sqrt())
        if noise is None:
            return mean
        if self.variance == "large":
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

    __pydantic_config__ = {"extra": "forbid"}

    eta: float = 0.0
    kind: Literal["ddim"] = "ddim"

    def __post_init__(self) -> None:
        if not 0 <= self.eta <= 1:
            raise ConfigError(f"eta is {self.eta}; it must lie between 0 (deterministic) and 1 (as noisy as DDPM)")

    @property
    def stochastic(self) -> bool:
        """A step needs fresh noise if eta is not 0."""
        return self.eta > 0

    def step(
        self,
        x_t: Float[Tensor, "*shape"],
        x0: Float[Tensor, "*shape"],
        t: Scale,
        s: Scale,
        previous: Sequence[Evaluation],
        noise: Float[Tensor, "*shape"] | None,
    ) -> Float[Tensor, "*shape"]:
        """Return ``x_s``; see `Sampler.step`."""
        std = self.eta * posterior_std(t, s)
        mean = transition(x_t, x0, t, s, (s.sigma.square() - std.square()).clamp(min=0).sqrt())
        return mean if noise is None else mean + std * noise


AnySampler = DDPM | DDIM


def trajectory(
    denoise: Denoise,
    sampler: Sampler,
    schedule: Schedule,
    times: Float64[Tensor, " n"],
    x: Float[Tensor, " batch *shape"],
    noise: Noise,
) -> Iterator[Tensor]:
    """Yield the state after every step, the last of which is the clean video. The arguments are those of `sample`."""
    visited = torch.cat([times.cpu(), torch.zeros(1, dtype=torch.float64)])
    scales = schedule(visited)
    previous: list[Evaluation] = []
    for k in range(len(times)):
        t, s = (Scale(scales.alpha[i], scales.sigma[i]) for i in (k, k + 1))
        x0 = denoise(x, visited[k].expand(len(x)).to(x.device))
        fresh = noise(k + 1) if sampler.stochastic and k + 1 < len(times) else None
        x, evaluation = sampler.step(x, x0, t, s, previous, fresh), Evaluation(x, x0, t)
        previous = [*previous, evaluation][-sampler.memory :] if sampler.memory else []
        yield x


def sample(
    denoise: Denoise,
    sampler: Sampler,
    schedule: Schedule,
    times: Float64[Tensor, " n"],
    x: Float[Tensor, " batch *shape"],
    noise: Noise,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Float[Tensor, " batch *shape"]:
    """Return clean videos: every time is visited, the first and the last included, with one network call each.

    To clip x0, let ``denoise`` do it: the noise that a step carries over is derived from what ``denoise`` returns.

    Args:
        denoise: ``(x_t, t) -> x0`` with t float64 ``[batch]``.
        sampler: the rule for one step.
        schedule: gives the scales.
        times: strictly falling, in (0, 1]; see `framecast.times`.
        x: standard normal noise, taken for ``x_t`` at the first time.
        noise: ``k -> standard normal deviates`` of the shape of ``x`` for the k-th step, k from 1; called only by
            stochastic samplers, and not for the last step.
        progress: called with (calls made, calls in all) after every step.
    """
    states = trajectory(denoise, sampler, schedule, times, x, noise)
    for done in range(1, len(times) + 1):
        x = next(states)
        if progress is not None:
            progress(done, len(times))
    return x

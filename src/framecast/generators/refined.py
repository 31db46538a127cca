"""A one-shot member, noised again and denoised by the last few steps of a diffusion.

The one-shot generator determines the large scales, in one evaluation; the diffusion, started at an intermediate noise
level, adds the fine structure. Truncated diffusion (Zheng et al. 2022, arXiv 2202.09671).
"""

from typing import Any

from torch import Tensor

from framecast.core.errors import ConfigError
from framecast.diffusion.noise import coloured
from framecast.diffusion.sampler import Noise, sample
from framecast.diffusion.sampling import SamplingOptions, describe
from framecast.diffusion.schedule import broadcast
from framecast.diffusion.times import LogSNR
from framecast.generators.batch_random import BatchRandom
from framecast.generators.denoiser import Denoiser
from framecast.generators.generator import Bounds, Generator, Labels, Losses, Mask, Pasts, Videos
from framecast.generators.one_shot import OneShot

_DRAWS_BEFORE = 64
"""Draws of a member's noise that belong to the one-shot generator."""


class Refined(Generator):
    """Draws by ``first``, then by ``then`` from the noise level ``log_snr`` on. It is not trained.

    Args:
        first: gives x0.
        then: has the same x0, condition and classes.
        log_snr: log(alpha / sigma) to which x0 is noised: lower values give the diffusion more influence.
    """

    def __init__(self, first: OneShot, then: Denoiser, *, log_snr: float) -> None:
        super().__init__(then.network, classes=then.classes)
        if then.grid is not None or then.frame_masks:
            raise ConfigError(
                "only a diffusion that was trained at all noise levels, without masks, can refine members"
            )
        self.first, self.then = first, then
        self.log_snr = log_snr

    @property
    def parts(self) -> tuple[Generator, ...]:
        """What evaluates networks."""
        return self.first, self.then

    def training_loss(
        self, x0: Videos, past: Pasts, label: Labels | None = None, *, random: BatchRandom, mask: Mask | None = None
    ) -> Losses:
        """Raise `ConfigError`: its parts are trained separately."""
        raise ConfigError("a refined generator is not trained: train its one-shot model and its diffusion")

    def generate(
        self,
        past: Pasts,
        label: Labels | None = None,
        *,
        noise: Noise,
        options: SamplingOptions,
        bounds: Bounds | None = None,
    ) -> Videos:
        """Return x0 after ``options.steps`` evaluations of the diffusion, each member with its own noise."""
        x0 = self.first.generate(past, label, noise=noise, options=options, bounds=bounds)

        def fresh(k: int) -> Tensor:
            return coloured(noise(_DRAWS_BEFORE + k), self.then.noise_slope)

        def denoise(x_t: Tensor, t: Tensor) -> Tensor:
            estimate: Tensor = self.then(x_t, t, past, label, guidance=options.guidance, tile=options.tile)
            return estimate if bounds is None else estimate.clamp(*bounds)

        highest = options.grid.highest if isinstance(options.grid, LogSNR) else LogSNR().highest
        grid = LogSNR(lowest=self.log_snr, highest=highest)
        times = grid.times(self.then.schedule, options.sampler.nodes(options.steps) + 1)[1:]
        scale = self.then.schedule(times[0])
        x_t = broadcast(scale.alpha, x0) * x0 + broadcast(scale.sigma, x0) * fresh(0)
        return sample(denoise, options.sampler, self.then.schedule, times, x_t, fresh)

    def describe(self, options: SamplingOptions) -> dict[str, Any]:
        """Return sampler, noise level and the evaluations of both."""
        return {
            "sampler": f"one-shot, then {describe(options.sampler)}",
            "grid": f"log-snr from {self.log_snr:g}",
            "steps": 1 + options.steps,
            "guidance": options.guidance.scale,
        }

"""The network as an estimator of the clean video, and its training loss.

It combines the network, which is independent of diffusion, the schedule, and the prediction type.
"""

from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from framecast.core.errors import ConfigError
from framecast.diffusion.draws import TimeDraw, UniformTimes
from framecast.diffusion.guidance import Guidance
from framecast.diffusion.noise import coloured
from framecast.diffusion.prediction import Prediction
from framecast.diffusion.sampler import Noise, sample
from framecast.diffusion.sampling import SamplingOptions, describe
from framecast.diffusion.schedule import Schedule, broadcast
from framecast.diffusion.times import FastDDPM, Grid
from framecast.diffusion.weighting import UniformWeighting, Weighting
from framecast.generators.batch_random import BatchRandom
from framecast.generators.generator import Bounds, Generator, Labels, Losses, Mask, Pasts, Videos
from framecast.videos.masks import keep_observed, observed_frames

Times = Float64[Tensor, " batch"]


class Denoiser(Generator):
    """Network, schedule and prediction: ``(x_t, t, past) -> x0``, the loss, and the way from noise to x0.

    Args:
        network: ``(x, time, past, label) -> F``; x and F ``[batch, channel, time, height, width]``, time ``[batch]``
            float32 (`Schedule.network_time`), label ``[batch]`` int64 or ``None``.
        schedule: how noise is added.
        prediction: what F is.
        grid: the Fast-DDPM grid the network is trained on, or ``None`` for every time of the schedule.
        weighting: how much the error at each noise level counts in the loss.
        draw: which times training visits.
        classes: number of classes; label ``classes`` is the null class, which guidance needs.
        noise_slope: how the noise falls off with scale; 1 is white (see `framecast.diffusion.noise`).
        frame_masks: whether ``past`` is a condition of `framecast.videos.masks` and x the whole video, whose
            observed frames are kept clean and do not count in the loss.

    Raises:
        ConfigError: the prediction is not defined everywhere on the schedule, or the times cannot be drawn.
    """

    def __init__(
        self,
        network: nn.Module,
        schedule: Schedule,
        prediction: Prediction | str,
        grid: Grid | None = None,
        *,
        weighting: Weighting | None = None,
        draw: TimeDraw | None = None,
        classes: int = 0,
        noise_slope: float = 1.0,
        frame_masks: bool = False,
    ) -> None:
        super().__init__(network, classes=classes)
        self.schedule = schedule
        self.prediction = Prediction(prediction)
        self.grid = grid
        self.weighting = weighting or UniformWeighting()
        self.draw = draw or UniformTimes()
        self.noise_slope = noise_slope
        self.frame_masks = frame_masks
        self.prediction.check(schedule)
        self.draw.check(grid)
        if isinstance(grid, FastDDPM):
            grid.times(schedule)

    def forward(
        self,
        x_t: Videos,
        t: Times,
        past: Pasts,
        label: Labels | None = None,
        *,
        guidance: Guidance | None = None,
        tile: int | None = None,
    ) -> Videos:
        """Return the estimate of the clean video. Guidance costs a network input twice as large.

        Args:
            x_t: noisy future; with frame masks, the noisy video.
            t: its diffusion times in (0, 1].
            past: the past frames; with frame masks, the condition.
            label: class of every element.
            guidance: how strongly the label is followed.
            tile: see `SamplingOptions`.

        Raises:
            ConfigError: guidance without a label or without classes.
        """
        if self.frame_masks:
            x_t = keep_observed(x_t, past)
        if guidance is not None and guidance.acts:
            F = self._guided(x_t, t, past, label, guidance, tile)
        else:
            F = self._predict(x_t, t, past, label, tile)
        x0 = self.prediction.x0(self.schedule(t), x_t, F)
        return keep_observed(x0, past) if self.frame_masks else x0

    def loss(
        self, x0: Videos, past: Pasts, label: Labels | None = None, *, t: Times, noise: Videos, mask: Mask | None = None
    ) -> Losses:
        """Return the weighted mean squared error of the prediction, one value per batch element.

        Args:
            x0: the true future, or the whole video with frame masks; anything, NaN included, where ``mask`` is false.
            past: the past frames; with frame masks, the condition.
            label: class of every element, some of them dropped for guidance.
            t: diffusion times; see `draw_times`.
            noise: normal deviates of variance 1, with the correlation used in sampling.
            mask: the pixels that count; all if ``None``. An element without any has loss 0.
        """
        counted = torch.ones_like(x0, dtype=torch.bool) if mask is None else mask.expand_as(x0)
        x0 = torch.where(counted, x0, 0.0)
        scale = self.schedule(t)
        x_t = broadcast(scale.alpha, x0) * x0 + broadcast(scale.sigma, x0) * noise
        if self.frame_masks:
            x_t = keep_observed(x_t, past)
            counted = counted & ~observed_frames(past)
        error = self._predict(x_t, t, past, label) - self.prediction.target(scale, x0, noise)
        total = torch.where(counted, error, 0.0).square().flatten(1).sum(dim=1)
        mean = total / counted.flatten(1).sum(dim=1).clamp(min=1)
        return mean * self.weighting(scale, self.prediction).to(mean)

    def training_loss(
        self, x0: Videos, past: Pasts, label: Labels | None = None, *, random: BatchRandom, mask: Mask | None = None
    ) -> Losses:
        """Return `loss` with separate noise for each window, at times spread over the whole batch."""
        t = random.spread(self.draw_times).to(x0.device)
        noise = coloured(random.normal(*x0.shape[1:]).to(x0.device), self.noise_slope)
        return self.loss(x0, past, label, t=t, noise=noise, mask=mask)

    def generate(
        self,
        past: Pasts,
        label: Labels | None = None,
        *,
        noise: Noise,
        options: SamplingOptions,
        bounds: Bounds | None = None,
    ) -> Videos:
        """Return x0 after the sampler has visited the times of the grid, starting from draw 0 of the noise."""

        def denoise(x_t: Tensor, t: Tensor) -> Tensor:
            x0: Tensor = self(x_t, t, past, label, guidance=options.guidance, tile=options.tile)
            return x0 if bounds is None else x0.clamp(*bounds)

        def draw(k: int) -> Tensor:
            return coloured(noise(k), self.noise_slope)

        times = options.times(self.schedule, self.grid)
        return sample(denoise, options.sampler, self.schedule, times, draw(0), draw)

    def describe(self, options: SamplingOptions) -> dict[str, Any]:
        """Return sampler, grid, steps and guidance."""
        return {
            "sampler": describe(options.sampler),
            "grid": describe(options.grid),
            "steps": options.steps,
            "guidance": options.guidance.scale,
        }

    def draw_times(self, batch: int, generator: torch.Generator) -> Times:
        """Return diffusion times for one training batch, on the CPU; see `framecast.diffusion.draws`."""
        return self.draw.times(self.schedule, self.grid, batch, generator)

    def _predict(self, x_t: Tensor, t: Tensor, past: Tensor, label: Tensor | None, tile: int | None = None) -> Tensor:
        time = self.schedule.network_time(t).to(device=x_t.device, dtype=torch.float32)
        return self.output(x_t, time, past, label, tile=tile)

    def _guided(
        self, x_t: Tensor, t: Tensor, past: Tensor, label: Tensor | None, guidance: Guidance, tile: int | None
    ) -> Tensor:
        if label is None or not self.classes:
            raise ConfigError(
                f"guidance scale {guidance.scale} needs a label, and a network trained with classes and with labels "
                f"dropped; this one has {self.classes} classes: use scale 1"
            )
        labels = torch.cat([label, torch.full_like(label, self.classes)])
        twice = self._predict(x_t.repeat(2, 1, 1, 1, 1), t.repeat(2), past.repeat(2, 1, 1, 1, 1), labels, tile)
        conditional, unconditional = twice.chunk(2)
        return guidance.combine(conditional, unconditional, t)

"""A denoiser trained to take two steps of another one at once: progressive distillation.

The mathematics is `framecast.diffusion.distillation`; `framecast.training.distill` goes from one student to the next.
"""

from typing import Any

import torch

from framecast.diffusion.distillation import student_target
from framecast.diffusion.noise import coloured
from framecast.diffusion.schedule import broadcast
from framecast.diffusion.times import Trailing
from framecast.generators.batch_random import BatchRandom
from framecast.generators.denoiser import Denoiser
from framecast.generators.generator import Labels, Losses, Mask, Pasts, Videos


class Student(Denoiser):
    """The denoiser that is trained in place of ``own``, with the same network.

    Args:
        own: the student as it will be stored.
        teacher: gives the targets; its weights stay as they are.
        steps: of the teacher from noise to the clean video, on the trailing grid; the student makes half as many.
    """

    def __init__(self, own: Denoiser, teacher: Denoiser, *, steps: int) -> None:
        settings: dict[str, Any] = {"weighting": own.weighting, "draw": own.draw, "classes": own.classes}
        super().__init__(own.network, own.schedule, own.prediction, own.grid, noise_slope=own.noise_slope, **settings)
        self.teacher = (teacher.eval().requires_grad_(False),)  # in a tuple: no part of what is trained and stored
        falling = Trailing().times(own.schedule, steps)
        self.ladder = torch.cat([falling, torch.zeros(1, dtype=torch.float64)])

    def training_loss(
        self, x0: Videos, past: Pasts, label: Labels | None = None, *, random: BatchRandom, mask: Mask | None = None
    ) -> Losses:
        """Return the squared error of x0 against the teacher's two steps, weighted by max(SNR, 1) (appendix F)."""
        first = 2 * random.spread(self._starts)
        times = [self.ladder[first + k] for k in range(3)]
        counted = torch.ones_like(x0, dtype=torch.bool) if mask is None else mask.expand_as(x0)
        x0 = torch.where(counted, x0, 0.0)
        noise = coloured(random.normal(*x0.shape[1:]).to(x0.device), self.noise_slope)
        scale = self.schedule(times[0])
        x_t = broadcast(scale.alpha, x0) * x0 + broadcast(scale.sigma, x0) * noise
        (teacher,) = self.teacher
        with torch.no_grad():
            target = student_target(lambda x, t: teacher(x, t, past, label), self.schedule, x_t, times)
        error = torch.where(counted, self(x_t, times[0], past, label) - target, 0.0)
        mean = error.square().flatten(1).sum(dim=1) / counted.flatten(1).sum(dim=1).clamp(min=1)
        return mean * scale.snr.clamp(min=1.0).to(mean)

    def _starts(self, batch: int, generator: torch.Generator) -> torch.Tensor:
        """Return at which of its steps each element of a batch is trained, spread evenly."""
        count = len(self.ladder) // 2
        offset = torch.rand(1, dtype=torch.float64, generator=generator)
        return (((offset + torch.arange(batch, dtype=torch.float64) / batch) % 1) * count).long()

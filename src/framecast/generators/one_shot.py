"""The one-shot generator: noise and a past go in, a member comes out, in one network evaluation.

The same networks as for diffusion. Where a denoiser receives a noisy future, this one receives only noise, and it is
trained on the score of a small ensemble for the same past (`framecast.generators.ensemble_loss`).

Noise enters in up to three ways: pixel by pixel in the place of the noisy future, as smooth fields of separate length
scales beside the past, and as a vector in the embedding, which reaches every norm.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from framecast.diffusion.noise import coloured, smooth_fields
from framecast.diffusion.prediction import Prediction
from framecast.diffusion.sampler import Noise
from framecast.diffusion.sampling import SamplingOptions
from framecast.diffusion.schedule import Schedule
from framecast.generators.batch_random import BatchRandom
from framecast.generators.ensemble_loss import EnsembleLoss, Scales, measure_scales
from framecast.generators.generator import Bounds, Generator, Labels, Losses, Mask, Pasts, Videos


class Reading(NamedTuple):
    """The input of the network and the meaning of its output F: ``x0 = noise x + output F``.

    Attributes:
        time: its diffusion time input.
        slope: of the noise (see `framecast.diffusion.noise`).
        size: standard deviation of the noise.
        noise: factor of the noise in x0.
        output: factor of the output in x0.
    """

    time: float = 0.0
    slope: float = 0.0
    size: float = 1.0
    noise: float = 0.0
    output: float = 1.0

    @classmethod
    def at_pure_noise(cls, schedule: Schedule, prediction: Prediction, slope: float) -> "Reading":
        """Return how a denoiser is evaluated at its noisiest time, where it gives the conditional mean.

        One-shot generators of Swift start in this way (arXiv 2509.25631).
        """
        noisiest = torch.ones((), dtype=torch.float64)
        scale = schedule(noisiest)
        noise, output = prediction.x0_coefficients(scale)
        time = schedule.network_time(noisiest)
        return cls(float(time), slope, float(scale.sigma), float(noise), float(output))


class OneShot(Generator):
    """``(noise, past) -> x0``, and the loss of an ensemble.

    Args:
        network: ``(x, time, past, label) -> F``; one with an attribute ``noise_vector``, the length of it, is also
            called with ``vector``, noise ``[batch, noise_vector]``.
        loss: score of the ensembles; under the squared error the noise is zero.
        members: of the ensemble drawn for each element of a training batch.
        classes: number of classes; label ``classes`` is the null class.
        reading: input of the network and meaning of its output.
        pixels: whether x is noise; else 0.
        fields: how many smooth fields of noise the network is given as further channels of the past.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        loss: EnsembleLoss,
        members: int,
        classes: int = 0,
        reading: Reading = Reading(),
        pixels: bool = True,
        fields: int = 0,
    ) -> None:
        super().__init__(network, classes=classes)
        self.ensemble_loss = loss
        self.members = members
        self.reading = reading
        self.pixels = pixels and loss.kind != "mse"
        self.fields = fields
        self._scales: Scales | None = None

    @property
    def noise_vector(self) -> int:
        """Length of the noise vector that the network takes; 0 for none."""
        return int(getattr(self.network, "noise_vector", 0))

    def forward(
        self,
        noise: Videos,
        past: Pasts,
        label: Labels | None = None,
        vector: Float[Tensor, "batch _"] | None = None,
        *,
        tile: int | None = None,
    ) -> Videos:
        """Return x0 for white ``noise``, ``past`` with its fields, and the ``vector`` of a network that has one."""
        time, slope, size, of_noise, of_output = self.reading
        x = size * coloured(noise, slope) if self.pixels else torch.zeros_like(noise)
        further = {} if vector is None else {"vector": vector}
        F = self.output(x, x.new_full((x.shape[0],), time), past, label, tile=tile, **further)
        return (of_output * F + of_noise * x).to(noise.dtype)

    def measure(self, examples: Callable[[], Videos], lead: Float[Tensor, "channel time"]) -> None:
        """Take the units of the loss from training windows; see `Generator.measure`."""
        if self.ensemble_loss.needs_scales:
            self._scales = measure_scales(examples().float(), lead)

    def training_loss(
        self, x0: Videos, past: Pasts, label: Labels | None = None, *, random: BatchRandom, mask: Mask | None = None
    ) -> Losses:
        """Return the loss of an ensemble of `members` for each element."""

        def noise(k: int) -> Tensor:
            return random.normal(self.members, *x0.shape[1:]).transpose(0, 1).flatten(0, 1).to(x0.device)

        labels = None if label is None else label.repeat(self.members)
        drawn = self._drawn(noise, past.repeat(self.members, 1, 1, 1, 1), labels)
        known = torch.ones_like(x0, dtype=torch.bool) if mask is None else mask.expand_as(x0)
        with torch.autocast(x0.device.type, enabled=False):  # spectra need float32
            members = drawn.float().unflatten(0, (self.members, len(x0)))
            return self.ensemble_loss(members, x0.float(), known, self._scales)

    def generate(
        self,
        past: Pasts,
        label: Labels | None = None,
        *,
        noise: Noise,
        options: SamplingOptions,
        bounds: Bounds | None = None,
    ) -> Videos:
        """Return one member for every condition."""
        drawn = self._drawn(noise, past, label, options.tile)
        return drawn if bounds is None else drawn.clamp(*bounds)

    def _drawn(self, noise: Noise, past: Tensor, label: Tensor | None, tile: int | None = None) -> Tensor:
        """Return x0 for the noise of its draws: the first for the pixels, then for the fields, then the vector."""
        first, draws = noise(0), 1
        if self.fields:
            needed, given = self.fields * past.shape[2], first.shape[1] * first.shape[2]
            draws += -(-needed // given)
            planes = torch.cat([noise(k).flatten(1, 2) for k in range(1, draws)], dim=1)[:, :needed]
            past = torch.cat([past, smooth_fields(planes.unflatten(1, (self.fields, -1))).to(past.dtype)], dim=1)
        if not self.noise_vector:
            return self(first, past, label, tile=tile)
        count = -(-self.noise_vector // first[0].numel())
        vector = torch.cat([noise(draws + k).flatten(1) for k in range(count)], dim=1)[:, : self.noise_vector]
        return self(first, past, label, vector, tile=tile)

    def describe(self, options: SamplingOptions) -> dict[str, Any]:
        """Return that there is one step."""
        return {"sampler": "one-shot", "grid": "none", "steps": 1, "guidance": 1.0}

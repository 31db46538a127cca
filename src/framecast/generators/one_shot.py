"""The one-shot generator: noise and a past go in, a member comes out, in one network evaluation.

The same networks as for diffusion. Where a denoiser is given a noisy future, this one is given noise alone, and it is
trained on what its members are worth together: on the score of a small ensemble that saw the same past
(`framecast.generators.ensemble_loss`).
"""

from typing import Any

import torch
from torch import Tensor, nn

from framecast.diffusion.noise import coloured
from framecast.diffusion.sampler import Noise
from framecast.diffusion.sampling import SamplingOptions
from framecast.generators.batch_random import BatchRandom
from framecast.generators.ensemble_loss import EnsembleLoss
from framecast.generators.generator import Bounds, Generator, Labels, Losses, Mask, Pasts, Videos


class OneShot(Generator):
    """``(noise, past) -> x0``, and the loss of an ensemble.

    Args:
        network: ``(x, time, past, label) -> F``; x is noise, time is always 0, F is x0.
        loss: what ensembles are judged by; under the squared error the network is given zeros for noise.
        members: of the ensemble drawn for each element of a training batch.
        classes: number of classes; label ``classes`` is the null class.
    """

    def __init__(self, network: nn.Module, *, loss: EnsembleLoss, members: int, classes: int = 0) -> None:
        super().__init__(network, classes=classes)
        self.ensemble_loss = loss
        self.members = members

    def forward(self, noise: Videos, past: Pasts, label: Labels | None = None, *, tile: int | None = None) -> Videos:
        """Return x0 for white ``noise``."""
        x = torch.zeros_like(noise) if self.ensemble_loss.kind == "mse" else coloured(noise, slope=0.0)
        return self.output(x, x.new_zeros(x.shape[0]), past, label, tile=tile).to(noise.dtype)

    def training_loss(
        self, x0: Videos, past: Pasts, label: Labels | None = None, *, random: BatchRandom, mask: Mask | None = None
    ) -> Losses:
        """Return the loss of an ensemble of `members` for each element."""
        noise = random.normal(self.members, *x0.shape[1:]).transpose(0, 1).flatten(0, 1).to(x0.device)
        labels = None if label is None else label.repeat(self.members)
        drawn = self(noise, past.repeat(self.members, 1, 1, 1, 1), labels)
        known = torch.ones_like(x0, dtype=torch.bool) if mask is None else mask.expand_as(x0)
        return self.ensemble_loss(drawn.unflatten(0, (self.members, len(x0))), x0, known)

    def generate(
        self,
        past: Pasts,
        label: Labels | None = None,
        *,
        noise: Noise,
        options: SamplingOptions,
        bounds: Bounds | None = None,
    ) -> Videos:
        """Return one member for every condition; draw 0 of the noise is all it takes."""
        drawn: Tensor = self(noise(0), past, label, tile=options.tile)
        return drawn if bounds is None else drawn.clamp(*bounds)

    def describe(self, options: SamplingOptions) -> dict[str, Any]:
        """Return that there is one step."""
        return {"sampler": "one-shot", "grid": "none", "steps": 1, "guidance": 1.0}

"""The interface of a model for training and forecasting: it has a loss, and it draws members.

There are two kinds. A `framecast.generators.denoiser.Denoiser` is trained to remove noise and draws in many small
steps; a `framecast.generators.one_shot.OneShot` is trained on the score of its own ensembles and draws in one.
All other code treats them in the same way.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn.functional import pad

from framecast.core.errors import ConfigError
from framecast.diffusion.sampler import Noise
from framecast.diffusion.sampling import SamplingOptions
from framecast.generators.batch_random import BatchRandom

Videos = Float[Tensor, "batch channel time height width"]
Pasts = Float[Tensor, "batch past_channel past_time height width"]
Labels = Int64[Tensor, " batch"]
Mask = Bool[Tensor, "#batch #channel #time #height #width"]
Losses = Float[Tensor, " batch"]
Bounds = tuple[Tensor, Tensor]
"""Lowest and highest x0, broadcast against it."""


class Generator(nn.Module, ABC):
    """A network that draws x0 given a condition.

    Args:
        network: ``(x, time, past, label) -> F``, see `framecast.networks`.
        classes: number of classes; label ``classes`` is the null class.
    """

    def __init__(self, network: nn.Module, *, classes: int) -> None:
        super().__init__()
        self.network = network
        self.classes = classes

    def output(
        self,
        x: Tensor,
        time: Tensor,
        past: Tensor,
        label: Tensor | None,
        *,
        tile: int | None = None,
        **further: Tensor,
    ) -> Tensor:
        """Return the network's output, of the shape and type of ``x``; larger frames in squares of ``tile`` pixels.

        ``further`` arguments are passed to the network, such as a noise vector.
        Frames whose sides the network cannot divide are continued by their border pixels, and its output is cut back.

        Raises:
            ConfigError: its shape differs, as that of a custom network may.
        """
        if tile is None or max(x.shape[-2:]) <= tile:
            return self._output(x, time, past, label, further)
        total, weights = torch.zeros_like(x), x.new_zeros(x.shape[-2:])
        for rows in _cuts(x.shape[-2], tile):
            for columns in _cuts(x.shape[-1], tile):
                weight = _ramp(rows).to(x)[:, None] * _ramp(columns).to(x)
                part = self._output(x[..., rows, columns], time, past[..., rows, columns], label, further)
                total[..., rows, columns] += weight * part
                weights[rows, columns] += weight
        return total / weights

    def _output(
        self, x: Tensor, time: Tensor, past: Tensor, label: Tensor | None, further: Mapping[str, Tensor]
    ) -> Tensor:
        """Return the network's output for whole frames."""
        divisor = int(getattr(self.network, "divisor", 1))
        rows, columns = (-side % divisor for side in x.shape[-2:])
        if rows or columns:
            x_wide, past_wide = (pad(video, (0, columns, 0, rows, 0, 0), mode="replicate") for video in (x, past))
            F: Tensor = self.network(x_wide, time, past_wide, label, **further)[..., : x.shape[-2], : x.shape[-1]]
        else:
            F = self.network(x, time, past, label, **further)
        if F.shape != x.shape:
            raise ConfigError(
                f"the network returns the shape {list(F.shape)} for x of {list(x.shape)} "
                "[batch, channel, time, height, width]: it must return the shape of x"
            )
        return F.to(x.dtype)

    def measure(self, examples: Callable[[], Videos], lead: Float[Tensor, "channel time"]) -> None:
        """Determine the scales of the loss from training windows, if it has any: called once before training.

        ``examples`` returns the true futures of some windows in network space, 0 where unknown; x0 is in units of the
        standard deviation ``lead``.
        """
        return

    @abstractmethod
    def training_loss(
        self, x0: Videos, past: Pasts, label: Labels | None = None, *, random: BatchRandom, mask: Mask | None = None
    ) -> Losses:
        """Return the training loss, one value per batch element.

        Args:
            x0: the true future in network space; anything, NaN included, where ``mask`` is false.
            past: the condition.
            label: class of every element.
            random: source of random numbers, the same for a window however the batch is divided.
            mask: the pixels that count; all if ``None``.
        """

    @abstractmethod
    def generate(
        self,
        past: Pasts,
        label: Labels | None = None,
        *,
        noise: Noise,
        options: SamplingOptions,
        bounds: Bounds | None = None,
    ) -> Videos:
        """Return x0 of one member for every condition.

        Args:
            past: the conditions.
            label: class of every member.
            noise: ``k -> standard normal deviates`` of the shape of the result, for k = 0, 1, …
            options: how to draw.
            bounds: bounds to which every estimate of x0 is clipped, if any.

        Raises:
            ConfigError: the model cannot be drawn from in this way.
        """

    @abstractmethod
    def describe(self, options: SamplingOptions) -> dict[str, Any]:
        """Return the provenance of a forecast: how it was drawn, as JSON values."""


def _cuts(length: int, tile: int) -> list[slice]:
    """Return the fewest parts of ``tile`` pixels, evenly spaced, that overlap by a quarter at least."""
    if length <= tile:
        return [slice(0, length)]
    count = 1 + -(-(length - tile) // (tile - tile // 4))
    starts = [round(k * (length - tile) / (count - 1)) for k in range(count)]
    return [slice(start, start + tile) for start in starts]


def _ramp(part: slice) -> Tensor:
    """Return the weight of each pixel across a part: least at its ends."""
    place = torch.arange(part.stop - part.start)
    return torch.minimum(place + 1, place.flip(0) + 1).float()

"""Frame masks: one network that predicts, fills gaps, runs backward and generates unconditionally.

The video is past and future together, P + F frames. Some of its frames are observed and given clean; the rest is
generated. They are drawn again for every training example, so that the network learns all these tasks (MCVD,
Voleti et al. 2022, arXiv 2205.09853; RaMViD, Höppe et al. 2022, arXiv 2206.07696). It needs the same channels in the
past and in the future.

The ``past`` input of the network is the *condition*: the video with the frames to generate set to 0, and one more
channel that is 1 on observed frames, ``[batch, channel + 1, P + F, height, width]``. Its x is the whole video, whose
observed frames stay clean at every diffusion time, and the loss counts the others.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from framecast.core.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class FrameMasks:
    """How often each task is drawn in training; the numbers are relative weights.

    Attributes:
        future: the first P frames are observed, the forecast.
        past: the last F frames are observed, time runs backward.
        gaps: any number of frames at any places is observed, at least one and not all.
        nothing: no frame is observed.

    Raises:
        ConfigError: a negative weight, or all 0.
    """

    future: float = 0.4
    past: float = 0.1
    gaps: float = 0.4
    nothing: float = 0.1

    def __post_init__(self) -> None:
        if min(self._weights) < 0 or not 0 < sum(self._weights) < float("inf"):
            raise ConfigError(f"the weights of the masks are {self._weights}; none may be negative and one must be > 0")

    @property
    def _weights(self) -> tuple[float, float, float, float]:
        return self.future, self.past, self.gaps, self.nothing

    def draw(self, batch: int, past: int, future: int, generator: torch.Generator) -> Bool[Tensor, " batch frames"]:
        """Return which of ``past + future`` frames are observed, for each element of a batch; generator on the CPU."""
        frames = past + future
        gaps = torch.zeros(batch, frames, dtype=torch.bool)
        if frames > 1:
            count = torch.randint(1, frames, (batch, 1), generator=generator)
            gaps = torch.rand(batch, frames, generator=generator).argsort(dim=1).argsort(dim=1) < count
        tasks = torch.stack(
            [
                observe_past(past, future).expand(batch, -1),
                ~torch.arange(frames).lt(past).expand(batch, -1),
                gaps,
                torch.zeros(batch, frames, dtype=torch.bool),
            ]
        )
        weights = torch.tensor(self._weights, dtype=torch.float64)
        task = torch.multinomial(weights, batch, replacement=True, generator=generator)
        return tasks[task, torch.arange(batch)]


def observe_past(past: int, future: int) -> Bool[Tensor, " frames"]:
    """Return the mask of a forecast: the first ``past`` of ``past + future`` frames are observed."""
    return torch.arange(past + future) < past


def make_condition(
    video: Float[Tensor, "batch channel time height width"], observed: Bool[Tensor, "batch time"]
) -> Float[Tensor, "batch channel_and_mask time height width"]:
    """Return the video with frames that are not ``observed`` set to 0, NaN included, and the mask as last channel."""
    mask = observed[:, None, :, None, None].to(video.device)
    channel = mask.to(video.dtype).expand(-1, 1, -1, *video.shape[-2:])
    return torch.cat([torch.where(mask, video, 0.0), channel], dim=1)


def observed_frames(
    condition: Float[Tensor, "batch channel_and_mask time height width"],
) -> Bool[Tensor, "batch 1 time 1 1"]:
    """Return which frames a condition gives."""
    return condition[:, -1:, :, :1, :1] > 0.5


def keep_observed(
    x: Float[Tensor, "batch channel time height width"],
    condition: Float[Tensor, "batch channel_and_mask time height width"],
) -> Float[Tensor, "batch channel time height width"]:
    """Return ``x`` with the observed frames of the condition in their places."""
    return torch.where(observed_frames(condition), condition[:, :-1].to(x.dtype), x)

"""Input and output of the network: two ways to present a past and a future.

`Conditioning`: the past is given, the future is generated. `GivenFrames`: past and future are one video, some of whose
frames are given and the others generated, so that one network predicts, fills gaps, runs backward and generates
unconditionally (see `framecast.videos.masks`).
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from framecast.core.configuration import kind_of
from framecast.core.errors import ConfigError, DataError
from framecast.videos.masks import FrameMasks, make_condition, observe_past
from framecast.videos.representation import Representation
from framecast.videos.target import Future


class Example(NamedTuple):
    """A batch as the denoiser is trained on it: x0, what is given, and which pixels of x0 are known."""

    x0: Tensor
    condition: Tensor
    known: Tensor


class Conditioning:
    """The past is given, the future is generated: the task of Francisco et al. 2024.

    Args:
        representation: between physical units and network space.
    """

    def __init__(self, representation: Representation) -> None:
        self.representation = representation

    @property
    def channels(self) -> int:
        """Number of channels of the condition."""
        return self.representation.condition_shape[0]

    @property
    def condition_frames(self) -> int:
        """Number of frames of the condition."""
        return self.representation.condition_shape[1]

    def moved(self, past: Tensor, flow: Tensor | None = None) -> Tensor | None:
        """Return the last frame of ``past`` advected to each lead time, if it is an input of the model.

        An optional argument of the other methods, which otherwise compute it themselves.
        """
        return self.representation.moved(past, flow)

    def example(
        self,
        past: Tensor,
        future: Tensor,
        random: torch.Generator,
        *,
        moved: Tensor | None = None,
        forcing: Tensor | None = None,
    ) -> Example:
        """Return a training batch for ``[batch, channel, time, height, width]`` in physical units."""
        moved = self.moved(past) if moved is None else moved
        x0, known = self.representation.encode(past, future, moved, forcing)
        return Example(x0, self.condition(past, moved=moved, forcing=forcing), known)

    def condition(self, past: Tensor, *, moved: Tensor | None = None, forcing: Tensor | None = None) -> Tensor:
        """Return the condition for a forecast from ``past`` ``[batch, channel, time, height, width]``."""
        return self.representation.encode_past(past, moved, forcing)

    def shape(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Return the shape ``[channel, time, height, width]`` of what is generated."""
        frames = self.representation.frames
        return len(frames.future_channels), frames.future, height, width

    def bounds(
        self,
        past: Tensor,
        clip: Mapping[str, tuple[float, float]],
        *,
        moved: Tensor | None = None,
        forcing: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the lowest and the highest x0 that ``clip`` (physical units, by channel) allows after ``past``."""
        return self.representation.bounds(past, clip, moved, forcing)

    def future(self, x0: Tensor, past: Tensor, *, moved: Tensor | None = None, forcing: Tensor | None = None) -> Tensor:
        """Return the generated ``x0`` as a future in physical units."""
        return self.representation.decode(x0, past, moved, forcing)


class GivenFrames(Conditioning):
    """Some frames of a video of P + F are given, the others are generated.

    Args:
        representation: with the same channels in the past and in the future, and the future itself as target.
        masks: how often each task is drawn in training.

    Raises:
        ConfigError: the channels differ, or the target is not the future itself.
    """

    def __init__(self, representation: Representation, masks: FrameMasks) -> None:
        super().__init__(representation)
        frames = representation.frames
        if representation.forcings:
            raise ConfigError("frame masks cannot be combined with data.forcings: leave one of them out")
        if frames.past_channels != frames.future_channels or not isinstance(representation.target, Future):
            channels = f"{list(frames.past_channels)} and {list(frames.future_channels)}"
            raise ConfigError(
                "frame masks need the same past and future channels and target=future; "
                f"these are {channels} and target={kind_of(representation.target)}"
            )
        self.masks = masks

    @property
    def channels(self) -> int:
        """Those of the video, and one that marks the given frames."""
        return super().channels + 1

    @property
    def condition_frames(self) -> int:
        """Those of the whole video."""
        return self.representation.frames.past + self.representation.frames.future

    def example(
        self,
        past: Tensor,
        future: Tensor,
        random: torch.Generator,
        *,
        moved: Tensor | None = None,
        forcing: Tensor | None = None,
    ) -> Example:
        """Return the whole video as x0 and randomly chosen frames of it as condition."""
        frames = self.representation.frames
        video, known = self._encode(torch.cat([past, future], dim=-3))
        observed = self.masks.draw(len(video), frames.past, frames.future, random).to(video.device)
        return Example(video, make_condition(video, observed), known)

    def condition(self, past: Tensor, *, moved: Tensor | None = None, forcing: Tensor | None = None) -> Tensor:
        """Return the condition of a forecast: the past is given."""
        frames = self.representation.frames
        empty = torch.zeros_like(past[..., :1, :, :]).expand(*past.shape[:-3], frames.future, *past.shape[-2:])
        given = observe_past(frames.past, frames.future).expand(len(past), -1)
        return self.condition_on(torch.cat([past, empty], dim=-3), given)

    def condition_on(
        self,
        video: Float[Tensor, "batch channel frames height width"],
        given: Bool[Tensor, "batch marks"],
    ) -> Tensor:
        """Return the condition in which the frames ``given`` of ``video`` (physical units) are given.

        Raises:
            DataError: the video has not P + F frames.
        """
        count = self.representation.frames.past + self.representation.frames.future
        if video.shape[-3] != count or given.shape[-1] != count:
            raise DataError(
                f"the video has {video.shape[-3]} frames and {given.shape[-1]} marks; this model takes {count} of both"
            )
        return make_condition(self._encode(video)[0], given)

    def shape(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Return the shape of a whole video."""
        frames = self.representation.frames
        return len(frames.future_channels), frames.past + frames.future, height, width

    def bounds(
        self,
        past: Tensor,
        clip: Mapping[str, tuple[float, float]],
        *,
        moved: Tensor | None = None,
        forcing: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the bounds of every frame; given frames are put back into what is clipped."""
        low, high = (limit[:, :, :1] for limit in self.representation.limits(past, clip))
        return low, high

    def future(self, x0: Tensor, past: Tensor, *, moved: Tensor | None = None, forcing: Tensor | None = None) -> Tensor:
        """Return the future frames of the generated video in physical units."""
        return self.representation.decode(x0[..., self.representation.frames.past :, :, :], past)

    def video(self, x0: Tensor) -> Tensor:
        """Return the whole generated video in physical units."""
        return self.representation.normaliser.inverse(x0, self.representation.frames.future_channels)

    def _encode(self, video: Tensor) -> tuple[Tensor, Tensor]:
        normalised = self.representation.normaliser.forward(video, self.representation.frames.future_channels)
        known = torch.isfinite(normalised)
        return torch.where(known, normalised, 0.0), known

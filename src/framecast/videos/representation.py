"""Between the user's videos in physical units and the numbers the network works on.

    past   --normalise, fill masked pixels--------------------> condition
    future --normalise, subtract the last frame (or not)------> x0
    x0     --add the last frame (or not), undo the stretch----> future

Everything that must travel with the weights for a forecast to mean anything is here: the frame specification, the
stretch, and what x0 stands for.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from framecast.core.configuration import kind_of
from framecast.core.errors import DataError
from framecast.videos.frames import FrameSpec
from framecast.videos.normalise import Normaliser
from framecast.videos.target import AnyTarget, Change, check_target, latest_frame


@dataclass(frozen=True, kw_only=True)
class Representation:
    """How videos are put before a network.

    Attributes:
        frames: which channels and frames are seen and forecast.
        normaliser: the stretch of every channel.
        target: what x0 stands for.
    """

    frames: FrameSpec
    normaliser: Normaliser
    target: AnyTarget

    def __post_init__(self) -> None:
        check_target(kind_of(self.target), self.frames)

    def encode_past(
        self, past: Float[Tensor, "*batch channel time height width"]
    ) -> Float[Tensor, "*batch channel time height width"]:
        """Return the condition for a past in physical units: normalised, masked pixels at the training mean (zero).

        Raises:
            DataError: channels or frames are not those of the frame specification.
        """
        self._check(past, len(self.frames.past_channels), self.frames.past, "past")
        return torch.nan_to_num(self.normaliser.forward(past, self.frames.past_channels), nan=0.0)

    def encode(
        self,
        past: Float[Tensor, "*batch past_channel past height width"],
        future: Float[Tensor, "*batch channel future height width"],
    ) -> tuple[Float[Tensor, "*batch channel future height width"], Bool[Tensor, "*batch channel future height width"]]:
        """Return x0 for a future, and which of its pixels are known (the loss counts only those).

        Both videos are in physical units, NaN where masked.

        Raises:
            DataError: channels or frames are not those of the frame specification.
        """
        self._check(future, len(self.frames.future_channels), self.frames.future, "future")
        normalised = self.normaliser.forward(future, self.frames.future_channels)
        x0 = self.target.encode(normalised, self._last(past))
        known = torch.isfinite(x0)
        return torch.where(known, x0, 0.0), known

    def decode(
        self,
        x0: Float[Tensor, "*batch channel future height width"],
        past: Float[Tensor, "*#batch past_channel past height width"],
    ) -> Float[Tensor, "*batch channel future height width"]:
        """Return the future in physical units; the inverse of `encode`.

        Pixels that no past frame shows (such as those outside a radar's range) are NaN wherever the channel
        is seen at all.
        """
        last = self._last(past)
        normalised = self.target.decode(x0, torch.nan_to_num(last, nan=0.0))
        physical = self.normaliser.inverse(normalised, self.frames.future_channels)
        return torch.where(torch.isnan(last), torch.nan, physical)

    def bounds(
        self, past: Float[Tensor, "batch past_channel past height width"], clip: Mapping[str, tuple[float, float]]
    ) -> tuple[Tensor, Tensor]:
        """Return x0 of the lowest and of the highest future that ``clip`` allows; infinite where it names no channel.

        Both can be broadcast against x0 ``[batch, channel, future, height, width]``; ``clip`` has physical values.
        """
        last = torch.nan_to_num(self._last(past), nan=0.0)
        low, high = (self.target.encode(limit, last) for limit in self.limits(past, clip))
        return low, high

    def limits(self, like: Tensor, clip: Mapping[str, tuple[float, float]]) -> tuple[Tensor, Tensor]:
        """Return lowest and highest normalised values ``[1, channel, future, 1, 1]``, infinite where there are none."""
        names = self.frames.future_channels
        given = like.new_tensor([clip.get(name, (-torch.inf, torch.inf)) for name in names])
        constant = given[:, None, None, None].expand(-1, self.frames.future, 1, 1, -1)
        normalised = [self.normaliser.forward(torch.nan_to_num(video), names) for video in constant.unbind(-1)]
        low, high = (
            torch.where(torch.isinf(c), c, n)[None] for c, n in zip(constant.unbind(-1), normalised, strict=True)
        )
        return low, high

    def _last(self, past: Tensor) -> Tensor:
        """Return the latest value every pixel had, normalised, ``[..., channel, 1, height, width]``.

        A block missing from the last frame is taken from the frame before. Where the channels to forecast are not
        all seen there is no last frame: zeros, which only a target that ignores it may meet.
        """
        if not set(self.frames.future_channels) <= set(self.frames.past_channels):
            assert not isinstance(self.target, Change)
            return torch.zeros_like(past[..., :1, :1, :, :])
        return self.normaliser.forward(latest_frame(past, self.frames), self.frames.future_channels)

    def _check(self, video: Tensor, channels: int, count: int, what: str) -> None:
        if video.ndim < 4 or video.shape[-4] != channels or video.shape[-3] != count:
            names = self.frames.past_channels if what == "past" else self.frames.future_channels
            raise DataError(
                f"the {what} has shape {list(video.shape[-4:])}; this model takes [channel, time, y, x] with "
                f"{channels} channels ({', '.join(names)}) and {count} frames"
            )

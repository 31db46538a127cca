"""Between the user's videos in physical units and the numbers the network works on.

    past   --normalise, fill masked pixels--------------------> condition
    future --normalise, subtract the last frame (or not)------> x0
    x0     --add the last frame (or not), undo the stretch----> future

The last frame is the latest value of each pixel, or that advected to each lead time: then the condition also contains
the advected frames.

Everything that must be stored with the weights of a model: the frame specification, the stretch, and the meaning of x0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from framecast.core.configuration import kind_of
from framecast.core.errors import ConfigError, DataError
from framecast.videos.anomalies import Anomalies
from framecast.videos.forcings import planes
from framecast.videos.frames import FrameSpec
from framecast.videos.normalise import Normaliser
from framecast.videos.target import (
    Advected,
    AnyTarget,
    Change,
    advected_frames,
    check_target,
    latest_frame,
    seen_before,
)


@dataclass(frozen=True, kw_only=True)
class Representation:
    """How videos become the input of a network.

    Attributes:
        frames: past and future channels and frames.
        normaliser: the stretch of every channel.
        target: meaning of x0.
        forcings: inputs known in advance; see `framecast.videos.forcings`.
        anomalies: cycles that replace the stretch; their clocks are among the forcings.
    """

    frames: FrameSpec
    normaliser: Normaliser
    target: AnyTarget
    forcings: tuple[str, ...] = ()
    anomalies: Anomalies | None = None

    def __post_init__(self) -> None:
        check_target(kind_of(self.target), self.frames)
        if self.anomalies and (untold := [name for name in self.anomalies.clocks if name not in self.forcings]):
            raise ConfigError(f"data.anomalies names {untold[0]}, which data.forcings lacks: add it there")

    @property
    def moves(self) -> bool:
        """Whether the last frame is advected."""
        return isinstance(self.target, Advected)

    @property
    def condition_shape(self) -> tuple[int, int]:
        """Numbers of channels and frames that `encode_past` returns."""
        frames, beside = self.frames, 2 * planes(self.forcings)
        channels = len(frames.past_channels) + (len(frames.future_channels) if self.moves else 0) + beside
        return channels, max(frames.past, frames.future) if self.moves or beside else frames.past

    def flow(self, past: Float[Tensor, "*batch channel time height width"]) -> Tensor | None:
        """Return the motion of a past, ``[..., future channel, 2, height, width]``, if the last frame is advected.

        In pixels per frame along x and y; see `framecast.videos.motion`.
        """
        if not isinstance(self.target, Advected):
            return None
        return self.target.motion.estimate(seen_before(past, self.frames))

    def moved(
        self, past: Float[Tensor, "*batch channel time height width"], flow: Tensor | None = None
    ) -> Tensor | None:
        """Return the last frame of a past advected to each lead time, physical units; see `advected_frames`.

        None where the target is not of this kind; the motion is that of `flow` if it is not given.
        """
        flow = self.flow(past) if flow is None or not self.moves else flow
        return None if flow is None else advected_frames(past, self.frames, flow)

    def encode_past(
        self,
        past: Float[Tensor, "*batch channel time height width"],
        moved: Tensor | None = None,
        forcing: Tensor | None = None,
    ) -> Float[Tensor, "*batch condition_channel condition_time height width"]:
        """Return the condition for a past in physical units: normalised, masked pixels at the training mean (zero).

        Args:
            past: of the channels and frames of the specification.
            moved: what `moved` returned for this past; computed if not given. These frames become
                channels beside those of the past, on one axis of ``max(P, F)`` frames, where lead time k is frame k
                and the past is at the end, its first frame repeated in front.
            forcing: what is known in advance, ``[..., plane, P + F, height, width]`` (`framecast.videos.forcings`):
                its past and its future become channels likewise.

        Raises:
            ConfigError: the model has forcings, and none are given.
            DataError: channels or frames are not those of the frame specification.
        """
        self._check(past, len(self.frames.past_channels), self.frames.past, "past")
        condition = torch.nan_to_num(self._normalised_past(past, forcing), nan=0.0)
        seen, ahead = [condition], []
        if self.moves:
            ahead.append(torch.nan_to_num(self._base(past, moved, forcing), nan=0.0))
        if self.forcings:
            known = self._forcing(forcing)
            seen.append(known[..., : self.frames.past, :, :])
            ahead.append(known[..., self.frames.past :, :, :])
        if not ahead:
            return condition
        missing = self.frames.future - self.frames.past
        if missing > 0:
            seen = [torch.cat([*[video[..., :1, :, :]] * missing, video], dim=-3) for video in seen]
        elif missing < 0:
            ahead = [torch.cat([video, *[video[..., -1:, :, :]] * -missing], dim=-3) for video in ahead]
        return torch.cat([*seen, *ahead], dim=-4)

    def _forcing(self, forcing: Tensor | None) -> Tensor:
        """Return the planes of the forcings, channels normalised and 0 where unknown."""
        if forcing is None:
            raise ConfigError(f"the model needs forcings for {', '.join(self.forcings)}: give them")
        parts = []
        for name in self.forcings:
            count = planes([name])
            part, forcing = forcing[..., :count, :, :, :], forcing[..., count:, :, :, :]
            parts.append(part if count == 2 else torch.nan_to_num(self.normaliser.forward(part, [name]), nan=0.0))
        return torch.cat(parts, dim=-4)

    def encode(
        self,
        past: Float[Tensor, "*batch past_channel past height width"],
        future: Float[Tensor, "*batch channel future height width"],
        moved: Tensor | None = None,
        forcing: Tensor | None = None,
    ) -> tuple[Float[Tensor, "*batch channel future height width"], Bool[Tensor, "*batch channel future height width"]]:
        """Return x0 for a future, 0 where it is not known, and which of its pixels are (the loss counts only those).

        Both videos are in physical units, NaN where masked; ``moved`` and ``forcing`` as for `encode_past`.

        Raises:
            DataError: channels or frames are not those of the frame specification.
        """
        self._check(future, len(self.frames.future_channels), self.frames.future, "future")
        x0 = self.target.encode(self._normalised_future(future, forcing), self._base(past, moved, forcing))
        known = torch.isfinite(x0)
        return torch.where(known, x0, 0.0), known

    def decode(
        self,
        x0: Float[Tensor, "*batch channel future height width"],
        past: Float[Tensor, "*#batch past_channel past height width"],
        moved: Tensor | None = None,
        forcing: Tensor | None = None,
    ) -> Float[Tensor, "*batch channel future height width"]:
        """Return the future in physical units; the inverse of `encode`.

        Pixels without a value in any past frame (such as those outside a radar's range) are NaN, if the channel is
        among the past channels.
        """
        base, names = self._base(past, moved, forcing), self.frames.future_channels
        normalised = self.target.decode(x0, torch.nan_to_num(base, nan=0.0))
        if self.anomalies is None:
            physical = self.normaliser.inverse(normalised, names)
        else:
            physical = self.anomalies.inverse(normalised, names, self._angles(forcing)[..., self.frames.past :])
        return torch.where(torch.isnan(base), torch.nan, physical)

    def bounds(
        self,
        past: Float[Tensor, "batch past_channel past height width"],
        clip: Mapping[str, tuple[float, float]],
        moved: Tensor | None = None,
        forcing: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return x0 of the lowest and of the highest future that ``clip`` allows; infinite where it names no channel.

        Both can be broadcast against x0 ``[batch, channel, future, height, width]``; ``clip`` has physical values.
        """
        base = torch.nan_to_num(self._base(past, moved, forcing), nan=0.0)
        low, high = (self.target.encode(limit, base) for limit in self.limits(past, clip, forcing))
        return low, high

    def limits(
        self, like: Tensor, clip: Mapping[str, tuple[float, float]], forcing: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return lowest and highest normalised values ``[1, channel, future, 1, 1]``, infinite where there are none.

        Of anomalies they depend on time and pixel: ``[batch, channel, future, height, width]``.
        """
        names = self.frames.future_channels
        given = like.new_tensor([clip.get(name, (-torch.inf, torch.inf)) for name in names])
        constant = given[:, None, None, None].expand(-1, self.frames.future, 1, 1, -1)
        videos = [torch.nan_to_num(video)[None] for video in constant.unbind(-1)]
        normalised = [self._normalised_future(video, forcing) for video in videos]
        free = constant.new_tensor([-torch.inf, torch.inf])  # also where anomalies of a pixel are not known
        low, high = (
            torch.where(torch.isinf(given) | torch.isnan(own), none, own)
            for given, own, none in zip(constant.unbind(-1), normalised, free, strict=True)
        )
        return low, high

    def _normalised_past(self, past: Tensor, forcing: Tensor | None) -> Tensor:
        return self._normalised(past, self.frames.past_channels, slice(None, self.frames.past), forcing)

    def _normalised_future(self, future: Tensor, forcing: Tensor | None) -> Tensor:
        return self._normalised(future, self.frames.future_channels, slice(self.frames.past, None), forcing)

    def _normalised(self, video: Tensor, names: Sequence[str], frames: slice, forcing: Tensor | None) -> Tensor:
        if self.anomalies is None:
            return self.normaliser.forward(video, names)
        return self.anomalies.forward(video, names, self._angles(forcing)[..., frames])

    def _angles(self, forcing: Tensor | None) -> Tensor:
        """Return cosine and sine of the clocks of the anomalies, ``[..., 2 · clock, P + F]``."""
        assert self.anomalies is not None
        if forcing is None:
            raise ConfigError(f"the anomalies of the model need {', '.join(self.anomalies.clocks)}: give forcings")
        before = [planes(self.forcings[: self.forcings.index(name)]) for name in self.anomalies.clocks]
        return forcing[..., [first + k for first in before for k in range(2)], :, 0, 0]

    def _base(self, past: Tensor, moved: Tensor | None, forcing: Tensor | None) -> Tensor:
        """Return the reference of the change, normalised: the last frame or, if it is advected, F of them.

        ``[..., channel, 1 or F, height, width]``; the latest value every pixel had, so that a block missing from the
        last frame is taken from the frame before. If not all future channels are among the past channels there is no
        last frame: zeros, for targets that ignore it.
        """
        if not set(self.frames.future_channels) <= set(self.frames.past_channels):
            assert not isinstance(self.target, Change)
            return torch.zeros_like(past[..., :1, :1, :, :])
        if self.moves and moved is None:
            moved = self.moved(past)
        if moved is not None:
            return self._normalised_future(moved, forcing)
        return latest_frame(self._normalised_past(past, forcing), self.frames)

    def _check(self, video: Tensor, channels: int, count: int, what: str) -> None:
        if video.ndim < 4 or video.shape[-4] != channels or video.shape[-3] != count:
            names = self.frames.past_channels if what == "past" else self.frames.future_channels
            raise DataError(
                f"the {what} has shape {list(video.shape[-4:])}; this model takes [channel, time, y, x] with "
                f"{channels} channels ({', '.join(names)}) and {count} frames"
            )

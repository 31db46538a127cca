"""What the generator produces: the future itself, or the change since the last frame, fixed or advected.

The next frame mostly equals the last one. A network that generates the change need not reproduce what is already known,
and its samples are sharp at the first lead time. The change is measured in units of its own standard deviation per
channel and lead time, so that each lead time has the same weight. If everything drifts, the frame that changes is the
last one advected to the lead time (`framecast.videos.motion`).

Everything here is in normalised units (see `framecast.videos.normalise`).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor

from framecast.core.configuration import OneOf
from framecast.core.errors import ConfigError
from framecast.videos.frames import FrameSpec
from framecast.videos.motion import AnyMotion, OpticalFlow, Part, advect


class Target(ABC):
    """Meaning of x0. Compare and hash by value; the arguments are the configuration."""

    @abstractmethod
    def encode(self, future: Tensor, last: Tensor) -> Tensor:
        """Return x0 for a normalised ``future``.

        Args:
            future: ``[..., channel, time, height, width]``.
            last: the same channels in the last past frame, ``[..., channel, 1, height, width]``, or advected to each
                lead time, ``[..., channel, time, height, width]``; zeros where the past does not contain them.
        """

    @abstractmethod
    def decode(self, x0: Tensor, last: Tensor) -> Tensor:
        """Return the normalised future. The inverse of `encode`."""


@dataclass(frozen=True, kw_only=True)
class Future(Target):
    """x0 is the future itself."""

    kind: Literal["future"] = "future"

    def encode(self, future: Tensor, last: Tensor) -> Tensor:
        """Return x0 for the normalised ``future`` ``[..., channel, time, height, width]``."""
        return future

    def decode(self, x0: Tensor, last: Tensor) -> Tensor:
        """Return the normalised future. The inverse of `encode`."""
        return x0


@dataclass(frozen=True, kw_only=True)
class Change(Target):
    """x0 is ``(future - last frame) / scale``.

    Attributes:
        scale: standard deviation of the change over training windows, ``[channel][lead time]``, normalised units.
    """

    scale: tuple[tuple[float, ...], ...]
    kind: Literal["change"] = "change"

    def __post_init__(self) -> None:
        if not all(value > 0 for row in self.scale for value in row):
            raise ConfigError("the scale of the change must be positive for every channel and lead time")

    def encode(self, future: Tensor, last: Tensor) -> Tensor:
        """Return x0 for a normalised ``future``; see `Target.encode`."""
        return (future - last) / self._scale(future)

    def decode(self, x0: Tensor, last: Tensor) -> Tensor:
        """Return the normalised future. The inverse of `encode`."""
        return last + x0 * self._scale(x0)

    def _scale(self, like: Tensor) -> Tensor:
        return torch.tensor(self.scale, dtype=like.dtype, device=like.device)[:, :, None, None]


@dataclass(frozen=True, kw_only=True)
class Advected(Change):
    """x0 is ``(future - last frame advected to the lead time) / scale``; advected frames are an input, too.

    Attributes:
        scale: see `Change`, here of the change since the advected frame.
        motion: source of the motion of a past.
    """

    kind: Literal["advected"] = "advected"  # type: ignore[assignment]
    motion: AnyMotion = OpticalFlow()


AnyTarget = Annotated[Target, OneOf(Future, Change, Advected)]


def check_target(kind: str, frames: FrameSpec) -> None:
    """Raise `ConfigError` if the change is defined for a channel that is not among the past channels."""
    unseen = [name for name in frames.future_channels if name not in frames.past_channels]
    if kind != "future" and unseen:
        raise ConfigError(
            f"the change since the last frame needs {', '.join(unseen)} among the past channels "
            f"({', '.join(frames.past_channels)}): add it, or use target=future"
        )


def latest_frame(past: Tensor, frames: FrameSpec) -> Tensor:
    """Return the latest value that each pixel of the future channels had in the past, NaN where no frame has one.

    A pixel masked in the last frame has the value of the frame before, and so on: ``[..., past channel, time, height,
    width]`` becomes ``[..., channel, 1, height, width]``.

    Raises:
        ConfigError: a future channel is not among the past channels.
    """
    video = seen_before(past, frames)
    latest = video[..., :1, :, :]
    for k in range(1, video.shape[-3]):
        frame = video[..., k : k + 1, :, :]
        latest = torch.where(torch.isnan(frame), latest, frame)
    return latest


def seen_before(past: Tensor, frames: FrameSpec) -> Tensor:
    """Return the future channels of ``past`` ``[..., past channel, time, height, width]``.

    Raises:
        ConfigError: a future channel is not among the past channels.
    """
    check_target("change", frames)
    return past[..., [frames.past_channels.index(name) for name in frames.future_channels], :, :, :]


def advected_frames(
    past: Tensor, frames: FrameSpec, flow: Tensor, *, part: Part = (slice(None), slice(None))
) -> Tensor:
    """Return the latest value of each pixel advected along ``flow``, ``[..., channel, lead time, height, width]``.

    Args:
        past: ``[..., past channel, time, height, width]``, NaN where masked.
        frames: of the model.
        flow: pixels per cadence, ``[..., channel, 2, height, width]`` or ``[2, height, width]`` for all channels; see
            `framecast.videos.motion`.
        part: rows and columns to return.

    Returns:
        Where the origin is outside the frame, the pixel keeps its latest value; NaN where it never had one.
    """
    latest = latest_frame(past, frames)
    steps = [round(lead / frames.cadence) for lead in frames.lead_times]
    frame = latest.squeeze(-3)
    flow = flow.expand(*frame.shape[:-2], 2, *frame.shape[-2:])
    moved = advect(frame, flow, steps[-1], part=part)[..., [step - 1 for step in steps], :, :]
    latest = latest[..., *part]
    seen = torch.isfinite(moved) & torch.isfinite(latest)
    return torch.where(seen, moved, latest)

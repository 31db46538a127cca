"""Invertible stretches: from physical units to numbers of order one, and back.

Intensities span decades (drizzle against cloudburst). A curve compresses them, an affine
map centres them:

    z = (curve(x / softening) - mean) / std

The statistics are those of training pixels; they are stored in the checkpoint. This file is independent of diffusion.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from framecast.core.errors import ConfigError, DataError
from framecast.videos.curves import FLOORED, Curve, describe_stretch

TRACE = 1e-3
"""Fraction of the variance that a curve with a floor may lose: read noise, not signal."""

_CURVES: dict[Curve, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "linear": (lambda x: x, lambda y: y),
    "sqrt": (torch.sqrt, lambda y: torch.square(y.clamp(min=0.0))),
    "log1p": (torch.log1p, torch.expm1),
    "asinh": (torch.asinh, torch.sinh),
}
"""Each curve and its inverse."""


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """The stretch of one channel.

    Attributes:
        curve: ``linear``, ``sqrt``, ``log1p`` or ``asinh``. ``sqrt`` and ``log1p`` set negative values to zero (read
            noise about an empty sky); ``linear`` and ``asinh`` keep them.
        softening: physical value at which the curve changes from linear to compressed.
        saturation: physical value above which values are clipped, in both directions; ``None`` clips nothing.
        dry: physical value below which values are exactly zero, such as the least rain that counts; ``None`` if zeros
            are ordinary values.
        mean: mean of the curve's values over training pixels.
        std: their standard deviation.
        reason: why the curve was chosen, where it was chosen from the data.
    """

    curve: Curve = "log1p"
    softening: float = 1.0
    saturation: float | None = None
    dry: float | None = None
    mean: float = 0.0
    std: float = 1.0
    reason: str = ""

    def __post_init__(self) -> None:
        numbers = {name: getattr(self, name) for name in ("softening", "std", "saturation", "dry")}
        if wrong := [name for name, value in numbers.items() if value is not None and not value > 0]:
            raise ConfigError(f"{wrong[0]} of a stretch is {numbers[wrong[0]]}; it must be positive")

    @property
    def floor(self) -> float | None:
        """The lowest physical value that the curve distinguishes, or ``None`` if there is none."""
        return 0.0 if self.curve in FLOORED else None

    def describe(self) -> str:
        """Return curve, softening and the reason for them on one line, such as ``linear (signed)``."""
        said = describe_stretch(self.curve, softening=self.softening, saturation=self.saturation, reason=self.reason)
        return said + (f", zero below {self.dry:g}" if self.dry is not None else "")

    def placed(self, *, centre: float, spread: float) -> "Stretch":
        """Return the stretch that gives ``centre + spread·z`` where this one gives z."""
        return replace(self, mean=self.mean - centre * self.std / spread, std=self.std / spread)

    def forward(self, physical: Tensor) -> Tensor:
        """Return normalised values of the same shape; NaN stays NaN."""
        bent, _ = _CURVES[self.curve]
        return (bent(self._clip(physical) / self.softening) - self.mean) / self.std

    def inverse(self, normalised: Tensor) -> Tensor:
        """Return physical values of the same shape, within the limits of `forward`."""
        _, straightened = _CURVES[self.curve]
        return self._clip(straightened(normalised * self.std + self.mean) * self.softening)

    def _clip(self, physical: Tensor) -> Tensor:
        if self.dry is not None:
            physical = torch.where(physical < self.dry, 0.0, physical)
        if self.floor is None and self.saturation is None:
            return physical
        return physical.clamp(min=self.floor, max=self.saturation)


@dataclass(frozen=True, kw_only=True)
class Normaliser:
    """The stretches of all channels, by name."""

    stretches: dict[str, Stretch]

    def forward(self, video: Tensor, channels: Sequence[str]) -> Tensor:
        """Normalise ``video`` ``[..., channel, time, height, width]`` (physical units) by channel; NaN stays NaN.

        Raises:
            DataError: a channel has no stretch.
        """
        return self._each(video, channels, Stretch.forward)

    def inverse(self, video: Tensor, channels: Sequence[str]) -> Tensor:
        """Return ``video`` ``[..., channel, time, height, width]`` to physical units. The inverse of `forward`."""
        return self._each(video, channels, Stretch.inverse)

    def losses(self, video: Tensor, channels: Sequence[str]) -> str:
        """Return in words which channels of ``[channel, time, height, width]`` have negative values that become 0.

        Empty if at most a trace is lost.
        """
        found = []
        for name, values in zip(channels, video.double(), strict=True):
            known, stretch = values[torch.isfinite(values)].numpy(), self.stretches[name]
            if stretch.floor is not None and known.size and loss_below_floor(known) > TRACE:
                found.append(f"{np.mean(known < 0):.1%} of {name} is negative, which {stretch.curve} takes as 0")
        return f"{'; '.join(found)}: train with data.curve=auto" if found else ""

    def _each(self, video: Tensor, channels: Sequence[str], apply) -> Tensor:  # type: ignore[no-untyped-def]
        missing = [name for name in channels if name not in self.stretches]
        if missing:
            raise DataError(f"no stretch is known for channel {', '.join(missing)}; known: {', '.join(self.stretches)}")
        if video.shape[-4] != len(channels):
            raise DataError(f"the video has {video.shape[-4]} channels and {len(channels)} names: {list(channels)}")
        parts = [apply(self.stretches[name], video.select(-4, k)) for k, name in enumerate(channels)]
        return torch.stack(parts, dim=-4)


def fit_stretch(
    pixels: np.ndarray,
    *,
    curve: Curve = "log1p",
    softening: float = 1.0,
    saturation: float | None = None,
    dry: float | None = None,
    reason: str = "",
) -> Stretch:
    """Return the stretch whose output has mean 0 and standard deviation 1 over the finite ``pixels`` of one channel.

    Raises:
        DataError: no finite pixel, all pixels equal, or values below zero that the curve would lose.
    """
    finite = torch.from_numpy(np.asarray(pixels, dtype=np.float64)[np.isfinite(pixels)])
    if finite.numel() == 0:
        raise DataError("a channel has no finite pixel in the training windows: check the archive's masks")
    stretch = Stretch(curve=curve, softening=softening, saturation=saturation, dry=dry, reason=reason)
    if stretch.floor is not None and loss_below_floor(finite.numpy()) > TRACE:
        below = finite < stretch.floor
        raise DataError(
            f"{curve} takes negative values as zero, and {100 * below.double().mean().item():.3g} % of the training "
            f"pixels are negative (down to {finite.min().item():g}): use data.curve=auto, linear or asinh"
        )
    values = stretch.forward(finite)
    std = values.std(correction=0).item()
    if values.min() == values.max():
        raise DataError(
            f"a channel is constant ({finite[0].item():g}) over the training windows: nothing can be learnt from it"
        )
    return replace(stretch, mean=values.mean().item(), std=std)


def loss_below_floor(values: np.ndarray) -> float:
    """Return the mean square of what is below zero over the variance: what a curve with a floor at zero would lose.

    Read noise about an empty sky loses a trace, although half of such pixels are negative. The values are finite.
    """
    scale = float(np.abs(values).max(initial=0.0)) or 1.0  # squares of 1e200 overflow
    scaled = values / scale
    variance = float(scaled.var())
    return float(np.square(np.minimum(scaled, 0.0)).mean()) / variance if variance > 0 else 0.0

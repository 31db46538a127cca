"""Standardised anomalies: the difference from the mean of the hour and season, over the standard deviation then.

    z = (x - mean(clock)) / std(clock)        pixel by pixel

The network sees a field with a daily or yearly cycle without that cycle, and a change of z since the last frame is the
change since the persistence of the anomaly. Mean and standard deviation are sums of a few harmonics of the hour (UTC)
and the season, which estimate a climatology with less error than a mean for each hour (Narapusetty, DelSole & Tippett
2009, J. Climate 22, doi 10.1175/2009JCLI2944.1). The cycles of the day and of the year are added: the change of the
daily cycle over the year is left to the network.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from framecast.core.errors import ConfigError, DataError
from framecast.videos.forcings import ClockName

_HARMONICS = 2
"""Of a clock, for the mean; the standard deviation has one."""

_LEAST_STD = 0.2
"""Of a pixel's mean standard deviation: the least at any time."""

Angles = Float[Tensor, "*given two_per_clock time"]
"""Cosine and sine of the angle of each clock; see `framecast.videos.forcings.clock`."""


@dataclass(frozen=True, kw_only=True)
class Anomalies:
    """The cycles of all channels, as a model stores them.

    Attributes:
        clocks: ``hour``, ``season`` or both, which must be among the forcings (`framecast.videos.forcings`).
        channels: names of the channels.
        height: rows of a frame.
        width: columns of a frame.
        harmonics: how many the mean has of each clock.
        mean: coefficients ``[channel, term, height, width]`` in physical units: float32, little-endian, in base64.
        std: likewise; one harmonic of each clock.
    """

    clocks: tuple[ClockName, ...]
    channels: tuple[str, ...]
    height: int
    width: int
    harmonics: tuple[int, ...]
    mean: str
    std: str

    def forward(
        self, video: Float[Tensor, "*batch channel frame height width"], channels: Sequence[str], angles: Angles
    ) -> Tensor:
        """Return the standardised anomalies of a video in physical units; NaN stays NaN.

        Raises:
            DataError: the frames are of another size, or a channel was not among those of the training.
        """
        mean, std = self._at(video, channels, angles)
        return (video - mean) / std

    def inverse(
        self, video: Float[Tensor, "*batch channel frame height width"], channels: Sequence[str], angles: Angles
    ) -> Tensor:
        """Return a video in physical units from its standardised anomalies. The inverse of `forward`."""
        mean, std = self._at(video, channels, angles)
        return video * std + mean

    def _at(self, video: Tensor, channels: Sequence[str], angles: Tensor) -> tuple[Tensor, Tensor]:
        if video.shape[-2:] != (self.height, self.width) and video.shape[-2:] != (1, 1):
            raise DataError(
                f"frames are {video.shape[-2]}×{video.shape[-1]}; anomalies are known of each pixel of the "
                f"{self.height}×{self.width} that the model was trained on: forecast frames of that region and size"
            )
        if unknown := sorted(set(channels) - set(self.channels)):
            raise DataError(f"anomalies of {', '.join(unknown)} are not known; those of {', '.join(self.channels)} are")
        places = [self.channels.index(name) for name in channels]
        fields = (self._fields[0][places].to(video), self._fields[1][places].to(video))
        bases = (basis(angles.to(video), self.harmonics), basis(angles.to(video), (1,) * len(self.clocks)))
        mean, std = (
            torch.einsum("...kt,ckhw->...cthw", terms, field) for terms, field in zip(bases, fields, strict=True)
        )
        return mean, torch.maximum(std, _LEAST_STD * fields[1][:, :1])

    @cached_property
    def _fields(self) -> tuple[Tensor, Tensor]:
        counts = (terms(self.harmonics), terms((1,) * len(self.clocks)))
        found = []
        for text, count in zip((self.mean, self.std), counts, strict=True):
            shape = (len(self.channels), count, self.height, self.width)
            try:
                values = np.frombuffer(base64.b64decode(text), "<f4").reshape(shape)
            except ValueError:
                raise DataError(f"the anomalies of the model are damaged: they must hold {shape} numbers") from None
            found.append(torch.from_numpy(values.astype(np.float32)))
        return found[0], found[1]


def terms(harmonics: Sequence[int]) -> int:
    """Return how many terms a cycle has: a constant, and a cosine and a sine for each harmonic."""
    return 1 + 2 * sum(harmonics)


def basis(angles: Angles, harmonics: Sequence[int]) -> Float[Tensor, "*given term time"]:
    """Return the terms at the ``angles``: 1, then cosine and sine of 1, 2, … times the angle of each clock."""
    parts = [torch.ones_like(angles[..., 0, :])]
    for k, count in enumerate(harmonics):
        turned = torch.atan2(angles[..., 2 * k + 1, :], angles[..., 2 * k, :])
        for n in range(1, count + 1):
            parts += [torch.cos(n * turned), torch.sin(n * turned)]
    return torch.stack(parts, dim=-2)


class Regression:
    """The least-squares fit of `basis` to every pixel of frames that are shown one video after another.

    Args:
        harmonics: of each clock.
    """

    def __init__(self, harmonics: Sequence[int]) -> None:
        self.harmonics = tuple(harmonics)
        self._gram = self._product = torch.zeros(())

    def add(self, video: Float[Tensor, "frame height width"], angles: Angles) -> None:
        """Take in frames at their ``angles``; NaN is left out."""
        seen, at = torch.isfinite(video), basis(angles.double(), self.harmonics)
        self._gram = self._gram + torch.einsum("it,jt,thw->hwij", at, at, seen.double())
        self._product = self._product + torch.einsum("it,thw->hwi", at, torch.where(seen, video, 0.0).double())

    def solve(self) -> Float[Tensor, "term height width"]:
        """Return the coefficients, NaN where too few frames are known to tell them."""
        found, failed = torch.linalg.solve_ex(self._gram, self._product)
        few = (failed != 0) | (self._gram[..., 0, 0] < 2 * len(self._gram[0, 0]))
        return torch.where(few[..., None], torch.nan, found).permute(2, 0, 1).float()


def resolved_harmonics(clocks: Sequence[str], angles: Angles) -> tuple[int, ...]:
    """Return how many harmonics of each clock the times of the frames tell apart, `_HARMONICS` at most.

    Raises:
        ConfigError: more than a third of the day or the year has no frame.
    """
    found = []
    for k, name in enumerate(clocks):
        turned = torch.atan2(angles[2 * k + 1].double(), angles[2 * k].double()).sort().values
        gaps = torch.diff(turned, append=turned[:1] + 2 * np.pi)
        count = min(_HARMONICS, int((2 * np.pi / gaps.max().item() + 1e-3 - 1) / 2))
        if count < 1:
            cycle = {"hour": "day", "season": "year"}[name]
            raise ConfigError(
                f"data.anomalies names {name}, and {gaps.max().item() / (2 * np.pi):.0%} of the {cycle} are without "
                f"training frames; at most a third may be: leave {name} out, or train on more of the {cycle}"
            )
        found.append(count)
    return tuple(found)


def packed(field: Float[Tensor, "channel term height width"]) -> str:
    """Return coefficients as `Anomalies` stores them."""
    return base64.b64encode(field.numpy().astype("<f4").tobytes()).decode("ascii")

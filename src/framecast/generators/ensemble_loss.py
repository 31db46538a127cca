"""The training loss of one-shot generators: scores of small ensembles, of the pixels and of their structure.

The fair CRPS of M members is an unbiased estimate of the CRPS of the distribution they are drawn from, for any M from 2
(Ferro 2014, doi 10.1002/qj.2270), so that its minimum over networks is the true distribution of each pixel. Ensembles
of weather models are trained in this way (Lang et al. 2024, arXiv 2412.15832; Alet et al. 2025, arXiv 2506.10772).

The distribution of each pixel does not determine how pixels are correlated, and neither does the mean of its score:
members may be checkerboards. So quantities computed from the video are scored in the same way, each of which detects
some errors and misses others (`TERMS`; docs/one-shot.md has the table). A complex quantity is scored with the modulus
as distance, which makes it an energy score in the plane (Gneiting & Raftery 2007, doi 10.1198/016214506000001437).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from framecast.core.errors import ConfigError
from framecast.generators.generator import Losses, Videos

Members = Float[Tensor, "member batch channel time height width"]

_COMPLETE = 0.98
"""Fraction of known pixels below which the spectrum of a window is left out: filled pixels would enter it."""

_SMALLEST = 1e-3
"""Smallest divisor of a coefficient, as a fraction of the largest standard deviation."""


class Scales(NamedTuple):
    """Scales of the true futures of training windows, which bring the terms of the loss to order one.

    Attributes:
        coefficient: of the spectrum ``[channel, time, height, width // 2 + 1]``: root mean square over its weight.
        difference: standard deviations of the differences, ``[channel]`` for each of `_differences`.
        change: standard deviations of the changes between frames, ``[channel]`` for each of `_changes`.
        lead: size of x0 at each lead time over the largest, ``[channel, time, 1, 1]``.
    """

    coefficient: Tensor
    difference: list[Tensor]
    change: list[Tensor]
    lead: Tensor


def measure_scales(x0: Videos, lead: Float[Tensor, "channel time"]) -> Scales:
    """Return the scales of some true futures in network space, 0 where unknown; x0 is in units of ``lead``."""
    power = _spectrum(x0).abs().square().mean(dim=0)
    largest = power.amax(dim=(-2, -1), keepdim=True).clamp(min=torch.finfo(power.dtype).tiny)
    rms = power.clamp(min=_SMALLEST**2 * largest).sqrt()
    difference, change = (
        [each.std(dim=(0, 2, 3, 4)).clamp(min=_SMALLEST) for each in derived]
        for derived in (_differences(x0), _changes(x0))
    )
    relative = (lead / lead.amax(dim=1, keepdim=True))[..., None, None].to(x0)
    return Scales(rms / _ring_weights(x0), difference, change, relative)


def pixels(video: Tensor, scales: Scales | None = None) -> list[Tensor]:
    """The pixels: insensitive to correlations between them."""
    return [video]


def pooled(video: Tensor, scales: Scales | None = None) -> list[Tensor]:
    """Means over aligned squares of 2×2, 4×4, … pixels, in each frame and over all; insensitive within a square.

    The means of s×s pixels are multiplied by √s, so that all scales have about the same weight when neighbouring pixels
    are correlated. The weights were chosen on changes whose means have the standard deviations 0.87, 0.70, 0.51, 0.35,
    0.22 and 0.15 at s = 2 … 64, in units of the pixels'; independent pixels would fall as 1/s.
    """
    found = []
    for side, mean in _means(video):
        found.append(mean * side**0.5)
        if video.shape[-3] > 1:
            found.append(mean.mean(dim=-3, keepdim=True) * side**0.5)
    return found


def spectral(video: Tensor, scales: Scales | None = None) -> list[Tensor]:
    """Fourier coefficients of each frame over their root mean square, all rings of wavenumbers weighted equally."""
    return [_spectrum(video) / _known(scales).coefficient]


def modulus(video: Tensor, scales: Scales | None = None) -> list[Tensor]:
    """Their moduli, the amount of structure at each scale: insensitive to its position, so never to be used alone."""
    return [each.abs() for each in spectral(video, scales)]


def differences(video: Tensor, scales: Scales | None = None) -> list[Tensor]:
    """Differences of neighbours, over both diagonals, along rows, columns and time, over their standard deviation."""
    found = zip(_differences(video), _known(scales).difference, strict=True)
    return [each / std[:, None, None, None] for each, std in found]


def changes(video: Tensor, scales: Scales | None = None) -> list[Tensor]:
    """Changes between frames, of the pixels and of means over squares, over their standard deviation: flicker."""
    found = zip(_changes(video), _known(scales).change, strict=True)
    return [each / std[:, None, None, None] for each, std in found]


def time_max(video: Tensor, scales: Scales | None = None) -> list[Tensor]:
    """The largest value of each pixel over the lead times: the peak."""
    return [(video * _known(scales).lead).amax(dim=-3)]


def time_mean(video: Tensor, scales: Scales | None = None) -> list[Tensor]:
    """The mean of each pixel over the lead times: the integral."""
    return [(video * _known(scales).lead).mean(dim=-3)]


TERMS: dict[str, Callable[[Tensor, Scales | None], list[Tensor]]] = {
    "pixels": pixels,
    "pooled": pooled,
    "spectral": spectral,
    "modulus": modulus,
    "differences": differences,
    "changes": changes,
    "time_max": time_max,
    "time_mean": time_mean,
}
"""A scored quantity: from ``[..., channel, time, height, width]`` to quantities with the same leading axes."""

_WITHOUT_SCALES = ("pixels", "pooled")
_OF_WHOLE_FRAMES = ("spectral", "modulus")


@dataclass(frozen=True, kw_only=True)
class EnsembleLoss:
    """The loss of a small ensemble, in network space: a weighted sum of scores of the quantities in `TERMS`.

    Attributes:
        kind: ``crps``, or ``mse`` for one member, which estimates the mean.
        pixels: weight of the score of the pixels.
        pooled: weight of the score of means over squares, at every scale; needed for sums over the frame.
        spectral: weight of the score of Fourier coefficients, each in units of its root mean square in training
            windows; detects checkerboards.
        modulus: weight of the score of their moduli; small compared with ``spectral``, since it ignores phases.
        differences: weight of the score of differences of neighbours in space and time.
        changes: weight of the score of changes between frames, also of means over squares; detects members whose sums
            flicker.
        time_max: weight of the score of each pixel's largest value.
        time_mean: weight of the score of each pixel's mean over time.
        fairness: 1 is the fair CRPS; 0.95 is almost fair, with a gradient also where two members straddle the truth
            (Lang et al. 2024, eq. 4); 0 takes the members as the full distribution.
    """

    kind: Literal["crps", "mse"] = "crps"
    pixels: float = 1.0
    pooled: float = 0.3
    spectral: float = 0.0
    modulus: float = 0.0
    differences: float = 0.0
    changes: float = 0.0
    time_max: float = 0.0
    time_mean: float = 0.0
    fairness: float = 1.0

    def __post_init__(self) -> None:
        for name in TERMS:
            if not getattr(self, name) >= 0:
                raise ConfigError(
                    f"one_shot.loss.{name} is {getattr(self, name)}; it is a weight and must not be negative"
                )
        if not any(getattr(self, name) for name in TERMS):
            raise ConfigError(f"every weight of one_shot.loss is 0: give one of {', '.join(TERMS)}")
        if not 0 <= self.fairness <= 1:
            raise ConfigError(f"one_shot.loss.fairness is {self.fairness}; it lies between 0 and 1 (fair)")

    @property
    def weights(self) -> dict[str, float]:
        """The terms that count, and their weights."""
        return {name: weight for name in TERMS if (weight := getattr(self, name))}

    @property
    def needs_scales(self) -> bool:
        """Whether a term is scaled by the truth of the training windows."""
        return self.kind == "crps" and not set(self.weights) <= set(_WITHOUT_SCALES)

    def check(self, members: int) -> None:
        """Raise `ConfigError` for fewer than two members under the CRPS, or more than one under the squared error."""
        if self.kind == "crps" and members < 2:
            raise ConfigError(f"one_shot.members is {members}; the fair CRPS compares at least two")
        if self.kind == "mse" and members != 1:
            raise ConfigError(f"one_shot.members is {members}; the squared error takes one, the mean")

    def __call__(
        self,
        members: Members,
        truth: Videos,
        known: Bool[Tensor, "batch channel time height width"],
        scales: Scales | None = None,
    ) -> Losses:
        """Return the loss of every batch element, whose ``members`` differ only in their noise.

        Only pixels that are ``known`` count, and only there must the truth be finite: elsewhere truth and members are
        set to the same, so that no spread there is rewarded. Spectra count in windows that are known to 98 %. Without
        any known pixel the loss is 0.
        """
        truth, members = torch.where(known, truth, 0.0), torch.where(known, members, 0.0)
        fraction = known.flatten(1).float().mean(dim=1)
        share = fraction.clamp(min=torch.finfo(torch.float32).tiny)
        if self.kind == "mse":
            return (members[0] - truth).square().flatten(1).mean(dim=1) / share
        loss = torch.zeros_like(share)
        for name, weight in self.weights.items():
            derived = zip(TERMS[name](members, scales), TERMS[name](truth, scales), strict=True)
            parts = [ensemble_crps(ours - theirs, fairness=self.fairness) for ours, theirs in derived]
            score = weight * torch.stack(parts).mean(dim=0)
            loss = loss + (score.where(fraction >= _COMPLETE, 0.0) if name in _OF_WHOLE_FRAMES else score)
        return loss / share


def ensemble_crps(error: Tensor, *, fairness: float = 1.0) -> Losses:
    r"""Return the mean CRPS of every batch element, from members minus truth ``[member, batch, ...]``, also complex.

    .. math:: \frac1M \sum_i |e_i| - \frac{1 - (1 - \alpha) / M}{M (M-1)} \sum_{i<j} |e_i - e_j|

    With ``fairness`` α: 1 is the fair CRPS, 0 that of the members as the full distribution.
    """
    count = len(error)
    pairs = [error[i] - error[j] for i in range(count) for j in range(i)]
    spread = torch.stack(pairs).abs().mean(dim=0) / 2 * (1 - (1 - fairness) / count)
    return (error.abs().mean(dim=0) - spread).flatten(1).mean(dim=1)


def _spectrum(video: Tensor) -> Tensor:
    """Return Fourier coefficients of each frame under a Hann window, since a frame is not periodic."""
    rows, columns = (torch.hann_window(n, periodic=False, device=video.device) for n in video.shape[-2:])
    window = rows[:, None] * columns
    return torch.fft.rfft2(video * (window / window.square().mean().sqrt()), norm="ortho")


def _ring_weights(video: Tensor) -> Tensor:
    """Return weights of the coefficients, of mean 1, under which each ring of wavenumbers counts the same."""
    height, width = video.shape[-2:]
    rows, columns = torch.fft.fftfreq(height, device=video.device), torch.fft.rfftfreq(width, device=video.device)
    ring = (torch.hypot(rows[:, None], columns) * min(height, width)).clamp(min=1.0)
    return 1 / ring / (1 / ring).mean()


def _differences(video: Tensor) -> list[Tensor]:
    """Return the differences along both diagonals, rows and columns, and time where there is more than a frame."""
    found = [
        video[..., 1:, 1:] - video[..., :-1, :-1],
        video[..., 1:, :-1] - video[..., :-1, 1:],
        video[..., 1:] - video[..., :-1],
        video[..., 1:, :] - video[..., :-1, :],
    ]
    return [*found, video.diff(dim=-3)] if video.shape[-3] > 1 else found


def _changes(video: Tensor) -> list[Tensor]:
    """Return the changes between frames, of the pixels and of their means over squares; 0 for a single frame."""
    moved = video.diff(dim=-3) if video.shape[-3] > 1 else torch.zeros_like(video)
    return [moved, *(mean for _, mean in _means(moved))]


def _means(video: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Yield 2, 4, 8, … up to the shorter side, and the means of each frame over aligned squares of so many pixels."""
    squares, side = video.flatten(0, -4)[:, None], 2
    while side <= min(video.shape[-2:]):
        squares = functional.avg_pool3d(squares, (1, 2, 2))
        yield side, squares.reshape(*video.shape[:-2], *squares.shape[-2:])
        side *= 2


def _known(scales: Scales | None) -> Scales:
    if scales is None:
        raise ConfigError(
            "this one_shot.loss is scaled by the training windows: call generator.measure before training"
        )
    return scales

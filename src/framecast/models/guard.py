"""The out-of-domain guard: whether a past resembles those that a model was trained on.

A network has the same confidence in any input. A description of the training pasts is therefore stored with the model,
and each past is compared with it before it is forecast from:

- by the quantiles of each channel, which must lie in the range of the training pasts, widened by a quarter;
- by a description of each channel: these quantiles, the power spectrum of frames and of changes between them, how
  changes add up from frame to frame;
- by what the network computes: the activations of its bottleneck, averaged over time and space.

Of the last two the principal components are compared: the mean distance from the ten nearest training pasts must not
exceed what 99.5 % of training pasts have from others that share no frame with them.

References:
    Sun et al. (2022), "Out-of-distribution detection with deep nearest neighbors", ICML (the distance to the k-th
    neighbour of features).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from framecast.core.errors import DataError
from framecast.data.archive.reader import Archive
from framecast.data.datasets import Samples, WindowDataset
from framecast.generators.generator import Generator
from framecast.models.config import ModelConfig
from framecast.verification.scores.image import power_spectrum
from framecast.videos.conditioning import Conditioning
from framecast.videos.frames import FrameSpec
from framecast.videos.normalise import Normaliser
from framecast.videos.target import Advected

NEIGHBOURS = 10
LEVEL = 0.995
"""Fraction of training pasts whose distance from the others is allowed."""

COMPONENTS = 12
"""Principal components that are compared."""

MARGIN = 0.25
"""How far beyond the range of many training pasts a quantile may lie, as a fraction of that range."""

_FEW = 32  # number of training pasts below which the range is so uncertain that the margin is doubled

QUANTILES = {"0.1 % quantile": 0.001, "median": 0.5, "99.9 % quantile": 0.999}
_BANDS = {"largest": 1 / 16, "larger": 1 / 8, "large": 1 / 4, "medium": 1 / 2, "small": 3 / 4, "smallest": 1.0}
"""Bands of wavenumbers, by their upper end as a fraction of the highest."""

NAMES = (
    *QUANTILES,
    *(f"structure at {band} scales" for band in _BANDS),
    *(f"change at {band} scales" for band in _BANDS),
    "persistence of change",
)
"""The numbers that describe a channel."""

_VALUES = 100_000  # pixels of a channel that quantiles are taken of, about

_BATCH = 16


class Model(Protocol):
    """The interface of a model that the guard needs."""

    config: ModelConfig
    generator: Generator

    @property
    def conditioning(self) -> Conditioning:
        """Converts a past to the network's input."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        ...


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """Training pasts as points, and how far from them a point may lie.

    Attributes:
        points: their principal components, ``[window, component]``, of variance 1.
        centre: mean of the numbers before.
        axes: from deviations to components, ``[number, component]``.
        limit: largest allowed mean distance from the ten nearest.
    """

    points: Tensor
    centre: Tensor
    axes: Tensor
    limit: float

    @classmethod
    def of(cls, numbers: Tensor, apart: Callable[[int], np.ndarray]) -> "Neighbours":
        """Return the points of ``[window, number]``; ``apart(k)`` says which windows share no frame with window k."""
        known = torch.isfinite(numbers).all(0)
        centre, scale = numbers.mean(0), numbers.std(0)
        known &= scale > 1e-6
        standard = ((numbers - centre) / scale)[:, known]
        _, spread, axes = torch.linalg.svd(standard, full_matrices=False)
        spread = spread / len(numbers) ** 0.5
        kept = int((spread[:COMPONENTS] > 1e-3).sum())
        whole = numbers.new_zeros(numbers.shape[1], kept)
        whole[known] = axes[:kept].T / spread[:kept] / scale[known, None]
        found = cls(points=torch.empty(0), centre=centre.nan_to_num(0.0), axes=whole, limit=float("inf"))
        points = found.place(numbers).half().float()
        distances = torch.stack([_distance(point, points[apart(k)]) for k, point in enumerate(points)])
        return cls(points=points, centre=found.centre, axes=whole, limit=float(distances.quantile(LEVEL)))

    def place(self, numbers: Tensor) -> Tensor:
        """Return the components of ``[..., number]``; numbers that are not known count as those of the mean."""
        if numbers.shape[-1] != len(self.centre):
            raise DataError(
                f"the model's reference has {len(self.centre)} numbers of a past, and its network {numbers.shape[-1]}: "
                "store it with the model again (framecast reference)"
            )
        return (numbers - self.centre).nan_to_num(0.0, posinf=0.0, neginf=0.0) @ self.axes

    def ratio(self, numbers: Tensor) -> float:
        """Return the distance of a point ``[number]`` over the allowed one."""
        return float(_distance(self.place(numbers), self.points)) / max(self.limit, 1e-12)


@dataclass(frozen=True, kw_only=True)
class Guard:
    """Description of the training pasts.

    Attributes:
        low: lowest allowed quantiles of each channel, ``[channel, 3]``, normalised.
        high: highest, likewise.
        grid: numbers that say how images were made, such as the size of a pixel.
        described: training pasts by the numbers that describe them; None for too few of them.
        seen: by the activations of the network; None also if it has no known bottleneck.
        mean: mean of the numbers that describe a channel, ``[channel, number]``.
        deviation: their standard deviation.
    """

    low: Tensor
    high: Tensor
    grid: Mapping[str, float] = field(default_factory=dict)
    described: Neighbours | None = None
    seen: Neighbours | None = None
    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, model: Model, train: Samples, chosen: Sequence[int], *, grid: Mapping[str, float]) -> "Guard":
        """Return the description of the pasts ``chosen`` of ``train``; ``grid`` comes from `grid_of`."""
        parts, views = [], []
        for start in range(0, len(chosen), _BATCH):
            pasts = train.batch(chosen[start : start + _BATCH]).past
            parts.append(describe(pasts, model.config.normaliser, model.config.frames))
            views.append(features(model, pasts))
        numbers, known = torch.cat(parts), [view for view in views if view is not None]
        low, high = _range(numbers[..., : len(QUANTILES)])
        apart, enough = _apart(train, chosen), len(chosen) > 2 * NEIGHBOURS
        return cls(
            low=low,
            high=high,
            grid=grid,
            described=Neighbours.of(numbers.flatten(1), apart) if enough else None,
            seen=Neighbours.of(torch.cat(known), apart) if enough and len(known) == len(views) else None,
            mean=numbers.nanmean(0),
            deviation=numbers.nan_to_num(0.0).std(0) if len(numbers) > 1 else torch.ones_like(numbers[0]),
        )

    def objection(self, model: Model, past: Tensor, *, grid: Mapping[str, float] | None = None) -> str:
        """Return how a past differs from those of the training, on one line; empty if it does not.

        Args:
            model: which model.
            past: ``[channel, time, y, x]``, physical units, NaN where masked.
            grid: how its images were made, where that is known.
        """
        channels = model.config.frames.past_channels
        numbers = describe(past[None], model.config.normaliser, model.config.frames)[0]
        reasons = [*self._other_grid(grid or {}), *self._out_of_range(model.config.normaliser, channels, numbers)]
        if self.described is not None and (ratio := self.described.ratio(numbers.flatten())) > 1:
            reasons.append(f"its {self._farthest(channels, numbers)} ({_beyond(ratio)} the allowed distance)")
        view = None if self.seen is None else features(model, past[None])
        if self.seen is not None and view is not None and (ratio := self.seen.ratio(view[0])) > 1:
            reasons.append(f"the input of the network is {_beyond(ratio)} the allowed distance from the training data")
        return "; ".join(reasons)

    def _other_grid(self, grid: Mapping[str, float]) -> Iterator[str]:
        for name, own in self.grid.items():
            if name in grid and abs(grid[name] - own) > 0.1 * abs(own):
                yield f"{name} is {grid[name]:.4g} (training: {own:.4g})"

    def _out_of_range(self, normaliser: Normaliser, channels: Sequence[str], numbers: Tensor) -> Iterator[str]:
        for channel, own, low, high in zip(channels, numbers, self.low, self.high, strict=True):
            for k, name in enumerate(QUANTILES):
                if own[k] < low[k] or own[k] > high[k]:
                    inverse = normaliser.stretches[channel].inverse
                    value, least, most = (f"{float(inverse(x[k])):.3g}" for x in (own, low, high))
                    yield f"{name} of {channel} is {value} (training: {least} to {most})"

    def _farthest(self, channels: Sequence[str], numbers: Tensor) -> str:
        """Return which number is furthest from its mean, in words."""
        apart = ((numbers - self.mean) / self.deviation.clamp(min=1e-6)).nan_to_num(0.0, posinf=0.0, neginf=0.0)
        channel, number = divmod(int(apart.abs().argmax()), len(NAMES))
        most = float(apart[channel, number])
        where = f" of {channels[channel]}" if len(channels) > 1 else ""
        return (
            f"{NAMES[number]}{where} is {abs(most):.2g} standard deviations {'above' if most > 0 else 'below'} the mean"
        )

    def to_tensors(self) -> dict[str, Tensor]:
        """Return the arrays by name; points in half precision."""
        found = {name: getattr(self, name) for name in ("low", "high", "mean", "deviation")}
        for name in ("described", "seen"):
            own: Neighbours | None = getattr(self, name)
            if own is not None:
                found |= {f"{name}.points": own.points.half(), f"{name}.centre": own.centre, f"{name}.axes": own.axes}
                found[f"{name}.limit"] = torch.tensor([own.limit], dtype=torch.float64)
        return found

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], *, grid: Mapping[str, float]) -> "Guard":
        """Return the guard of `to_tensors`."""

        def neighbours(name: str) -> Neighbours | None:
            if f"{name}.points" not in tensors:
                return None
            points, centre, axes = (tensors[f"{name}.{part}"].float() for part in ("points", "centre", "axes"))
            return Neighbours(points=points, centre=centre, axes=axes, limit=float(tensors[f"{name}.limit"]))

        plain = {name: tensors[name] for name in ("low", "high", "mean", "deviation")}
        return cls(**plain, grid=grid, described=neighbours("described"), seen=neighbours("seen"))


def describe(pasts: Tensor, normaliser: Normaliser, frames: FrameSpec) -> Tensor:
    """Return the numbers `NAMES` of each channel of some pasts ``[batch, channel, time, y, x]``.

    All are of normalised values: quantiles; logarithms of the mean power in bands of wavenumbers, of frames and of
    changes between them; and the logarithm of the mean square of changes over two frames over that of one. NaN where
    too little is known; unknown pixels count as the mean.
    """
    values = normaliser.forward(pasts, frames.past_channels)
    levels, flat = torch.tensor(list(QUANTILES.values()), dtype=values.dtype), values.flatten(2)
    quantiles = torch.nanquantile(flat[..., :: max(1, flat.shape[2] // _VALUES)], levels, dim=2).permute(1, 2, 0)
    values = torch.where(torch.isnan(values), values.nanmean((-2, -1), keepdim=True), values)
    change = values.diff(dim=2)
    twice = (values[:, :, 2:] - values[:, :, :-2]).square().flatten(2).nanmean(2)
    lasting = (twice.clamp(min=1e-12) / change.square().flatten(2).nanmean(2).clamp(min=1e-12)).log()
    return torch.cat([quantiles, _bands(values), _bands(change), lasting[..., None]], dim=-1)


def _bands(values: Tensor) -> Tensor:
    """Return the logarithm of the mean power in each band, ``[batch, channel, band]``."""
    if values.shape[2] == 0:
        return values.new_full((*values.shape[:2], len(_BANDS)), torch.nan)
    power = power_spectrum(values).nanmean(2).clamp(min=1e-12).log()
    ends = [round(end * power.shape[-1]) for end in _BANDS.values()]
    starts = [0, *ends[:-1]]
    return torch.stack([power[..., a:b].mean(-1) for a, b in zip(starts, ends, strict=True)], dim=-1)


class _Seen(Exception):  # noqa: N818
    """Ends an evaluation of a network as soon as its bottleneck has been evaluated."""


def features(model: Model, pasts: Tensor) -> Tensor | None:
    """Return the bottleneck's activations, averaged over time and space, ``[batch, feature]``.

    They are those of the first evaluation of a forecast, with zero in place of the noise; None for a custom network
    without a known bottleneck, and for one with more inputs than the past: forcings, or a motion that depends on
    position and time.
    """
    bottleneck: nn.Module | None = getattr(model.generator.network, "bottleneck", None)
    target = model.config.target
    if bottleneck is None or model.config.forcings or (isinstance(target, Advected) and target.motion.lasting):
        return None
    seen: list[Tensor] = []

    def catch(module: nn.Module, given: Any, result: Tensor) -> None:
        seen.append(result.float().mean((1, 2, 3)).cpu())
        raise _Seen

    past = pasts.to(model.device, torch.float32)
    condition = model.conditioning.condition(past)
    shape = (len(past), *model.conditioning.shape(*past.shape[-2:]))
    label = torch.full((len(past),), len(model.config.labels), device=past.device) if model.config.labels else None
    network = model.generator.network
    compiled = vars(network).pop("forward", None)  # hooks are not called in compiled code
    handle = bottleneck.register_forward_hook(catch)
    try:
        with torch.inference_mode():
            model.generator.generate(
                condition,
                label,
                noise=lambda k: torch.zeros(shape, device=past.device),
                options=model.config.sampling,
            )
    except _Seen:
        return seen[0][: len(past)].clone()  # guidance evaluates twice as many
    finally:
        handle.remove()
        if compiled is not None:
            network.forward = compiled
    return None


def grid_of(archive: Archive | None) -> dict[str, float]:
    """Return the numbers of an archive that describe how its images were made, and its pixel sizes."""
    if archive is None:
        return {}
    names = archive.domain.image_attributes
    found = {name: archive.attrs[name] for name in names if isinstance(archive.attrs.get(name), int | float)}
    for axis, variable in archive.positions(archive.sequences[0]).items():
        if axis in ("y", "x") and variable.ndim == 1 and variable.size > 1:
            unit = str(variable.attrs.get("units", ""))
            found[f"pixel size along {axis}{f' in {unit}' if unit else ''}"] = float(
                np.abs(np.median(np.diff(variable.values.astype(np.float64))))
            )
    return {name: float(value) for name, value in found.items()}


def _range(quantiles: Tensor) -> tuple[Tensor, Tensor]:
    """Return the widened range of quantiles ``[window, channel, 3]``; infinite where none is known."""
    known = torch.isfinite(quantiles)
    low = torch.where(known, quantiles, torch.inf).amin(0)
    high = torch.where(known, quantiles, -torch.inf).amax(0)
    some, beyond = known.any(0), MARGIN * (1 + _FEW / len(quantiles)) * (high - low).clamp(min=1e-3)
    return torch.where(some, low - beyond, -torch.inf), torch.where(some, high + beyond, torch.inf)


def _beyond(ratio: float) -> str:
    return f"{ratio:.2g} times" if ratio >= 1.05 else "just above"


def _apart(train: Samples, chosen: Sequence[int]) -> Callable[[int], np.ndarray]:
    """Return a function: from the place of a window to those that share no frame with it, if enough do."""
    everyone = np.arange(len(chosen))
    if not isinstance(train, WindowDataset):
        return lambda k: everyone != k
    frames, windows = train.frames, train.windows
    span = frames.lead_times[-1] - frames.past_times[0]
    times = np.array([windows[index].issue_time for index in chosen], dtype="datetime64[ns]")
    seconds = (times - times.min()) / np.timedelta64(1, "s")

    def apart(k: int) -> np.ndarray:
        far = np.abs(seconds - seconds[k]) > span
        return far if far.sum() > NEIGHBOURS else everyone != k

    return apart


def _distance(feature: Tensor, others: Tensor) -> Tensor:
    """Return the mean Euclidean distance from the nearest of ``others``."""
    distances = (others - feature).square().sum(1).sqrt()
    return distances.topk(min(NEIGHBOURS, len(distances)), largest=False).values.mean()

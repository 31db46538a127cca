"""Statistics of the training windows that are fitted before the network: stretches and sizes of change.

All of it from a bounded, seeded sample of windows, so that it takes seconds on an archive of any size, and from the
training side only.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framecast.core.errors import DataError
from framecast.data.datasets import Samples, WindowDataset, epoch_order
from framecast.videos.anomalies import Anomalies, Regression, basis, packed, resolved_harmonics
from framecast.videos.forcings import ClockName, channels_of_forcings, clock, frame_times, planes
from framecast.videos.normalise import Curve, Normaliser, fit_stretch
from framecast.videos.representation import Representation
from framecast.videos.stretch_choice import choose_stretch
from framecast.videos.target import Change

_PIXELS = 4_000_000
"""Pixels of one channel that a stretch is fitted on, about."""

_WINDOWS = 512
"""Windows that cycles and the size of changes are taken from, at most."""

_BATCH = 16
"""Windows read at once."""


def fit_normaliser(
    train: Samples,
    *,
    curve: Curve | Literal["auto"] | Mapping[str, Curve | Literal["auto"]] = "auto",
    softening: Mapping[str, float | None] = MappingProxyType({}),
    saturation: Mapping[str, float | None] = MappingProxyType({}),
    dry: Mapping[str, float | None] = MappingProxyType({}),
    seed: int = 0,
    pixels: int = _PIXELS,
) -> Normaliser:
    """Return the stretch of every channel, fitted on about so many pixels of training windows that ``seed`` chooses.

    Args:
        train: the training windows.
        curve: for all channels, or by channel; see `Stretch`. ``auto`` chooses it from the pixels; see
            `framecast.videos.stretch_choice`.
        softening: by channel, physical unit; by default 1, or chosen with the curve.
        saturation: by channel, physical unit.
        dry: by channel, physical unit; see `Stretch`.
        seed: random seed for the choice of windows.
        pixels: of each channel.

    Raises:
        DataError: a channel is constant or wholly masked, or a curve given by name would lose its negative values.
    """
    frames = train.frames
    forcings = getattr(train, "forcings", ())
    known = channels_of_forcings(forcings)
    channels = tuple(dict.fromkeys((*frames.past_channels, *frames.future_channels, *known)))
    per_window = frames.height * frames.width * (frames.past + frames.future)
    chosen = _choose(train, max(16, pixels // per_window), seed)
    values: dict[str, list[npt.NDArray[np.float32]]] = {channel: [] for channel in channels}
    for index in chosen:
        sample = train.sample(index)
        videos = [(sample.past, frames.past_channels), (sample.future, frames.future_channels)]
        if known:
            places = [planes(forcings[: forcings.index(name)]) for name in known]
            videos.append((sample.forcing[places], known))
        for video, names in videos:
            for k, name in enumerate(names):
                finite = video[k].numpy()
                values[name].append(finite[np.isfinite(finite)])
    stretches = {}
    for name in channels:
        kept, bend, top, wet = np.concatenate(values[name]), softening.get(name), saturation.get(name), dry.get(name)
        own = curve if isinstance(curve, str) else curve.get(name, "auto")
        try:
            if own == "auto":
                stretches[name] = choose_stretch(kept, softening=bend, saturation=top, dry=wet)
            else:
                bend = 1.0 if bend is None else bend
                stretches[name] = fit_stretch(kept, curve=own, softening=bend, saturation=top, dry=wet)
        except DataError as error:
            raise DataError(f"channel {name}: {error}") from None
    return Normaliser(stretches=stretches)


def fit_anomalies(train: WindowDataset, clocks: Sequence[ClockName], *, seed: int = 0) -> Anomalies:
    """Return the daily and yearly cycles of every channel, from at most 512 windows that ``seed`` chooses.

    The standard deviation is √(π/2) times the expected absolute anomaly, as of a normal distribution.

    Args:
        train: the training windows, of whole frames.
        clocks: ``hour``, ``season`` or both.
        seed: which windows are looked at.

    Raises:
        ConfigError: the training frames leave out too much of the day or the year.
        DataError: nothing varies in a channel.
    """
    frames, chosen = train.frames, _choose(train, _WINDOWS, seed)
    channels = tuple(dict.fromkeys((*frames.past_channels, *frames.future_channels)))
    times = {index: frame_times(train.windows[index].issue_time, frames) for index in chosen}
    angles = {k: torch.from_numpy(np.concatenate([clock(name, own) for name in clocks])) for k, own in times.items()}
    harmonics, once = resolved_harmonics(clocks, torch.cat(list(angles.values()), dim=1)), (1,) * len(clocks)

    def videos() -> Iterator[tuple[int, Tensor, Tensor]]:
        for index in chosen:
            sample, at = train.sample(index), angles[index]
            for video, names, own in (
                (sample.past, frames.past_channels, at[:, : frames.past]),
                (sample.future, frames.future_channels, at[:, frames.past :]),
            ):
                yield from ((channels.index(name), video[k], own) for k, name in enumerate(names))

    means = [Regression(harmonics) for _ in channels]
    for channel, video, at in videos():
        means[channel].add(video, at)
    mean = torch.stack([each.solve() for each in means])
    sizes = [Regression(once) for _ in channels]
    for channel, video, at in videos():
        anomaly = video - torch.einsum("kt,khw->thw", basis(at, harmonics), mean[channel])
        sizes[channel].add(anomaly.abs() * (np.pi / 2) ** 0.5, at)
    std = torch.stack([each.solve() for each in sizes])
    for name, own in zip(channels, std[:, 0], strict=True):
        if not own.nan_to_num().max() > 0:
            raise DataError(f"channel {name} has no anomaly in the training windows: nothing can be learnt from it")
    std[:, 0] = torch.maximum(std[:, 0], 1e-3 * std[:, 0].nan_to_num().amax((-2, -1), keepdim=True))
    return Anomalies(
        clocks=tuple(clocks),
        channels=channels,
        height=frames.height,
        width=frames.width,
        harmonics=harmonics,
        mean=packed(mean),
        std=packed(std),
    )


def fit_change_scale(
    train: Samples,
    normaliser: Normaliser,
    *,
    anomalies: Anomalies | None = None,
    seed: int = 0,
) -> tuple[tuple[float, ...], ...]:
    """Return the standard deviation of the normalised change since the last frame, ``[channel][lead time]``.

        scale[c][k] = sqrt(mean((z_future[c, k] - z_last[c])²))

    The last frame is the moved one where samples have it. It is taken about zero, so that the encoded change has a mean
    square of one, over at most 512 windows that ``seed`` chooses. Masked pixels are left out.

    Raises:
        ConfigError: a future channel is not among the past channels.
        DataError: nothing changes in some channel at some lead time, or all pixels are masked.
    """
    frames = train.frames
    change = Change(scale=((1.0,) * frames.future,) * len(frames.future_channels))
    forcings = getattr(train, "forcings", ())
    plain = Representation(frames=frames, normaliser=normaliser, target=change, forcings=forcings, anomalies=anomalies)
    total = torch.zeros(len(frames.future_channels), frames.future, dtype=torch.float64)
    count = torch.zeros_like(total)
    chosen = _choose(train, _WINDOWS, seed)
    for start in range(0, len(chosen), _BATCH):
        sample = train.batch(chosen[start : start + _BATCH])
        x0, seen = plain.encode(sample.past, sample.future, *sample.beside)
        total += x0.double().square().sum(dim=(0, -2, -1))
        count += seen.sum(dim=(0, -2, -1))
    scale = (total / count).sqrt()
    still = [(c, k) for c, k in np.argwhere(~(scale > 0).numpy()).tolist()]
    if still:
        channel, lead = frames.future_channels[still[0][0]], still[0][1] + 1
        raise DataError(
            f"channel {channel} never changes, or is masked, from the last past frame to lead time {lead} in the "
            "training windows: there is nothing to learn; check the archive"
        )
    return tuple(tuple(row) for row in scale.tolist())


def _choose(train: Samples, most: int, seed: int) -> list[int]:
    """Return at most ``most`` windows drawn without replacement."""
    if len(train) == 0:
        raise DataError("there is no training window to take statistics from")
    return epoch_order(len(train), seed=seed, epoch=0)[:most].tolist()

"""Windows as tensors, in an order that depends on nothing but the seed.

There is no state to save: which windows make up a batch is a function of (seed, step), how a window is mirrored of
(seed, epoch, window). Training that continues in the middle sees exactly what it would have seen.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from framecast.core.errors import ConfigError, DataError
from framecast.data.archive.format import UNKNOWN
from framecast.data.archive.reader import Archive
from framecast.data.windows import Window, check_fit
from framecast.videos.frames import FrameSpec


class Sample(NamedTuple):
    """One window, or a batch of them with a batch axis in front.

    Attributes:
        past: ``[channel, time, height, width]`` of the past channels, float32, physical units, NaN where masked.
        future: ``[channel, time, height, width]`` of the future channels, likewise.
        index: position in the dataset, int64.
        label: class of what follows the last past frame, int64; the number of classes where it is not known, which is
            the null class of `framecast.diffusion.guidance`.
    """

    past: Tensor
    future: Tensor
    index: Tensor  # type: ignore[assignment]
    label: Tensor


class WindowDataset(Dataset[Sample]):
    """The windows of an archive as samples.

    Args:
        archive: where the frames are.
        windows: which runs of frames; found in this archive for these frames.
        frames: what is past, what is future.
        cache_bytes: sequences stay in memory once they are read, if all that are used fit into this.
        flips: axes along which a window may be mirrored, ``("x",)``, ``("y",)`` or both, where physics has no preferred
            direction; only samples drawn with an epoch are mirrored.
        seed: of the mirroring.
    """

    def __init__(
        self,
        archive: Archive,
        windows: Sequence[Window],
        frames: FrameSpec,
        *,
        cache_bytes: int = 2**30,
        flips: Sequence[str] = (),
        seed: int = 0,
    ) -> None:
        check_fit(archive, frames)
        if not set(flips) <= {"x", "y"}:
            raise ConfigError(f"flips are {list(flips)}; the axes that can be mirrored are x and y")
        count = frames.past + frames.future
        if windows and len(windows[0].indices) != count:
            raise DataError(
                f"windows of {len(windows[0].indices)} frames were given; {count} are needed: find them anew"
            )
        self.archive = archive
        self.windows = windows
        self.frames = frames
        self._channels = tuple(dict.fromkeys((*frames.past_channels, *frames.future_channels)))
        self._past = [self._channels.index(channel) for channel in frames.past_channels]
        self._future = [self._channels.index(channel) for channel in frames.future_channels]
        self._flips = tuple(sorted(set(flips)))
        self._seed = seed
        total = sum(len(archive.times(name)) for name in {window.sequence for window in windows})
        self.cached = total * len(self._channels) * frames.height * frames.width * 4 <= cache_bytes
        self._cache: dict[str, npt.NDArray[np.float32]] = {}
        self._labels: dict[str, npt.NDArray[np.int64]] = {}

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> Sample:
        return self.sample(index)

    def sample(self, index: int, *, epoch: int | None = None) -> Sample:
        """Return window ``index``; mirrored as (seed, epoch, index) says if an ``epoch`` is given."""
        if not 0 <= index < len(self.windows):
            raise IndexError(f"window {index} of {len(self.windows)}")
        window = self.windows[index]
        video = self._read(window)
        past = torch.from_numpy(video[self._past, : self.frames.past])
        future = torch.from_numpy(video[self._future, self.frames.past :])
        axes = [] if epoch is None else self._mirrored(index, epoch)
        if axes:
            past, future = past.flip(axes), future.flip(axes)
        return Sample(past, future, torch.tensor(index), torch.tensor(self.label(index)))

    def label(self, index: int) -> int:
        """Return the class of window ``index``: that of its last past frame, or the number of classes if unknown."""
        window = self.windows[index]
        if window.sequence not in self._labels:
            self._labels[window.sequence] = self.archive.labels(window.sequence)
        label = int(self._labels[window.sequence][window.indices[self.frames.past - 1]])
        return len(self.archive.classes) if label == UNKNOWN else label

    def batch(self, indices: Sequence[int] | npt.NDArray[np.integer], *, epoch: int | None = None) -> Sample:
        """Return the windows ``indices`` stacked along a batch axis in front."""
        samples = [self.sample(int(index), epoch=epoch) for index in indices]
        past, future, index, label = zip(*samples, strict=True)
        return Sample(torch.stack(past), torch.stack(future), torch.stack(index), torch.stack(label))

    def _read(self, window: Window) -> npt.NDArray[np.float32]:
        """Return ``[channel, time, y, x]`` of the channels in use."""
        if not self.cached:
            return self.archive.read(window.sequence, window.indices, self._channels)
        if window.sequence not in self._cache:
            self._cache[window.sequence] = self.archive.read(window.sequence, channels=self._channels)
        return self._cache[window.sequence][:, list(window.indices)]

    def _mirrored(self, index: int, epoch: int) -> list[int]:
        bits = int(np.random.Philox(key=[self._seed, epoch], counter=[index, 0, 0, 1]).random_raw())
        return [-1 if axis == "x" else -2 for place, axis in enumerate(self._flips) if bits >> place & 1]


@lru_cache(maxsize=4)
def epoch_order(count: int, *, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """Return the numbers 0 … ``count`` - 1 in the order of this epoch: a permutation that (seed, epoch) decide.

    The order is that of the raw output of a counter-based generator (Philox; Salmon et al. 2011,
    doi:10.1145/2063384.2063405), which is the same on every machine and in every version of NumPy. The array is
    shared and read-only.
    """
    keys = np.random.Philox(key=[seed, epoch]).random_raw(count)
    order = np.argsort(keys, kind="stable").astype(np.int64)
    order.flags.writeable = False
    return order


def batches(count: int, batch_size: int, *, seed: int, epoch: int, start: int = 0) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the batches of one epoch, each sample once; the last one may be shorter.

    Args:
        count: number of samples.
        batch_size: samples per batch.
        seed: see `epoch_order`.
        epoch: see `epoch_order`.
        start: number of batches to leave out at the beginning, to continue in the middle.
    """
    order = epoch_order(count, seed=seed, epoch=epoch)
    for first in range(start * batch_size, count, batch_size):
        yield order[first : first + batch_size]


def batch_at(step: int, count: int, batch_size: int, *, seed: int) -> tuple[npt.NDArray[np.int64], int]:
    """Return the batch of training step ``step`` and the epoch it begins in; every batch is full.

    The epochs follow one another without a seam: a batch that an epoch cannot fill is filled from the next one, so
    that any ``batch_size`` goes with any ``count``.

    Args:
        step: number of the step, from 0.
        count: number of samples, at least 1.
        batch_size: samples per batch.
        seed: see `epoch_order`.
    """
    if count < 1:
        raise DataError("there is no window to train on")
    positions = np.arange(step * batch_size, (step + 1) * batch_size)
    epochs = positions // count
    orders = {epoch: epoch_order(count, seed=seed, epoch=epoch) for epoch in np.unique(epochs).tolist()}
    picked = [orders[epoch][place] for epoch, place in zip(epochs.tolist(), (positions % count).tolist(), strict=True)]
    return np.array(picked, np.int64), int(epochs[0])

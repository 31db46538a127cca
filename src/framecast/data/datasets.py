"""Windows as tensors, in an order that depends on nothing but the seed.

There is no state to save: which windows make up a batch is a function of (seed, step), how a window is mirrored of
(seed, epoch, window). Training that continues in the middle sees exactly what it would have seen.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from framecast.core.errors import ConfigError, DataError
from framecast.data.archive.format import UNKNOWN
from framecast.data.archive.reader import Archive
from framecast.data.windows import ABSENT, Window, check_fit
from framecast.videos.forcings import CLOCKS, assemble, channels_of_forcings, frame_times
from framecast.videos.frames import FrameSpec
from framecast.videos.motion import Motion, Part
from framecast.videos.target import advected_frames, seen_before

_PATCHES_DRAWN = 4
"""Patches among which the one with the fewest unknown pixels is taken."""


class Windows(Protocol):
    """Protocol of a custom dataset: three methods, and three optional attributes.

    ``frames`` (`FrameSpec`) names channels, cadence and size; without it they are those of the first window, and the
    recipe must say ``data.cadence``. ``unit`` is the physical unit, and ``classes`` what the labels mean.
    """

    def __len__(self) -> int:
        """Return the number of windows."""
        ...

    def batch(self, indices: Sequence[int], epoch: int | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the past, the future and the label of these windows.

        Args:
            indices: which windows.
            epoch: training epoch, for augmentation that depends on it; ``None`` for the unmodified windows.

        Returns:
            Past and future ``[batch, channel, time, height, width]`` in physical units, NaN where masked, and labels
            ``[batch]`` int64, the number of classes where unknown; ``None`` for windows without labels. The same
            arguments must give the same numbers.
        """
        ...

    def name(self, index: int) -> str:
        """Return the unique name of a window."""
        ...


class Sample(NamedTuple):
    """One window, or a batch of them with a batch axis in front.

    Attributes:
        past: ``[channel, time, height, width]`` of the past channels, float32, physical units, NaN where masked.
        future: ``[channel, time, height, width]`` of the future channels, likewise.
        label: class of what follows the last past frame, int64; the number of classes where it is not known, which is
            the null class of `framecast.diffusion.guidance`.
        moved: ``[channel, time, height, width]``, the last past frame advected to each lead time, computed on full
            frames (see `framecast.videos.target.advected_frames`); empty if not requested.
        forcing: ``[plane, P + F, height, width]``, the forcings (see `framecast.videos.forcings`); empty if there are
            none.
    """

    past: Tensor
    future: Tensor
    label: Tensor
    moved: Tensor = torch.empty(0)
    forcing: Tensor = torch.empty(0)

    @property
    def beside(self) -> tuple[Tensor | None, Tensor | None]:
        """What is moved and what is known in advance; None where it is empty."""
        return self.moved if self.moved.numel() else None, self.forcing if self.forcing.numel() else None


class Samples(Dataset[Sample], ABC):
    """Windows as training takes them: those of an archive, or of a custom dataset.

    Attributes:
        frames: past and future frames.
        classes: names of what labels mean; empty where there are none.
    """

    frames: FrameSpec
    classes: tuple[str, ...]

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of windows."""

    @abstractmethod
    def batch(self, indices: Sequence[int] | npt.NDArray[np.integer], epoch: int | None = None) -> Sample:
        """Return the windows ``indices`` stacked along a batch axis in front; see `Windows.batch`."""

    @abstractmethod
    def name(self, index: int) -> str:
        """Return the name of window ``index``."""

    def __getitem__(self, index: int) -> Sample:
        return self.sample(index)

    def sample(self, index: int, *, epoch: int | None = None) -> Sample:
        """Return window ``index``; augmented as ``epoch`` says if one is given."""
        return Sample(*(values[0] if len(values) else values for values in self.batch([index], epoch)))

    def label(self, index: int) -> int:
        """Return the class of window ``index``, or the number of classes if unknown."""
        return int(self.sample(index).label)


class OwnSamples(Samples):
    """A custom dataset whose windows are checked against ``frames`` and ``classes``."""

    def __init__(self, windows: Windows, frames: FrameSpec, classes: Sequence[str] = ()) -> None:
        self.windows = windows
        self.frames = frames
        self.classes = tuple(classes)

    def __len__(self) -> int:
        return len(self.windows)

    def name(self, index: int) -> str:
        """Return the name of window ``index``."""
        return str(self.windows.name(index))

    def batch(self, indices: Sequence[int] | npt.NDArray[np.integer], epoch: int | None = None) -> Sample:
        """Return the windows ``indices`` stacked along a batch axis in front; see `Windows.batch`.

        Raises:
            DataError: they have another shape than the first ones, infinite values or impossible labels.
        """
        past, future, label = self.windows.batch([int(index) for index in indices], epoch)
        for what, video, shape in (
            ("past", past, self.frames.past_shape),
            ("future", future, self.frames.future_shape),
        ):
            if tuple(video.shape) != (len(indices), *shape):
                raise DataError(
                    f"{type(self.windows).__name__}.batch gives a {what} of the shape {list(video.shape)} for "
                    f"{len(indices)} windows; it must be {[len(indices), *shape]} [batch, channel, time, height, width]"
                )
            if torch.isinf(video).any():
                raise DataError(
                    f"the {what} of window {self.name(int(indices[0]))} or another in its batch contains an "
                    "infinite value: use NaN for unknown pixels"
                )
        unknown = len(self.classes)
        labels = torch.full((len(indices),), unknown) if label is None else label.to(torch.int64)
        if labels.shape != (len(indices),) or not bool(((labels >= 0) & (labels <= unknown)).all()):
            raise DataError(f"labels are {labels.tolist()}; there must be one for each window, from 0 to {unknown}")
        return Sample(past.float(), future.float(), labels)


class WindowDataset(Samples):
    """The windows of an archive as samples.

    Args:
        archive: where the frames are.
        windows: which runs of frames; found in this archive for these frames. A future that the archive does not hold,
            frames or channels, is NaN.
        frames: past and future frames; a smaller height or width than the archive's gives random patches.
        cache_bytes: sequences stay in memory once they are read, if all that are used fit into this.
        flips: axes along which a window may be mirrored, ``("x",)``, ``("y",)`` or both, if the physics has no
            preferred direction; only samples drawn with an epoch are mirrored.
        motion: advects the last frame to the lead times, once for each window, on full frames; None for no motion.
        forcings: what is known in advance: time of day and year, and channels of the archive; see
            `framecast.videos.forcings`.
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
        motion: Motion | None = None,
        forcings: Sequence[str] = (),
        seed: int = 0,
    ) -> None:
        self.patched = frames.height < archive.height or frames.width < archive.width
        whole = replace(frames, height=archive.height, width=archive.width) if self.patched else frames
        check_fit(archive, whole, past_only=True)
        if not set(flips) <= {"x", "y"}:
            raise ConfigError(f"flips are {list(flips)}; the axes that can be mirrored are x and y")
        count = frames.past + frames.future
        if windows and len(windows[0].indices) != count:
            raise DataError(
                f"windows of {len(windows[0].indices)} frames were given; {count} are needed: call find_windows again"
            )
        self.archive = archive
        self.windows = windows
        self.frames = frames
        self.classes = archive.classes
        self.forcings = tuple(forcings)
        known = channels_of_forcings(self.forcings)
        if unknown := [name for name in known if name not in archive.channels]:
            raise DataError(
                f"{archive.path} lacks {', '.join(unknown)}, which data.forcings names; known are "
                f"{', '.join((*CLOCKS, *archive.channels))}"
            )
        if set(self.forcings) & set(CLOCKS) and not archive.calendar.ordinary:
            raise DataError(
                f"{archive.path} has no dates of the standard calendar, which hour and season are computed from"
            )
        self._channels = tuple(dict.fromkeys((*frames.past_channels, *frames.future_channels, *known)))
        self._stored = tuple(channel for channel in self._channels if channel in archive.channels)
        self._past = [self._channels.index(channel) for channel in frames.past_channels]
        self._future = [self._channels.index(channel) for channel in frames.future_channels]
        self._flips = tuple(sorted(set(flips)))
        self._seed = seed
        self._motion, self._whole = motion, whole
        self._flows: dict[int, Tensor] = {}
        self._room_for_flows = cache_bytes
        total = sum(len(archive.times(name)) for name in {window.sequence for window in windows})
        self.cached = total * len(self._channels) * archive.height * archive.width * 4 <= cache_bytes
        self._cache: dict[str, npt.NDArray[np.float32]] = {}
        self._labels: dict[str, npt.NDArray[np.int64]] = {}

    def __len__(self) -> int:
        return len(self.windows)

    def name(self, index: int) -> str:
        """Return the name of window ``index``."""
        return self.windows[index].id

    def sample(self, index: int, *, epoch: int | None = None) -> Sample:
        """Return window ``index``; mirrored, and another patch of it, as (seed, epoch, index) says if one is given."""
        if not 0 <= index < len(self.windows):
            raise IndexError(f"window {index} of {len(self.windows)}")
        window = self.windows[index]
        video = self._read(window)
        part = self._patch(video, index, -1 if epoch is None else epoch) if self.patched else (slice(None), slice(None))
        moved = self._moved(video, index, part)
        video = np.ascontiguousarray(video[..., *part])
        past = torch.from_numpy(video[self._past, : self.frames.past])
        future = torch.from_numpy(video[self._future, self.frames.past :])
        axes = [] if epoch is None else self._mirrored(index, epoch)
        videos = past, future, moved, self._forcing(video, window)
        past, future, moved, forcing = (own.flip(axes) if axes and own.numel() else own for own in videos)
        return Sample(past, future, torch.tensor(self.label(index)), moved, forcing)

    def label(self, index: int) -> int:
        """Return the class of window ``index``: that of its last past frame, or the number of classes if unknown."""
        window = self.windows[index]
        if window.sequence not in self._labels:
            self._labels[window.sequence] = self.archive.labels(window.sequence)
        label = int(self._labels[window.sequence][window.indices[self.frames.past - 1]])
        return len(self.archive.classes) if label == UNKNOWN else label

    def batch(self, indices: Sequence[int] | npt.NDArray[np.integer], epoch: int | None = None) -> Sample:
        """Return the windows ``indices`` stacked along a batch axis in front."""
        samples = [self.sample(int(index), epoch=epoch) for index in indices]
        return Sample(*map(torch.stack, zip(*samples, strict=True)))

    def _forcing(self, video: npt.NDArray[np.float32], window: Window) -> Tensor:
        """Return the planes of what is known in advance, from ``[channel, time, y, x]``; empty where nothing is."""
        if not self.forcings:
            return torch.empty(0)
        names = channels_of_forcings(self.forcings)
        given = {name: torch.from_numpy(video[self._channels.index(name)]) for name in names}
        times = frame_times(window.issue_time, self.frames)
        return assemble(self.forcings, times, given, (video.shape[-2], video.shape[-1]))

    def _moved(self, video: npt.NDArray[np.float32], index: int, part: Part) -> Tensor:
        """Return a part of the last frame advected by the motion of the full video; empty without motion."""
        if self._motion is None:
            return torch.empty(0)
        past = torch.from_numpy(video[self._past, : self.frames.past])
        flow = self._flows.get(index)
        if flow is None:
            seen = seen_before(past, self.frames)
            flow = self._motion.of_window(seen, self.archive, self.windows[index], self._whole)
            if 2 * flow.numel() <= self._room_for_flows:
                self._room_for_flows -= 2 * flow.numel()
                self._flows[index] = flow.half()
        return advected_frames(past, self.frames, flow.float(), part=part)

    def _read(self, window: Window) -> npt.NDArray[np.float32]:
        """Return ``[channel, time, y, x]`` of the channels in use."""
        places = [k for k, index in enumerate(window.indices) if index != ABSENT]
        rows = [window.indices[k] for k in places]
        if not self.cached:
            video = self.archive.read(window.sequence, rows, self._stored)
        else:
            if window.sequence not in self._cache:
                self._cache[window.sequence] = self.archive.read(window.sequence, channels=self._stored)
            video = self._cache[window.sequence][:, rows]
        if window.complete and len(self._stored) == len(self._channels):
            return video
        shape = (len(self._channels), len(window.indices), *video.shape[2:])
        whole = np.full(shape, np.nan, np.float32)
        whole[np.ix_([self._channels.index(name) for name in self._stored], places)] = video
        return whole

    def _patch(self, video: npt.NDArray[np.float32], index: int, epoch: int) -> Part:
        """Return a patch of ``[channel, time, y, x]``: the most known of a few drawn by (seed, epoch, index)."""
        size = self.frames.height, self.frames.width
        key = np.array([self._seed, epoch], np.int64).view(np.uint64)
        draws = np.random.Philox(key=key, counter=[index, 0, 0, 2]).random_raw(2 * _PATCHES_DRAWN)
        best, least = (slice(0, size[0]), slice(0, size[1])), np.inf
        for row, column in draws.reshape(-1, 2):
            top, left = int(row) % (video.shape[2] - size[0] + 1), int(column) % (video.shape[3] - size[1] + 1)
            patch = slice(top, top + size[0]), slice(left, left + size[1])
            unknown = int(np.isnan(video[..., *patch]).sum())
            if unknown < least:
                best, least = patch, unknown
            if not unknown:
                break
        return best

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


def batch_at(step: int, count: int, batch_size: int, *, seed: int) -> tuple[npt.NDArray[np.int64], int]:
    """Return the batch of training step ``step``, from 0, and the epoch it begins in; every batch is full.

    Epochs follow each other without a gap: a batch that an epoch cannot fill is completed from the next one, so that
    any ``batch_size`` can be used with any ``count`` of samples.
    """
    if count < 1:
        raise DataError("there is no window to train on")
    positions = np.arange(step * batch_size, (step + 1) * batch_size)
    epochs = positions // count
    orders = {epoch: epoch_order(count, seed=seed, epoch=epoch) for epoch in np.unique(epochs).tolist()}
    picked = [orders[epoch][place] for epoch, place in zip(epochs.tolist(), (positions % count).tolist(), strict=True)]
    return np.array(picked, np.int64), int(epochs[0])

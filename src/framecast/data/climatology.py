"""Training windows, from which baselines are made that are independent of the model."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from framecast.data.datasets import WindowDataset, epoch_order
from framecast.videos.target import advected_frames, latest_frame

_MOST_OCCASIONS = 256
_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Climatology:
    """Training windows, each taken once. Physical units, NaN where masked.

    Attributes:
        values: the futures, ``[occasion, channel, lead time, y, x]``.
        times: issue times.
        last: the last frame seen, ``[occasion, channel, y, x]``; None if a future channel is not among the past
            channels.
        mean: the mean of the past frames, likewise.
        moved: the last frame advected by a motion known in advance, like ``values``; None if there is none.
    """

    values: npt.NDArray[np.float32]
    times: npt.NDArray[np.datetime64]
    last: npt.NDArray[np.float32] | None = None
    mean: npt.NDArray[np.float32] | None = None
    moved: npt.NDArray[np.float32] | None = None

    @property
    def residuals(self) -> npt.NDArray[np.float32] | None:
        """The futures minus the last frame, for dressing persistence."""
        return None if self.last is None else self.values - self.last[:, :, None]


def sample_climatology(train: WindowDataset, *, most: int = _MOST_OCCASIONS, seed: int = 0) -> Climatology:
    """Return at most ``most`` training windows, none drawn twice; fewer where they are large."""
    frames = train.frames
    bound = max(2, _BYTES // (4 * int(np.prod(frames.future_shape))))
    chosen = epoch_order(len(train), seed=seed, epoch=0)[: min(most, bound)].tolist()
    samples = [train.sample(index) for index in chosen]
    last = mean = moved = None
    if set(frames.future_channels) <= set(frames.past_channels):
        last = np.stack([latest_frame(sample.past, frames)[:, 0].numpy() for sample in samples])
        order = [frames.past_channels.index(name) for name in frames.future_channels]
        mean = np.stack([sample.past[order].nanmean(1).numpy() for sample in samples])
        archive = train.archive
        whole = (frames.height, frames.width) == (archive.height, archive.width)  # and no patches
        move = archive.domain.motion(archive) if whole else None
        if move is not None:
            flows = [torch.from_numpy(move(train.windows[index], frames=frames)) for index in chosen]
            each = zip(samples, flows, strict=True)
            moved = np.stack([advected_frames(sample.past, frames, flow).numpy() for sample, flow in each])
    return Climatology(
        values=np.stack([sample.future.numpy() for sample in samples]),
        times=np.array([train.windows[index].issue_time for index in chosen], dtype="datetime64[ns]"),
        last=last,
        mean=mean,
        moved=moved,
    )

"""What came on training occasions: what baselines are made of that know nothing of the model."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from framecast.data.datasets import WindowDataset, epoch_order
from framecast.videos.target import latest_frame

_MOST_OCCASIONS = 256
_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Climatology:
    """Training windows, each taken once. Physical units, NaN where masked.

    Attributes:
        values: what came, ``[occasion, channel, lead time, y, x]``.
        times: issue times.
        last: the last frame seen, ``[occasion, channel, y, x]``; None where a channel that is forecast is not seen.
        mean: the mean of the frames seen, likewise.
        moved: the last frame as it moves in ways that are known in advance, like ``values``; None where none are.
    """

    values: npt.NDArray[np.float32]
    times: npt.NDArray[np.datetime64]
    last: npt.NDArray[np.float32] | None = None
    mean: npt.NDArray[np.float32] | None = None
    moved: npt.NDArray[np.float32] | None = None

    @property
    def residuals(self) -> npt.NDArray[np.float32] | None:
        """What came minus the last frame, for dressing persistence."""
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
        move = archive.domain.moved(archive) if whole else None
        if move is not None:
            windows = [train.windows[index] for index in chosen]
            moved = np.stack([move(*each, frames=frames) for each in zip(windows, last, strict=True)])
    return Climatology(
        values=np.stack([sample.future.numpy() for sample in samples]),
        times=np.array([train.windows[index].issue_time for index in chosen], dtype="datetime64[ns]"),
        last=last,
        mean=mean,
        moved=moved,
    )

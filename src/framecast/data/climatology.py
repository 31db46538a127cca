"""What usually comes: the futures of training windows, as an ensemble that knows nothing of the present."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from framecast.data.datasets import WindowDataset, epoch_order

_MOST_OCCASIONS = 256
_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Climatology:
    """Futures on other occasions, ``[occasion, channel, lead time, y, x]``, NaN where masked, and their issue times."""

    values: npt.NDArray[np.float32]
    times: npt.NDArray[np.datetime64]


def sample_climatology(train: WindowDataset, *, most: int = _MOST_OCCASIONS, seed: int = 0) -> Climatology:
    """Return the futures of at most ``most`` training windows, none drawn twice; fewer where they are large."""
    bound = max(2, _BYTES // (4 * int(np.prod(train.frames.future_shape))))
    chosen = epoch_order(len(train), seed=seed, epoch=0)[: min(most, bound)].tolist()
    values = np.stack([train.sample(index).future.numpy() for index in chosen])
    times = np.array([train.windows[index].issue_time for index in chosen], dtype="datetime64[ns]")
    return Climatology(values, times)

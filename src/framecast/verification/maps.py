"""Errors of forecasts by pixel: sums over the samples.

Pixels of different regions share only their position in the frame, so that these maps show effects of edges and masks,
and for a fixed field of view (rain, weather) of locations.
"""

from dataclasses import dataclass

import numpy as np
import torch

from framecast.verification.catalogue import Judged
from framecast.verification.scores import ratio

Array = np.ndarray


@dataclass
class Maps:
    """Sums over samples and lead times at each pixel, ``[channel, y, x]``.

    Attributes:
        error: sum of ensemble mean minus truth.
        squared: sum of its square.
        variance: sum of the ensemble variance, corrected for its finite size.
    """

    count: Array
    error: Array
    squared: Array
    variance: Array

    @classmethod
    def empty(cls, channels: int, size: tuple[int, int]) -> "Maps":
        """Return empty maps."""
        return cls(*np.zeros((4, channels, *size)))

    def record(self, sample: Judged) -> None:
        """Add one sample of the forecast."""
        self.count += sample.valid.sum(1).numpy()
        sums = (sample.error, sample.error.square(), sample.variance)
        for total, values in zip((self.error, self.squared, self.variance), sums, strict=True):
            total += torch.where(sample.valid, values, 0.0).sum(1, dtype=torch.float64).numpy()

    @property
    def bias(self) -> Array:
        """Mean error, NaN where nothing was scored; ``[channel, y, x]``."""
        return ratio(self.error, self.count)

    @property
    def rmse(self) -> Array:
        """Root mean squared error of the ensemble mean."""
        return np.sqrt(ratio(self.squared, self.count))

    @property
    def spread(self) -> Array:
        """Root of the mean ensemble variance."""
        return np.sqrt(ratio(self.variance, self.count))
